import { CANARY, Grant, plainPublicKey, servedPath } from "../names";

/** What the canary's key may move in one session, up and down together: after that rclone answers with 500. */
const CANARY_QUOTA = "--max-transfer 1M --cutoff-mode hard";

/** One line of authorized_keys, without line end: the key may run rclone on its own repository, append-only. */
export function authorizedKeysLine(grant: Grant, bucket: string): string {
  const path = servedPath(bucket, grant.client, grant.repository);
  const quota = grant.client === CANARY.client ? ` ${CANARY_QUOTA}` : "";
  const name = grantName(grant);
  const key = plainPublicKey(`public key of ${name}`, grant.publicKey);
  return `restrict,command="rclone serve restic --stdio --append-only ${path}${quota}" ${key} ${grant.client}-${grant.repository}`;
}

/**
 * authorized_keys of the proxy's user, sorted. Throws where one key would open two repositories (sshd takes the
 * first line that matches, so the other would be out of reach) or one repository has two keys.
 */
export function renderAuthorizedKeys(grants: readonly Grant[], bucket: string): string {
  const owners = new Map<string, string>();
  for (const grant of grants) {
    const name = grantName(grant);
    const key = plainPublicKey(`public key of ${name}`, grant.publicKey);
    for (const [what, id] of [
      ["one public key", key],
      ["the name", name],
    ] as const) {
      const other = owners.get(id);
      if (other !== undefined) {
        throw new Error(`${other} and ${name} share ${what}: each repository needs its own`);
      }
      owners.set(id, name);
    }
  }
  const lines = grants.map((grant) => `${authorizedKeysLine(grant, bucket)}\n`);
  return lines.sort((a, b) => (a < b ? -1 : 1)).join("");
}

/** A repository as findings and messages name it: `CLIENT/REPOSITORY`. */
export function grantName(grant: Grant): string {
  return `${grant.client}/${grant.repository}`;
}
