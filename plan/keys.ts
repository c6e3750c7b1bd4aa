import { createHash, createHmac } from "node:crypto";

/**
 * The password of a repository: HMAC-SHA256 of `CLIENT/REPOSITORY` under the stack's root key, as base64url.
 * Derived, not drawn, so that one secret opens every repository this stack ever had: the backups of a client
 * that was removed from the configuration stay readable, and a client that comes back finds its repository.
 * A client that knows its own password learns nothing of the root key or of another's.
 */
export function repositoryPassword(rootKey: string, client: string, repository: string): string {
  return createHmac("sha256", rootKey).update(`${client}/${repository}`).digest("base64url");
}

/** The fingerprint of an OpenSSH public key as `ssh-keygen -l` prints it, e.g. `SHA256:…`. */
export function fingerprint(publicKey: string): string {
  const blob = publicKey.trim().split(/\s+/)[1] ?? "";
  return `SHA256:${createHash("sha256").update(Buffer.from(blob, "base64")).digest("base64").replace(/=+$/, "")}`;
}
