import { createHmac } from "node:crypto";
import type { BucketAddress, S3Credentials } from "../../s3/client";

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/**
 * Uploads an object as a browser's form does (S3's POST Object), whose key may be any bytes.
 *
 * @returns the HTTP status
 */
export async function formUpload(
  { endpoint, region, bucket }: BucketAddress,
  { accessKeyId, secretAccessKey }: S3Credentials,
  key: Buffer,
  content: string,
): Promise<number> {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = [date.slice(0, 8), region, "s3", "aws4_request"];
  const signed = {
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": [accessKeyId, ...scope].join("/"),
    "x-amz-date": date,
  };
  const conditions = [
    { bucket },
    ["starts-with", "$key", ""],
    ...Object.entries(signed).map(([name, value]) => ({ [name]: value })),
  ];
  const expiration = new Date(Date.now() + 600_000).toISOString();
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");
  const signingKey = scope.reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${secretAccessKey}`,
  );
  const fields = {
    ...signed,
    key,
    policy,
    "x-amz-signature": hmac(signingKey, policy).toString("hex"),
    file: content,
  };
  const boundary = "the-end-of-a-field";
  const body = Buffer.concat([
    ...Object.entries(fields).flatMap(([name, value]) => [
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
      Buffer.from(value),
      Buffer.from("\r\n"),
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
  const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
  return (await fetch(`${endpoint}/${bucket}`, { method: "POST", headers, body })).status;
}
