/**
 * What an attacker can add to a repository who has its key: a client's password and a key file, no more. Objects as
 * restic writes them, and objects that restic would never write. Nothing here is compressed, so it runs under Node 20.
 */
import { createHash, randomBytes, scryptSync } from "node:crypto";
import { type Blob, type IndexedPack, type Key, seal } from "../../keeper/format";
import type { ObjectType } from "../../keeper/objects";

/** An object to be added below a repository. */
export interface Forged {
  readonly type: ObjectType;
  readonly id: string;
  readonly bytes: Buffer;
}

/** A blob by what it is called. */
export type BlobName = Pick<Blob, "id" | "type">;

export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** An object under the name that its content gives it. */
const named = (type: ObjectType, bytes: Buffer): Forged => ({ type, id: sha256(bytes), bytes });

/** Where an object lies below its repository, in S3 and in a folder. */
export const pathOf = ({ type, id }: Forged): string =>
  type === "data" ? `data/${id.slice(0, 2)}/${id}` : `${type}/${id}`;

const sealed = (key: Key, type: ObjectType, document: unknown): Forged =>
  named(type, seal(key, Buffer.from(typeof document === "string" ? document : JSON.stringify(document))));

// Packs and indexes

/** A blob of a pack that is to be made; `compressed` is what stands for its content there. */
export interface Content {
  readonly type: Blob["type"];
  readonly content: Buffer;
  readonly compressed?: Buffer;
  /** @default the SHA-256 of the content */
  readonly id?: string;
}

/** A pack of these blobs, and what its header says. */
export function packOf(key: Key, contents: readonly Content[]): { pack: Forged; blobs: Blob[] } {
  const blobs: Blob[] = [];
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const { type, content, compressed, id = sha256(content) } of contents) {
    const part = seal(key, compressed ?? content);
    const uncompressedLength = compressed === undefined ? {} : { uncompressedLength: content.length };
    blobs.push({ id, type, offset, length: part.length, ...uncompressedLength });
    const numbers = compressed === undefined ? [part.length] : [part.length, content.length];
    const entry = Buffer.alloc(
      1 + 4 * numbers.length,
      (type === "data" ? 0 : 1) + (compressed === undefined ? 0 : 2),
    );
    numbers.forEach((number, i) => entry.writeUInt32LE(number, 1 + 4 * i));
    entries.push(entry, Buffer.from(id, "hex"));
    parts.push(part);
    offset += part.length;
  }
  const header = seal(key, Buffer.concat(entries));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  return { pack: named("data", Buffer.concat([...parts, header, length])), blobs };
}

/** A valid pack of random blobs; the smallest that can stand for so many genuine ones has 32 bytes in each. */
export const dummyPack = (
  key: Key,
  { count, size = 32, type = "data" }: { count: number; size?: number; type?: Blob["type"] },
) =>
  packOf(
    key,
    Array.from({ length: count }, () => ({ type, content: randomBytes(size) })),
  );

const inIndex = ({ uncompressedLength, id, type, offset, length }: Blob) => ({
  id,
  type,
  offset,
  length,
  ...(uncompressedLength === undefined ? {} : { uncompressed_length: uncompressedLength }),
});

/** The text of an index as restic writes it. */
export const indexText = (packs: readonly IndexedPack[]): string =>
  `${JSON.stringify({ packs: packs.map(({ id, blobs }) => ({ id, blobs: blobs.map(inIndex) })) })}\n`;

/** An index that claims this. */
export const index = (key: Key, packs: readonly IndexedPack[]): Forged =>
  sealed(key, "index", indexText(packs));

/**
 * The worst attack: a pack of dummies, and an index that claims that the given blobs lie where the dummies do. Its
 * sizes are right, so that restic takes the pack for their surviving copy without reading it.
 */
export function falseClaims(key: Key, blobs: readonly BlobName[]): { pack: Forged; index: Forged } {
  const dummies = dummyPack(key, { count: blobs.length });
  const claims = dummies.blobs.map((dummy, i) => {
    const { id, type } = blobs[i] as BlobName;
    return { ...dummy, id, type };
  });
  return { pack: dummies.pack, index: index(key, [{ id: dummies.pack.id, blobs: claims }]) };
}

/** An index that claims that the given blobs lie in a pack of this ID, whatever that is. */
export const claimsIn = (key: Key, packId: string, blobs: readonly BlobName[]): Forged =>
  index(key, [
    {
      id: packId,
      blobs: blobs.map(({ id, type }, i) => ({ id, type, offset: 64 * i, length: 64 })),
    },
  ]);

/** A second claim, of another length, for the first blob of each pack. */
export const secondClaims = (key: Key, packs: readonly IndexedPack[]): Forged =>
  index(
    key,
    packs.map(({ id, blobs: [first] }) => ({ id, blobs: [{ ...(first as Blob), length: 33 }] })),
  );

