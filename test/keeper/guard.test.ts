/** The guard over repositories that restic made, honest and attacked. */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  openKey,
  packSize,
  readIndex,
  readSnapshot,
  seal,
  unpack,
  type Blob,
  type Key,
} from "../../keeper/format";
import { guard, Memory, type GuardInput, type GuardReport } from "../../keeper/guard";
import type { Bounds } from "../../keeper/job";
import type { ObjectType, StoredObject } from "../../keeper/objects";
import { ResticFolder } from "../harness/restic-folder";

const MIB = 1024 * 1024;
const BOUNDS: Bounds = {
  objects: 1000,
  metadataBytes: 16 * MIB,
  packBytes: 64 * MIB,
  readBytes: 1024 * MIB,
  lateObjects: 10,
};
const PASSWORD = "correct horse";

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
const name = ({ type, id }: Pick<StoredObject, "type" | "id">) => `${type}/${id}`;

/** A repository and what the guard reads of it. */
class Guarded extends ResticFolder {
  memory = new Memory();
  keyId: string | undefined;
  /** Names of the objects that were read, in order. */
  reads: string[] = [];

  async guard(change: Partial<GuardInput> = {}): Promise<GuardReport> {
    this.reads = [];
    const report = await guard({
      objects: this.objects(),
      read: (object) => {
        this.reads.push(name(object));
        return this.read(object);
      },
      memory: this.memory,
      password: PASSWORD,
      ...(this.keyId === undefined ? {} : { keyId: this.keyId }),
      bounds: BOUNDS,
      readBytes: BOUNDS.readBytes,
      stop: new AbortController().signal,
      ...change,
    });
    this.keyId ??= report.opened?.keyId;
    // What a later run knows is what was written down.
    this.memory = Memory.parse(this.memory.serialize());
    return report;
  }

  ids(type: ObjectType): string[] {
    return this.objects()
      .filter((object) => object.type === type)
      .map(({ id }) => id);
  }

  async key(): Promise<Key> {
    const key = await openKey(await this.read({ type: "keys", id: this.ids("keys")[0] ?? "" }), PASSWORD);
    if (key === undefined) throw new Error("the password does not open the key");
    return key;
  }

  /** Puts an object under the hash of its content, or another name. */
  forge(type: ObjectType, content: Buffer, id = sha256(content)): string {
    this.put(type, id, content);
    return id;
  }

  /** What all indexes say. */
  async claims(): Promise<{ id: string; blobs: readonly Blob[] }[]> {
    const key = await this.key();
    const files = await Promise.all(this.ids("index").map((id) => this.read({ type: "index", id })));
    return files.flatMap((file) => [...readIndex(unpack(key, file, MIB)).packs]);
  }
}

/** An index as restic reads it. */
const indexOf = (key: Key, packs: readonly { id: string; blobs: readonly Blob[] }[]): Buffer =>
  seal(
    key,
    Buffer.from(
      JSON.stringify({
        packs: packs.map(({ id, blobs }) => ({
          id,
          blobs: blobs.map(({ uncompressedLength, ...blob }) => ({
            ...blob,
            ...(uncompressedLength === undefined ? {} : { uncompressed_length: uncompressedLength }),
          })),
        })),
      }),
    ),
  );

