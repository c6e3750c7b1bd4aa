/**
 * The reader of restic's format against restic itself, in both directions, and against bytes that an attacker wrote.
 * Runs under Node 24: `npm run test:keeper`.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import * as zlib from "node:zlib";
import { poly1305 } from "@noble/ciphers/_poly1305";
import fc from "fast-check";
import {
  FormatError,
  type Key,
  open,
  openKey,
  packSize,
  readConfig,
  readIndex,
  readLock,
  readPack,
  readSnapshot,
  seal,
  unpack,
} from "../../keeper/format";
import * as forgery from "../harness/restic-forgery";
import { tool } from "../unit/files-tools";

declare module "zlib" {
  function zstdCompressSync(bytes: Buffer): Buffer;
}

const LIMIT = 16 << 20;
const PASSWORD = "correct horse";
let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "secure-backups-format-"));
  const source = path.join(folder, "source");
  fs.mkdirSync(path.join(source, "many"), { recursive: true });
  fs.writeFileSync(path.join(source, "random"), randomBytes(3 << 20));
  fs.writeFileSync(path.join(source, "numbers"), Array.from({ length: 200_000 }, (_, i) => i).join("\n"));
  fs.writeFileSync(path.join(source, "empty"), "");
  for (let i = 0; i < 200; i++) {
    fs.writeFileSync(path.join(source, `many/<${String(i)}>&"\\ü`), `file ${String(i)}`);
  }
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

/** A repository in a folder, used by restic. */
class Repository {
  readonly at: string;
  key!: Key;
  /** Names a key that takes restic no time to open, once there is one. */
  private hint: readonly string[] = [];

  private constructor(readonly name: string) {
    this.at = path.join(folder, name);
  }

  static async create(name: string, version: number): Promise<Repository> {
    const made = new Repository(name);
    made.restic("init", "--repository-version", String(version));
    const key = await openKey(made.file("keys", made.list("keys")[0] as string), PASSWORD);
    made.key = key as Key;
    const fast = forgery.keyFor(made.key, PASSWORD);
    made.add(fast);
    made.hint = ["--key-hint", fast.id];
    return made;
  }

  private get options() {
    const env = { ...process.env, RESTIC_PASSWORD: PASSWORD, RESTIC_REPOSITORY: this.at, TZ: "Asia/Kolkata" };
    return { env, cwd: folder, encoding: "utf8", maxBuffer: 1 << 28, stdio: "pipe" } as const;
  }

  restic(...args: string[]): string {
    return execFileSync(tool("restic"), ["--no-cache", ...this.hint, ...args], this.options);
  }

  /** The status of a command that may fail. */
  status(...args: string[]): number | null {
    return spawnSync(tool("restic"), ["--no-cache", ...this.hint, ...args], this.options).status;
  }

  start(...args: string[]) {
    const { encoding: _, ...options } = this.options;
    return spawn(tool("restic"), ["--no-cache", ...this.hint, ...args], options);
  }

  list = (type: string): string[] =>
    type === "data"
      ? fs
          .readdirSync(path.join(this.at, "data"))
          .flatMap((sub) => fs.readdirSync(path.join(this.at, "data", sub)))
      : fs.readdirSync(path.join(this.at, type));

  file = (type: string, id: string): Buffer =>
    fs.readFileSync(path.join(this.at, type === "data" ? `data/${id.slice(0, 2)}/${id}` : `${type}/${id}`));

  add(...objects: forgery.Forged[]): void {
    for (const object of objects) fs.writeFileSync(path.join(this.at, forgery.pathOf(object)), object.bytes);
  }
}

const json = (text: string): unknown => JSON.parse(text);
const byOffset = (one: { offset: number }, other: { offset: number }) => one.offset - other.offset;

