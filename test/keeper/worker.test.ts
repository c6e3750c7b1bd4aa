/** The worker with real restic and the real gate, on a bucket in memory. */
import * as fs from "node:fs";
import * as http from "node:http";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { openKey, type Key } from "../../keeper/format";
import { keptKey } from "../../keeper/gate/names";
import type { GateContext } from "../../keeper/gate/repository";
import type { Result } from "../../keeper/job";
import { runWorker } from "../../keeper/worker";
import { RESTIC } from "../harness/restic-folder";
import * as forge from "../harness/restic-forgery";
import {
  DAY,
  dueState,
  GateBench,
  KEPT,
  NAME,
  PASSWORD,
  PREFIX,
  restic,
  settingsOf,
} from "../harness/gate-bench";

let bench: GateBench;
let snapshots: string[];
let complaints: jest.SpiedFunction<typeof console.error>;

beforeEach(async () => {
  complaints = jest.spyOn(console, "error").mockImplementation(() => undefined);
  bench = await GateBench.create();
  fs.writeFileSync(path.join(bench.root, "password"), `${PASSWORD}\n`);
  const now = Date.now();
  snapshots = [
    await bench.backup(["a", "b"], now - 20 * DAY),
    await bench.backup(["b"], now - 19 * DAY),
    await bench.backup(["b", "c"], now - DAY),
  ];
});

afterEach(async () => {
  await bench.remove();
  complaints.mockRestore();
});

/** Runs a worker; returns its exit code. */
async function run(options: Partial<GateContext> = {}, program = RESTIC): Promise<number> {
  const sockets = await bench.gate(options);
  return await runWorker({
    socket: path.join(sockets, PREFIX, "socket"),
    restic: program,
    passwordFile: path.join(bench.root, "password"),
  });
}

/** Settings with other bounds. */
const bounded = (change: Partial<ReturnType<typeof settingsOf>["bounds"]>): Partial<GateContext> => {
  const settings = settingsOf([KEPT]);
  return { settings: { ...settings, bounds: { ...settings.bounds, ...change } } };
};

async function key(): Promise<Key> {
  const [file = ""] = fs.readdirSync(path.join(bench.folder, "keys"));
  const opened = await openKey(fs.readFileSync(path.join(bench.folder, "keys", file)), PASSWORD);
  if (opened === undefined) throw new Error("the password does not open the key");
  return opened;
}

/** Puts a forged object into the bucket. */
const put = (forged: forge.Forged) => bench.store.add(`${PREFIX}/${forge.pathOf(forged)}`, forged.bytes);

/** Does something once, when restic puts its lock: the listing that the guard saw is older. */
function underLock(what: () => Promise<void> | void): void {
  let done = false;
  bench.store.before = async (call) => {
    if (!done && call.startsWith(`put ${PREFIX}/locks/`)) {
      done = true;
      await what();
    }
  };
}

const shown = (type: string) =>
  bench.store.shownKeys(`${PREFIX}/${type}/`).map((each) => path.basename(each));
const outcomes = () =>
  Object.fromEntries(Object.entries(bench.kept.tried).map(([action, { ok }]) => [action, ok]));

async function expectWhole(): Promise<void> {
  expect(await restic(bench.shown(), "check", "--read-data")).toMatchObject({ code: 0 });
}

test("a round guards, forgets, prunes, checks, and leaves the rest whole", async () => {
  const before = shown("data").length;
  expect(await run()).toBe(0);
  expect(outcomes()).toEqual({ guard: true, forget: true, prune: true, check: true });
  expect(bench.kept).toMatchObject({ findings: [], verified: true, keyId: shown("keys")[0] });
  expect(bench.kept.tried.check?.detail).toContain("no errors were found");
  expect(Object.keys(bench.kept.claims).sort()).toEqual(snapshots.toSorted());
  expect(shown("snapshots")).toEqual(snapshots.slice(2));
  expect(shown("locks")).toEqual([]);
  expect(shown("data").length).toBeLessThan(before);
  await expectWhole();

  // The memory holds what is left, and the next run reads no pack.
  const left = ["keys", "snapshots", "index", "data"].flatMap(shown).length;
  expect(bench.store.shown(keptKey(NAME, "memory"))?.length).toBe(16 + 65 * left);
  bench.store.calls.length = 0;
  await bench.stop();
  bench.state({ ...bench.kept, tried: {} });
  expect(await run({}, "/bin/true")).toBe(0);
  expect(bench.store.calls.filter((call) => call.startsWith(`get ${PREFIX}/`))).toEqual([
    `get ${PREFIX}/keys/${shown("keys")[0] ?? ""}`,
  ]);
});

test("the state says which snapshots are reports", async () => {
  const tags = "secure-backups-report,secure-backups-partial";
  expect(await restic(bench.folder, "backup", "--tag", tags, bench.source)).toMatchObject({ code: 0 });
  bench.load(Date.now());
  expect(await run()).toBe(0);
  expect(Object.values(bench.kept.claims).filter(({ report }) => report !== undefined)).toMatchObject([
    { report: "partial" },
  ]);
});

