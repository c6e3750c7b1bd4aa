import type { Problem } from "./problem";

/** Kinds of SSH keys. */
const KEY_TYPES = [
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
] as const;

const FIRST_SECURE_RSA_BITS = 2048;

/** The public key of a repository: an ed25519 key, with or without a comment. */
export function publicKeyProblem(text: string): Problem {
  return keyProblem(
    text,
    ["ssh-ed25519"],
    "give the whole line of the .pub file, as from ssh-keygen -t ed25519",
  );
}

/** The public host key of an SSH server: a line of a .pub file, of `ssh-keyscan` or of known_hosts. */
export function hostKeyProblem(text: string): Problem {
  return keyProblem(
    plainHostKey(text),
    KEY_TYPES,
    "give the whole line of the .pub file or of ssh-keyscan -t ed25519 ADDRESS, compared with the key on the host itself",
  );
}

/** A host key as `TYPE BASE64 [COMMENT]`: of a line of `ssh-keyscan` or known_hosts what follows the host's names. */
export function plainHostKey(text: string): string {
  const [names = "", type = ""] = text.split(" ");
  const named = /^(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-|sk-)/.test(type) && !names.startsWith("@");
  return named ? text.slice(names.length + 1) : text;
}

/** Whether a host key is of the kind for which `@pulumi/command` offers a signature with SHA-1 alone. */
export function isRsaKey(hostKey: string): boolean {
  return plainHostKey(hostKey).startsWith("ssh-rsa ");
}

/** What identifies a public key, whatever its comment: its blob in base64; undefined if the string is not a key. */
export function keyBlob(text: string): string | undefined {
  return plainHostKey(text).split(" ")[1];
}

/** `want` is the remedy where the string is no whole key. */
function keyProblem(text: string, allowed: readonly string[], want: string): Problem {
  if (text.includes("PRIVATE KEY"))
    return "is a private key; give the public one (the file that ends in .pub)";
  const [type = "", base64 = ""] = text.split(" ");
  if (!allowed.includes(type)) {
    return KEY_TYPES.some((known) => known === type) || /^(?:ssh-|sk-|ecdsa-)/.test(type)
      ? `has the type ${type}, which is not accepted here; use ${allowed.join(", ")}: ${want}`
      : `is not a public key that begins with ${allowed.join(", ")}; ${want}`;
  }
  const blob = Buffer.from(base64, "base64");
  if (base64 === "" || blob.toString("base64") !== base64)
    return `has no valid base64 after its type; ${want}`;
  const fields = blobFields(blob);
  if (fields?.[0]?.toString("latin1") !== type)
    return `is cut short or altered (its content is not of type ${type}); ${want}`;
  return keyBodyProblem(type, fields.slice(1), want);
}

function keyBodyProblem(type: string, body: readonly Buffer[], want: string): Problem {
  const [first, second] = body;
  if (type === "ssh-ed25519") {
    return body.length === 1 && first?.length === 32
      ? undefined
      : `is cut short or altered (an ed25519 key has 32 bytes); ${want}`;
  }
  if (type === "ssh-rsa") {
    if (body.length !== 2 || second === undefined || second.length === 0)
      return `is cut short or altered (no RSA numbers inside); ${want}`;
    return BigInt(`0x${second.toString("hex")}`).toString(2).length >= FIRST_SECURE_RSA_BITS
      ? undefined
      : `is an RSA key of less than ${FIRST_SECURE_RSA_BITS} bits; create an ed25519 key on the host (ssh-keygen -A)`;
  }
  const curve = type.slice("ecdsa-sha2-".length);
  const bytes = { nistp256: 65, nistp384: 97, nistp521: 133 }[curve];
  return body.length === 2 &&
    first?.toString("latin1") === curve &&
    second?.length === bytes &&
    second?.[0] === 4
    ? undefined
    : `is cut short or altered (no point of the curve ${curve} inside); ${want}`;
}

/** The length-prefixed fields that an SSH key consists of; undefined if the last is incomplete. */
function blobFields(blob: Buffer): Buffer[] | undefined {
  const fields: Buffer[] = [];
  for (let at = 0; at < blob.length;) {
    if (at + 4 > blob.length) return undefined;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    fields.push(blob.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

/** A private SSH key that needs no passphrase. */
export function privateKeyProblem(text: string): Problem {
  const match = /^-----BEGIN ([A-Z ]*)PRIVATE KEY-----\n([\s\S]+)\n-----END \1PRIVATE KEY-----\n?$/.exec(
    text,
  );
  if (match === null) {
    return "is not a private key; give the whole text of the key's file, from -----BEGIN to -----END, with its line breaks";
  }
  const [, kind = "", body = ""] = match;
  const cipher = kind === "OPENSSH " ? opensshCipher(body) : undefined;
  if (kind.startsWith("ENCRYPTED") || body.includes("ENCRYPTED") || (cipher ?? "none") !== "none") {
    return "needs a passphrase, which nobody can type during an update; give a key without one (ssh-keygen -p)";
  }
  return undefined;
}

function opensshCipher(body: string): string | undefined {
  const magic = "openssh-key-v1\0";
  const bytes = Buffer.from(body, "base64");
  if (bytes.subarray(0, magic.length).toString("latin1") !== magic || bytes.length < magic.length + 4)
    return undefined;
  const start = magic.length + 4;
  return bytes.subarray(start, start + bytes.readUInt32BE(magic.length)).toString("latin1");
}
