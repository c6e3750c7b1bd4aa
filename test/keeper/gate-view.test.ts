/** What the gate makes of S3's versions, names and journals, and how it serves many repositories. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { askDue, startGate } from "../../keeper/gate/gate";
import { GroupCommit, parseRecord, readJournal } from "../../keeper/gate/journal";
import { instanceOf, keptKey, objectKey } from "../../keeper/gate/names";
import { parseApproval, parseState, readResult } from "../../keeper/gate/state";
import { listRepository, listType, sortLocks, TooMany } from "../../keeper/gate/view";
import { MemoryStore } from "../harness/memory-store";
import { dueState, KEPT, NAME, PREFIX, settingsOf } from "../harness/gate-bench";

const ID = "ab".repeat(32);
const OTHER = "cd".repeat(32);

let store: MemoryStore;
let folder: string;

beforeEach(() => {
  store = new MemoryStore();
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "gate-view-"));
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true });
});

describe("the view", () => {
  const content = Buffer.from("content");
  const add = (name: string, at: number, body: Buffer | undefined = content) =>
    store.add(`${PREFIX}/${name}`, body, at);

  test("has the current version, and the arrival of the first", async () => {
    const first = add(`snapshots/${ID}`, 2000);
    const last = add(`snapshots/${ID}`, 5000, Buffer.from("longer content"));
    const only = add(`snapshots/${OTHER}`, 3000);
    const base = { type: "snapshots" as const };
    expect(await listType(store, NAME, "snapshots", 10)).toEqual([
      { ...base, id: ID, size: 14, versionId: last, arrived: 2000, again: [last, first] },
      { ...base, id: OTHER, size: 7, versionId: only, arrived: 3000 },
    ]);
    const recorded = { [ID]: 1000, [OTHER]: 4000 };
    const seen = await listType(store, NAME, "snapshots", 10, recorded);
    expect(seen.map(({ arrived }) => arrived)).toEqual([1000, 3000]);
  });

  test("has nothing that is hidden, and knows what was shown again", async () => {
    add(`index/${ID}`, 1000);
    store.add(`${PREFIX}/index/${ID}`, undefined, 2000);
    expect(await listType(store, NAME, "index", 10)).toEqual([]);
    add(`index/${ID}`, 3000);
    expect(await listType(store, NAME, "index", 10)).toMatchObject([{ arrived: 1000, again: ["v3", "v1"] }]);
  });

  test("shows names that restic does not give as they are, and none of them as an ID", async () => {
    const raw = ["", "x", ID.toUpperCase(), `${ID}/${ID}`, "__proto__", "a\u202eb\n", "\ufffd"];
    for (const name of raw) add(`index/${name}`, 1000);
    const listed = await listType(store, NAME, "index", 100);
    expect(listed.map(({ id }) => id).sort()).toEqual([...raw].sort());

    add(`data/ab/${ID}`, 1000);
    for (const name of [ID, `cd/${ID}`, `ab//${ID}`, "ab/x"]) add(`data/${name}`, 1000);
    const packs = (await listType(store, NAME, "data", 100)).map(({ id }) => id);
    expect(packs.sort()).toEqual([ID, `./${ID}`, `cd/${ID}`, `ab//${ID}`, "ab/x"].sort());
    expect(() => objectKey(NAME, "data", `./${ID}`)).toThrow();
    expect(objectKey(NAME, "data", ID)).toBe(`${PREFIX}/data/ab/${ID}`);
  });

  test("is of one repository, in the order snapshots, index, data, keys", async () => {
    for (const name of [`keys/${ID}`, `data/ab/${ID}`, `index/${ID}`, `snapshots/${ID}`, `locks/${ID}`])
      add(name, 1);
    store.add(`web-1/main-2/keys/${OTHER}`, content);
    store.add(`web-10/main/keys/${OTHER}`, content);
    const { objects } = await listRepository(store, NAME, 10, {});
    expect(objects.map(({ type, id }) => [type, id])).toEqual(
      ["snapshots", "index", "data", "keys"].map((type) => [type, ID]),
    );
  });

  test("ends at its bounds", async () => {
    for (let n = 0; n < 5; n += 1) add(`index/${n}`, 1);
    await expect(listRepository(store, NAME, 4, {})).rejects.toThrow(TooMany);
    expect((await listRepository(store, NAME, 5, {})).objects).toHaveLength(5);
    for (let n = 0; n < 1100; n += 1) add("index/0", 1);
    await expect(listRepository(store, NAME, 5, {})).rejects.toThrow(TooMany);
  });

  test("sorts locks by arrival, length and name", () => {
    const lock = (id: string, arrived: number, size = 100) => ({
      type: "locks" as const,
      id,
      size,
      versionId: "v",
      arrived,
    });
    const { live, expired } = sortLocks(
      [lock(ID, 99), lock(OTHER, 100), lock("x", 99), lock("x", 100), lock("ef".repeat(32), 100, 15)],
      100,
    );
    expect([live, expired].map((locks) => locks.map(({ id }) => id))).toEqual([[OTHER], [ID]]);
  });
});

describe("the journal", () => {
  const entry = { key: `${PREFIX}/data/ab/${ID}`, action: "hide", versionId: "v1", size: 5, why: "prune" };
  const record = { version: 1, at: 1000, ...NAME, run: "r", entries: [entry] };
  const parse = (change: object) => parseRecord(NAME, Buffer.from(JSON.stringify({ ...record, ...change })));

  test("is read in the order of time, or of some days alone", async () => {
    const put = (time: string, at: number) =>
      store.put(`.keeper/${PREFIX}/journal/${time}-x.json`, Buffer.from(JSON.stringify({ ...record, at })));
    await put("2026-01-02T00:00:00.000Z", Date.UTC(2026, 0, 2));
    await put("2026-01-01T00:00:00.000Z", Date.UTC(2026, 0, 1));
    expect((await readJournal(store, NAME)).map(({ at }) => at)).toEqual([
      Date.UTC(2026, 0, 1),
      Date.UTC(2026, 0, 2),
    ]);
    expect(await readJournal(store, NAME, [Date.UTC(2026, 0, 2, 23)])).toHaveLength(1);
    expect(await readJournal(store, { ...NAME, repository: "other" })).toEqual([]);
  });

  test.each<[string, object]>([
    ["another version", { version: 2 }],
    ["another repository", { repository: "other" }],
    ["an object of another repository", { entries: [{ ...entry, key: `web-1/main-2/data/ab/${ID}` }] }],
    ["a deletion without a version", { entries: [{ ...entry, versionId: undefined }] }],
    ["an unknown action", { entries: [{ ...entry, action: "delete" }] }],
    ["no entries", { entries: undefined }],
  ])("is not believed with %s", (_, change) => {
    expect(parse({})).toEqual(record);
    expect(() => parse(change)).toThrow("does not understand");
  });

  test("is written in groups, and a failure is that of its group alone", async () => {
    const groups: (readonly number[])[] = [];
    const commit = new GroupCommit<number>(async (group) => {
      groups.push(group);
      await Promise.resolve();
      if (group.includes(1)) throw new Error("no");
    }, 3);
    const first = [1, 2, 3, 4].map((n) => commit.submit(n));
    const ended = await Promise.allSettled(first);
    expect(ended.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "fulfilled"]);
    await commit.submit(5);
    expect(groups).toEqual([[1, 2, 3], [4], [5]]);
  });
});

describe("what comes from outside", () => {
  const result = { findings: [], done: {}, verified: true, readBytes: 0, claims: {} };

  test("is read as a result of bounded size", () => {
    const finding = { kind: "k".repeat(5000), objects: Array(5000).fill("o"), why: "a\nb\u001b[0m" };
    const read = readResult({
      ...result,
      keyId: ID,
      findings: Array(500).fill(finding),
      done: { guard: { ok: "yes", detail: "d" }, other: { ok: true, detail: "" } },
      claims: {
        [ID]: { time: "t", hostname: "h\u202e", more: 1 },
        [OTHER]: { time: "t", hostname: "h", report: "partial" },
        ["ef".repeat(32)]: { time: "t", hostname: "h", report: "whole" },
        x: { time: "t", hostname: "h" },
      },
    });
    expect(read.findings).toHaveLength(100);
    expect(read.findings[0]?.kind).toHaveLength(1000);
    expect(read.findings[0]?.objects).toHaveLength(1000);
    expect(read.findings[0]?.why).toBe("a | b?[0m");
    expect(read.done).toEqual({ guard: { ok: false, detail: "d" } });
    expect(read.claims).toEqual({
      [ID]: { time: "t", hostname: "h?" },
      [OTHER]: { time: "t", hostname: "h", report: "partial" },
      ["ef".repeat(32)]: { time: "t", hostname: "h" },
    });
  });

  test.each([
    null,
    1,
    [],
    {},
    { ...result, keyId: "x" },
    { ...result, done: { guard: {} } },
    { ...result, findings: [1] },
  ])("is refused as a result: %j", (value) => {
    expect(() => readResult(value)).toThrow("the result");
  });

  test("is refused as a state or an approval of another form", () => {
    expect(() => parseState(Buffer.from('{"version":2}'))).toThrow("another version");
    expect(() => parseApproval(Buffer.from('{"at":1,"forget":[1],"versions":[]}'))).toThrow("not understood");
    expect(parseApproval(Buffer.from('{"at":1,"forget":["a"],"versions":[],"x":1}'))).toEqual({
      at: 1,
      forget: ["a"],
      versions: [],
    });
  });
});

describe("the sockets", () => {
  test("name instances as systemd does", () => {
    const names = [
      NAME,
      { client: "a--b", repository: "0-z-9" },
      { client: "n1", repository: "x".repeat(63) },
    ];
    for (const name of names) {
      const text = `${name.client}/${name.repository}`;
      expect(instanceOf(name)).toBe(execFileSync("systemd-escape", [text], { encoding: "utf8" }).trim());
    }
  });

  test("of 1,000 repositories tell which are due, and read each state once", async () => {
    const repositories = Array.from({ length: 1000 }, (_, n) => ({ ...KEPT, client: `web-${n}` }));
    const now = Date.now();
    const done = { at: now, ok: true, detail: "", succeeded: now };
    const idle = { ...dueState(), tried: { guard: done, forget: done, prune: done, check: done } };
    for (const [n, name] of repositories.entries()) {
      store.add(keptKey(name, "state.json"), Buffer.from(JSON.stringify(n % 100 === 7 ? dueState() : idle)));
    }
    store.add(".owner/web-8/main/run", Buffer.alloc(0), now + 1);
    store.before = (call) => {
      if (call.includes("web-500/")) throw new Error("S3 is away");
    };
    const events: string[] = [];
    const log = (event: string) => void events.push(event);
    const gate = await startGate({ store, settings: settingsOf(repositories), log, now: () => now }, folder);
    try {
      const places = [7, 8, ...Array.from({ length: 9 }, (_, n) => (n + 1) * 100 + 7)];
      const expected = places.map((n) => `web\\x2d${n}-main`);
      expect(await askDue(folder)).toEqual(expected);
      expect(store.calls).toHaveLength(1001);
      expect(events.filter((event) => event.includes("S3 is away"))).toHaveLength(1);
      expect(await askDue(folder)).toEqual(expected);
      expect(store.calls).toHaveLength(1003);
    } finally {
      await gate.stop();
    }
    expect(fs.existsSync(path.join(folder, ".round"))).toBe(false);
    await expect(askDue(folder)).rejects.toThrow("ENOENT");
  });

  test("may lie deeper than a socket's address is long, and replace those that a killed gate left", async () => {
    const long = { ...KEPT, client: "c".repeat(63), repository: "r".repeat(63) };
    const place = path.join(folder, long.client, long.repository);
    fs.mkdirSync(place, { recursive: true });
    fs.writeFileSync(path.join(place, "socket"), "");
    const gate = await startGate({ store, settings: settingsOf([long]), log: () => undefined }, folder);
    try {
      expect(fs.statSync(path.join(place, "socket")).mode & 0o777).toBe(0o666);
      expect(fs.statSync(path.join(folder, ".round")).mode & 0o777).toBe(0o666);
      const opened = fs.openSync(place, "r");
      const status = await new Promise((resolve, reject) => {
        const socketPath = `/proc/self/fd/${opened}/socket`;
        http
          .get({ socketPath, agent: false, path: "/config" }, ({ statusCode }) => {
            resolve(statusCode);
          })
          .on("error", reject);
      });
      fs.closeSync(opened);
      expect(status).toBe(403);
    } finally {
      await gate.stop();
    }
  });

  test("wait for bodies within a bound of memory", async () => {
    const gate = await startGate({ store, settings: settingsOf([KEPT]), log: () => undefined }, folder);
    const socketPath = path.join(folder, PREFIX, "socket");
    const put = (headers: http.OutgoingHttpHeaders, body: Buffer) =>
      new Promise((resolve) => {
        const asked = http.request({
          socketPath,
          agent: false,
          method: "PUT",
          path: "/keeper/memory",
          headers,
        });
        asked.on("response", ({ statusCode }) => {
          resolve(statusCode);
        });
        asked.on("error", () => undefined);
        asked.write(body);
      });
    try {
      store.add(keptKey(NAME, "state.json"), Buffer.from(JSON.stringify(dueState())));
      await new Promise((resolve) => http.get({ socketPath, path: "/keeper/job" }, resolve));
      expect(await put({ "content-length": 64 * 1024 ** 2 + 1 }, randomBytes(10))).toBe(413);
      expect(await put({ "transfer-encoding": "chunked" }, randomBytes(10))).toBe(411);
      expect(await put({ "content-length": 10 }, randomBytes(10))).toBe(204);
    } finally {
      await gate.stop();
    }
  });
});
