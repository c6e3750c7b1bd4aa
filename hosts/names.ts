import { createHash } from "node:crypto";
import { KeyPair, RepositorySettings } from "../config";
import { CANARY } from "../keeper/settings";

export { CANARY };

/** The rclone remote of the proxy: the section of its rclone.conf. */
export const REMOTE = "s3-resticrepo";

/** The proxy's user that every client logs in as. */
export const PROXY_USER = "rcloneproxy";

/** root owns it, so that the user cannot replace what is in it. */
export const PROXY_HOME = `/home/${PROXY_USER}`;

/** The keys of the proxy's clients. */
export const AUTHORIZED_KEYS = `/etc/ssh/authorized_keys.d/${PROXY_USER}`;

/** The folder of the programs that an install downloads. */
export const LIBRARY = "/usr/local/lib/secure-backups";

/** Where a client keeps its settings, one directory for each repository. */
export const CLIENT_SETTINGS = "/etc/restic-backup";

/** The right of one client's key to append to one repository. */
export interface Grant extends Pick<KeyPair, "publicKey"> {
  client: string;
  repository: string;
}

/** The rights of the canary, and of every client that is not frozen. */
export function grantsOf(
  clients: readonly {
    name: string;
    frozen: boolean;
    repositories: readonly (Pick<RepositorySettings, "name"> & Pick<KeyPair, "publicKey">)[];
  }[],
  canary: Pick<KeyPair, "publicKey">,
): Grant[] {
  return [
    { ...CANARY, publicKey: canary.publicKey },
    ...clients
      .filter(({ frozen }) => !frozen)
      .flatMap(({ name: client, repositories }) =>
        repositories.map(({ name: repository, publicKey }) => ({ client, repository, publicKey })),
      ),
  ];
}

/** How a client reaches the proxy. */
export interface ProxyAddress {
  /** IP address or DNS name. */
  address: string;
  /** TCP port of its sshd. */
  port: number;
  /** Its pinned host key, `ssh-ed25519 AAAA…`. */
  hostKey: string;
}

/**
 * Returns a name that goes unquoted into ssh and rclone configuration, object keys and file names.
 * Throws for any that would need quoting: the configuration's schema has refused it long before.
 */
export function plainName(what: string, name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new Error(`${what} ${JSON.stringify(name)} may have letters, digits, '.', '_' and '-' only`);
  }
  return name;
}

/** Returns `ssh-ed25519 AAAA…` without comment or line end. Throws for anything but one ed25519 public key. */
export function plainPublicKey(what: string, key: string): string {
  const match = /^(ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43})(?: [^\n\r]*)?\n?$/.exec(key);
  if (match?.[1] === undefined) {
    throw new Error(`${what} must be one ed25519 public key, as in "ssh-ed25519 AAAA…"`);
  }
  return match[1];
}

/** The fingerprint of a public key as ssh-keygen shows it: `SHA256:…`. */
export function fingerprint(publicKey: string): string {
  const blob = Buffer.from(plainPublicKey("public key", publicKey).split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** The identity of a stack, 16 hex digits, from the public half of its root key; what is not that key gives none. */
export function stackIdentity(rootPublicKey: string): string {
  const key = plainPublicKey("public half of the root key", rootPublicKey);
  return createHash("sha256").update(`stack ${key}`).digest("hex").slice(0, 16);
}

/** The repository as the proxy's rclone knows it. */
export function remotePath(bucket: string, client: string, repository: string): string {
  const names = [
    plainName("bucket", bucket),
    client === CANARY.client ? client : plainName("client", client),
    plainName("repository", repository),
  ];
  return `${REMOTE}:${names.join("/")}`;
}

/**
 * The folder that the proxy's rclone serves for a repository. The slash at its end is what keeps rclone there: without
 * one it asks whether the path is a file, takes an empty repository for one where S3 refuses to say, and serves the
 * folder above, which is all of the client's.
 */
export function servedPath(bucket: string, client: string, repository: string): string {
  return `${remotePath(bucket, client, repository)}/`;
}

/** The repository's address as restic takes it (`RESTIC_REPOSITORY`). */
export function repositoryAddress(bucket: string, client: string, repository: string): string {
  return `rclone:${remotePath(bucket, client, repository)}`;
}
