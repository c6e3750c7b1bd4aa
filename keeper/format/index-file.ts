/** Indexes: which blobs lie where in which packs. */
import { OVERHEAD } from "./crypto";
import { FormatError } from "./error";
import { latin1 } from "./json";
import type { Blob } from "./pack";

/** An index; its packs may be claimed falsely. */
export interface IndexFile {
  readonly packs: readonly IndexedPack[];
}

/** What an index claims of one pack: blobs that fill it from its first byte on, in the pack's order. */
export interface IndexedPack {
  readonly id: string;
  readonly blobs: readonly Blob[];
}

const UINT32 = 2 ** 32 - 1;
const ID = /"[0-9a-f]{64}"/y;
const NUMBER = "(0|[1-9][0-9]{0,9})";
const PACK = /\{"id":"[0-9a-f]{64}","blobs":/y;
const BLOB = new RegExp(
  `\\{"id":"[0-9a-f]{64}","type":"(data|tree)","offset":${NUMBER},"length":${NUMBER}` +
    `(?:,"uncompressed_length":${NUMBER})?\\}`,
  "y",
);
/** Where the ID of a pack or blob begins in its text. */
const ID_AT = '{"id":"'.length;

/**
 * Reads the one spelling that restic writes, piece by piece: a general JSON reader would accept what restic reads
 * differently (names in other case or twice), and would need many times the index's size for what it throws away.
 */
class Reader {
  private at = 0;
  private readonly text: string;

  constructor(private readonly plain: Buffer) {
    this.text = latin1(plain);
  }

  skips(literal: string): boolean {
    const found = this.text.startsWith(literal, this.at);
    if (found) this.at += literal.length;
    return found;
  }

  expect(literal: string): void {
    if (!this.skips(literal)) this.fail();
  }

  match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text) ?? this.fail();
    this.at = pattern.lastIndex;
    return match;
  }

  /** An ID that stands so many bytes after where a match began; a copy, for a part would keep the whole text. */
  idIn({ index }: RegExpExecArray): string {
    return this.plain.toString("latin1", index + ID_AT, index + ID_AT + 64);
  }

  list<T>(item: () => T): T[] {
    const items: T[] = [];
    this.expect("[");
    if (this.skips("]")) return items;
    do items.push(item());
    while (this.skips(","));
    this.expect("]");
    return items;
  }

  end(): void {
    this.skips("\n");
    if (this.at !== this.text.length) this.fail();
  }

  private fail(): never {
    throw new FormatError(`the index is not as restic writes it at byte ${this.at}`);
  }
}

function readBlob(reader: Reader): Blob {
  const match = reader.match(BLOB);
  const [, type, offset, length, uncompressedLength] = match;
  const blob = {
    id: reader.idIn(match),
    type: type === "data" ? ("data" as const) : ("tree" as const),
    offset: Number(offset),
    length: Number(length),
    ...(uncompressedLength === undefined ? {} : { uncompressedLength: Number(uncompressedLength) }),
  };
  if (
    blob.length < OVERHEAD ||
    blob.uncompressedLength === 0 ||
    Math.max(blob.offset, blob.length, blob.uncompressedLength ?? 0) > UINT32
  ) {
    throw new FormatError("the index claims a blob of an impossible size");
  }
  return blob;
}

function readPack(reader: Reader): IndexedPack {
  const id = reader.idIn(reader.match(PACK));
  const blobs = reader.list(() => readBlob(reader)).sort((one, other) => one.offset - other.offset);
  reader.expect("}");
  let end = 0;
  for (const { offset, length } of blobs) {
    if (offset !== end)
      throw new FormatError(`the index claims blobs with gaps or overlaps in the pack ${id}`);
    end += length;
  }
  if (blobs.length === 0) throw new FormatError(`the index claims no blob in the pack ${id}`);
  return { id, blobs };
}

/** @throws FormatError */
export function readIndex(plain: Buffer): IndexFile {
  const reader = new Reader(plain);
  reader.expect("{");
  // Written by versions before 0.19, ignored by this one.
  if (reader.skips('"supersedes":')) {
    reader.list(() => {
      reader.match(ID);
    });
    reader.expect(",");
  }
  reader.expect('"packs":');
  const packs = reader.list(() => readPack(reader));
  reader.expect("}");
  reader.end();
  if (new Set(packs.map(({ id }) => id)).size !== packs.length) {
    throw new FormatError("the index claims one pack twice");
  }
  return { packs };
}
