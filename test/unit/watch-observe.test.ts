/** What the watcher sees in a bucket: each repository, what belongs to none, and what happened to objects. */
import { beforeEach, describe, expect, test } from "@jest/globals";
import { writeRecord } from "../../keeper/gate/journal";
import { NEW_STATE } from "../../keeper/retention";
import type { KeptRepository } from "../../keeper/settings";
import { aheadOf } from "../../keeper/watch/bucket";
import { Histories } from "../../keeper/watch/histories";
import { observe, type WatchContext } from "../../keeper/watch/observe";
import type { Observed, ObservedRepository } from "../../keeper/watch/observed";
import { MOST_STATUS_BYTES } from "../../keeper/status/keys";
import type { Status } from "../../keeper/status/schema";
import { observeRepository } from "../../keeper/watch/repository";
import type { Entry } from "../../s3/history";
import { WatchedMemory } from "../harness/watched-store";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 5, 15, 12);
const MAIN = { client: "web", repository: "main" };
const MAIN_FOLDER = "web/main";

const id = (n: number): string => n.toString(16).padStart(64, "0");
const pack = (n: number): string => `${MAIN_FOLDER}/data/${id(n).slice(0, 2)}/${id(n)}`;
const snapshot = (n: number): string => `${MAIN_FOLDER}/snapshots/${id(n)}`;
const bytes = (size: number): Buffer => Buffer.alloc(size, "x");

const kept = (client: string, repository: string): KeptRepository => ({
  ...{ client, repository, pins: [], schedule: "daily", window: 0, frozen: false },
});

let store: WatchedMemory;
let now: number;

beforeEach(() => {
  store = new WatchedMemory();
  store.identity = "W";
  now = NOW;
});

const contextOf = (
  repositories: readonly KeptRepository[],
  change: Partial<WatchContext> = {},
): WatchContext => ({
  settings: {
    repositories,
    bounds: { objects: 100, metadataBytes: 1, packBytes: 1, readBytes: 1, lateObjects: 1 },
  },
  identities: { keeper: "K", owner: "O" },
  now: () => now,
  ...change,
});

const look = (change: Partial<WatchContext> = {}): Promise<Observed> =>
  observe(store, contextOf([kept("web", "main")], change));

/** What is seen of web/main. */
async function main(change: Partial<WatchContext> = {}): Promise<ObservedRepository> {
  const { repositories, errors } = await look(change);
  expect(errors).toBeUndefined();
  const [first] = repositories;
  if (first === undefined) throw new Error("nothing was seen");
  return first;
}

/** The gate's record that it hides a version, put by the keeper. */
async function record(key: string, versionId: string, at: number, by = "K"): Promise<void> {
  const entry = { key, action: "hide" as const, versionId, size: 1, why: "prune" as const };
  store.identity = by;
  await writeRecord(store, { version: 1, at, ...MAIN, run: "r", entries: [entry] });
  store.identity = "W";
}

/** An object that was put a day ago. */
const put = (key: string, size = 100, at = NOW - DAY, by = "W"): string =>
  store.add(key, bytes(size), at, by);
const hide = (key: string, at = NOW - 2 * HOUR, by = "W"): string => store.add(key, undefined, at, by);