describe.each([
  [1, "off"],
  [2, "off"],
  [2, "auto"],
  [2, "max"],
])("of a repository of version %i with compression %s", (version, compression) => {
  let repository: Repository;
  beforeAll(async () => {
    repository = await Repository.create(`v${String(version)}-${compression}`, version);
    for (let i = 0; i < 2; i++) {
      fs.writeFileSync(path.join(folder, "source/changing"), String(i));
      const names = ["--host", "höst<&>", "--tag", 'a "tag"', "--exclude", "*.\\x"];
      repository.restic(
        "backup",
        ...(version === 2 ? ["--compression", compression] : []),
        ...names,
        "source",
      );
    }
  });

  test("the key is the one that restic finds, and only with its password", async () => {
    const master = json(repository.restic("cat", "masterkey")) as {
      mac: { k: string; r: string };
      encrypt: string;
    };
    expect(repository.key.encrypt.toString("base64")).toBe(master.encrypt);
    expect(repository.key.k.toString("base64")).toBe(master.mac.k);
    expect(repository.key.r.toString("base64")).toBe(master.mac.r);
    expect(repository.list("keys")).toHaveLength(2);
    for (const id of repository.list("keys")) {
      const file = repository.file("keys", id);
      expect(await openKey(file, PASSWORD)).toEqual(repository.key);
      expect(await openKey(file, `${PASSWORD} `)).toBeUndefined();
    }
  });

  test("config and snapshots agree with what restic prints", () => {
    const config = unpack(repository.key, fs.readFileSync(path.join(repository.at, "config")), LIMIT);
    expect(json(repository.restic("cat", "config"))).toMatchObject({ ...readConfig(config), version });
    const snapshots = repository.list("snapshots");
    expect(snapshots).toHaveLength(2);
    for (const id of snapshots) {
      const snapshot = readSnapshot(unpack(repository.key, repository.file("snapshots", id), LIMIT));
      expect(json(repository.restic("cat", "snapshot", id))).toMatchObject(snapshot);
      expect(snapshot.hostname).toBe("höst<&>");
    }
  });

  test("indexes and packs agree with what restic prints, and with one another", () => {
    const packs = repository.list("index").flatMap((id) => {
      const read = readIndex(unpack(repository.key, repository.file("index", id), LIMIT));
      const printed = forgery.parseIndex(repository.restic("cat", "index", id));
      expect(read.packs).toEqual(printed.map(({ id, blobs }) => ({ id, blobs: blobs.toSorted(byOffset) })));
      return read.packs;
    });
    expect(packs.map(({ id }) => id).sort()).toEqual(repository.list("data").sort());
    for (const { id, blobs } of packs) {
      const pack = repository.file("data", id);
      expect(packSize(blobs)).toBe(pack.length);
      expect(readPack(repository.key, id, pack, LIMIT)).toEqual(blobs);
    }
    const listed = repository.restic("list", "blobs").trim().split("\n").sort();
    expect(packs.flatMap(({ blobs }) => blobs.map(({ type, id }) => `${type} ${id}`)).sort()).toEqual(listed);
    const compressed = packs
      .flatMap(({ blobs }) => blobs)
      .filter((blob) => blob.uncompressedLength !== undefined);
    // restic compresses trees in version 2 in any case.
    expect(new Set(compressed.map(({ type }) => type))).toEqual(
      new Set(version === 1 ? [] : compression === "off" ? ["tree"] : ["data", "tree"]),
    );
  });

  test("a pack's blobs have their limit", () => {
    for (const id of repository.list("data")) {
      const pack = repository.file("data", id);
      const largest = Math.max(
        ...readPack(repository.key, id, pack, LIMIT).map(({ uncompressedLength = 0 }) => uncompressedLength),
      );
      expect(readPack(repository.key, id, pack, largest)).toBeDefined();
      if (largest > 0) expect(() => readPack(repository.key, id, pack, largest - 1)).toThrow(FormatError);
    }
  });

  test("a lock that restic holds is read", async () => {
    const backup = repository.start("backup", "--stdin");
    const ended = once(backup, "exit");
    while (repository.list("locks").length === 0) await new Promise((wake) => setTimeout(wake, 20));
    const [id = ""] = repository.list("locks");
    let file = repository.file("locks", id);
    // restic's backend for folders writes the name first.
    while (file.length === 0) file = repository.file("locks", id);
    expect(readLock(unpack(repository.key, file, LIMIT))).toMatchObject({
      exclusive: false,
      hostname: os.hostname(),
      pid: backup.pid,
    });
    backup.stdin.end("x");
    expect(await ended).toEqual([0, null]);
  });

  test("restic accepts what is sealed here", () => {
    const { key } = repository;
    const content = Buffer.from("content of a forged file");
    const data = { type: "data" as const, content };
    const node = { name: "file", type: "file", mode: 420, size: content.length, content: [sha256(content)] };
    const times = { mtime: new Date(), atime: new Date(), ctime: new Date(), uid: 0, gid: 0 };
    const tree = Buffer.from(`${JSON.stringify({ nodes: [{ ...node, ...times }] })}\n`);
    const squeezed = (blob: forgery.Content) =>
      version === 1 ? blob : { ...blob, compressed: zlib.zstdCompressSync(blob.content) };
    const made = forgery.packOf(key, [
      data,
      squeezed({ type: "tree", content: tree }),
      squeezed({ ...data }),
    ]);
    expect(readPack(key, made.pack.id, made.pack.bytes, LIMIT)).toEqual(made.blobs);
    expect(packSize(made.blobs)).toBe(made.pack.bytes.length);
    const snapshot = forgery.snapshot(key, { time: new Date(), hostname: "forged", tree: sha256(tree) });
    repository.add(made.pack, forgery.index(key, [{ id: made.pack.id, blobs: made.blobs }]), snapshot);
    expect(repository.restic("dump", snapshot.id, "file")).toBe(content.toString());
    expect(repository.status("check", "--read-data")).toBe(0);

    const other = forgery.keyFor(key, "another password");
    repository.add(other);
    expect(
      repository.restic(
        "--key-hint",
        other.id,
        "--password-command",
        "echo another password",
        "list",
        "keys",
      ),
    ).toContain(other.id);
    const lock = forgery.lock(key, { time: new Date(), exclusive: true });
    repository.add(lock);
    expect(repository.status("check")).toBe(11);
    expect(readLock(unpack(key, lock.bytes, LIMIT))).toMatchObject({ exclusive: true, pid: 4711 });
  });
});

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const KEY: Key = { encrypt: randomBytes(32), k: randomBytes(16), r: randomBytes(16) };
const ID = "0123456789abcdef".repeat(4);
const OTHER = ID.replaceAll("0", "f");