test("where nothing is due nothing is done", async () => {
  expect(await run()).toBe(0);
  await bench.stop();
  bench.store.calls.length = 0;
  expect(await run()).toBe(0);
  expect(bench.store.calls.filter((call) => call.startsWith("put"))).toEqual([]);
});

test("a finding stops all else, and restic does not run", async () => {
  const targets = [...Array(3).keys()].map((at) => ({ id: `${at}`.repeat(64), type: "data" as const }));
  const { pack, index } = forge.falseClaims(await key(), targets);
  put(pack);
  put(index);
  expect(await run({}, "/nowhere/restic")).toBe(0);
  expect(outcomes()).toEqual({ guard: false, forget: true });
  expect(bench.kept.findings).toMatchObject([{ kind: "claims-false", objects: [`index/${index.id}`] }]);
  expect(shown("snapshots").sort()).toEqual(snapshots.toSorted());
});

describe("what arrives between the guard and the lock", () => {
  test("is guarded, and an honest backup stays whole", async () => {
    let late = "";
    underLock(async () => {
      // It shares a blob with what is forgotten alone.
      late = await bench.backup(["a", "d"], Date.now());
    });
    expect(await run()).toBe(0);
    expect(outcomes()).toEqual({ guard: true, forget: true, prune: true, check: true });
    expect(shown("snapshots").sort()).toEqual([snapshots[2], late].sort());
    await expectWhole();
  });

  test("ends the run where it is forged", async () => {
    const forged = forge.snapshot(await key(), {
      time: new Date("2099-01-01T00:00:00Z"),
      hostname: "web-1",
      tree: "ab".repeat(32),
    });
    underLock(() => {
      put(forged);
    });
    expect(await run()).toBe(0);
    expect(outcomes()).toEqual({ guard: true, forget: false });
    expect(bench.kept.tried.forget?.detail).toBe("given up under the lock: 1 findings since the guard");
    expect(bench.kept.findings).toMatchObject([
      { kind: "tree-missing", objects: [`snapshots/${forged.id}`] },
    ]);
    expect(shown("snapshots").sort()).toEqual([...snapshots, forged.id].sort());
    expect(shown("locks")).toEqual([]);
  });

  test("ends the run where it is more than the bound", async () => {
    underLock(async () => {
      await bench.backup(["d"], Date.now());
    });
    // The guard goes on until no more than that is new, so nothing is when it ends.
    expect(await run(bounded({ lateObjects: 1 }))).toBe(0);
    expect(outcomes()).toEqual({ guard: true, forget: false });
    expect(bench.kept.tried.forget?.detail).toContain("too many");
    expect(bench.kept).toMatchObject({ findings: [], verified: true });
    expect(shown("snapshots").length).toBe(4);
    expect(shown("locks")).toEqual([]);
  });
});

test("a lock keeps it from forgetting, not from checking", async () => {
  put(forge.lock(await key(), { time: new Date(), exclusive: false, hostname: "web-1" }));
  expect(await run()).toBe(0);
  expect(outcomes()).toEqual({ guard: true, forget: false, check: true });
  expect(bench.kept.tried.forget?.detail).toBe("locked");
  expect(bench.kept.findings).toEqual([]);
});

describe("a backup whose lock an attacker deletes", () => {
  /** A lock that is put, and deleted at once. */
  const deletedLock = async () => {
    const lock = `${PREFIX}/${forge.pathOf(forge.lock(await key(), { time: new Date(), exclusive: false }))}`;
    bench.store.add(lock, Buffer.alloc(200));
    bench.store.add(lock, undefined);
  };

  test("keeps the packs that it has put, which no index has yet", async () => {
    await deletedLock();
    const late = await bench.backup(["b", "d"], Date.now(), false);
    const packs = fs.readdirSync(path.join(bench.folder, "data"), { recursive: true }) as string[];
    for (const pack of packs.filter((each) => each.length > 64)) {
      const stored = `${PREFIX}/data/${pack}`;
      if (!bench.store.keys.has(stored)) {
        bench.store.add(stored, fs.readFileSync(path.join(bench.folder, "data", pack)));
      }
    }
    await run();
    expect(outcomes()).toMatchObject({ forget: false });
    expect(bench.kept.tried.forget?.detail).toContain("another program had a lock");
    expect(shown("locks")).toEqual([]);

    bench.load(Date.now());
    expect(shown("snapshots")).toContain(late);
    await expectWhole();
  });

  test.each([
    ["before the first is hidden", "put"],
    ["while they are hidden", "hide"],
  ])("keeps the packs of old indexes that it read %s", async (_, when) => {
    let late = "";
    bench.store.before = async (call) => {
      if (late !== "" || !call.startsWith(`${when} ${PREFIX}/index/`)) return;
      late = "begins";
      // The keeper's own lock was deleted, too.
      await deletedLock();
      late = await bench.backup(["a", "b"], Date.now());
    };
    await run();
    expect(shown("snapshots")).toContain(late);
    const folder = bench.shown();
    if (when === "hide") expect(await restic(folder, "repair", "index")).toMatchObject({ code: 0 });
    expect(await restic(folder, "check", "--read-data")).toMatchObject({ code: 0 });
  });
});