/** What restic prints as the content of an index (`restic cat index ID`). */
export function parseIndex(text: string): IndexedPack[] {
  const { packs } = JSON.parse(text) as {
    packs: { id: string; blobs: (Blob & { uncompressed_length?: number })[] }[];
  };
  return packs.map(({ id, blobs }) => ({
    id,
    blobs: blobs.map(({ uncompressed_length: uncompressedLength, ...blob }) => ({
      ...blob,
      ...(uncompressedLength === undefined ? {} : { uncompressedLength }),
    })),
  }));
}

export const badIndexes = (key: Key): Readonly<Record<string, Forged>> => ({
  garbage: named("index", randomBytes(200)),
  "wrong name": { ...index(key, []), id: sha256(randomBytes(8)) },
  "not JSON": sealed(key, "index", "{not JSON"),
  "shorter than a nonce": named("index", randomBytes(15)),
  "offsets above 4 GiB": index(key, [
    {
      id: sha256(randomBytes(8)),
      blobs: [{ id: sha256(randomBytes(8)), type: "data", offset: 2 ** 32, length: 64 }],
    },
  ]),
});

// Snapshots and locks

/** What a snapshot claims. */
export interface SnapshotClaims {
  readonly time: Date;
  readonly hostname: string;
  /** ID of the tree. */
  readonly tree: string;
  readonly paths?: readonly string[];
  readonly tags?: readonly string[];
}

export const snapshot = (key: Key, { time, hostname, tree, paths = ["/"], tags }: SnapshotClaims): Forged =>
  sealed(key, "snapshots", { time, tree, paths, hostname, ...(tags === undefined ? {} : { tags }) });

/** Eight snapshots of this tree, one a day from 2099-01-01 on. */
export const future = (key: Key, claims: Omit<SnapshotClaims, "time">): Forged[] =>
  Array.from({ length: 8 }, (_, day) =>
    snapshot(key, { ...claims, time: new Date(Date.UTC(2099, 0, 1 + day)) }),
  );

export const badSnapshots = (key: Key): Readonly<Record<string, Forged>> => {
  const claims = { time: new Date(), hostname: "host", tree: sha256(randomBytes(8)) };
  return {
    garbage: named("snapshots", randomBytes(200)),
    "wrong name": { ...snapshot(key, claims), id: sha256(randomBytes(8)) },
    null: sealed(key, "snapshots", "null"),
    "shorter than a nonce": named("snapshots", randomBytes(5)),
    "a tree that is missing": snapshot(key, claims),
    "no tree": sealed(key, "snapshots", { time: claims.time, paths: ["/"], hostname: "host" }),
  };
};

export const lock = (
  key: Key,
  { time, exclusive, hostname = "elsewhere" }: { time: Date; exclusive: boolean; hostname?: string },
): Forged => sealed(key, "locks", { time, exclusive, hostname, username: "root", pid: 4711 });

export const badLocks = (): Readonly<Record<string, Forged>> => ({
  "shorter than a nonce": named("locks", randomBytes(15)),
  garbage: named("locks", randomBytes(200)),
});

// Keys

/** Parameters of scrypt that take no time. */
const CHEAP = { N: 2, r: 8, p: 1 };

/** A key file, by its members. */
const keyFile = (members: Record<string, unknown>): Forged =>
  named(
    "keys",
    Buffer.from(
      JSON.stringify({
        created: new Date(),
        username: "root",
        hostname: "elsewhere",
        kdf: "scrypt",
        ...CHEAP,
        salt: randomBytes(64).toString("base64"),
        data: randomBytes(200).toString("base64"),
        ...members,
      }),
    ),
  );

/** A key file by which another password opens the repository. */
export function keyFor(key: Key, password: string): Forged {
  const salt = randomBytes(64);
  const derived = scryptSync(password, salt, 64, CHEAP);
  const master = {
    mac: { k: key.k.toString("base64"), r: key.r.toString("base64") },
    encrypt: key.encrypt.toString("base64"),
  };
  const user = { encrypt: derived.subarray(0, 32), k: derived.subarray(32, 48), r: derived.subarray(48) };
  const data = seal(user, Buffer.from(JSON.stringify(master)));
  return keyFile({ salt: salt.toString("base64"), data: data.toString("base64") });
}

/** Key files that no password opens; each kind is one that stops restic by itself when it is listed first. */
export const badKeys = (): Readonly<Record<string, readonly Forged[]>> => ({
  "not JSON": [named("keys", Buffer.from("{not JSON"))],
  "another KDF": [keyFile({ kdf: "argon2" })],
  "absurd N": [keyFile({ N: 2 ** 30 })],
  short: [keyFile({ data: randomBytes(8).toString("base64") })],
  slow: Array.from({ length: 6 }, () => keyFile({ N: 2 ** 20 })),
});

/** Key files of the right form that no password opens, whose names come before another's: restic tries them first. */
export function unopenableKeys(count: number, before: string): Forged[] {
  const keys: Forged[] = [];
  while (keys.length < count) {
    const key = keyFile({});
    if (key.id < before) keys.push(key);
  }
  return keys;
}