describe("what restic would read differently is refused", () => {
  const blob = `{"id":"${ID}","type":"data","offset":0,"length":64}`;
  const pack = (blobs: string) => `{"id":"${ID}","blobs":[${blobs}]}`;
  const index = (packs: string) => `{"packs":[${packs}]}`;

  test.each([index(""), index(pack(blob)), `{"supersedes":["${ID}","${OTHER}"],"packs":[]}\n`])(
    "but an index that restic writes is not: %s",
    (text) => {
      expect(readIndex(Buffer.from(text))).toBeDefined();
    },
  );

  test.each([
    ["names in other case", `{"Packs":[${pack(blob)}]}`],
    ["a name twice", `{"packs":[],"packs":[${pack(blob)}]}`],
    ["a name twice in a blob", index(pack(blob.replace('"offset":0', '"offset":0,"offset":64')))],
    ["an unknown member", `{"packs":[],"more":1}`],
    ["white space", index(` ${pack(blob)}`)],
    ["what follows", `${index("")}\n{}`],
    ["the format before version 1", "[]"],
    ["an ID in upper case", index(pack(blob.replace(ID, ID.toUpperCase())))],
    ["a short ID", index(pack(blob.replace(ID, ID.slice(1))))],
    ["another type", index(pack(blob.replace("data", "blob")))],
    ["a negative number", index(pack(blob.replace("64", "-64")))],
    ["a fraction", index(pack(blob.replace("64", "64.0")))],
    ["an exponent", index(pack(blob.replace("64", "6e1")))],
    ["leading zeros", index(pack(blob.replace("64", "064")))],
    ["a length above 4 GiB", index(pack(blob.replace("64", "4294967296")))],
    ["a length below what encryption adds", index(pack(blob.replace("64", "31")))],
    ["an uncompressed length of zero", index(pack(blob.replace("64", '64,"uncompressed_length":0')))],
    ["an offset that leaves a gap", index(pack(blob.replace('"offset":0', '"offset":1')))],
    ["blobs that overlap", index(pack(`${blob},${blob}`))],
    ["a pack without blobs", index(pack(""))],
    ["a pack twice", index(`${pack(blob)},${pack(blob)}`)],
    ["null", "null"],
    ["nothing", ""],
    ["depth", "[".repeat(1 << 20)],
  ])("in an index: %s", (_, text) => {
    expect(() => readIndex(Buffer.from(text))).toThrow(FormatError);
  });

  const snapshot = `{"time":"2026-02-28T23:59:59.5+05:30","tree":"${ID}","paths":["/"],"hostname":"h"}`;
  const summary = (value: string) => snapshot.replace('"paths"', `"summary":${value},"paths"`);
  const TIMES = `"backup_start":"2026-01-01T00:00:00Z","backup_end":"2026-01-01T00:00:00Z"`;

  test.each([
    snapshot,
    snapshot.replace('["/"]', "null"),
    snapshot.replace('"hostname":"h"', '"added_later":{"a":[1]}'),
    summary(`{${TIMES},"data_added":4503599627370496}`),
    snapshot.replace('"h"', '"a.b:1e5 \\"x\\\\"'),
  ])("but a snapshot that restic writes is not: %s", (text) => {
    expect(readSnapshot(Buffer.from(text)).tree).toBe(ID);
  });

  test.each([
    ["null", "null"],
    ["a list", "[]"],
    ["no tree", snapshot.replace('"tree"', '"trees"')],
    ["a tree of null", snapshot.replace(`"${ID}"`, "null")],
    ["a tree in other case", snapshot.replace("}", `,"Tree":null}`)],
    ["a tree in letters that fold", snapshot.replace("}", `,"username":"u","u\u017Fername":null}`)],
    ["a tree twice", snapshot.replace("}", `,"tree":"${OTHER}"}`)],
    ["a name twice within", summary(`{${TIMES},"data_blobs":1,"data_blobs":2}`)],
    ["no time", snapshot.replace('"time"', '"times"')],
    ["a day that does not exist", snapshot.replace("02-28", "02-29")],
    ["an hour that does not exist", snapshot.replace("T23", "T24")],
    ["a time zone that does not exist", snapshot.replace("+05:30", "+24:00")],
    ["a time that is a number", snapshot.replace('"2026-02-28T23:59:59.5+05:30"', "0")],
    ["a fraction", summary(`{${TIMES},"data_added":1.0}`)],
    ["an exponent", summary(`{${TIMES},"data_added":1e3}`)],
    ["a negative number", summary(`{${TIMES},"data_added":-0}`)],
    ["a number that is too large", summary(`{${TIMES},"data_added":9007199254740993}`)],
    ["a host that is none", snapshot.replace('"h"', "1")],
    ["paths that are none", snapshot.replace('["/"]', "[1]")],
    ["depth", `${snapshot.slice(0, -1)},"x":${"[".repeat(10_001)}${"]".repeat(10_001)}}`],
  ])("in a snapshot: %s", (_, text) => {
    expect(() => readSnapshot(Buffer.from(text))).toThrow(FormatError);
  });

  test.each([
    ["a version", { version: 3, id: ID, chunker_polynomial: "3" }],
    ["an ID", { version: 2, id: "x", chunker_polynomial: "3" }],
    ["a polynomial", { version: 2, id: ID, chunker_polynomial: 3 }],
  ])("in a config: %s that does not exist", (_, config) => {
    expect(() => readConfig(Buffer.from(JSON.stringify(config)))).toThrow(FormatError);
  });

  test.each(Object.entries(forgery.badKeys()))("a key: %s", async (_, [first]) => {
    await expect(openKey((first as forgery.Forged).bytes, PASSWORD)).rejects.toThrow(FormatError);
  });

  test("a key whose parameters would take another one's place", async () => {
    const text = forgery.keyFor(KEY, PASSWORD).bytes.toString();
    expect(await openKey(Buffer.from(text), PASSWORD)).toEqual(KEY);
    for (const [what, instead] of [
      ['"N":2', '"N":2,"n":4'],
      ['"r":8', '"r":8,"R":9'],
      ['"N":2', '"N":2,"N":2'],
      ['"N":2', '"N":3'],
      ['"N":2', '"N":2.0'],
      ['"p":1', '"p":17'],
      ['"r":8', '"r":65'],
      ['"salt":"', '"salt":"AAAA'],
    ] as const) {
      expect(text).toContain(what);
      await expect(openKey(Buffer.from(text.replace(what, instead)), PASSWORD)).rejects.toThrow(FormatError);
    }
  });

  test("a key that is zero", async () => {
    for (const zero of [{ encrypt: Buffer.alloc(32) }, { k: Buffer.alloc(16) }, { r: Buffer.alloc(16) }]) {
      const { bytes } = forgery.keyFor({ ...KEY, ...zero }, PASSWORD);
      await expect(openKey(bytes, PASSWORD)).rejects.toThrow(FormatError);
    }
  });

  test("a nonce of zeros", () => {
    const sealed = (nonce: Buffer) => {
      const ciphertext = createCipheriv("aes-256-ctr", KEY.encrypt, nonce).update("{}");
      const pad = createCipheriv("aes-128-ecb", KEY.k, null).update(nonce);
      return Buffer.concat([nonce, ciphertext, poly1305(ciphertext, Buffer.concat([KEY.r, pad]))]);
    };
    expect(open(KEY, sealed(Buffer.alloc(16, 1))).toString()).toBe("{}");
    expect(() => open(KEY, sealed(Buffer.alloc(16)))).toThrow(FormatError);
  });

  test.each([
    ["garbage", (frame: Buffer) => Buffer.concat([frame, randomBytes(9)])],
    ["another frame", (frame: Buffer) => Buffer.concat([frame, frame])],
    ["a frame to skip", (frame: Buffer) => Buffer.concat([frame, Buffer.from("502a4d1800000000", "hex")])],
    [
      "a frame to skip, first",
      (frame: Buffer) => Buffer.concat([Buffer.from("502a4d1800000000", "hex"), frame]),
    ],
    ["less", (frame: Buffer) => frame.subarray(0, -1)],
  ])("a blob whose compressed form has %s", (_, change) => {
    const content = Buffer.from("content ".repeat(99));
    const frame = zlib.zstdCompressSync(content);
    const genuine = forgery.packOf(KEY, [{ type: "data", content, compressed: frame }]);
    expect(readPack(KEY, genuine.pack.id, genuine.pack.bytes, LIMIT)).toHaveLength(1);
    const { pack } = forgery.packOf(KEY, [{ type: "data", content, compressed: change(frame) }]);
    expect(() => readPack(KEY, pack.id, pack.bytes, LIMIT)).toThrow(FormatError);
  });

  test("a pack with another name, another blob, another length, a hole, or nothing in it", () => {
    const content = randomBytes(40);
    const { pack } = forgery.packOf(KEY, [{ type: "tree", content }]);
    expect(readPack(KEY, pack.id, pack.bytes, LIMIT)).toHaveLength(1);
    const compressed = zlib.zstdCompressSync(content.subarray(1));
    for (const { id, bytes } of [
      { id: ID, bytes: pack.bytes },
      forgery.packOf(KEY, [{ type: "data", content, id: ID }]).pack,
      forgery.packOf(KEY, [{ type: "data", content, compressed }]).pack,
      forgery.packOf(KEY, []).pack,
    ]) {
      expect(() => readPack(KEY, id, bytes, LIMIT)).toThrow(FormatError);
    }
    for (const bytes of [
      Buffer.concat([Buffer.alloc(1), pack.bytes]),
      pack.bytes.subarray(1),
      Buffer.alloc(3),
    ]) {
      expect(() => readPack(KEY, sha256(bytes), bytes, LIMIT)).toThrow(FormatError);
    }
  });
});

