/** Key files: the repository's key, encrypted with one that scrypt derives from the password. */
import { scrypt } from "node:crypto";
import { type Key, OVERHEAD, isUsable, tryOpen } from "./crypto";
import { FormatError } from "./error";
import { hasMembers, isNatural, isString, isTime, readObject } from "./json";

/** Bytes of a key file; restic's have about 500. */
const MAX_FILE = 64 << 10;
/** Bytes of memory that a password's derivation may take; restic takes up to 60 MiB. */
const MAX_MEMORY = 256 << 20;
/** How often it may go through that memory. */
const MAX_PASSES = 16;
const MAX_BLOCK_SIZE = 64;
const SALT = 64;

/** The bytes of a base64 string; `undefined` unless it is spelt as restic spells it. */
function base64(value: unknown): Buffer | undefined {
  if (!isString(value)) return undefined;
  const bytes = Buffer.from(value, "base64");
  return bytes.toString("base64") === value ? bytes : undefined;
}
const isBase64 = (least: number, most: number) => (value: unknown) => {
  const { length = -1 } = base64(value) ?? {};
  return length >= least && length <= most;
};

const KEY_FILE = {
  created: { is: isTime },
  username: { is: isString },
  hostname: { is: isString },
  kdf: { is: (value: unknown) => value === "scrypt" },
  N: {
    is: (value: unknown) => isNatural(2 ** 31 - 1)(value) && value > 1 && Number.isInteger(Math.log2(value)),
  },
  r: { is: (value: unknown) => isNatural(MAX_BLOCK_SIZE)(value) && value > 0 },
  p: { is: (value: unknown) => isNatural(MAX_PASSES)(value) && value > 0 },
  salt: { is: isBase64(SALT, SALT) },
  data: { is: isBase64(OVERHEAD, MAX_FILE) },
};
/** What a key file says of how its key is derived, and the encrypted key. */
export interface KeyFile {
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: string;
  readonly data: string;
}

const MAC = { k: { is: isBase64(16, 16) }, r: { is: isBase64(16, 16) } };
const SECRET = {
  mac: { is: (value: unknown) => hasMembers(value, MAC) },
  encrypt: { is: isBase64(32, 32) },
};

function derive(password: string, { N, r, p, salt }: KeyFile): Promise<Key> {
  const options = { N, r, p, maxmem: 2 * MAX_MEMORY };
  return new Promise((resolve, reject) => {
    scrypt(password, Buffer.from(salt, "base64"), 64, options, (error, bytes) => {
      if (error) reject(error);
      else resolve({ encrypt: bytes.subarray(0, 32), k: bytes.subarray(32, 48), r: bytes.subarray(48) });
    });
  });
}

/**
 * Reads a key file without trying a password on it.
 *
 * @throws FormatError if it is no key file, or one whose derivation would take more memory or time than restic's
 */
export function readKey(file: Buffer): KeyFile {
  const read = readObject(file, MAX_FILE, KEY_FILE) as unknown as KeyFile;
  if (128 * read.N * read.r > MAX_MEMORY)
    throw new FormatError("its password takes too much memory to derive");
  return read;
}

/**
 * The repository's key.
 *
 * @returns `undefined` if the password does not open it
 * @throws FormatError as `readKey` does, or if what it holds is no key
 */
export async function openKey(file: Buffer, password: string): Promise<Key | undefined> {
  const read = readKey(file);
  const plain = tryOpen(await derive(password, read), Buffer.from(read.data, "base64"));
  if (plain === undefined) return undefined;
  const { mac, encrypt } = readObject(plain, MAX_FILE, SECRET) as {
    mac: { k: string; r: string };
    encrypt: string;
  };
  const key = {
    encrypt: Buffer.from(encrypt, "base64"),
    k: Buffer.from(mac.k, "base64"),
    r: Buffer.from(mac.r, "base64"),
  };
  if (!isUsable(key)) throw new FormatError("its key is zero");
  return key;
}
