/** Decompression with bounds, of the frames that restic writes and of no others. */
import * as zlib from "node:zlib";
import { FormatError } from "./error";
import { Blocks } from "./zstd-blocks";

// The types of Node 20 lack it, the program runs under Node 24.
declare module "zlib" {
  function zstdDecompressSync(bytes: Buffer, options: { maxOutputLength: number }): Buffer;
}

const MAGIC = 0xfd2fb528;
/** Most bytes that a decoder has to keep of what it has written; restic's windows have at most 512 KiB. */
const MAX_WINDOW = 8 << 20;
const MIN_WINDOW = 1 << 10;
const MAX_BLOCK = 128 << 10;

/**
 * Checks that it is exactly one frame, of blocks that restic's decoder accepts. Decoders differ in what they do with
 * more: one ignores what follows a frame, restic's goes on and fails. An attacker could use that to have data verified
 * here that restic cannot read.
 */
function checkFrame(bytes: Buffer): void {
  const descriptor = bytes.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  if (bytes.readUInt32LE(0) !== MAGIC || (descriptor & 0x1b) !== 0) {
    throw new FormatError("its compression is none that restic writes");
  }
  let at = 5;
  let window = 0;
  if (!singleSegment) {
    const byte = bytes.readUInt8(at);
    const base = 2 ** (10 + (byte >> 3));
    window = base + (base / 8) * (byte & 7);
    at += 1;
  }
  const size = descriptor >> 6 === 0 ? Number(singleSegment) : 1 << (descriptor >> 6);
  if (singleSegment) {
    const content =
      size === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, size) + (size === 2 ? 256 : 0);
    window = Math.max(content, MIN_WINDOW);
  }
  at += size;
  if (window > MAX_WINDOW) throw new FormatError("its compression needs more memory than restic's does");
  const blocks = new Blocks(window);
  for (let last = false; !last;) {
    const header = bytes.readUIntLE(at, 3);
    const [type, length] = [(header >> 1) & 3, header >> 3];
    last = (header & 1) !== 0;
    if (type === 3 || length > Math.min(window, MAX_BLOCK)) {
      throw new FormatError("its compression has an invalid block");
    }
    at += 3;
    if (type === 2) blocks.compressed(bytes.subarray(at, at + length));
    else blocks.plain(length);
    at += type === 1 ? 1 : length;
  }
  if ((descriptor & 4) !== 0) at += 4;
  if (at !== bytes.length) throw new FormatError("its compressed data ends elsewhere than it says");
}

/** What zstd says of bytes that it cannot decompress, and Buffer of a frame that ends too early. */
const DAMAGED = /^(ZSTD_error_|ERR_OUT_OF_RANGE$|ERR_BUFFER_OUT_OF_BOUNDS$)/;

/**
 * @param limit most bytes of the result
 * @throws FormatError if it is not one zstd frame, or its content is larger
 */
export function decompress(bytes: Buffer, limit: number): Buffer {
  try {
    checkFrame(bytes);
    return zlib.zstdDecompressSync(bytes, { maxOutputLength: Math.max(limit, 1) });
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") {
      throw new FormatError(`it is larger than ${limit} bytes after decompression`);
    }
    if (!DAMAGED.test(code)) throw error;
    throw new FormatError("its compressed data is damaged");
  }
}