describe("bytes of any kind give a result or a FormatError", () => {
  /** Runs it on bytes that were changed, cut or made longer, and on bytes that never were anything. */
  const survives = (genuine: Buffer, read: (bytes: Buffer) => unknown, runs = 500): void => {
    read(genuine);
    const place = fc.nat(genuine.length - 1);
    const changed = fc
      .array(fc.tuple(place, fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = Buffer.from(genuine);
        for (const [at, byte] of changes) bytes[at] = byte;
        return bytes;
      });
    const cut = fc
      .tuple(place, place)
      .map(([one, other]) => genuine.subarray(Math.min(one, other), Math.max(one, other)));
    const doubled = fc
      .tuple(place, place)
      .map(([one, other]) => Buffer.concat([genuine.subarray(0, one), genuine.subarray(other)]));
    const anything = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(changed, cut, doubled, anything), (bytes) => {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: runs },
    );
  };

  const content = Buffer.from("some content ".repeat(20));
  const compressed = zlib.zstdCompressSync(content);
  const { pack, blobs } = forgery.packOf(KEY, [
    { type: "data", content },
    { type: "tree", content, compressed },
  ]);
  const snapshot = open(KEY, forgery.snapshot(KEY, { time: new Date(), hostname: "h", tree: ID }).bytes);

  test("encrypted", () => {
    const sealed = seal(KEY, Buffer.from("{}"));
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Buffer.from(sealed);
        bytes[at] = (bytes[at] as number) ^ flip;
        expect(() => unpack(KEY, bytes, LIMIT)).toThrow(FormatError);
        expect(() => unpack(KEY, sealed.subarray(0, at), LIMIT)).toThrow(FormatError);
      }),
    );
    expect(() => unpack({ ...KEY, r: randomBytes(16) }, sealed, LIMIT)).toThrow(FormatError);
  });

  test("a document before it is encrypted", () => {
    survives(Buffer.concat([Buffer.from([2]), compressed]), (bytes) => {
      expect(unpack(KEY, seal(KEY, bytes), content.length).length).toBeLessThanOrEqual(content.length);
    });
    survives(Buffer.from(forgery.indexText([{ id: ID, blobs }])), readIndex);
    survives(snapshot, readSnapshot);
    survives(open(KEY, forgery.lock(KEY, { time: new Date(), exclusive: true }).bytes), readLock);
    survives(Buffer.from(JSON.stringify({ version: 2, id: ID, chunker_polynomial: "3f" })), readConfig);
  });

  test("a pack, and its header before it is encrypted", () => {
    survives(pack.bytes, (bytes) => readPack(KEY, sha256(bytes), bytes, LIMIT));
    const length = pack.bytes.readUInt32LE(pack.bytes.length - 4);
    const body = pack.bytes.subarray(0, -4 - length);
    survives(open(KEY, pack.bytes.subarray(-4 - length, -4)), (plain) => {
      const header = seal(KEY, plain);
      const size = Buffer.alloc(4);
      size.writeUInt32LE(header.length);
      const bytes = Buffer.concat([body, header, size]);
      readPack(KEY, sha256(bytes), bytes, LIMIT);
    });
  });

  test("a key file", async () => {
    const { bytes: genuine } = forgery.keyFor(KEY, PASSWORD);
    const place = fc.nat(genuine.length - 1);
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 32, max: 126 }), fc.boolean(), async (at, byte, cut) => {
        const bytes = cut ? genuine.subarray(0, at) : Buffer.from(genuine);
        if (!cut) bytes[at] = byte;
        try {
          const key = await openKey(bytes, PASSWORD);
          // Who and when made it is not authenticated, and decides nothing.
          if (key !== undefined) expect(key).toEqual(KEY);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("what decompresses to a gibibyte takes no more memory than its limit", () => {
    // A window of 1 MiB, then blocks that each repeat one byte 128 Ki times.
    const block = Buffer.alloc(4);
    block.writeUIntLE(((128 << 10) << 3) | 2, 0, 3);
    const last = Buffer.from([1, 0, 0]);
    const bomb = (blocks: number) =>
      Buffer.concat([Buffer.from("28b52ffd0050", "hex"), ...Array<Buffer>(blocks).fill(block), last]);
    const document = (blocks: number) => seal(KEY, Buffer.concat([Buffer.from([2]), bomb(blocks)]));
    expect(unpack(KEY, document(8), 1 << 20)).toHaveLength(1 << 20);
    const large = document(8192);
    const before = process.resourceUsage().maxRSS;
    expect(() => unpack(KEY, large, 1 << 20)).toThrow(/larger than 1048576 bytes/);
    const { pack } = forgery.packOf(KEY, [
      { type: "data", content: Buffer.alloc(99), compressed: bomb(8192) },
    ]);
    expect(() => readPack(KEY, pack.id, pack.bytes, LIMIT)).toThrow(FormatError);
    // KiB.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100 << 10);
  });

  test("a window that would take more memory than restic's is refused", () => {
    const frame = Buffer.from("28b52ffd00b0010000", "hex");
    expect(() => unpack(KEY, seal(KEY, Buffer.concat([Buffer.from([2]), frame])), LIMIT)).toThrow(/memory/);
  });
});
