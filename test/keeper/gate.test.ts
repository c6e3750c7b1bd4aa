/** The gate with real restic over its sockets, on a bucket in memory. */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { type JournalRecord, readJournal } from "../../keeper/gate/journal";
import { MemoryStore } from "../harness/memory-store";
import {
  DAY,
  dueState,
  GateBench,
  kill,
  NAME,
  PREFIX,
  restic,
  sha256,
  WorkerSide,
} from "../harness/gate-bench";

jest.setTimeout(180_000);

let bench: GateBench;
let old: string, older: string, newest: string;

beforeAll(async () => {
  bench = await GateBench.create();
  const now = Date.now();
  old = await bench.backup(["a"], now - 20 * DAY);
  older = await bench.backup(["a", "b"], now - 19 * DAY);
  newest = await bench.backup(["b", "c"], now - DAY);
  bench.save();
});

beforeEach(() => bench.reset());

afterAll(() => bench.remove());

/** Whether a repository is whole, and a snapshot's files are those that were backed up. */
async function expectWhole(folder: string, snapshot: string, names: readonly string[]): Promise<void> {
  expect(await restic(folder, "check", "--read-data")).toMatchObject({ code: 0 });
  const target = path.join(folder, "restored");
  const restored = await restic(folder, "restore", `${snapshot}:${bench.source}`, "--target", target);
  expect(restored).toMatchObject({ code: 0 });
  for (const name of names) {
    const original = path.join(bench.root, "files", name);
    expect(fs.readFileSync(path.join(target, name))).toEqual(fs.readFileSync(original));
  }
}

const PRUNE = ["forget", "--prune", "--max-unused", "0"];

const hidden = (): string[] =>
  bench.store.calls.filter((call) => call.startsWith("hide ")).map((call) => call.slice("hide ".length));

const worker = async (options: Parameters<GateBench["gate"]>[0] = {}): Promise<WorkerSide> =>
  new WorkerSide(await bench.gate(options));

