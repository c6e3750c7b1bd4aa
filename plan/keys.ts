import { createHmac } from "node:crypto";

/**
 * The password of a repository: HMAC-SHA256 of `CLIENT/REPOSITORY` under the stack's root key, as base64url.
 * Derived, not drawn, so that one secret opens every repository this stack ever had: the backups of a client
 * that was removed from the configuration stay readable, and a client that comes back finds its repository.
 * A client that knows its own password learns nothing of the root key or of another's.
 */
export function repositoryPassword(rootKey: string, client: string, repository: string): string {
  return createHmac("sha256", rootKey).update(`${client}/${repository}`).digest("base64url");
}
