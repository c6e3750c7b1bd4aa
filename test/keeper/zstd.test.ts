/** Compressed blobs that Node's decoder reads and restic's refuses: the guard must not take them for sound. */
import { randomBytes } from "node:crypto";
import * as zlib from "node:zlib";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { FormatError, openKey, readPack, type Key } from "../../keeper/format";
import { ResticFolder } from "../harness/restic-folder";
import { index, packOf } from "../harness/restic-forgery";

// The types of Node 20 lack it.
const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as {
  zstdCompressSync: (content: Buffer, options: object) => Buffer;
  zstdDecompressSync: (bytes: Buffer) => Buffer;
  constants: Record<"ZSTD_c_windowLog" | "ZSTD_c_compressionLevel", number>;
};

const PASSWORD = "password of a test";
const MIB = 1024 * 1024;

let repository: ResticFolder;
let key: Key;
beforeAll(async () => {
  repository = new ResticFolder(PASSWORD, 2);
  const id = repository.objects().find(({ type }) => type === "keys")?.id ?? "";
  const opened = await openKey(await repository.read({ type: "keys", id }), PASSWORD);
  if (opened === undefined) throw new Error("the password does not open the key");
  key = opened;
});
afterAll(() => {
  repository.remove();
});

const compressed = (content: Buffer, windowLog: number, level = 3) =>
  zstdCompressSync(content, {
    params: { [constants.ZSTD_c_windowLog]: windowLog, [constants.ZSTD_c_compressionLevel]: level },
  });

/** A pack of one blob that is compressed so. */
const packed = (content: Buffer, frame: Buffer) =>
  packOf(key, [{ type: "data", content, compressed: frame }]);

/** Whether restic reads the blob of a pack that an index lists. */
function resticReads({ pack, blobs }: ReturnType<typeof packed>): boolean {
  repository.put("data", pack.id, pack.bytes);
  const forged = index(key, [{ id: pack.id, blobs }]);
  repository.put("index", forged.id, forged.bytes);
  try {
    repository.restic("cat", "blob", blobs[0]?.id ?? "");
    return true;
  } catch {
    return false;
  } finally {
    repository.delete({ type: "data", id: pack.id });
    repository.delete({ type: "index", id: forged.id });
  }
}
const isRead =
  ({ pack }: ReturnType<typeof packed>) =>
  () =>
    readPack(key, pack.id, pack.bytes, 8 * MIB);

test("a match from beyond the window", () => {
  const part = randomBytes(250 * 1024);
  const content = Buffer.concat([part, part]);
  const honest = compressed(content, 18);
  // The byte after magic number and descriptor is the window: 240 KiB in place of 256.
  expect(honest.readUInt8(5)).toBe(0x40);
  const frame = Buffer.from(honest);
  frame.writeUInt8(0x3f, 5);
  expect(zstdDecompressSync(frame)).toEqual(content);

  expect(resticReads(packed(content, frame))).toBe(false);
  expect(isRead(packed(content, frame))).toThrow(FormatError);
  expect(resticReads(packed(content, honest))).toBe(true);
  expect(isRead(packed(content, honest))).not.toThrow();
});

test("bits after the last code of a stream of literals", () => {
  const content = Buffer.from(randomBytes(1000).toString("hex"));
  const honest = compressed(content, 17);
  // Magic number, descriptor, window or size; then the block, and its literals: in four streams, with two sizes of 14 bits.
  const descriptor = honest.readUInt8(4);
  const block = 5 + ((descriptor & 0x20) === 0 ? 1 : 0) + ([descriptor >> 5, 2, 4, 8][descriptor >> 6] ?? 0);
  const literals = block + 3;
  expect(honest.readUInt8(literals) & 15).toBe(0b1010);
  const code = honest.readUInt8(literals + 4);
  const jumps = literals + 4 + 1 + (code < 128 ? code : (code - 126) >> 1);
  const streams = jumps + 6;
  const frame = Buffer.concat([honest.subarray(0, streams), Buffer.alloc(1), honest.subarray(streams)]);
  frame.writeUIntLE(frame.readUIntLE(block, 3) + (1 << 3), block, 3);
  frame.writeUInt32LE(frame.readUInt32LE(literals) + (1 << 18), literals);
  frame.writeUInt16LE(frame.readUInt16LE(jumps) + 1, jumps);
  expect(zstdDecompressSync(frame)).toEqual(content);

  expect(resticReads(packed(content, frame))).toBe(false);
  expect(isRead(packed(content, frame))).toThrow(FormatError);
  expect(resticReads(packed(content, honest))).toBe(true);
  expect(isRead(packed(content, honest))).not.toThrow();
});

test("what honest encoders write is read, at each level and with each window", () => {
  const text = Buffer.from(JSON.stringify(process.release) + JSON.stringify(process.versions).repeat(300));
  const skewed = Buffer.from(Array.from(randomBytes(200_000), (byte) => (byte * byte * byte) >> 16));
  const contents = [
    text,
    skewed,
    Buffer.alloc(300_000),
    randomBytes(1000),
    Buffer.from("a"),
    Buffer.concat([skewed, text, skewed]),
  ];
  for (const content of contents) {
    for (const level of [1, 3, 9, 19]) {
      for (const windowLog of [10, 14, 19]) {
        expect(isRead(packed(content, compressed(content, windowLog, level)))).not.toThrow();
      }
    }
  }
});