describe("a repository", () => {
  test("has its objects, bytes and arrivals", async () => {
    put(`${MAIN_FOLDER}/config`, 155, NOW - 200 * DAY);
    put(`${MAIN_FOLDER}/keys/${id(1)}`, 400, NOW - 200 * DAY);
    put(pack(1), 1000, NOW - 200 * DAY);
    put(pack(2), 2000, NOW - 2 * DAY);
    put(`${MAIN_FOLDER}/index/${id(1)}`, 300, NOW - HOUR);
    put(snapshot(9), 50, NOW - 2 * HOUR);
    put(snapshot(1), 50, NOW - HOUR);
    put(`${MAIN_FOLDER}/locks/${id(1)}`, 160, NOW - 5 * HOUR);
    hide(`${MAIN_FOLDER}/locks/${id(2)}`);
    expect(await main()).toEqual({
      ...MAIN,
      at: NOW,
      held: false,
      created: NOW - 200 * DAY,
      snapshots: [
        { id: id(9), arrived: NOW - 2 * HOUR },
        { id: id(1), arrived: NOW - HOUR },
      ],
      objects: 7,
      bytes: 4115,
      versionBytes: 4115,
      added: { "2026-06-13": 2000, "2026-06-15": 400 },
      addedToday: 400,
      locks: { count: 1, oldest: NOW - 5 * HOUR, forged: { count: 0, some: [] } },
      unknown: { count: 0, some: [] },
      hidden: { count: 0, some: [] },
      overwritten: { count: 0, some: [] },
      accountedUntil: NOW - HOUR,
    });
  });

  test("that is empty, and the canary's, are seen as empty", async () => {
    const { repositories } = await look();
    expect(repositories.map(({ client, repository, objects }) => [client, repository, objects])).toEqual([
      ["web", "main", 0],
      [".canary", "verify", 0],
    ]);
  });

  test("counts old versions and hidden objects among all bytes alone", async () => {
    const old = put(pack(1), 1000);
    hide(pack(1), NOW - 2 * HOUR, "K");
    await record(pack(1), old, NOW - 2 * HOUR);
    put(pack(2), 10);
    expect(await main()).toMatchObject({ objects: 1, bytes: 10, versionBytes: 1010 });
  });

  test("gives a restored snapshot the arrival that the keeper remembers", async () => {
    put(snapshot(1), 50, NOW - HOUR, "O");
    put(snapshot(2), 50, NOW - 2 * HOUR);
    const state = {
      ...NEW_STATE,
      arrivals: { [id(1)]: NOW - 40 * DAY, [id(7)]: 1 },
      claims: {
        [id(1)]: { time: "t", hostname: "h", report: "failed" },
        [id(7)]: { time: "t", hostname: "h" },
      },
    };
    store.add(".keeper/web/main/state.json", Buffer.from(JSON.stringify(state)));
    const { snapshots } = await main();
    expect(snapshots.map(({ arrived }) => arrived)).toEqual([NOW - 40 * DAY, NOW - 2 * HOUR]);
  });

  test("has of the state what is known of snapshots that are there, or were within the days that count", async () => {
    put(snapshot(1), 50, NOW - 130 * DAY);
    const claim = { time: "t", hostname: "h" };
    const state = {
      ...NEW_STATE,
      arrivals: { [id(1)]: NOW - 130 * DAY, [id(2)]: NOW - 121 * DAY, [id(3)]: NOW - 119 * DAY },
      claims: { [id(1)]: { ...claim, report: "failed" }, [id(2)]: claim, [id(3)]: claim, [id(4)]: claim },
      findings: [{ kind: "k", objects: Array.from({ length: 1000 }, (_, n) => `index/${n}`), why: "w" }],
    };
    store.add(".keeper/web/main/state.json", Buffer.from(JSON.stringify(state)));
    const seen = await main();
    expect(seen.state?.arrivals).toEqual({ [id(1)]: NOW - 130 * DAY, [id(3)]: NOW - 119 * DAY });
    expect(seen.state?.claims).toEqual({ [id(1)]: { ...claim, report: "failed" }, [id(3)]: claim });
    expect(seen.state?.findings[0]?.objects).toHaveLength(20);
  });

  test("has what the gate decided, and the owner's hold while that is not hidden", async () => {
    const planned = { version: 1, at: 5, pauses: [{ kind: "held", why: "w" }], putAgain: [] };
    store.add(".keeper/web/main/plan.json", Buffer.from(JSON.stringify(planned)));
    store.add(".owner/web/main/hold", bytes(0), NOW, "O");
    expect(await main()).toMatchObject({ held: true, planned });
    store.add(".owner/web/main/hold", undefined, NOW, "O");
    expect(await main()).toMatchObject({ held: false });
  });

  test.each(["state.json", "plan.json"])("whose %s is malformed or too large has an error", async (file) => {
    put(pack(1));
    const key = `.keeper/web/main/${file}`;
    for (const content of ["", "[]", '{"version":2}', " ".repeat(16 * 1024 * 1024 + 1)]) {
      store.add(key, Buffer.from(content));
      const seen = await main();
      expect(seen.error).toContain(key);
      expect(seen.objects).toBe(0);
      expect(seen.state ?? seen.planned).toBeUndefined();
    }
  });

  test("that S3 does not list has an error, and no other has", async () => {
    put("db/main/config", 155);
    store.before = (call) => {
      if (call === "versions web/main/") throw new Error("S3 \u001b[31mfails\n");
    };
    const previous = { repositories: [{ ...MAIN, accountedUntil: 77 }] } as unknown as Status;
    const { repositories, errors } = await observe(
      store,
      contextOf([kept("web", "main"), kept("db", "main")], { previous }),
    );
    expect(errors).toBeUndefined();
    expect(repositories[0]).toMatchObject({ error: "S3 ?[31mfails", snapshots: [], accountedUntil: 77 });
    expect(repositories[1]).toMatchObject({ client: "db", objects: 1 });
    expect(repositories[1]?.error).toBeUndefined();
  });

  test("with more versions than the bounds allow has an error", async () => {
    for (let n = 0; n < 141; n++) {
      for (let version = 0; version < 10; version++) put(pack(n), 1);
    }
    expect((await main()).error).toMatch(/web\/main has more than 100 objects, or 4 versions of each/);
  });

  test("has its own share of the snapshots that are remembered, whatever others have", async () => {
    const round = {
      ...{ store, identities: {}, now: () => NOW, until: NOW, objects: 100 },
      ...{ ownSnapshots: 2, snapshotsLeft: 1 },
    };
    for (const client of ["a", "b", "c"]) {
      for (let n = 0; n < 3; n++) put(`${client}/main/snapshots/${id(n)}`);
    }
    hide(`c/main/snapshots/${id(0)}`);
    const errorOf = async (client: string) =>
      (await observeRepository(round, { client, repository: "main" }, { held: false, approved: false }))
        .error;
    expect([await errorOf("a"), await errorOf("c")]).toEqual([undefined, undefined]);
    for (let n = 0; n < 2; n++) expect(await errorOf("b")).toMatch("all repositories together have too many");
    expect(await errorOf("c")).toBeUndefined();
  });
});