/** A pack that is sound but for the names of its blobs, if such are given. */
function packOf(key: Key, contents: readonly { type: "data" | "tree"; content: Buffer; id?: string }[]) {
  const blobs: Blob[] = [];
  const parts: Buffer[] = [];
  let offset = 0;
  for (const { type, content, id = sha256(content) } of contents) {
    const sealed = seal(key, content);
    parts.push(sealed);
    blobs.push({ id, type, offset, length: sealed.length });
    offset += sealed.length;
  }
  const header = blobs.map(({ id, type, length }) => {
    const entry = Buffer.alloc(37);
    entry.writeUInt8(type === "data" ? 0 : 1);
    entry.writeUInt32LE(length, 1);
    entry.write(id, 5, "hex");
    return entry;
  });
  const sealed = seal(key, Buffer.concat(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(sealed.length);
  const pack = Buffer.concat([...parts, sealed, length]);
  return { id: sha256(pack), pack, blobs };
}

const dummy = () => ({ type: "data" as const, content: randomBytes(32) });

const made: Guarded[] = [];
afterAll(() => {
  for (const repository of made) repository.remove();
});
const create = (version: 1 | 2 = 2): Guarded => {
  const repository = new Guarded(PASSWORD, version);
  made.push(repository);
  return repository;
};

const kinds = ({ findings }: GuardReport) => findings.map(({ kind }) => kind);
const objects = ({ findings }: GuardReport) => findings.flatMap((finding) => finding.objects);
const clean = (report: GuardReport) => {
  expect(report.findings).toEqual([]);
  expect(report.verified).toBe(true);
};

describe.each([1, 2] as const)("honest repositories of version %s", (version) => {
  test("an empty repository, backups, unchanged ones, and prunes have no finding", async () => {
    const repository = create(version);
    clean(await repository.guard());
    expect(repository.ids("keys")).toEqual([repository.keyId]);

    const first = repository.backup({ a: randomBytes(3 * MIB), text: "word ".repeat(100_000) });
    const report = await repository.guard();
    clean(report);
    expect(Object.keys(report.claims)).toEqual([first]);
    expect(report.readBytes).toBe(
      repository.objects().reduce((sum, { type, size }) => sum + (type === "data" ? size : 0), 0),
    );

    // Nothing new: nothing but the key is read.
    const again = await repository.guard();
    clean(again);
    expect(again).toMatchObject({ fresh: 0, readBytes: 0 });
    expect(repository.reads).toEqual([`keys/${repository.keyId ?? ""}`]);

    // An unchanged tree has no new index, and none is read for it.
    const unchanged = repository.backup({});
    clean(await repository.guard());
    expect(repository.reads).toEqual([`keys/${repository.keyId ?? ""}`, `snapshots/${unchanged}`]);

    repository.backup({ a: randomBytes(2 * MIB) });
    clean(await repository.guard());

    repository.restic("forget", first, unchanged, "--prune", "--max-unused", "0");
    clean(await repository.guard());
    clean(await repository.guard());
    expect(repository.memory.serialize().length).toBe(16 + 65 * repository.objects().length);
  });

  test("the reports of runs that were not whole are claimed as such, and with other tags nothing is", async () => {
    const repository = create(version);
    const tagged = (tags: string) => repository.backup({ report: tags }, "--tag", tags);
    const failed = tagged("secure-backups-report,secure-backups-failed");
    const partial = tagged("mine,secure-backups-partial,secure-backups-report");
    const older = tagged("secure-backups-report");
    const both = tagged("secure-backups-report,secure-backups-partial,secure-backups-failed");
    const others = [
      tagged("secure-backups-failed"),
      tagged("Secure-Backups-Report"),
      repository.backup({ a: "b" }),
    ];
    const { claims } = await repository.guard();
    expect(Object.fromEntries(Object.entries(claims).map(([id, { report }]) => [id, report]))).toEqual({
      ...{ [failed]: "failed", [partial]: "partial", [older]: "failed", [both]: "failed" },
      ...Object.fromEntries(others.map((id) => [id, undefined])),
    });
  });

  test("backups side by side hold the same blobs in different packs", async () => {
    const repository = create(version);
    repository.backup({ a: randomBytes(MIB) });
    // The second backup does not see what the first one adds.
    const before = new Map(repository.objects().map((object) => [name(object), object]));
    const shared = randomBytes(3 * MIB);
    repository.backup({ b: shared });
    const added = repository.objects().filter((object) => !before.has(name(object)));
    const kept = await Promise.all(
      added.map(async (object) => ({ object, content: await repository.read(object) })),
    );
    for (const { object } of kept) repository.delete(object);
    repository.backup({ c: "other", b: shared });
    for (const { object, content } of kept) repository.put(object.type, object.id, content);
    const ids = (await repository.claims()).flatMap(({ blobs }) => blobs.map(({ id }) => id));
    expect(new Set(ids).size).toBeLessThan(ids.length);
    clean(await repository.guard());
  });

  test("packs of an interrupted backup, which no index claims, are read and no finding", async () => {
    const repository = create(version);
    repository.backup({ a: randomBytes(MIB) });
    clean(await repository.guard());
    const before = new Set(repository.ids("index"));
    const snapshot = repository.backup({ b: randomBytes(2 * MIB) });
    repository.delete({ type: "snapshots", id: snapshot });
    for (const id of repository.ids("index").filter((each) => !before.has(each))) {
      repository.delete({ type: "index", id });
    }
    const report = await repository.guard();
    clean(report);
    expect(report.readBytes).toBeGreaterThan(2 * MIB);
    repository.restic("repair", "index");
    clean(await repository.guard());
  });
});

describe("attacks", () => {
  let repository: Guarded;
  let key: Key;
  let opened: GuardReport["opened"];
  let genuine: StoredObject[];
  let known: Buffer;
  beforeAll(async () => {
    repository = create();
    repository.backup({ a: randomBytes(2 * MIB), b: "b".repeat(5000) });
    repository.backup({ c: randomBytes(2 * MIB) });
    key = await repository.key();
    genuine = repository.objects();
    const report = await repository.guard();
    clean(report);
    ({ opened } = report);
    known = repository.memory.serialize();
  });

  /** Guards after an attack, once knowing the repository and once knowing nothing, and undoes the attack. */
  async function attacked(attack: () => void | Promise<void>): Promise<GuardReport[]> {
    await attack();
    try {
      repository.memory = Memory.parse(known);
      const knowing = await repository.guard({ opened });
      const admitted = await repository.guard({ opened });
      repository.memory = new Memory();
      const blank = await repository.guard({ opened });
      // What was found once is found until it is gone.
      expect(kinds(admitted).length).toBe(kinds(knowing).length);
      return [knowing, blank];
    } finally {
      const honest = new Set(genuine.map(name));
      for (const object of repository.objects()) {
        if (!honest.has(name(object))) repository.delete(object);
      }
    }
  }
  const allBlobs = async () => (await repository.claims()).flatMap(({ blobs }) => [...blobs]);

  test("an index that claims all blobs lie in a pack that does not exist", async () => {
    const blobs = (await allBlobs()).map((blob, at) => ({ ...blob, offset: at * 100, length: 100 }));
    let index = "";
    for (const report of await attacked(() => {
      index = repository.forge("index", indexOf(key, [{ id: "ab".repeat(32), blobs }]));
    })) {
      expect(kinds(report)).toEqual(["claims-missing-pack"]);
      expect(objects(report)).toEqual([`index/${index}`]);
      expect(report.verified).toBe(true);
    }
  });

  test("the same, and the pack is garbage of the right size", async () => {
    const blobs = (await allBlobs()).map(({ id, type }, at) => ({ id, type, offset: at * 100, length: 100 }));
    const names: string[] = [];
    for (const report of await attacked(() => {
      const pack = repository.forge("data", randomBytes(packSize(blobs)));
      names.push(`data/${pack}`, `index/${repository.forge("index", indexOf(key, [{ id: pack, blobs }]))}`);
    })) {
      expect(kinds(report)).toEqual(["malformed"]);
      expect(objects(report)).toEqual(names);
      expect(report.verified).toBe(false);
    }
  });

  test("the worst: a sound pack of dummies that an index says are the genuine data blobs", async () => {
    const targets = (await allBlobs()).filter(({ type }) => type === "data");
    let index = "";
    for (const report of await attacked(() => {
      const { id, pack, blobs } = packOf(key, targets.map(dummy));
      repository.forge("data", pack);
      const claims = blobs.map((blob, at) => ({ ...blob, id: targets[at]?.id ?? "" }));
      index = repository.forge("index", indexOf(key, [{ id, blobs: claims }]));
    })) {
      expect(kinds(report)).toEqual(["claims-false"]);
      expect(objects(report)).toEqual([`index/${index}`]);
    }
  });

  test("the same with the pack's header in the lie", async () => {
    const targets = (await allBlobs()).filter(({ type }) => type === "data");
    const names: string[] = [];
    for (const report of await attacked(() => {
      const { id, pack, blobs } = packOf(
        key,
        targets.map(({ id }) => ({ ...dummy(), id })),
      );
      repository.forge("data", pack);
      names.push(`data/${id}`, `index/${repository.forge("index", indexOf(key, [{ id, blobs }]))}`);
    })) {
      expect(kinds(report)).toEqual(["malformed"]);
      expect(objects(report)).toEqual(names);
    }
  });

  test("the pack of dummies comes first, and is verified before an index lies about it", async () => {
    const targets = (await allBlobs()).filter(({ type }) => type === "data");
    const { id, pack, blobs } = packOf(key, targets.map(dummy));
    repository.memory = Memory.parse(known);
    repository.forge("data", pack);
    clean(await repository.guard());
    const claims = blobs.map((blob, at) => ({ ...blob, id: targets[at]?.id ?? "" }));
    const index = repository.forge("index", indexOf(key, [{ id, blobs: claims }]));
    const report = await repository.guard();
    expect(kinds(report)).toEqual(["claims-changed"]);
    expect(objects(report)).toEqual([`index/${index}`]);
    expect(repository.reads.filter((read) => read.startsWith("data/"))).toEqual([]);
    repository.delete({ type: "data", id });
    repository.delete({ type: "index", id: index });
  });

  test("an index that claims blobs which do not exist yet, in a sound pack", async () => {
    let index = "";
    for (const report of await attacked(() => {
      const { id, pack, blobs } = packOf(key, [dummy()]);
      repository.forge("data", pack);
      const claims = blobs.map((blob) => ({ ...blob, id: sha256(Buffer.from("of tomorrow")) }));
      index = repository.forge("index", indexOf(key, [{ id, blobs: claims }]));
    })) {
      expect(kinds(report)).toEqual(["claims-false"]);
      expect(objects(report)).toEqual([`index/${index}`]);
    }
  });

  test("a second claim for one blob of each genuine pack", async () => {
    const packs = (await repository.claims()).map(({ id, blobs }) => ({ id, blobs: blobs.slice(0, 1) }));
    const many = packs.length;
    let index = "";
    for (const report of await attacked(() => {
      index = repository.forge("index", indexOf(key, packs));
    })) {
      expect(many).toBeGreaterThan(1);
      expect(new Set(objects(report))).toEqual(new Set([`index/${index}`]));
    }
  });

  test("another claim for a genuine pack, of the same size", async () => {
    const packs = (await repository.claims()).map(({ id, blobs }) => ({
      id,
      blobs: blobs.map((blob) => ({ ...blob, id: sha256(Buffer.from(blob.id)) })),
    }));
    let index = "";
    const reports = await attacked(() => {
      index = repository.forge("index", indexOf(key, packs));
    });
    expect(reports.map(kinds)).toEqual([["claims-changed"], ["claims-false"]]);
    expect(reports.map(objects)).toEqual([[`index/${index}`], [`index/${index}`]]);
  });

  test("two indexes that disagree about a pack that is not read", async () => {
    const { id, pack, blobs } = packOf(key, [dummy()]);
    const other = blobs.map((blob) => ({ ...blob, id: "cd".repeat(32) }));
    repository.memory = Memory.parse(known);
    repository.forge("data", pack);
    const indexes = [indexOf(key, [{ id, blobs }]), indexOf(key, [{ id, blobs: other }])].map((index) =>
      repository.forge("index", index),
    );
    const report = await repository.guard({ readBytes: 0 });
    expect(kinds(report)).toEqual(["claims-disagree"]);
    expect(objects(report).sort()).toEqual(indexes.map((index) => `index/${index}`).sort());
    expect(report.verified).toBe(false);
    repository.delete({ type: "data", id });
    for (const index of indexes) repository.delete({ type: "index", id: index });
  });

  const snapshot = { time: "2026-01-01T00:00:00Z", paths: ["/"], hostname: "h", username: "u" };
  const sealed = (document: unknown) => seal(key, Buffer.from(JSON.stringify(document)));

  test.each<[string, string, () => [ObjectType, Buffer, string?]]>([
    ["a snapshot without a tree", "malformed", () => ["snapshots", sealed(snapshot)]],
    [
      "a snapshot of a missing tree",
      "tree-missing",
      () => ["snapshots", sealed({ ...snapshot, tree: "ab".repeat(32) })],
    ],
    ["a snapshot that is null", "malformed", () => ["snapshots", sealed(null)]],
    ["a snapshot of garbage", "malformed", () => ["snapshots", randomBytes(300)]],
    [
      "a snapshot under another name",
      "content-not-name",
      () => ["snapshots", sealed(snapshot), "ab".repeat(32)],
    ],
    ["a snapshot of 5 bytes", "too-short", () => ["snapshots", Buffer.from("12345")]],
    ["an index of garbage", "malformed", () => ["index", randomBytes(300)]],
    ["an index that is no JSON", "malformed", () => ["index", seal(key, Buffer.from("{nothing"))]],
    ["an index under another name", "content-not-name", () => ["index", indexOf(key, []), "ab".repeat(32)]],
    ["an index of 15 bytes", "too-short", () => ["index", randomBytes(15)]],
    ["an index that is too large", "too-large", () => ["index", Buffer.alloc(16 * MIB + 1)]],
    [
      "an index with an offset above 4 GiB",
      "malformed",
      () => [
        "index",
        indexOf(key, [
          {
            id: "ab".repeat(32),
            blobs: [{ id: "ab".repeat(32), type: "data", offset: 2 ** 33, length: 40 }],
          },
        ]),
      ],
    ],
    ["a name that is no ID", "bad-name", () => ["index", indexOf(key, []), "AB".repeat(32)]],
    ["a key that is no JSON", "malformed", () => ["keys", Buffer.from("x".repeat(300))]],
    ["a short key", "too-short", () => ["keys", Buffer.from("{}")]],
    ["a pack of garbage that no index claims", "malformed", () => ["data", randomBytes(5000)]],
    [
      "a pack under another name",
      "content-not-name",
      () => ["data", packOf(key, [dummy()]).pack, "ab".repeat(32)],
    ],
    ["a pack that is too short", "too-short", () => ["data", randomBytes(20)]],
  ])("%s", async (_, kind, forgery) => {
    const [type, content, id = sha256(content)] = forgery();
    for (const report of await attacked(() => {
      repository.forge(type, content, id);
    })) {
      expect(kinds(report)).toEqual([kind]);
      expect(objects(report)).toEqual([`${type}/${id}`]);
    }
  });

  test.each([
    ["another KDF", { kdf: "argon2" }],
    ["an absurd N", { N: 2 ** 30 }],
    ["no salt", { salt: undefined }],
  ])("a key with %s", async (_, change) => {
    const file = JSON.parse(
      String(await repository.read({ type: "keys", id: repository.ids("keys")[0] ?? "" })),
    ) as object;
    let id = "";
    for (const report of await attacked(() => {
      id = repository.forge("keys", Buffer.from(JSON.stringify({ ...file, ...change })));
    })) {
      expect(kinds(report)).toEqual(["malformed"]);
      expect(objects(report)).toEqual([`keys/${id}`]);
    }
  });

  test("a forged snapshot of a genuine tree is no finding: its date never decides", async () => {
    const id = repository.ids("snapshots")[0] ?? "";
    const { tree } = readSnapshot(unpack(key, await repository.read({ type: "snapshots", id }), MIB));
    for (const report of await attacked(() => {
      repository.forge(
        "snapshots",
        sealed({ ...snapshot, time: "2099-01-01T00:00:00Z", tree, hostname: "\u202e\n\u001b[2J" }),
      );
    })) {
      clean(report);
      expect(Object.values(report.claims)).toContainEqual({
        time: "2099-01-01T00:00:00Z",
        hostname: "? | ?[2J",
      });
    }
  });

  test("a snapshot whose tree a false index shows is no better when that is gone", async () => {
    const tree = sha256(randomBytes(8));
    const pack = packOf(key, [dummy()]);
    await attacked(async () => {
      const id = repository.forge("snapshots", sealed({ ...snapshot, tree }));
      repository.forge("data", pack.pack);
      const index = repository.forge(
        "index",
        indexOf(key, [
          { id: pack.id, blobs: pack.blobs.map((blob) => ({ ...blob, id: tree, type: "tree" })) },
        ]),
      );
      expect((await repository.guard({ opened })).findings).not.toEqual([]);
      repository.delete({ type: "index", id: index });
      const report = await repository.guard({ opened });
      expect(kinds(report)).toEqual(["tree-missing"]);
      expect(objects(report)).toEqual([`snapshots/${id}`]);
    });
  });

  test("a snapshot whose tree was verified is found when its index is put aside", async () => {
    const made = packOf(key, [
      { type: "tree", content: Buffer.from(`{"nodes":[]} ${sha256(randomBytes(8))}`) },
    ]);
    await attacked(async () => {
      repository.memory = Memory.parse(known);
      const id = repository.forge("snapshots", sealed({ ...snapshot, tree: made.blobs[0]?.id }));
      repository.forge("data", made.pack);
      const index = repository.forge("index", indexOf(key, [made]));
      clean(await repository.guard({ opened }));
      repository.delete({ type: "index", id: index });
      const report = await repository.guard({ opened });
      expect(kinds(report)).toEqual(["tree-missing"]);
      expect(objects(report)).toEqual([`snapshots/${id}`]);
    });
  });

  test("whatever objects are added, nothing claims a verified pack in another way", async () => {
    const claims = await repository.claims();
    const change = fc.record({
      pack: fc.nat(claims.length - 1),
      blob: fc.nat(1000),
      field: fc.constantFrom("id", "type", "offset", "length", "uncompressedLength", "drop", "again"),
      by: fc.integer({ min: -50, max: 50 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const forged = new Map(claims.map(({ id, blobs }) => [id, blobs.map((blob) => ({ ...blob }))]));
        const touched = new Set<string>();
        for (const { pack, blob, field, by } of changes) {
          const { id } = claims[pack] ?? { id: "" };
          const blobs = forged.get(id) ?? [];
          const at = blob % Math.max(1, blobs.length);
          const target = blobs[at];
          if (target === undefined) continue;
          touched.add(id);
          if (field === "drop") blobs.splice(at, 1);
          else if (field === "again") blobs.push({ ...target });
          else if (field === "id") blobs[at] = { ...target, id: sha256(Buffer.from(target.id)) };
          else if (field === "type")
            blobs[at] = { ...target, type: target.type === "data" ? "tree" : "data" };
          else blobs[at] = { ...target, [field]: Math.max(0, (target[field] ?? 0) + by) };
        }
        const text = (blobs: readonly Blob[] = []) =>
          blobs
            .map(({ id, type, offset, length, uncompressedLength }) =>
              [id, type, offset, length, uncompressedLength].join(),
            )
            .sort()
            .join("\n");
        const differs = claims.some(({ id, blobs }) => text(forged.get(id)) !== text(blobs));
        const packs = [...forged].filter(([id]) => touched.has(id)).map(([id, blobs]) => ({ id, blobs }));
        for (const report of await attacked(() => {
          repository.forge("index", indexOf(key, packs));
        })) {
          expect(report.findings.length > 0).toBe(differs);
        }
      }),
      { numRuns: 40 },
    );
  });
});

test("after thousands of findings the guard ends, so that they are reported in time", async () => {
  const repository = create();
  const forged = Array.from({ length: 6000 }, (_, at): StoredObject => {
    const id = sha256(Buffer.from(`${at}`));
    return { type: "snapshots", id, size: 100, versionId: "1", arrived: 0 };
  });
  let read = 0;
  const report = await repository.guard({
    objects: [...repository.objects(), ...forged],
    bounds: { ...BOUNDS, objects: 10_000 },
    read: (object) => {
      if (object.type !== "snapshots") return repository.read(object);
      read += 1;
      return Promise.resolve(Buffer.alloc(100));
    },
  });
  expect(read).toBe(5099);
  expect(report.verified).toBe(false);
  expect(report.findings.at(-1)?.why).toContain("5000 or more further findings");
});

describe("what a run reads", () => {
  test("a budget that ends midway goes on the next time, oldest arrival first", async () => {
    const repository = create();
    for (let count = 0; count < 4; count++) repository.backup({ [`${count}`]: randomBytes(MIB) });
    const packs = repository.objects().filter(({ type }) => type === "data");
    const oldest = packs.toSorted((a, b) => a.arrived - b.arrived).map(name);
    const read: string[] = [];
    let runs = 0;
    for (let verified = false; !verified; runs++) {
      const report = await repository.guard({ readBytes: MIB });
      expect(report.findings).toEqual([]);
      expect(report.readBytes).toBeLessThan(2 * MIB + 100_000);
      verified = report.verified;
      read.push(...repository.reads.filter((each) => each.startsWith("data/")));
    }
    expect(read).toEqual(oldest);
    expect(runs).toBeGreaterThan(2);
    // Indexes are read until all that they claim is verified, then no more.
    clean(await repository.guard());
    expect(repository.reads.filter((each) => each.startsWith("index/"))).toEqual([]);
  });

  test("what was read before an error is not read again", async () => {
    const repository = create();
    repository.backup({ a: randomBytes(MIB) });
    repository.backup({ b: randomBytes(MIB) });
    let reads = 0;
    const failing = repository.guard({
      read: (object) =>
        object.type === "data" && reads++ > 0
          ? Promise.reject(new Error("S3 is away"))
          : repository.read(object),
    });
    await expect(failing).rejects.toThrow("S3 is away");
    clean(await repository.guard());
    const packs = repository.ids("data").length;
    expect(repository.reads.filter((each) => each.startsWith("data/")).length).toBe(packs - 1);
  });

  test("a stop ends it without a finding", async () => {
    const repository = create();
    repository.backup({ a: randomBytes(MIB) });
    for (const after of [0, 1, 2, 3]) {
      const stop = new AbortController();
      let reads = 0;
      repository.memory = new Memory();
      const report = await repository.guard({
        stop: stop.signal,
        read: (object) => {
          if (reads++ === after) stop.abort();
          return repository.read(object);
        },
      });
      expect(report).toMatchObject({ findings: [], verified: false });
    }
  });

  test("more objects than the bound are one finding, and more new ones than allowed none", async () => {
    const repository = create();
    repository.backup({ a: "a" });
    const report = await repository.guard({ bounds: { ...BOUNDS, objects: 3 } });
    expect(kinds(report)).toEqual(["too-many-objects"]);
    expect(repository.reads).toEqual([]);
    expect(await repository.guard({ mostNew: 3 })).toMatchObject({
      findings: [],
      verified: false,
      readBytes: 0,
    });
    expect(repository.reads).toEqual([]);
  });

  test("an index whose pack is gone, though both were verified", async () => {
    const repository = create();
    repository.backup({ a: randomBytes(MIB) });
    clean(await repository.guard());
    const [pack = ""] = repository.ids("data");
    repository.delete({ type: "data", id: pack });
    const report = await repository.guard();
    expect(kinds(report)).toEqual(["claims-missing-pack"]);
    expect(objects(report)).toEqual(repository.ids("index").map((id) => `index/${id}`));
    // It stays a finding, though the pack is forgotten by now.
    expect(kinds(await repository.guard())).toEqual(["claims-missing-pack"]);
  });

  test("an object that was put again is read again", async () => {
    const repository = create();
    repository.backup({ a: randomBytes(MIB) });
    clean(await repository.guard());
    const [pack = ""] = repository.ids("data");
    const content = await repository.read({ type: "data", id: pack });
    repository.delete({ type: "data", id: pack });
    content[5] = (content[5] ?? 0) ^ 1;
    repository.put("data", pack, content);
    const report = await repository.guard();
    expect(kinds(report)).toEqual(["content-not-name"]);
    expect(objects(report)[0]).toBe(`data/${pack}`);
  });
});

describe("the key", () => {
  test("is the earliest that the password opens, and no other one is tried once it is pinned", async () => {
    const repository = create();
    const [first = ""] = repository.ids("keys");
    const other = create();
    const [foreign = ""] = other.ids("keys");
    const file = await other.read({ type: "keys", id: foreign });
    repository.put("keys", foreign, file);
    const objects = repository
      .objects()
      .map((object) => (object.id === first ? { ...object, arrived: 1 } : object));
    const report = await repository.guard({ objects });
    clean(report);
    expect(report.opened?.keyId).toBe(first);
    // Pinned, a key that opens with the same password but is another repository's is not used.
    expect((await repository.guard()).opened?.keyId).toBe(first);
    expect(repository.reads).toEqual([`keys/${first}`]);
  });

  test("is a finding where it is gone, does not open, or where none opens", async () => {
    const repository = create();
    const [first = ""] = repository.ids("keys");
    expect(kinds(await repository.guard({ keyId: "ab".repeat(32) }))).toEqual(["pinned-key-missing"]);
    const closed = await repository.guard({ keyId: first, password: "another" });
    expect(kinds(closed)).toEqual(["pinned-key-closed"]);
    expect(objects(closed)).toEqual([`keys/${first}`]);
    const none = await repository.guard({ password: "another" });
    expect(kinds(none)).toEqual(["no-key-opens"]);
    expect(none).toMatchObject({ verified: false, readBytes: 0 });
  });
});