describe("forget and prune", () => {
  test("leave a snapshot whole that arrives after the frozen listing, and write down first what they hide", async () => {
    const side = await worker();
    const job = await side.begin();
    expect(job.actions).toEqual(["guard", "forget", "prune", "check"]);
    expect(job.forget).toEqual([old, older].sort());
    let late = "";
    const forgot = await side.locked([...PRUNE, ...job.forget], async () => {
      late = await bench.backup(["b", "d"], Date.now());
    });
    expect(forgot).toMatchObject({ code: 0 });

    const shown = bench.shown();
    expect(fs.readdirSync(path.join(shown, "snapshots")).sort()).toEqual([newest, late].sort());
    expect(fs.readdirSync(path.join(shown, "locks"))).toEqual([]);
    await expectWhole(shown, late, ["b", "d"]);
    await expectWhole(shown, newest, ["b", "c"]);
    expect(await restic(side.url, "check", "--no-lock", "--read-data")).toMatchObject({ code: 0 });

    expect(hidden().length).toBeGreaterThan(4);
    const journal = bench.store.calls.filter((call) => call.startsWith("put .keeper/web-1/main/journal/"));
    for (const key of hidden()) {
      const record = journal.find((call) => {
        const content = bench.store.shown(call.slice("put ".length))?.toString() ?? "";
        const { entries } = JSON.parse(content) as JournalRecord;
        const [version] = bench.store.keys.get(key) ?? [];
        return entries.some((entry) => {
          return entry.action === "hide" && entry.key === key && entry.versionId === version?.versionId;
        });
      });
      expect(record).toBeDefined();
      expect(bench.store.calls.indexOf(record ?? "")).toBeLessThan(bench.store.calls.indexOf(`hide ${key}`));
    }
    const forgotten = (await readJournal(bench.store, NAME))
      .flatMap(({ entries }) => entries)
      .filter(({ why }) => why === "forget")
      .map(({ key }) => key);
    expect(forgotten.sort()).toEqual([old, older].map((id) => `${PREFIX}/snapshots/${id}`).sort());

    expect(await side.result({ forget: { ok: true, detail: "" }, prune: { ok: true, detail: "" } })).toBe(
      204,
    );
    expect(bench.kept.tried).toMatchObject({ forget: { ok: true }, prune: { ok: true } });
    expect(bench.kept.arrivals).toHaveProperty(newest);
  });

  test("keep the blobs of a backup that ended between the admission and restic's lock", async () => {
    const side = await worker();
    const job = await side.begin();
    const late = await bench.backup(["a"], Date.now());
    const forgot = await side.locked([...PRUNE, ...job.forget], (listing) => {
      expect(listing.map(({ id }) => id)).toContain(late);
    });
    expect(forgot).toMatchObject({ code: 0 });
    await expectWhole(bench.shown(), late, ["a"]);
  });

  test("stop at the owner's hold, put in the middle", async () => {
    const side = await worker();
    const job = await side.begin();
    bench.store.before = (call) => {
      if (call.startsWith("hide ")) bench.store.add(`.owner/${PREFIX}/hold`, Buffer.from(""));
    };
    const { code } = await side.locked([...PRUNE, ...job.forget]);
    expect(code).not.toBe(0);
    // restic deletes five at once at most: they were one group. Its own lock goes, for recover waits for that.
    const groups = new Set(hidden().map((key) => key.split("/")[2]));
    expect([...groups]).toEqual(["snapshots", "locks"]);
    expect(bench.events.join("\n")).toContain("the owner holds the repository");
    expect(await side.status("GET", "/snapshots/")).toBe(403);
  });

  test("end where an object was put again after the admission, and leave it", async () => {
    const side = await worker();
    const job = await side.begin();
    const key = `${PREFIX}/snapshots/${job.forget[0] ?? ""}`;
    await side.lock();
    bench.store.add(key, bench.store.shown(key));
    expect(await side.status("DELETE", `/snapshots/${job.forget[0] ?? ""}`)).toBe(409);
    expect(await side.status("DELETE", `/snapshots/${job.forget[1] ?? ""}`)).toBe(403);
    expect(hidden().filter((one) => one.includes("/snapshots/"))).toEqual([]);
  });

  test("of a gate that is killed in the middle leave a repository that the next run mends", async () => {
    const side = await worker();
    const job = await side.begin();
    const { store } = bench;
    let left = 3;
    let killed: () => void = () => undefined;
    const kills = new Promise<void>((resolve) => (killed = resolve));
    store.before = (call) => {
      if (call.startsWith("hide ")) left -= 1;
      if (left > 0) return;
      killed();
      throw new Error("killed");
    };
    const ending = side.locked([...PRUNE, ...job.forget]);
    await kills;
    kill();
    await ending;
    bench.store = store.copy();
    await bench.stop();
    const locks = () => bench.store.shownKeys(`${PREFIX}/locks/`);
    expect(locks()).toHaveLength(1);

    bench.state({ ...bench.kept, tried: dueState().tried });
    const later = await worker({ now: () => Date.now() + 3_600_000 });
    const again = await later.begin();
    expect(locks()).toEqual([]);
    expect(again.forget).toEqual([]);
    const pruned = await later.locked(["prune", "--max-unused", "0"]);
    expect(pruned).toMatchObject({ code: 0 });
    await expectWhole(bench.shown(), newest, ["b", "c"]);
  });
});

describe("locks", () => {
  test("of a running keeper stop a second one", async () => {
    const [first, second] = [await worker(), await worker()];
    const job = await first.begin();
    await second.begin();
    const forgot = await first.locked([...PRUNE, ...job.forget], async () => {
      const { code, output } = await restic(second.url, ...PRUNE, ...job.forget);
      expect(output).toContain("already locked");
      expect(code).toBe(11);
      expect(hidden().filter((key) => !key.includes("/locks/"))).toEqual([]);
    });
    expect(forgot).toMatchObject({ code: 0 });
    await expectWhole(bench.shown(), newest, ["b", "c"]);
  });

  test("too old or malformed do not reach restic; the old are hidden by name, others' stay", async () => {
    const put = (content: Buffer, hours: number, name = sha256(content)) => {
      bench.store.add(`${PREFIX}/locks/${name}`, content, Date.now() - hours * 3_600_000);
      return name;
    };
    const expired = put(randomBytes(64), 25);
    const live = put(randomBytes(64), 23);
    const renewed = put(randomBytes(64), 25);
    put(bench.store.shown(`${PREFIX}/locks/${renewed}`) ?? Buffer.alloc(0), 0, renewed);
    const short = put(randomBytes(5), 1);
    put(randomBytes(64), 1, "ABC");
    const side = await worker();
    await side.begin();
    const listed = JSON.parse((await side.ask("GET", "/locks/")).body.toString()) as string[];
    expect(listed).toEqual([live]);
    expect(hidden().sort()).toEqual([expired, renewed].map((id) => `${PREFIX}/locks/${id}`).sort());
    for (const id of [live, short]) expect(await side.status("DELETE", `/locks/${id}`)).toBe(403);
    expect(await side.status("GET", `/locks/${live}`)).toBe(200);
    expect(await side.status("GET", `/locks/${short}`)).toBe(404);
  });

  test("of a gate that was killed are hidden by the next run, but not while they may be in use", async () => {
    const first = await worker();
    await first.begin();
    const own = `${PREFIX}/locks/${await first.lock()}`;
    const foreign = `${PREFIX}/locks/${"ab".repeat(32)}`;
    bench.store.add(foreign, randomBytes(64));
    const { store } = bench;
    bench.store = store.copy();
    await bench.stop();
    await (await worker({ now: () => Date.now() + 20 * 60_000 })).begin();
    expect(bench.store.shown(own)).toBeDefined();
    await bench.stop();
    bench.state(dueState());
    await (await worker({ now: () => Date.now() + 40 * 60_000 })).begin();
    expect(bench.store.shown(own)).toBeUndefined();
    expect(bench.store.shown(foreign)).toBeDefined();
  });
});