describe("names", () => {
  test.each([
    "<script>alert(1)</script>",
    "snapshots/\u202egnp",
    "data/\u001b[2J",
    `data/${id(1)}`,
    `data/ff/${id(1)}`,
    `index/${id(255).toUpperCase()}`,
    "config/x",
    "keys/",
    "__proto__",
    "snapshots/a\nb",
    `locksmith/${id(1)}`,
  ])("that restic does not give are unknown while they are shown: %j", async (name) => {
    const key = `${MAIN_FOLDER}/${name}`;
    put(key, 10, NOW - 3 * HOUR);
    expect(await main()).toMatchObject({
      objects: 1,
      unknown: { count: 1, since: NOW - 3 * HOUR, some: [key] },
      snapshots: [],
    });
    hide(key);
    const seen = await main();
    expect([seen.unknown.count, seen.hidden.count, seen.objects]).toEqual([0, 0, 0]);
  });

  test("that are not UTF-8 are unknown, each of them", async () => {
    put(pack(1), 10);
    const nameless = (versionId: string, latest: boolean): Entry => ({
      ...{ key: `${MAIN_FOLDER}/data/\ufffd`, nameless: true, marker: false, size: 5, etag: "" },
      ...{ versionId, latest, modified: NOW - HOUR },
    });
    const listed = store.versions.bind(store);
    store.versions = async function* (prefix) {
      yield* listed(prefix);
      if (prefix === "web/main/") yield [nameless("v", true), nameless("w", true), nameless("x", false)];
    };
    expect(await main()).toMatchObject({ objects: 3, bytes: 20, versionBytes: 25, unknown: { count: 2 } });
  });

  test("of locks that restic does not give, and locks that are too short, are forged", async () => {
    put(`${MAIN_FOLDER}/locks/${id(1)}`, 15, NOW - 3 * HOUR);
    put(`${MAIN_FOLDER}/locks/<b>`, 160, NOW - 4 * HOUR);
    put(`${MAIN_FOLDER}/locks/${id(2)}`, 16, NOW - HOUR);
    expect((await main()).locks).toEqual({
      count: 1,
      oldest: NOW - HOUR,
      forged: {
        count: 2,
        since: NOW - 4 * HOUR,
        some: [`${MAIN_FOLDER}/locks/${id(1)}`, `${MAIN_FOLDER}/locks/<b>`].sort(),
      },
    });
  });

  test("of any number are counted, and a few of them kept", async () => {
    for (let n = 0; n < 90; n++) put(`${MAIN_FOLDER}/evil${n}`, 1, NOW - n);
    const { unknown } = await main();
    expect(unknown).toMatchObject({ count: 90, since: NOW - 89 });
    expect(unknown.some).toHaveLength(20);
  });

  test("of any length are cut: with an attacker's longest keys the status can still be read", async () => {
    const repositories = Array.from({ length: 1000 }, (_, n) => kept(`c${n}`, "main"));
    for (const { client } of repositories) {
      for (let n = 0; n < 20; n++) {
        for (const time of [NOW - HOUR, NOW]) put(`${client}/main/${"\u0001".repeat(1000)}${n}`, 1, time);
      }
    }
    const observed = await observe(store, contextOf(repositories));
    expect(observed.repositories[0]).toMatchObject({ unknown: { count: 20 }, overwritten: { count: 20 } });
    expect(JSON.stringify(observed).length).toBeLessThan(MOST_STATUS_BYTES);
  });
});

