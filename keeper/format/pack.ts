/** Packs: blobs, each encrypted by itself, then an encrypted header that lists them, then the header's length. */
import { createHash } from "node:crypto";
import { type Key, OVERHEAD, open } from "./crypto";
import { FormatError } from "./error";
import { decompress } from "./zstd";

/** One blob of a pack. */
export interface Blob {
  /** SHA-256 of its content in hexadecimal. */
  readonly id: string;
  readonly type: "data" | "tree";
  /** Where it begins in the pack. */
  readonly offset: number;
  /** Bytes in the pack, encrypted. */
  readonly length: number;
  /** Bytes of its content; absent: it is not compressed. */
  readonly uncompressedLength?: number;
}

const LENGTH_FIELD = 4;
const ENTRY = 37;
const COMPRESSED_ENTRY = 41;
/** Bytes of the header, encrypted; restic's bound. */
const MAX_HEADER = 16 << 20;

export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** The exact size of a pack with these blobs, its header included. */
export function packSize(blobs: readonly Blob[]): number {
  return blobs.reduce(
    (size, { length, uncompressedLength }) =>
      size + length + (uncompressedLength === undefined ? ENTRY : COMPRESSED_ENTRY),
    OVERHEAD + LENGTH_FIELD,
  );
}

/** What the header of a pack lists, in the pack's order. */
function readHeader(key: Key, pack: Buffer): Blob[] {
  const length = pack.length < LENGTH_FIELD ? 0 : pack.readUInt32LE(pack.length - LENGTH_FIELD);
  const end = pack.length - LENGTH_FIELD;
  if (length <= OVERHEAD || length > MAX_HEADER || length > end) {
    throw new FormatError("the pack's header has an impossible length");
  }
  const header = open(key, pack.subarray(end - length, end));
  const blobs: Blob[] = [];
  let offset = 0;
  for (let at = 0; at < header.length;) {
    const type = header.readUInt8(at);
    const compressed = type === 2 || type === 3;
    const size = compressed ? COMPRESSED_ENTRY : ENTRY;
    if (type > 3 || at + size > header.length)
      throw new FormatError("the pack's header has an invalid entry");
    const entry = header.subarray(at, at + size);
    const length = entry.readUInt32LE(1);
    const uncompressedLength = compressed ? entry.readUInt32LE(5) : undefined;
    if (length < OVERHEAD || uncompressedLength === 0)
      throw new FormatError("the pack's header has an empty blob");
    blobs.push({
      id: entry.toString("hex", size - 32),
      type: type % 2 === 0 ? "data" : "tree",
      offset,
      length,
      ...(uncompressedLength === undefined ? {} : { uncompressedLength }),
    });
    offset += length;
    at += size;
  }
  if (packSize(blobs) !== pack.length)
    throw new FormatError("the pack's header does not account for its size");
  return blobs;
}

/**
 * Reads a pack in full: its name, its header, and of each blob that it decrypts, decompresses and has its name.
 *
 * @param limit most bytes of one blob after decompression
 * @throws FormatError
 */
export function readPack(key: Key, id: string, pack: Buffer, limit: number): Blob[] {
  if (sha256(pack) !== id) throw new FormatError("its name is not the SHA-256 of its content");
  const blobs = readHeader(key, pack);
  for (const { id: name, offset, length, uncompressedLength } of blobs) {
    if (uncompressedLength !== undefined && uncompressedLength > limit) {
      throw new FormatError(`its blob ${name} is larger than ${limit} bytes after decompression`);
    }
    const plain = open(key, pack.subarray(offset, offset + length));
    const content = uncompressedLength === undefined ? plain : decompress(plain, uncompressedLength);
    if (content.length !== (uncompressedLength ?? plain.length) || sha256(content) !== name) {
      throw new FormatError(`its blob ${name} has another content`);
    }
  }
  return blobs;
}
