/** The files that are one encrypted JSON document: config, snapshots, locks. Indexes have a reader of their own. */
import { type Key, OVERHEAD, open } from "./crypto";
import { FormatError } from "./error";
import { hasMembers, isBoolean, isId, isNatural, isString, isStrings, isTime, readObject } from "./json";
import { decompress } from "./zstd";

const UINT32 = 2 ** 32 - 1;
const COMPRESSED = 2;

/**
 * Decrypts and decompresses an index, snapshot, lock or config.
 *
 * @param limit most bytes, encrypted and after decompression
 * @throws FormatError
 */
export function unpack(key: Key, file: Buffer, limit: number): Buffer {
  if (file.length > limit + OVERHEAD) throw new FormatError(`it has more than ${limit} bytes`);
  const plain = open(key, file);
  if (plain[0] === COMPRESSED) return decompress(plain.subarray(1), limit);
  if (plain[0] === "{".charCodeAt(0) || plain[0] === "[".charCodeAt(0)) return plain;
  throw new FormatError("it is neither JSON nor compressed");
}

/** Bytes of a config or lock; restic's have about 200. */
const MAX_SMALL = 64 << 10;
/** Bytes of a snapshot; it may list many paths. */
const MAX_SNAPSHOT = 4 << 20;

const CONFIG = {
  version: { is: (value: unknown) => value === 1 || value === 2 },
  id: { is: isId },
  chunker_polynomial: { is: (value: unknown) => isString(value) && /^[0-9a-f]{1,16}$/.test(value) },
};

export interface Config {
  readonly version: 1 | 2;
  readonly id: string;
}

/** @throws FormatError */
export function readConfig(plain: Buffer): Config {
  const { version, id } = readObject(plain, MAX_SMALL, CONFIG) as unknown as Config;
  return { version, id };
}

const count = { is: isNatural(Number.MAX_SAFE_INTEGER), optional: true };
const SUMMARY = {
  backup_start: { is: isTime },
  backup_end: { is: isTime },
  files_new: count,
  files_changed: count,
  files_unmodified: count,
  dirs_new: count,
  dirs_changed: count,
  dirs_unmodified: count,
  data_blobs: count,
  tree_blobs: count,
  data_added: count,
  data_added_packed: count,
  total_files_processed: count,
  total_bytes_processed: count,
};

const uint32 = { is: isNatural(UINT32), optional: true };
const string = { is: isString, optional: true };
const strings = { is: isStrings, optional: true };
const id = { is: isId, optional: true };
const SNAPSHOT = {
  time: { is: isTime },
  parent: id,
  tree: { is: isId },
  paths: { is: (value: unknown) => value === null || isStrings(value) },
  hostname: string,
  username: string,
  uid: uint32,
  gid: uint32,
  excludes: strings,
  tags: strings,
  original: id,
  program_version: string,
  summary: { is: (value: unknown) => hasMembers(value, SUMMARY), optional: true },
};

/** What a snapshot says of itself: claims of the client, except that restic finds `tree` by it. */
export interface Snapshot {
  /** RFC 3339. */
  readonly time: string;
  readonly hostname: string;
  /** ID of the tree blob of its root. */
  readonly tree: string;
  readonly tags: readonly string[];
}

/** @throws FormatError */
export function readSnapshot(plain: Buffer): Snapshot {
  const {
    time,
    hostname = "",
    tree,
    tags = [],
  } = readObject(plain, MAX_SNAPSHOT, SNAPSHOT) as unknown as Pick<Snapshot, "time" | "tree"> &
    Partial<Snapshot>;
  return { time, hostname, tree, tags };
}

const LOCK = {
  time: { is: isTime },
  exclusive: { is: isBoolean },
  hostname: { is: isString },
  username: { is: isString },
  pid: { is: isNatural(UINT32) },
  uid: uint32,
  gid: uint32,
};

/** What a lock says of itself. */
export interface Lock {
  /** RFC 3339. */
  readonly time: string;
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly pid: number;
}

/** @throws FormatError */
export function readLock(plain: Buffer): Lock {
  const { time, exclusive, hostname, pid } = readObject(plain, MAX_SMALL, LOCK) as unknown as Lock;
  return { time, exclusive, hostname, pid };
}