describe("a hidden object", () => {
  const since = NOW - 2 * HOUR;

  test.each([
    snapshot(1),
    pack(1),
    `${MAIN_FOLDER}/index/${id(1)}`,
    `${MAIN_FOLDER}/keys/${id(1)}`,
    `${MAIN_FOLDER}/config`,
  ])("is suspect where the writer hid it: %s", async (key) => {
    put(key);
    hide(key);
    expect((await main()).hidden).toEqual({ count: 1, since, some: [key] });
  });

  test("is fine where the owner hid it, also under another's marker", async () => {
    put(pack(1));
    hide(pack(1), since, "O");
    put(pack(2));
    hide(pack(2), since, "O");
    hide(pack(2), since + 1, "W");
    expect((await main()).hidden.count).toBe(0);
  });

  test("is suspect where another hid what the owner had restored", async () => {
    put(pack(1));
    hide(pack(1));
    put(pack(1), 100, NOW - HOUR, "O");
    expect((await main()).hidden.count).toBe(0);
    hide(pack(1), NOW - 1);
    expect((await main()).hidden).toMatchObject({ count: 1, since: NOW - 1 });
  });

  test("is fine where the keeper's journal names the version below", async () => {
    const version = put(pack(1));
    await record(pack(1), version, since);
    hide(pack(1), since, "K");
    expect((await main()).hidden.count).toBe(0);
  });

  test("is fine where the journal names it and its version has expired", async () => {
    await record(pack(1), "gone", since);
    hide(pack(1), since, "K");
    expect((await main()).hidden.count).toBe(0);
  });

  test("is fine where the journal has it on the day before", async () => {
    const midnight = Date.UTC(2026, 5, 14);
    const version = put(pack(1), 100, NOW - 9 * DAY);
    await record(pack(1), version, midnight - 5);
    hide(pack(1), midnight + 5, "K");
    expect((await main()).hidden.count).toBe(0);
  });

  test.each<[string, () => Promise<void>]>([
    ["no record names it", () => Promise.resolve()],
    ["the record names another version", () => record(pack(1), "other", since)],
    ["the record is another identity's", () => record(pack(1), "v1", since, "W")],
    ["the record is of another day", () => record(pack(1), "v1", since - 3 * DAY)],
  ])("is suspect under the keeper's marker where %s", async (_, write) => {
    expect(put(pack(1))).toBe("v1");
    await write();
    hide(pack(1), since, "K");
    const seen = await main();
    expect(seen.hidden).toEqual({ count: 1, since, some: [pack(1)] });
    expect(seen.accountedUntil).toBe(since - 1);
  });

  test("is suspect where the journal names a key of the repository: the gate hides none", async () => {
    const key = `${MAIN_FOLDER}/keys/${id(1)}`;
    await record(key, put(key), since);
    hide(key, since, "K");
    expect((await main()).hidden.count).toBe(1);
  });

  test("is suspect under another's marker on the keeper's", async () => {
    await record(pack(1), put(pack(1)), since);
    hide(pack(1), since, "K");
    hide(pack(1), since + 5, "W");
    expect((await main()).hidden).toMatchObject({ count: 1, since: since + 5 });
  });

  test("is suspect where nobody knows who did it", async () => {
    await record(pack(1), put(pack(1)), since);
    hide(pack(1), since, "K");
    put(pack(2));
    hide(pack(2), since, "O");
    expect((await main({ identities: {} })).hidden.count).toBe(2);
  });

  test("needs the journal where the service reports one identity for all", async () => {
    await record(pack(1), put(pack(1)), since);
    hide(pack(1), since, "K");
    put(pack(2));
    hide(pack(2), since, "K");
    expect((await main({ identities: { owner: "K", keeper: "K" } })).hidden.some).toEqual([pack(2)]);
  });

  test("is fine among any number, for which the journal is read twice", async () => {
    const count = 30_000;
    const group = 1000;
    for (let first = 0; first < count; first += group) {
      const entries = Array.from({ length: group }, (_, n) => {
        const key = pack(first + n);
        const versionId = put(key, 1);
        hide(key, since, "K");
        return { key, action: "hide" as const, versionId, size: 1, why: "prune" as const };
      });
      store.identity = "K";
      await writeRecord(store, { version: 1, at: since, ...MAIN, run: "r", entries });
    }
    put(pack(count));
    hide(pack(count), since, "K");
    const context = contextOf([kept("web", "main")]);
    const { settings } = context;
    const bounds = { ...settings.bounds, objects: count };
    expect((await main({ settings: { ...settings, bounds } })).hidden).toMatchObject({
      count: 1,
      some: [pack(count)],
    });
    const lists = store.calls.filter((call) => call === "versions .keeper/web/main/journal/2026-06-15");
    expect(lists).toHaveLength(2);
  });

  test("counts as an error where a record is not understood", async () => {
    put(pack(1));
    hide(pack(1), since, "K");
    store.add(".keeper/web/main/journal/2026-06-15T10:00:00.000Z-x.json", Buffer.from("{}"), since, "K");
    expect((await main()).error).toMatch(/journal of web\/main has a record that this version does not/);
  });
});

