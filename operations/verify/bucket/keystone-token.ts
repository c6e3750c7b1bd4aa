/** Whether S3 keys get a Keystone token, which they must not (CVE-2025-65073). */
import { type S3Credentials } from "../../../config";
import { createHmac } from "node:crypto";
import { ask } from "../http";

/**
 * The body of a request to `/v3/ec2tokens`: a request to another host, signed for EC2 (version 2).
 *
 * @param now Keystone accepts signatures of the last minutes
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

/** The body of a request to `/v3/s3tokens`: a string and its signature for S3 (version 2). */
export function s3TokenRequest(keys: S3Credentials): object {
  const signed = "GET\n\n\n\n/";
  const signature = createHmac("sha1", keys.secretAccessKey).update(signed).digest("base64");
  // Keystone decodes base64url with padding, which Node's base64url leaves out.
  const token = Buffer.from(signed).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  return { credentials: { access: keys.accessKeyId, token, signature } };
}

/**
 * Asks Keystone for a token with S3 keys only, and revokes at once the one that it gets.
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
    // 404: a Keystone without this call. An answer without a token names the keys' user, and gives no access.
    if (![200, 401, 403, 404].includes(answer.status)) {
      throw new Error(`${v3}/${call}: HTTP ${String(answer.status)}`);
    }
  }
  return undefined;
}
