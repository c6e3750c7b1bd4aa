import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { Action, Aim, LARGEST_COPY, Plan, planRecovery } from "../../operations/recover/plan";
import { type Entry, historyOf } from "../../s3/history";

const PREFIX = "web/main/";
const OWNER = "the owner";

const aim = (at: number): Aim => ({ prefix: PREFIX, at, quarantine: ".quarantine/run", owner: OWNER });

/** What S3 holds for a key, oldest first, in the order in which it came about. */
type Stored = Entry & { sequence: number };

/** A simple model of a versioned bucket: puts, soft deletes, and the listing that S3 gives of it. */
class Bucket {
  private readonly keys = new Map<string, Stored[]>();
  private sequence = 0;
  clock = 0;

  private add(key: string, entry: Pick<Entry, "marker" | "size" | "etag" | "by">): void {
    this.sequence += 1;
    const stored = { key, versionId: `v${this.sequence}`, latest: false, modified: this.clock, ...entry };
    this.keys.set(key, [...(this.keys.get(key) ?? []), { ...stored, sequence: this.sequence }]);
  }

  put(key: string, content: string, by = "the writer"): void {
    this.add(key, { marker: false, size: content.length, etag: `hash of ${content}`, by });
  }

  softDelete(key: string): void {
    this.add(key, { marker: true, size: 0, etag: "" });
  }

  /** As S3 lists: all versions, all markers, each by key and newest first. */
  list(): Entry[] {
    const all = [...this.keys].flatMap(([, entries]) =>
      entries.map((entry, i) => ({ ...entry, latest: i === entries.length - 1 })).reverse(),
    );
    return [...all.filter(({ marker }) => !marker), ...all.filter(({ marker }) => marker)];
  }

  /** What a GET of each key meets; absent keys are left out. */
  now(): Map<string, string> {
    return this.state((entries) => entries.at(-1));
  }

  /** What each key was, by the true order of things. */
  at(time: number): Map<string, string> {
    return this.state((entries) => entries.findLast(({ modified }) => modified <= time));
  }

  /** What each key was where a version counts for newer than a marker of the same time. */
  versionsFirst(time: number): Map<string, string> {
    return this.state((entries) => {
      const until = entries.filter(({ modified }) => modified <= time);
      const last = until.at(-1);
      return until.findLast(({ marker, modified }) => !marker && modified === last?.modified) ?? last;
    });
  }

  private state(pick: (entries: Stored[]) => Stored | undefined): Map<string, string> {
    const picked = [...this.keys].map(([key, entries]) => [key, pick(entries)] as const);
    return new Map(
      picked.flatMap(([key, entry]) => (entry && !entry.marker ? [[key, entry.etag] as const] : [])),
    );
  }

  versions(): string[] {
    return [...this.keys.values()].flat().flatMap(({ marker, versionId }) => (marker ? [] : [versionId]));
  }

  carryOut(actions: readonly Action[]): void {
    for (const action of actions) {
      const entries = this.keys.get(action.key) ?? [];
      switch (action.does) {
        case "undelete": {
          const gone = action.markers.map(({ versionId }) => versionId);
          const kept = entries.filter(({ versionId }) => !gone.includes(versionId));
          expect(entries.length - kept.length).toBe(gone.length);
          this.keys.set(action.key, kept);
          break;
        }
        case "put-back": {
          const { size, etag } = action.version;
          this.add(action.key, { marker: false, size, etag, by: OWNER });
          break;
        }
        case "move-away":
          this.softDelete(action.key);
      }
    }
  }
}

const plan = (bucket: Bucket, time: number): Plan => planRecovery(bucket.list(), aim(time));

const without = (state: Map<string, string>, part: string): [string, string][] =>
  [...state].filter(([key]) => !key.includes(part)).sort();

const keys = ["config", "keys/a", "data/00/a", "data/00/b", "locks/a"].map((name) => PREFIX + name);
const event = fc.record({
  key: fc.constantFrom(...keys),
  /** `undefined` is a soft delete. The same content may come again. */
  content: fc.option(fc.constantFrom("one", "two", "three"), { nil: undefined, freq: 2 }),
  pause: fc.integer({ min: 0, max: 2 }),
});
/** What happened to a bucket until it is recovered, and the time to recover; many events share a second. */
const story = fc.tuple(fc.array(event, { maxLength: 30 }), fc.integer({ min: 0, max: 30 }));

type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

function happened([events]: Story): Bucket {
  const bucket = new Bucket();
  for (const { key, content, pause } of events) {
    bucket.clock += pause;
    if (content === undefined) bucket.softDelete(key);
    else bucket.put(key, content);
  }
  // The recovery comes after all of it, and after the time that it is for.
  bucket.clock = 1000;
  return bucket;
}