describe("the next round", () => {
  const journalReads = (): string[] => store.calls.filter((call) => call.includes("/journal/"));
  const next = async (seen: Observed): Promise<ObservedRepository> => {
    now += 15 * 60_000;
    store.calls.length = 0;
    return await main({ previous: { repositories: seen.repositories } as unknown as Status });
  };

  test("reads no journal for what was accounted for", async () => {
    await record(pack(1), put(pack(1)), NOW - 3 * DAY);
    hide(pack(1), NOW - 3 * DAY, "K");
    const first = await look();
    expect(journalReads().filter((call) => call.startsWith("get"))).toHaveLength(1);
    const second = await next(first);
    expect(second.hidden.count).toBe(0);
    expect(journalReads()).toEqual([]);
    expect(second.accountedUntil).toBe(now - HOUR);
  });

  test("reads the days of what is new", async () => {
    await record(pack(1), put(pack(1)), NOW - 3 * DAY);
    hide(pack(1), NOW - 3 * DAY, "K");
    const first = await look();
    await record(pack(2), put(pack(2)), NOW + 1);
    hide(pack(2), NOW + 1, "K");
    hide(pack(3), NOW + 2, "K");
    const second = await next(first);
    expect(second.hidden.some).toEqual([pack(3)]);
    expect(journalReads().filter((call) => call.startsWith("versions"))).toEqual([
      "versions .keeper/web/main/journal/2026-06-15",
    ]);
    expect(journalReads().filter((call) => call.startsWith("get"))).toHaveLength(1);
  });

  test("says again what is not accounted for", async () => {
    put(pack(1));
    hide(pack(1), NOW - 3 * DAY, "K");
    const first = await look();
    expect((await next(first)).hidden).toMatchObject({ count: 1, since: NOW - 3 * DAY });
  });

  test("does not believe that the future is accounted for", async () => {
    put(pack(1));
    hide(pack(1), NOW - 1000, "K");
    const previous = { repositories: [{ ...MAIN, accountedUntil: NOW + DAY }] } as unknown as Status;
    expect((await main({ previous })).hidden.count).toBe(1);
  });
});

