/** Whether S3 keys get a token of Keystone, which they must not (CVE-2025-65073). */
import { type S3Credentials } from "../../../config";
import { createHmac } from "node:crypto";
import { ask } from "../http";

/**
 * The body of a request to `/v3/ec2tokens`: a request to some other host, signed as EC2 does (version 2).
 *
 * @param now Keystone takes signatures of the last minutes
 */
export function ec2TokenRequest(keys: S3Credentials, now: Date): object {
  const host = "verify.invalid";
  const params = {
    SignatureMethod: "HmacSHA256",
    SignatureVersion: "2",
    Timestamp: now.toISOString().replace(/\.\d+Z$/, "Z"),
  };
  const query = Object.entries(params).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const signature = createHmac("sha256", keys.secretAccessKey)
    .update(["GET", host, "/", query.sort().join("&")].join("\n"))
    .digest("base64");
  return { credentials: { access: keys.accessKeyId, signature, host, verb: "GET", path: "/", params } };
}

/** The body of a request to `/v3/s3tokens`: a text and its signature as S3 made it (version 2). */
export function s3TokenRequest(keys: S3Credentials): object {
  const text = "GET\n\n\n\n/";
  const signature = createHmac("sha1", keys.secretAccessKey).update(text).digest("base64");
  // Keystone reads the URL's alphabet, and fails without the padding that Node leaves out there.
  const token = Buffer.from(text).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  return { credentials: { access: keys.accessKeyId, token, signature } };
}

/**
 * Asks Keystone for a token by S3 keys alone. One that is given is revoked at once and used for nothing else.
 *
 * @param identity Keystone's URL, with or without its version
 * @returns the call that gave a token; `undefined` where none does
 * @throws Error where Keystone neither gives nor refuses one
 */
export async function tokenFor(identity: string, keys: S3Credentials): Promise<string | undefined> {
  const v3 = `${identity.replace(/\/+(v\d[\d.]*\/*)?$/, "")}/v3`;
  const requests = { ec2tokens: ec2TokenRequest(keys, new Date()), s3tokens: s3TokenRequest(keys) };
  for (const [call, body] of Object.entries(requests)) {
    const answer = await ask(`${v3}/${call}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const token = answer.headers.get("x-subject-token");
    await answer.body?.cancel();
    if (token !== null && token !== "") {
      await ask(`${v3}/auth/tokens`, {
        method: "DELETE",
        headers: { "x-auth-token": token, "x-subject-token": token },
      });
      return `/v3/${call}`;
    }
    // 404: a Keystone without this call. An answer without a token says whose the keys are, and opens nothing.
    if (![200, 401, 403, 404].includes(answer.status)) {
      throw new Error(`${v3}/${call}: HTTP ${String(answer.status)}`);
    }
  }
  return undefined;
}