describe("a session", () => {
  test("holds restic's first listing under its lock, and lists anew what has arrived by then", async () => {
    const side = await worker();
    await side.begin();
    const arrived = "12".repeat(32);
    bench.store.calls.length = 0;
    await side.lock((listing) => {
      expect(listing.some(({ id }) => id === arrived)).toBe(false);
      bench.store.add(`${PREFIX}/snapshots/${arrived}`, randomBytes(10));
    });
    const folders = bench.store.calls.flatMap(
      (call) => /^versions web-1\/main\/(\w+)\/$/.exec(call)?.[1] ?? [],
    );
    expect(folders).toEqual(["snapshots", "index", "data", "keys", "locks"]);
    const seen = JSON.parse((await side.ask("GET", "/snapshots/")).body.toString()) as string[];
    expect(seen.sort()).toEqual([old, older, newest].sort());

    // The next lock has a barrier of its own, which sees it.
    await side.result();
    bench.state({ ...bench.kept, tried: dueState().tried });
    const next = await worker({ now: () => Date.now() + 3_600_000 });
    await next.begin();
    await next.lock((listing) => {
      expect(listing.some(({ id }) => id === arrived)).toBe(true);
    });
  });

  test("refuses deletions and packs until what was listed under the lock is admitted", async () => {
    const side = await worker();
    const job = await side.begin();
    const [forget = ""] = job.forget;
    const pack = randomBytes(100);
    const attempts = async () => [
      await side.status("DELETE", `/snapshots/${forget}`),
      await side.status("POST", `/data/${sha256(pack)}`, pack),
    ];
    expect(await attempts()).toEqual([403, 403]);
    const lock = await side.lock(async () => {
      expect(await attempts()).toEqual([403, 403]);
    });
    expect(await attempts()).toEqual([200, 200]);
    expect(await side.status("DELETE", `/locks/${lock}`)).toBe(200);
    expect(await side.status("DELETE", `/data/${sha256(pack)}`)).toBe(403);
  });

  test("that is abandoned answers 503 to the listing that waits, takes a result, and hides its lock", async () => {
    const side = await worker();
    await side.begin();
    const lock = randomBytes(64);
    expect(await side.status("POST", `/locks/${sha256(lock)}`, lock)).toBe(200);
    const held = side.status("GET", "/index/");
    const listing = await side.listing("frozen");
    expect(listing.length).toBeGreaterThan(0);
    expect(await side.status("POST", "/keeper/abandon")).toBe(204);
    expect(await held).toBe(503);
    expect(bench.store.shown(`${PREFIX}/locks/${sha256(lock)}`)).toBeUndefined();
    expect(await side.status("GET", "/index/")).toBe(403);
    expect(await side.status("POST", "/keeper/admit", { keyId: "0".repeat(64) })).toBe(403);
    expect(await side.status("PUT", "/keeper/memory", Buffer.from("memory"))).toBe(204);
    expect((await side.ask("GET", "/keeper/memory")).body.toString()).toBe("memory");
    expect(await side.result({ guard: { ok: false, detail: "late" } })).toBe(204);
    expect(bench.kept.tried.guard).toMatchObject({ ok: false, detail: "late" });
    expect(await side.result()).toBe(403);
  });

  test("ends at its bound: a listing that waits, deletions, all that comes after, and its lock", async () => {
    const side = await worker({ runMax: 2500 });
    const job = await side.begin();
    const lock = await side.lock();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await side.status("DELETE", `/snapshots/${job.forget[0] ?? ""}`)).toBe(403);
    expect(await side.status("GET", "/config")).toBe(403);
    expect(hidden()).toEqual([`${PREFIX}/locks/${lock}`]);
  });

  test("begins by ending the one before, whose actions count as failed", async () => {
    const side = await worker();
    await side.begin();
    const lock = await side.lock();
    expect(await side.status("GET", "/keeper/job")).toBe(204);
    expect(bench.store.shown(`${PREFIX}/locks/${lock}`)).toBeUndefined();
    expect(bench.kept.tried.forget).toMatchObject({ ok: false, detail: "the run was ended" });
    expect(await side.status("GET", "/snapshots/")).toBe(403);
    bench.state(dueState());
    await side.job();
    expect(await side.status("GET", `/snapshots/${newest}`)).toBe(404);
    expect(await side.status("POST", "/keeper/admit", { keyId: "0".repeat(64) })).toBe(409);
  });

  test("does not begin where nothing is due, and ends with the gate after the deletion that is going on", async () => {
    const side = await worker();
    const job = await side.begin();
    await side.lock();
    let hiding: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (hiding = resolve));
    bench.store.before = (call) => (call.startsWith("hide ") ? slow : undefined);
    const deleted = side.status("DELETE", `/snapshots/${job.forget[0] ?? ""}`);
    while (hidden().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const stopped = bench.stop();
    expect(await side.status("GET", "/keeper/job")).toBe(503);
    hiding();
    await stopped;
    await deleted.catch(() => undefined);
    expect(bench.store.shown(`${PREFIX}/snapshots/${job.forget[0] ?? ""}`)).toBeUndefined();
    expect(bench.store.shownKeys(`${PREFIX}/locks/`)).toEqual([]);

    const now = Date.now();
    const done = { at: now, ok: true, detail: "", succeeded: now };
    bench.state({ ...bench.kept, tried: { guard: done, forget: done, prune: done, check: done } });
    expect(await (await worker()).status("GET", "/keeper/job")).toBe(204);
  });

  test("that begins while the gate ends is ended, too", async () => {
    const side = await worker();
    let go: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (go = resolve));
    bench.store.before = (call) => (call.startsWith(`versions ${PREFIX}`) ? slow : undefined);
    const job = side.status("GET", "/keeper/job").catch(() => 0);
    while (!bench.store.calls.some((call) => call.startsWith(`versions ${PREFIX}`))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await side.status("GET", "/keeper/job")).toBe(409);
    const stopped = bench.stop();
    go();
    await Promise.all([stopped, job]);
    expect(bench.kept.tried.guard).toMatchObject({ ok: false, detail: "the run was ended" });
    expect(bench.events.at(-1)).toBe("ended");
  });

  test("begins once where the owner asked for it", async () => {
    const now = Date.now();
    const done = { at: now - DAY, ok: true, detail: "", succeeded: now - DAY };
    const today = { ...done, at: now - 1000, succeeded: now - 1000 };
    bench.state({ ...bench.kept, tried: { guard: today, forget: done, prune: done, check: today } });
    bench.store.add(`.owner/${PREFIX}/run`, Buffer.alloc(0), now - 2000);
    expect(await (await worker()).status("GET", "/keeper/job")).toBe(204);
    bench.store.add(`.owner/${PREFIX}/run`, Buffer.alloc(0), now);
    const side = await worker();
    expect(await side.begin()).toMatchObject({ actions: expect.arrayContaining(["guard", "check"]) });
    bench.store.add(`.owner/${PREFIX}/run`, undefined, now);
  });

  test("does not begin before the client has backed up, and leaves no state", async () => {
    bench.store = new MemoryStore();
    expect(await (await worker()).status("GET", "/keeper/job")).toBe(204);
    expect(bench.store.shownKeys(".keeper/")).toEqual([]);
  });

  test("pauses where an object was put again, and ends where that happens while it runs", async () => {
    const side = await worker();
    await side.job();
    const key = `${PREFIX}/snapshots/${newest}`;
    bench.store.add(key, bench.store.shown(key));
    expect(await side.status("GET", "/keeper/objects")).toBe(403);
    await side.result();
    bench.state(dueState());
    const paused = await side.job();
    expect(paused.actions).toEqual(["guard", "check"]);
    expect(paused.forget).toEqual([]);
    const listing = await side.listing("objects");
    const { arrived } = listing.find(({ id }) => id === newest) ?? { arrived: 0 };
    expect(Math.round((Date.now() - arrived) / DAY)).toBe(1);
    const plan = bench.store.shown(`.keeper/${PREFIX}/plan.json`)?.toString() ?? "";
    expect(JSON.parse(plan)).toMatchObject({ pauses: [{ kind: "put-again" }] });
  });

  test("knows an upload whose answer got lost as its own, whether restic repeats it or not", async () => {
    const side = await worker();
    await side.begin();
    const { store } = bench;
    const put = store.put.bind(store);
    const lose = () => {
      store.put = async (key, body) => {
        const version = await put(key, body);
        if (key.startsWith(".keeper/")) return version;
        store.put = put;
        throw new Error("no answer");
      };
    };
    const [repeated, left] = [randomBytes(64), randomBytes(64)];
    for (const lock of [repeated, left]) {
      lose();
      expect(await side.status("POST", `/locks/${sha256(lock)}`, lock)).toBe(503);
    }
    expect(await side.status("POST", `/locks/${sha256(repeated)}`, repeated)).toBe(200);
    expect(store.keys.get(`${PREFIX}/locks/${sha256(repeated)}`)).toHaveLength(1);
    expect(await side.status("POST", "/keeper/abandon")).toBe(204);
    expect(store.shownKeys(`${PREFIX}/locks/`)).toEqual([]);
  });

  test("begins under a hold, too, and hides nothing then", async () => {
    const first = await worker();
    await first.begin();
    const lock = await first.lock();
    bench.store = bench.store.copy();
    await bench.stop();
    bench.store.add(`.owner/${PREFIX}/hold`, Buffer.from(""));
    const side = await worker({ now: () => Date.now() + 3_600_000 });
    expect((await side.job()).actions).toEqual(["guard", "check"]);
    expect(hidden()).toEqual([]);
    expect(bench.store.shown(`${PREFIX}/locks/${lock}`)).toBeDefined();
    const pack = randomBytes(64);
    expect(await side.status("POST", `/locks/${sha256(pack)}`, pack)).toBe(403);
  });

  test("records arrivals, which move earlier alone", async () => {
    const now = Date.now();
    const recorded = { [newest]: now - 25 * DAY, [old]: now };
    bench.state({ ...dueState(), arrivals: recorded });
    const side = await worker();
    await side.job();
    expect(bench.kept.arrivals[newest]).toBe(now - 25 * DAY);
    expect(Math.round((now - (bench.kept.arrivals[old] ?? 0)) / DAY)).toBe(20);
  });

  test("survives a bucket that fails: restic is asked to repeat", async () => {
    const side = await worker();
    await side.begin();
    const id = (await side.listing("objects")).find(({ type }) => type === "index")?.id ?? "";
    bench.store.before = () => {
      throw new Error("S3 is away");
    };
    expect(await side.status("GET", `/index/${id}`)).toBe(503);
    expect(await side.status("GET", "/locks/")).toBe(503);
    expect(bench.events.join("\n")).toContain("S3 is away");
    bench.store.before = () => undefined;
    expect(await side.status("GET", `/index/${id}`)).toBe(200);
  });
});