describe("an object that was put again", () => {
  const OTHER = NOW - 3 * HOUR;

  test("is overwritten since then", async () => {
    put(pack(1));
    put(pack(1), 100, OTHER);
    put(pack(1), 100, OTHER + 5);
    expect((await main()).overwritten).toEqual({ count: 1, since: OTHER, some: [pack(1)] });
  });

  test("is fine where the owner restored it, until it is put again", async () => {
    put(pack(1));
    put(pack(1), 100, OTHER);
    put(pack(1), 100, OTHER + 5, "O");
    expect((await main()).overwritten.count).toBe(0);
    put(pack(1), 100, OTHER + 9);
    expect((await main()).overwritten).toMatchObject({ count: 1, since: OTHER + 9 });
  });

  test("is fine where the owner approved its versions, and no others", async () => {
    put(pack(1));
    const again = put(pack(1), 100, OTHER);
    const approval = { at: 1, forget: [], versions: [again] };
    store.add(".owner/web/main/approval.json", Buffer.from(JSON.stringify(approval)), NOW, "O");
    expect((await main()).overwritten.count).toBe(0);
    put(pack(1), 100, OTHER + 5);
    expect((await main()).overwritten).toMatchObject({ count: 1, since: OTHER + 5 });
  });

  test("is looked up in the approval only where there is one", async () => {
    put(pack(1));
    put(pack(1));
    await main();
    expect(store.calls.filter((call) => call.startsWith("get .owner"))).toEqual([]);
  });

  test("is an error where the approval is not understood", async () => {
    put(pack(1));
    put(pack(1));
    store.add(".owner/web/main/approval.json", Buffer.from("{}"), NOW, "O");
    expect((await main()).error).toContain(".owner/web/main/approval.json");
  });

  test("does not count where it is a lock, or hidden as the journal says", async () => {
    put(`${MAIN_FOLDER}/locks/${id(1)}`);
    put(`${MAIN_FOLDER}/locks/${id(1)}`);
    put(pack(1));
    await record(pack(1), put(pack(1)), OTHER);
    hide(pack(1), OTHER, "K");
    const { overwritten, hidden } = await main();
    expect([overwritten.count, hidden.count]).toEqual([0, 0]);
  });
});