test("a budget that ends leaves forget and prune to the runs that have read the rest", async () => {
  const small = bounded({ readBytes: 1 });
  expect(await run(small)).toBe(0);
  expect(outcomes()).toEqual({ guard: true, forget: true, check: true });
  expect(bench.kept).toMatchObject({ findings: [], verified: false });
  expect(shown("snapshots").length).toBe(3);
  let runs = 1;
  for (; !bench.kept.verified; runs++) {
    await bench.stop();
    bench.state({ ...bench.kept, tried: dueState().tried });
    expect(await run(small)).toBe(0);
  }
  expect(runs).toBeGreaterThan(2);
});

describe("every ending has a result", () => {
  test("S3 away", async () => {
    let packs = 0;
    bench.store.before = (call) => {
      if (call.startsWith(`get ${PREFIX}/data/`) && ++packs > 1) throw new Error("S3 is away");
    };
    expect(await run()).toBe(1);
    expect(outcomes()).toEqual({ guard: false, forget: true });
    expect(bench.kept.tried.guard?.detail).toMatch(
      /^GET object\/data\/[^ ]*: the gate answers 503: S3 or the gate/,
    );
    // What was verified before is remembered.
    expect(bench.store.shown(keptKey(NAME, "memory"))?.length).toBeGreaterThan(16 + 65);
  });

  test("the gate away", async () => {
    const passwordFile = path.join(bench.root, "password");
    expect(await runWorker({ socket: path.join(bench.root, "none"), restic: RESTIC, passwordFile })).toBe(1);
    expect(complaints.mock.lastCall?.[0]).toMatch(/^keeper worker: GET job: connect ENOENT/);
  });

  /** A program in restic's place. */
  const program = (script: string): string => {
    const file = path.join(bench.root, "program");
    fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return file;
  };

  test("restic fails", async () => {
    const script = `i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done; printf 'the \\033[2Jend\\n' >&2; exit 3`;
    expect(await run({}, program(script))).toBe(1);
    expect(outcomes()).toEqual({ guard: true, forget: false, check: false });
    const detail = bench.kept.tried.check?.detail ?? "";
    expect(detail).toMatch(/^restic ended with 3: .*line 2999 \| the \?\[2Jend$/);
    expect(detail.length).toBeLessThanOrEqual(1000);
  });

  test("restic has only what it needs", async () => {
    process.env["KEEPER_TEST_SECRET"] = "secret";
    try {
      const file = path.join(bench.root, "seen");
      await run({}, program(`/usr/bin/env > ${file}; echo "$@" >> ${file}; exit 1`));
      const seen = fs.readFileSync(file, "utf8");
      expect(seen).not.toContain("secret");
      const names = seen.split("\n").flatMap((line) => /^([A-Z]+)=/.exec(line)?.[1] ?? []);
      expect(names.filter((name) => !["HOME", "TMPDIR", "PWD", "PATH"].includes(name))).toEqual([]);
      expect(seen).toContain(
        `--key-hint ${shown("keys")[0] ?? ""} --no-cache --stuck-request-timeout 1h --password-file`,
      );
    } finally {
      delete process.env["KEEPER_TEST_SECRET"];
    }
  });

  test("the worker is told to end while restic works", async () => {
    const file = path.join(bench.root, "began");
    const began = run({}, program(`touch ${file}; exec sleep 600`));
    while (!fs.existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
    process.emit("SIGTERM");
    expect(await began).toBe(1);
    expect(outcomes()).toEqual({ guard: true, forget: false });
    expect(bench.kept.tried.forget?.detail).toBe("the worker was told to end");
  });

  test("a job that names something else than IDs does not reach a command line", async () => {
    const socket = path.join(bench.root, "fake");
    const asked: string[] = [];
    let posted = "";
    const job = {
      ...NAME,
      actions: ["guard", "forget"],
      forget: ["--repo=/"],
      bounds: settingsOf([]).bounds,
    };
    const server = http.createServer((request, response) => {
      asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
      request.on("data", (chunk: Buffer) => (posted += chunk.toString()));
      request.on("end", () => response.end(request.url === "/keeper/job" ? JSON.stringify(job) : ""));
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      const passwordFile = path.join(bench.root, "password");
      expect(await runWorker({ socket, restic: "/nowhere/restic", passwordFile })).toBe(1);
    } finally {
      server.close();
    }
    expect(asked).toEqual(["GET /keeper/job", "POST /keeper/result"]);
    expect((JSON.parse(posted) as Result).done).toEqual({
      guard: { ok: false, detail: "the gate's job names no IDs of objects, or no part of the data" },
    });
  });
});