describe("for every history of puts and deletes", () => {
  test("the plan restores the state, with a version preferred to a marker of the same second", () => {
    fc.assert(
      fc.property(story, (s) => {
        const bucket = happened(s);
        const [, time] = s;
        const [truth, lenient] = [bucket.at(time), bucket.versionsFirst(time)];
        bucket.carryOut(plan(bucket, time).actions);
        const now = bucket.now();
        for (const key of keys.filter((each) => !each.includes("/locks/"))) {
          expect([truth.get(key), lenient.get(key)]).toContain(now.get(key));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("where no second has two events of a key, the plan restores exactly that state", () => {
    fc.assert(
      fc.property(story, ([events, time]) => {
        const bucket = happened([events.map((e) => ({ ...e, pause: e.pause + 1 })), time]);
        const then = bucket.at(time);
        bucket.carryOut(plan(bucket, time).actions);
        expect(without(bucket.now(), "/locks/")).toEqual(without(then, "/locks/"));
        // The same content put again since may be encrypted with a key that nobody else has.
        const top = bucket.list().filter(({ latest, marker }) => latest && !marker);
        expect(top.filter(({ modified, by }) => modified > time && by !== OWNER)).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test("no lock remains, and none comes back", () => {
    fc.assert(
      fc.property(story, (s) => {
        const bucket = happened(s);
        bucket.carryOut(plan(bucket, s[1]).actions);
        expect([...bucket.now().keys()].filter((key) => key.includes("/locks/"))).toEqual([]);
      }),
    );
  });

  test("no version is lost", () => {
    fc.assert(
      fc.property(story, (s) => {
        const bucket = happened(s);
        const before = bucket.versions();
        bucket.carryOut(plan(bucket, s[1]).actions);
        expect(bucket.versions()).toEqual(expect.arrayContaining(before));
      }),
    );
  });

  test("the second plan is empty, and so it is after an interruption and another run", () => {
    fc.assert(
      fc.property(story, fc.nat(30), (s, done) => {
        const bucket = happened(s);
        const [, time] = s;
        const whole = happened(s);
        whole.carryOut(plan(whole, time).actions);
        expect(plan(whole, time).actions).toEqual([]);

        // Of the action at which it ends, the markers may be half gone.
        const { actions } = plan(bucket, time);
        bucket.carryOut(actions.slice(0, done));
        const last = actions[done];
        if (last?.does === "undelete") bucket.carryOut([{ ...last, markers: last.markers.slice(0, 1) }]);
        bucket.carryOut(plan(bucket, time).actions);
        expect(plan(bucket, time).actions).toEqual([]);
        expect(without(bucket.now(), "/locks/")).toEqual(without(whole.now(), "/locks/"));
      }),
      { numRuns: 1000 },
    );
  });

  test("a recovery can be followed by another to an earlier time", () => {
    fc.assert(
      fc.property(story, fc.nat(30), ([events, first], earlier) => {
        const second = first - earlier;
        const bucket = happened([events.map((e) => ({ ...e, pause: e.pause + 1 })), first]);
        const then = bucket.at(second);
        bucket.carryOut(plan(bucket, first).actions);
        bucket.clock += 1;
        bucket.carryOut(plan(bucket, second).actions);
        expect(without(bucket.now(), "/locks/")).toEqual(without(then, "/locks/"));
      }),
    );
  });
});

describe("the plan names", () => {
  function wrecked(): Bucket {
    const bucket = new Bucket();
    bucket.clock = 10;
    for (const name of ["config", "keys/k", "data/00/deleted", "data/00/same", "data/00/again"])
      bucket.put(PREFIX + name, name);
    bucket.put(`${PREFIX}locks/stale`, "lock");
    bucket.clock = 20;
    bucket.softDelete(`${PREFIX}data/00/deleted`);
    bucket.softDelete(`${PREFIX}data/00/deleted`);
    bucket.put(`${PREFIX}keys/k`, "garbage");
    bucket.put(`${PREFIX}keys/added`, "garbage");
    bucket.put(`${PREFIX}data/00/again`, "data/00/again");
    bucket.put(`${PREFIX}data/00/same`, "data/00/same", OWNER);
    bucket.softDelete(`${PREFIX}data/00/expired`);
    return bucket;
  }

  test("the action and the cause for each key", () => {
    const { actions, unchanged, expired, existed } = plan(wrecked(), 15);
    expect(actions.map(({ does, key }) => [key.slice(PREFIX.length), does]).sort()).toEqual([
      ["data/00/again", "put-back"],
      ["data/00/deleted", "undelete"],
      ["keys/added", "move-away"],
      ["keys/k", "put-back"],
      ["locks/stale", "move-away"],
    ]);
    expect(actions.find(({ does }) => does === "undelete")).toMatchObject({ markers: [{}, {}] });
    expect(actions.find(({ does }) => does === "put-back")?.cause).toMatchObject({ modified: 20 });
    expect({ unchanged, expired, existed }).toEqual({
      unchanged: 2,
      expired: [`${PREFIX}data/00/expired`],
      existed: true,
    });
  });

  test("whether there was a repository at that time", () => {
    expect(plan(wrecked(), 5).existed).toBe(false);
  });

  test("the added objects that are only hidden: too large, or their names too long, to be copied", () => {
    const addedObject = (key: string, size: number): Entry => ({
      ...{ key: PREFIX + key, versionId: key, marker: false, latest: true, modified: 20, size, etag: key },
    });
    // S3 takes keys of 1024 bytes.
    const longest = 1024 - `.quarantine/run/${PREFIX}`.length;
    const [fits, tooLong] = ["k".repeat(longest), "k".repeat(longest - 1) + "é"] as const;
    const { actions } = planRecovery(
      [
        addedObject("large", LARGEST_COPY + 1),
        addedObject("small", LARGEST_COPY),
        addedObject(fits, 1),
        addedObject(tooLong, 1),
      ],
      aim(15),
    );
    expect(actions.map((action) => [action.key.slice(PREFIX.length), "target" in action])).toEqual([
      ["large", false],
      ["small", true],
      [fits, true],
      [tooLong, false],
    ]);
  });

  const version = (versionId: string, rest: Partial<Entry>): Entry => ({
    ...{ key: `${PREFIX}config`, versionId, marker: false, latest: false, modified: 10, size: 7 },
    ...{ etag: "same", by: "the writer", ...rest },
  });
  const doneWith = (entries: Entry[], more: Partial<Aim> = {}) =>
    planRecovery(entries, { ...aim(15), ...more }).actions.map(({ does }) => does);

  test.each<[string, Partial<Entry>, Partial<Aim>, "put-back" | "nothing"]>([
    ["the writer's", {}, {}, "put-back"],
    ["the owner's", { by: OWNER }, {}, "nothing"],
    ["the owner's, of another size", { by: OWNER, size: 8 }, {}, "put-back"],
    ["the owner's, of another content", { by: OWNER, etag: "other" }, {}, "put-back"],
    ["of an unknown owner", { by: OWNER }, { owner: undefined }, "put-back"],
    [
      "of this run, on a service that reports no owners",
      { by: undefined },
      { copies: new Set(["top"]) },
      "nothing",
    ],
    [
      "of unknown origin, on a service that reports no owners",
      { by: undefined },
      { owner: undefined },
      "put-back",
    ],
  ])("whether a later version of the same size and ETag is a copy: %s", (_whose, rest, more, does) => {
    const entries = [version("top", { modified: 20, latest: true, ...rest }), version("then", {})];
    expect(doneWith(entries, more)).toEqual(does === "nothing" ? [] : [does]);
  });

  test("no copy by the owner where the service reports the owner for every object", () => {
    const entries = [
      version("top", { modified: 20, latest: true, by: OWNER }),
      version("then", { by: OWNER }),
    ];
    expect(doneWith(entries)).toEqual(["put-back"]);
    expect(doneWith(entries, { copies: new Set(["top"]) })).toEqual([]);
  });

  test("no action for a copy whose ETag differs from that of the multipart upload", () => {
    const top = version("top", { modified: 20, latest: true, by: OWNER, etag: "whole" });
    expect(doneWith([top, version("then", { etag: "parts-2" })])).toEqual([]);
  });

  test("20,000 files with three entries each are planned within two seconds", () => {
    const bucket = new Bucket();
    for (let i = 0; i < 20_000; i += 1) {
      const key = `${PREFIX}data/${i}`;
      bucket.clock = 10;
      bucket.put(key, "one");
      bucket.clock = 20;
      bucket.put(key, "two");
      bucket.softDelete(key);
    }
    const entries = bucket.list();
    const started = performance.now();
    expect(planRecovery(entries, aim(15)).actions).toHaveLength(20_000);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

test("the service's own order of versions holds even where its clock went back", () => {
  const entry = (versionId: string, modified: number, latest = false): Entry => ({
    ...{ key: "k", versionId, marker: false, latest, modified, size: 1, etag: versionId },
  });
  const history = historyOf([entry("new", 9, true), entry("old", 10)], []);
  expect(history.map(({ versionId }) => versionId)).toEqual(["new", "old"]);
});