describe("the bucket", () => {
  test("has what the service says of quota and clock", async () => {
    store.said = { quota: 5, clockOff: -7 };
    expect(await look()).toMatchObject({ quota: 5, clockOff: -7 });
  });

  test("has the quota of the last verify where the service does not report one to the keeper", async () => {
    const verify = { at: 5, passed: 1, failed: 2, unknown: 3 };
    const record = Buffer.from(JSON.stringify({ ...verify, quota: 9 }));
    store.add(".owner/verify.json", record, NOW, "O");
    const seen = await look();
    expect(seen.verify).toEqual(verify);
    expect(seen.quota).toBe(9);
    store.said = { quota: 5 };
    expect(await look()).toMatchObject({ quota: 5 });
  });

  test("whose service does not answer that has an error", async () => {
    store.before = (call) => {
      if (call === "facts") throw new Error("S3 fails");
    };
    const seen = await look();
    expect(seen).toMatchObject({ errors: ["S3 fails"] });
    expect(seen.repositories[0]?.error).toBeUndefined();
  });

  test("shows who the owner is", async () => {
    put(pack(1));
    hide(pack(1), NOW - HOUR, "O");
    const unknown = { identities: { keeper: "K" } };
    expect((await main(unknown)).hidden.count).toBe(1);
    store.add(".owner/web/main/run", bytes(0), NOW, "O");
    expect((await main(unknown)).hidden.count).toBe(0);
    store.add(".owner/web/main/run", bytes(0), NOW, "W");
    const { errors, repositories } = await look(unknown);
    expect(errors).toEqual([expect.stringContaining("several identities")]);
    expect(repositories[0]?.hidden.count).toBe(1);
  });

  test("has the last verify, and when a test of the alarms was asked for", async () => {
    expect(await look()).not.toHaveProperty("testAsked");
    const verify = { at: 5, passed: 1, failed: 2, unknown: 3 };
    store.add(".owner/verify.json", Buffer.from(JSON.stringify(verify)), NOW, "O");
    store.add(".owner/alarms-test", bytes(0), NOW - 5, "O");
    expect(await look()).toMatchObject({ verify, testAsked: NOW - 5 });
    store.add(".owner/verify.json", Buffer.from(JSON.stringify({ ...verify, failed: -1 })), NOW, "O");
    const seen = await look();
    expect(seen.errors).toEqual([expect.stringContaining(".owner/verify.json")]);
    expect(seen.verify).toBeUndefined();
  });

  test("has names beside the stack's", async () => {
    for (const folder of [".keeper", ".owner", ".status", ".quarantine", ".canary/verify"]) {
      put(`${folder}/x/y`, 1, NOW, "O");
    }
    put(`${MAIN_FOLDER}/config`);
    put("web/old/config");
    put("web/main2/config");
    put("webb/main/config");
    put("\u202ee<b>/x");
    put("file");
    put("web/file");
    put("moved/main/config");
    hide("moved/main/config", NOW, "O");
    put("hidden");
    hide("hidden");
    const { beside } = await look();
    expect([...beside.some].sort()).toEqual(
      ["\u202ee<b>/", "file", "web/file", "web/main2/", "web/old/", "webb/"].sort(),
    );
    expect(beside).toMatchObject({ count: 6 });
    expect(beside).not.toHaveProperty("since");
  });

  test("has no name beside the stack's of a repository that was removed: the keeper has notes about it", async () => {
    for (const key of ["web/old/config", "gone/main/config", "gone/evil/x", "gone/file", "new/main/config"])
      put(key);
    for (const folder of ["web/old", "gone/main"]) put(`.keeper/${folder}/state.json`, 1, NOW, "K");
    const { beside } = await look();
    expect([...beside.some].sort()).toEqual(["gone/evil/", "gone/file", "new/"]);
  });

  test("with names without end is looked at for so long", async () => {
    let pages = 0;
    store.names = async function* (prefix) {
      while (prefix === "") {
        await Promise.resolve();
        pages += 1;
        yield [{ name: `evil${pages}` }, { name: `\ufffd${pages}/`, nameless: true }];
      }
    };
    const { beside, errors } = await look();
    expect(beside.count).toBe(pages * 2);
    expect(beside.some).toHaveLength(20);
    expect(pages).toBeLessThan(30);
    expect(errors).toEqual(["at the bucket's top are too many names: not all were looked at"]);
  });

  test("with hidden objects without end before a name has an error: not all names were looked at", async () => {
    put("web/main/config");
    store.names = async function* (prefix) {
      for (let page = 0; prefix === "web/" && page < 100; page += 1) {
        await Promise.resolve();
        yield page === 99 ? [{ name: "web/unseen/" }] : [];
      }
    };
    const { beside, errors } = await look();
    expect(beside.count).toBe(0);
    expect(errors).toEqual(["below web/ are too many names: not all were looked at"]);
  });

  test("is looked at for ten minutes, and the rest has an error", async () => {
    const repositories = Array.from({ length: 30 }, (_, n) => kept(`c${n}`, "main"));
    for (const { client } of repositories) put(`${client}/main/config`);
    store.before = (call) => {
      if (call.startsWith("versions c")) now += 60_000;
    };
    const { repositories: seen, errors } = await observe(store, contextOf(repositories));
    expect(seen.map(({ client }) => client)).toEqual([
      ...repositories.map(({ client }) => client),
      ".canary",
    ]);
    const late = seen.filter(({ error }) => error !== undefined);
    expect(late.length).toBeGreaterThan(10);
    expect(late.length).toBeLessThan(30);
    expect(late[0]?.error).toMatch(/^[^ ]+ could not be looked at in time$/);
    expect(errors).toEqual(["not all names beside the repositories could be looked at in time"]);
  });

  test("is looked at eight repositories at a time", async () => {
    let [open, most] = [0, 0];
    store.before = async (call) => {
      if (!call.startsWith("versions c")) return;
      most = Math.max(most, (open += 1));
      await new Promise((resolve) => setTimeout(resolve, 5));
      open -= 1;
    };
    await observe(store, contextOf(Array.from({ length: 30 }, (_, n) => kept(`c${n}`, "main"))));
    expect(most).toBe(8);
  });
});