describe("requests", () => {
  test("that no run may make are refused", async () => {
    const side = await worker();
    await side.begin();
    const key = (await side.listing("objects")).find(({ type }) => type === "keys")?.id ?? "";
    const hourAgo = Date.now() - 3_600_000;
    bench.store.add(`${PREFIX}/locks/${"cd".repeat(32)}`, randomBytes(64), hourAgo);
    const unadmitted = randomBytes(32);
    bench.store.add(`${PREFIX}/data/${sha256(unadmitted).slice(0, 2)}/${sha256(unadmitted)}`, unadmitted);
    await side.lock();
    const late = randomBytes(32);
    bench.store.add(`${PREFIX}/index/${sha256(late)}`, late);
    const pack = randomBytes(32);
    const table: [status: number, method: string, target: string, body?: Buffer][] = [
      [403, "DELETE", `/snapshots/${newest}`],
      [403, "DELETE", `/keys/${key}`],
      [403, "DELETE", "/config"],
      [403, "DELETE", `/locks/${"cd".repeat(32)}`],
      [404, "DELETE", `/data/${"ef".repeat(32)}`],
      [404, "DELETE", `/index/${sha256(late)}`],
      [404, "GET", `/index/${sha256(late)}`],
      [404, "HEAD", `/index/${sha256(late)}`],
      [403, "POST", `/snapshots/${sha256(pack)}`, pack],
      [403, "POST", `/keys/${sha256(pack)}`, pack],
      [403, "POST", "/config", pack],
      [403, "POST", `/index/${sha256(late)}`, late],
      [404, "POST", "/?create=true"],
      [400, "POST", `/data/${"ef".repeat(32)}`, pack],
      [413, "POST", `/locks/${sha256(Buffer.alloc(70_000))}`, Buffer.alloc(70_000)],
      [405, "PUT", `/data/${sha256(pack)}`, pack],
      [404, "GET", `/data/../config`],
      [404, "GET", `/data/${sha256(pack)}/`],
      [404, "GET", `//data/`],
      [404, "GET", `/data`],
      [404, "GET", `/config?version=../other`],
      [404, "GET", `/keeper/object/snapshots/..%2f..%2f..%2fother`],
      [404, "GET", `/keeper/object/snapshots/${"ef".repeat(32)}`],
      [404, "GET", "/keeper/due"],
      [405, "GET", "/keeper/admit"],
      [400, "POST", "/keeper/admit", Buffer.from("null")],
      [400, "POST", "/keeper/admit", Buffer.from("{")],
      [400, "POST", "/keeper/result", Buffer.from('{"done":{"guard":1}}')],
      [200, "POST", `/data/${sha256(pack)}`, pack],
      [200, "POST", `/data/${sha256(pack)}`, pack],
      [200, "DELETE", `/data/${sha256(pack)}`],
    ];
    for (const [status, method, target, body] of table) {
      expect([await side.status(method, target, body), method, target]).toEqual([status, method, target]);
    }
    expect(hidden().filter((one) => !one.endsWith(sha256(pack)))).toEqual([]);
    expect(
      bench.store.calls.filter((call) => call.startsWith("put ") && !call.startsWith("put .keeper/")),
    ).toHaveLength(2);
  });

  test("of no run at all are refused", async () => {
    const side = await worker();
    for (const target of ["/config", "/data/", "/keeper/objects", "/keeper/frozen", "/keeper/memory"]) {
      expect(await side.status("GET", target)).toBe(403);
    }
    expect(bench.store.calls).toEqual([]);
  });

  test("get the bytes that they ask for, and no others", async () => {
    const side = await worker();
    await side.begin();
    const [pack = { id: "", size: 0, versionId: "" }] = (await side.listing("objects")).filter(
      ({ type }) => type === "data",
    );
    const content = bench.store.shown(`${PREFIX}/data/${pack.id.slice(0, 2)}/${pack.id}`) ?? Buffer.alloc(0);
    const last = pack.size - 1;
    const table: [range: string | undefined, status: number, body?: Buffer][] = [
      [undefined, 200, content],
      ["bytes=0-", 206, content],
      ["bytes=10-19", 206, content.subarray(10, 20)],
      [`bytes=${last}-`, 206, content.subarray(last)],
      [`bytes=${last}-${last + 100}`, 206, content.subarray(last)],
      [`bytes=${pack.size}-`, 416],
      ["bytes=-5", 416],
      ["bytes=5-4", 416],
      ["bytes=0-1,3-4", 416],
      ["lines=0-1", 416],
    ];
    // The worker encodes what it names.
    const version = pack.versionId.replace("v", "%76");
    for (const target of [`/data/${pack.id}`, `/keeper/object/data/${pack.id}?version=${version}`]) {
      for (const [range, status, body] of table) {
        const answer = await side.ask("GET", target, undefined, range === undefined ? {} : { range });
        expect([answer.status, range]).toEqual([status, range]);
        if (body !== undefined) expect(answer.body.equals(body)).toBe(true);
      }
    }
    const { headers } = await side.ask("HEAD", `/data/${pack.id}`);
    expect(headers["content-length"]).toBe(String(pack.size));
  });
});
