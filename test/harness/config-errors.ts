import { expect, test } from "@jest/globals";
import { ConfigError, parseStackConfig } from "../../config";
import { HEX, blob, fullExample, project } from "./config-example";

export type Raw = Record<string, unknown>;

/** A field of the full example, the value to put there, and the error lines. */
export type Case = [field: string, value: unknown, ...lines: string[]];

/** The error lines of a configuration, without their common prefix; none if it is right. */
export function errorsOf(raw: Raw): string[] {
  try {
    parseStackConfig(raw);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.lines.filter((line) => !line.startsWith("secure-backups"))).toEqual([]);
    return error.lines.map((line) => line.replace(/^secure-backups:/, ""));
  }
}

/** The full example with one field changed (`undefined` removes it), by a path as errors write it. */
export function changed(field: string, value: unknown, raw: unknown = fullExample()): Raw {
  const keys = field.split(/[.[\]]+/).filter((key) => key !== "");
  const last = keys.pop() ?? "";
  const parent = keys.reduce((at, key) => (at as Raw)[key], raw) as Raw;
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = value;
  return raw as Raw;
}

/** A test for each of these fields: the error lines are exactly these. */
export function reportsEach(cases: readonly Case[]): void {
  test.each(cases)("%s: %j", (field, value, ...lines) => {
    expect(errorsOf(changed(field, value))).toEqual(lines);
  });
}

/** A program to download. */
export const artifact = (version: string) => ({ version, url: "https://example.com/rclone", sha256: HEX });

/** The smallest stack: what has no default, and no client. */
export function smallest(): Raw {
  return {
    network: { create: { cidr: "10.20.0.0/24", externalNetwork: "public" } },
    access: { via: "direct", adminCidrs: ["10.0.0.0/8"] },
    proxy: { image: "debian-12", flavor: "s1", rclone: artifact("1.76.0") },
    s3: {
      endpoint: "s3.example.com",
      region: "eu",
      bucket: "backups",
      identities: { owner: { projectId: project(1) } },
    },
    clients: [],
  };
}

/** The frame of a private key of OpenSSH, as far as it shows whether a passphrase is needed. */
export function opensshPrivateKey(cipher: string): string {
  const fields = Buffer.from(blob(cipher), "base64");
  const body = Buffer.concat([Buffer.from("openssh-key-v1\0"), fields, Buffer.alloc(8)]).toString("base64");
  const kind = "OPENSSH PRIVATE KEY";
  return [`-----BEGIN ${kind}-----`, body, `-----END ${kind}-----`, ""].join("\n");
}

// What errors of several keys say.
export const LABEL =
  "is not safe as a host and object name; use 1 to 63 lower-case letters, digits and inner hyphens, for example";

/** Names that restic uses inside a repository. */
export const RESTIC_NAMES = ["data", "keys", "locks", "snapshots", "index", "config"];
export const RESTIC = "is a name that restic itself uses inside a repository; choose another, for example";
export const CONTROL =
  "has a control character or a line break, which cannot stand in a host's files; remove it";
export const noSha256 = (sums: string) =>
  "is not a SHA-256 of 64 lower-case hexadecimal digits; take the one of the file at url, for an official release its line in " +
  sums;
export const NO_SHA256 = noSha256("https://downloads.rclone.org/vVERSION/SHA256SUMS");
export const PUB = "give the whole line of the .pub file, as from ssh-keygen -t ed25519";
export const PROJECT =
  "is not a project ID of 32 hexadecimal digits; see `openstack project show NAME -f value -c id`";
export const PASSPHRASE =
  "(secret) needs a passphrase, which nobody can type during an update; give a key without one (ssh-keygen -p)";
export const FILL_IN = "is a placeholder of the example; replace it with your value";
export const GIB = "write a whole number from 1 to 65536 without quotes";