describe("the entries of an object", () => {
  const entry = (key: string, n: number, marker = false): Entry => ({
    ...{ key, marker, latest: n === 0, versionId: `${key}${n}`, modified: 1_000_000 - n, size: 1, etag: "" },
  });

  test("come together over pages, whose markers stand after their versions", () => {
    const histories = new Histories();
    expect(histories.take([entry("a", 1), entry("b", 1), entry("a", 0, true), entry("b", 0, true)])).toEqual([
      { key: "a", entries: [entry("a", 0, true), entry("a", 1)], cut: false, arrived: 999_999 },
    ]);
    const [b] = histories.take([entry("b", 2), entry("c", 0)]);
    expect(b).toEqual({
      key: "b",
      entries: [entry("b", 0, true), entry("b", 1), entry("b", 2)],
      cut: false,
      arrived: 999_998,
    });
    expect(histories.rest().map(({ key }) => key)).toEqual(["c"]);
  });

  test("are cut where there are many, and the first arrival stays", () => {
    const histories = new Histories();
    for (let n = 0; n < 5000; n++) histories.take([entry("a", n)]);
    const [a] = histories.rest();
    expect(a?.entries).toHaveLength(100);
    expect(a).toMatchObject({ cut: true, arrived: 1_000_000 - 4999 });
  });
});

test.each([
  [10_000, 10_400, 10_500, 0],
  [10_000, 12_000, 12_500, 1001],
  [10_000, 9_000, 10_100, 0],
  [10_000, 5_000, 6_000, -4_000],
  [NaN, 5_000, 6_000, undefined],
])("a clock that shows %d between %d and %d is off by %s", (shown, earliest, latest, off) => {
  expect(aheadOf(shown, earliest, latest)).toBe(off);
});
