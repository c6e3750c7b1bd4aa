/**
 * The keeper against every attack on retention that was measured, on a real RGW with real restic and rclone: its gate and
 * workers are processes with the keeper's keys, the attacker has a client's password and the writer's keys. Runs inside
 * the local cloud's network: `scripts/dev/local-cloud/local-cloud exec -- npx jest test/host/keeper.test`.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { IndexedPack, Key } from "../../keeper/format";
import { DAY, type Gate, KeeperBench, type Repository } from "../harness/keeper-bench";
import * as forgery from "../harness/restic-forgery";
import { S3Proxy } from "../harness/s3-proxy";

jest.setTimeout(60_000);

/** For the names of kinds. */
const ANY_KEY: Key = { encrypt: randomBytes(32), k: randomBytes(16), r: randomBytes(16) };

let bench: KeeperBench;
/** The blobs of the template, and where they lie. */
let packs: IndexedPack[];
const blobs = () => packs.flatMap((pack) => pack.blobs);

const key = () => bench.template.key;
const snapshots = () => bench.template.snapshots;
const snapshot = (day: number) => bench.template.snapshots[day] as string;
const trees = () => blobs().flatMap(({ type, id }) => (type === "tree" ? [id] : []));

/** A run on a repository, to its end. */
async function round(gate: Gate, repository: Repository): Promise<{ status: number | null; output: string }> {
  return await gate.worker(repository).end();
}

/** What SHORT keeps of the template is there and restores, and all data is sound. */
async function whole(repository: Repository): Promise<void> {
  expect(await repository.snapshots()).toEqual([snapshot(0), snapshot(4)].sort());
  for (const id of [snapshot(0), snapshot(4)]) expect(await repository.restores(id)).toBe(true);
  expect(await repository.check()).toBe(0);
}

const ALL_OK = { guard: "ok", forget: "ok", prune: "ok", check: "ok" };

beforeAll(async () => {
  bench = await KeeperBench.create();
  packs = await (await bench.repository("template")).claims();
}, 120_000);

afterAll(async () => {
  await bench.remove();
}, 120_000);

/** A repository that the keeper knows: its guard has verified everything, and everything is due. */
async function known(name: string, kept?: Parameters<KeeperBench["repository"]>[1], endpoint?: string) {
  const repository = await bench.repository(name, kept);
  const gate = await bench.gate([repository], endpoint);
  expect(await round(gate, repository)).toEqual({ status: 0, output: "" });
  expect(await repository.outcome()).toEqual({ guard: "ok", check: "ok" });
  await repository.due();
  return { repository, gate };
}

test("an honest round forgets by arrival, prunes, and writes down what it hid", async () => {
  const { repository, gate } = await known("honest");
  const before = await repository.shown();
  expect(await round(gate, repository)).toEqual({ status: 0, output: "" });
  expect(await repository.outcome()).toEqual(ALL_OK);
  await whole(repository);

  const after = new Set(await repository.shown());
  const gone = before.filter((at) => !after.has(at));
  expect(gone.filter((at) => at.startsWith("data/")).length).toBeGreaterThanOrEqual(3);
  const entries = (await repository.journal()).flatMap((record) => record.entries);
  const hidden = entries.filter(({ action, why }) => action === "hide" && why !== "lock");
  expect(hidden.map(({ key }) => key).sort()).toEqual(gone.map((at) => `web/honest/${at}`));

  await repository.bringBack();
  for (const id of snapshots()) expect(await repository.restores(id)).toBe(true);
  await gate.stop();
});

describe("what an attacker adds is found, named, and stops forget and prune:", () => {
  let repository: Repository;
  let gate: Gate;
  let before: string[];
  beforeAll(async () => {
    ({ repository, gate } = await known("attacked"));
    before = await repository.shown();
  });
  afterAll(async () => {
    await gate.stop();
  });

  const data = () => blobs().filter(({ type }) => type === "data");
  const claiming = (made: ReturnType<typeof forgery.dummyPack>) => {
    const claimed = blobs();
    const claims = made.blobs.map((dummy, i) => ({
      ...dummy,
      id: claimed[i]?.id as string,
      type: claimed[i]?.type ?? "data",
    }));
    return [made.pack, forgery.index(key(), [{ id: made.pack.id, blobs: claims }])];
  };
  const garbage = (): forgery.Forged => {
    const bytes = randomBytes(1000 + blobs().length * 64);
    return { type: "data", id: forgery.sha256(bytes), bytes };
  };

  /** Attacks by what they add. */
  const ATTACKS: Record<string, () => readonly forgery.Forged[]> = {
    "an index that claims all data in a pack of dummies": () =>
      Object.values(forgery.falseClaims(key(), data())),
    "an index that claims all blobs in a pack of dummies": () =>
      claiming(forgery.dummyPack(key(), { count: blobs().length })),
    "an index that claims all blobs in a missing pack": () => [
      forgery.claimsIn(key(), "ab".repeat(32), blobs()),
    ],
    "an index that claims all blobs in a pack of garbage": () => {
      const pack = garbage();
      return [pack, forgery.claimsIn(key(), pack.id, blobs())];
    },
    "an index that claims blobs which do not exist yet": () =>
      Object.values(
        forgery.falseClaims(key(), [{ type: "data", id: forgery.sha256(Buffer.from("a future file")) }]),
      ),
    "an index with a second claim for each pack": () => [forgery.secondClaims(key(), packs)],
    "a pack of garbage": () => [garbage()],
  };
  const BAD = { index: forgery.badIndexes, snapshot: forgery.badSnapshots, key: forgery.badKeys };

  const attack = async (added: readonly forgery.Forged[]) => {
    await repository.add(...added);
    const { status } = await round(gate, repository);
    const { findings } = await repository.state();
    const outcome = await repository.outcome();
    const shown = await repository.shown();
    await repository.purge(...added);
    await repository.due();
    expect(shown).toEqual([...before, ...added.map(forgery.pathOf)].sort());
    expect(outcome).toMatchObject({ guard: expect.stringContaining("findings"), forget: "not tried" });
    expect(outcome).not.toHaveProperty("prune");
    // The attacker's objects, and no honest one.
    const names = new Set(findings.flatMap(({ objects }) => objects));
    const labels = added.map(({ type, id }) => `${type}/${id}`);
    expect(names.size).toBeGreaterThan(0);
    expect(labels).toEqual(expect.arrayContaining([...names]));
    expect(status).toBe(0);
  };

  test.each(Object.keys(ATTACKS))("%s", async (name) => {
    await attack(ATTACKS[name]?.() ?? []);
  });
  test.each(Object.keys(forgery.badIndexes(ANY_KEY)))("an index: %s", async (kind) => {
    await attack([BAD.index(key())[kind] as forgery.Forged]);
  });
  test.each(Object.keys(forgery.badSnapshots(ANY_KEY)))("a snapshot: %s", async (kind) => {
    await attack([BAD.snapshot(key())[kind] as forgery.Forged]);
  });
  test.each(Object.keys(forgery.badKeys()))("a key: %s", async (kind) => {
    await attack(BAD.key()[kind] ?? []);
  });

  test("and once they are gone, everything restores, and the next round does its work", async () => {
    for (const id of snapshots()) expect(await repository.restores(id)).toBe(true);
    await round(gate, repository);
    expect(await repository.outcome()).toEqual(ALL_OK);
    expect(await repository.check()).toBe(0);
  });
});

test("the worst attack destroys a repository that restic alone prunes, and no exit status shows it", async () => {
  const repository = await bench.repository("destroyed");
  const data = blobs().filter(({ type }) => type === "data");
  const check = async () => (await repository.direct(bench.bucket.writer, "check", "--no-lock")).status;
  // In which order restic reads indexes decides whether an attack wins. One that loses does no harm: the next one may.
  const lost = async () => !(await repository.restores(snapshot(4)));
  for (let turn = 0; turn < 30 && !(await lost()); turn++) {
    const attacks = Array.from({ length: 10 }, () => Object.values(forgery.falseClaims(key(), data)));
    await repository.add(...attacks.flat());
    expect(await check()).toBe(0);
    expect((await repository.direct(bench.keeper, "prune")).status).toBe(0);
  }
  expect(await check()).toBe(0);
  for (const id of snapshots()) expect(await repository.restores(id)).toBe(false);
}, 180_000);

describe("forged dates", () => {
  test("in 2099, and every midnight of two months, change nothing in what is kept", async () => {
    const { repository, gate } = await known("dates", {
      keep: { within: 0, days: 3, weeks: 0, months: 0, years: 0 },
    });
    const claims = { hostname: "web", tree: trees()[0] as string, paths: [bench.template.source] };
    const midnights = Array.from({ length: 60 }, (_, day) =>
      forgery.snapshot(key(), {
        ...claims,
        time: new Date(Math.floor(Date.now() / DAY) * DAY - day * DAY - 60_000),
      }),
    );
    const forged = [...forgery.future(key(), claims), ...midnights];
    await repository.add(...forged);
    // Counted by the dates that they claim, restic keeps none of the genuine ones.
    const counting = ["forget", "--keep-daily", "7", "--dry-run", "--json", "--group-by", ""];
    const { output } = await repository.direct(bench.keeper, ...counting);
    const [{ remove }] = JSON.parse(output.slice(output.indexOf("["))) as [{ remove: { id: string }[] }];
    expect(remove.map(({ id }) => id)).toEqual(expect.arrayContaining([...snapshots()]));

    await repository.due((order) => 4 - order);
    await round(gate, repository);
    expect(await repository.outcome()).toEqual(ALL_OK);
    const kept = await repository.snapshots();
    const genuine = snapshots().slice(2);
    expect(kept).toEqual(expect.arrayContaining(genuine));
    // Of the forged ones the newest arrival.
    expect(kept).toHaveLength(genuine.length + 1);
    for (const id of genuine) expect(await repository.restores(id)).toBe(true);
    expect(await repository.check()).toBe(0);
    await gate.stop();
  });

  test("remove none that arrived within the days of `within`", async () => {
    const { repository, gate } = await known("within", {
      keep: { within: 14, days: 1, weeks: 0, months: 0, years: 0 },
    });
    await repository.add(...forgery.future(key(), { hostname: "web", tree: trees()[0] as string }));
    await repository.due((order) => 13 - order);
    const before = await repository.shown();
    await round(gate, repository);
    expect(await repository.outcome()).toEqual({
      guard: "ok",
      forget: "not tried",
      prune: "ok",
      check: "ok",
    });
    expect(await repository.shown("snapshots/")).toEqual(before.filter((at) => at.startsWith("snapshots/")));
    for (const id of snapshots()) expect(await repository.restores(id)).toBe(true);
    await gate.stop();
  });
});

test("sixty keys that no password opens delay and stop nothing", async () => {
  const { repository, gate } = await known("sixty-keys");
  const [own = ""] = await repository.shown("keys/");
  const added = forgery.unopenableKeys(60, own.slice("keys/".length));
  await repository.add(...added);
  expect(await repository.direct(bench.keeper, "prune", "--dry-run")).toMatchObject({ status: 1 });
  await round(gate, repository);
  expect(await repository.outcome()).toEqual(ALL_OK);
  await repository.purge(...added);
  expect(await repository.check()).toBe(0);
  await gate.stop();
});

describe("locks", () => {
  test("that an attacker renews stop forget and prune alone, and that is reported", async () => {
    const { repository, gate } = await known("locks");
    const before = await repository.shown();
    const lock = (date: string) => forgery.lock(key(), { time: new Date(date), exclusive: true });
    await repository.add(lock("2099-01-01"), lock(new Date().toISOString()));
    expect(await repository.direct(bench.keeper, "unlock")).toMatchObject({ status: 0 });
    expect(await repository.direct(bench.keeper, "prune")).toMatchObject({ status: 11 });
    await round(gate, repository);
    expect(await repository.outcome()).toEqual({ guard: "ok", forget: "locked", check: "ok" });
    expect(await repository.shown()).toEqual(before);
    await gate.stop();
  });

  test("that restic could not read stop nothing", async () => {
    const { repository, gate } = await known("short-locks");
    const { "shorter than a nonce": short } = forgery.badLocks();
    await repository.add(short as forgery.Forged);
    expect((await repository.direct(bench.keeper, "prune")).status).toBe(2);
    await round(gate, repository);
    expect(await repository.outcome()).toEqual(ALL_OK);
    await repository.purge(short as forgery.Forged);
    expect(await repository.check()).toBe(0);
    await gate.stop();
  });
});

describe("what happens between the guard and restic's lock", () => {
  let proxy: S3Proxy;
  beforeEach(async () => {
    proxy = await S3Proxy.start(bench.bucket.address.endpoint);
  });
  afterEach(async () => {
    await proxy.stop();
  });

  /** Does something right before the lock of the prune is put; that of the forget comes first. */
  function beforePruneLocks({ name }: Repository, act: () => Promise<void>): void {
    let locks = 0;
    proxy.before = async ({ method, key }) => {
      if (method === "PUT" && key.startsWith(`web/${name}/locks/`) && ++locks === 2) await act();
    };
  }

  test("an honest backup that ends there keeps the blobs that it shares with forgotten snapshots", async () => {
    const { repository, gate } = await known("late-backup", undefined, proxy.endpoint);
    const files = bench.template.files[1] ?? {};
    let late = { id: "", added: Infinity };
    beforePruneLocks(repository, async () => {
      expect(await repository.snapshots()).toEqual([snapshot(0), snapshot(4)].sort());
      late = await repository.backup(files);
    });
    await round(gate, repository);
    expect(await repository.outcome()).toEqual(ALL_OK);
    // It put none of its 1.4 MB: all was in the snapshot that had been forgotten.
    expect(late.added).toBeLessThan(100_000);
    expect(await repository.snapshots()).toEqual([snapshot(0), snapshot(4), late.id].sort());
    expect(await repository.restores(late.id, files)).toBe(true);
    expect(await repository.check()).toBe(0);
    await gate.stop();
  });

  test("an attack that arrives there is found before restic lists anything", async () => {
    const { repository, gate } = await known("late-attack", undefined, proxy.endpoint);
    const before = await repository.shown("data/");
    const forged = Object.values(
      forgery.falseClaims(
        key(),
        blobs().filter(({ type }) => type === "data"),
      ),
    );
    beforePruneLocks(repository, () => repository.add(...forged));
    await round(gate, repository);
    expect(await repository.outcome()).toMatchObject({
      forget: "ok",
      prune: expect.stringMatching("given up under the lock"),
    });
    expect((await repository.state()).findings.map(({ objects }) => objects)).toEqual([
      [`index/${forged[1]?.id ?? ""}`],
    ]);
    await repository.purge(...forged);
    expect(await repository.shown("data/")).toEqual(before);
    for (const id of [snapshot(0), snapshot(4)]) expect(await repository.restores(id)).toBe(true);
    await gate.stop();
  });

  test("a second keeper that prunes there harms nothing", async () => {
    const { repository, gate } = await known("two-keepers", undefined, proxy.endpoint);
    const second = await bench.gate([repository]);
    let other: unknown;
    beforePruneLocks(repository, async () => {
      await repository.due();
      await round(second, repository);
      other = await repository.outcome();
    });
    await round(gate, repository);
    expect(other).toMatchObject({ guard: "ok", prune: "ok", check: "ok" });
    expect(await repository.outcome()).toMatchObject({ guard: "ok", prune: "ok", check: "ok" });
    await whole(repository);
    await Promise.all([gate.stop(), second.stop()]);
  });
});

describe("in the midst of a prune", () => {
  let proxy: S3Proxy;
  beforeEach(async () => {
    proxy = await S3Proxy.start(bench.bucket.address.endpoint);
  });
  afterEach(async () => {
    await proxy.stop();
  });

  /** Does something right before the first pack is hidden. */
  function beforeFirstPack({ name }: Repository, act: () => Promise<void> | void): void {
    let packs = 0;
    proxy.before = async ({ method, key }) => {
      if (method === "DELETE" && key.startsWith(`web/${name}/data/`) && packs++ === 0) await act();
    };
  }

  test("a second keeper finds the repository locked", async () => {
    const { repository, gate } = await known("second", undefined, proxy.endpoint);
    const second = await bench.gate([repository]);
    let other: unknown;
    beforeFirstPack(repository, async () => {
      await repository.due();
      await round(second, repository);
      other = await repository.outcome();
    });
    await round(gate, repository);
    expect(other).toMatchObject({ guard: "ok", prune: "locked", check: "ok" });
    expect(await repository.outcome()).toEqual(ALL_OK);
    await whole(repository);
    await Promise.all([gate.stop(), second.stop()]);
  });

  test("a killed worker leaves a whole repository, and the next run finishes its work", async () => {
    const { repository, gate } = await known("killed-worker", undefined, proxy.endpoint);
    const worker = gate.worker(repository);
    beforeFirstPack(repository, () => {
      worker.kill();
    });
    expect((await worker.end()).status).toBeNull();
    await whole(repository);
    // The gate ends the run that was cut off: its actions count as failed, and are due an hour later.
    expect((await round(gate, repository)).status).toBe(0);
    expect(await repository.outcome()).toMatchObject({ prune: "the run was ended" });
    await repository.due();
    await round(gate, repository);
    expect(await repository.outcome()).toMatchObject({ guard: "ok", prune: "ok", check: "ok" });
    await whole(repository);
    await gate.stop();
  });

  test("a killed gate leaves a whole repository, and the next runs finish its work", async () => {
    const { repository, gate } = await known("killed-gate", undefined, proxy.endpoint);
    const worker = gate.worker(repository);
    beforeFirstPack(repository, () => gate.kill());
    await gate.ended();
    await gate.start();
    expect((await worker.end()).status).toBe(1);
    await whole(repository);
    // Until its lock is half an hour old it could be another keeper's.
    await repository.due();
    await round(gate, repository);
    expect(await repository.outcome()).toMatchObject({ guard: "ok", prune: "locked", check: "ok" });
    await repository.deleteLocks();
    await repository.due();
    await round(gate, repository);
    expect(await repository.outcome()).toMatchObject({ guard: "ok", prune: "ok", check: "ok" });
    await whole(repository);
    await gate.stop();
  });

  test("S3 may be away for a while; without it no run begins", async () => {
    const { repository, gate } = await known("away", undefined, proxy.endpoint);
    const before = await repository.shown();
    proxy.away = true;
    expect((await round(gate, repository)).status).toBe(1);
    expect(await repository.shown()).toEqual(before);
    proxy.away = false;
    beforeFirstPack(repository, () => {
      proxy.away = true;
      setTimeout(() => (proxy.away = false), 3000);
    });
    await round(gate, repository);
    expect(await repository.outcome()).toEqual(ALL_OK);
    await whole(repository);
    await gate.stop();
  });

  test("a backup whose lock an attacker deletes loses its packs; older ones do not, and all can be brought back", async () => {
    const { repository, gate } = await known("deleted-lock");
    const before = new Set(await repository.shown("data/"));
    const content = randomBytes(12 << 20);
    const backup = repository.startBackup();
    const ended = once(backup, "exit");
    backup.stdin.write(content);
    while ((await repository.shown("data/")).every((at) => before.has(at)))
      await new Promise((wake) => setTimeout(wake, 50));
    await repository.deleteLocks();
    await round(gate, repository);
    expect(await repository.outcome()).toEqual(ALL_OK);
    backup.stdin.end();
    expect(await ended).toEqual([0, null]);
    for (const id of [snapshot(0), snapshot(4)]) expect(await repository.restores(id)).toBe(true);

    await repository.due();
    await round(gate, repository);
    expect((await repository.state()).findings.map(({ kind }) => kind)).toEqual(["claims-missing-pack"]);
    await repository.bringBack();
    expect(await repository.check()).toBe(0);
    await gate.stop();
  });
});

describe("nothing is forgotten and pruned", () => {
  const far = (new Date().getUTCHours() + 12) % 24;
  test.each([
    ["frozen", { frozen: true }, 0],
    ["silent", { schedule: `*-*-* ${String(far)}:00:00` }, 16],
  ])("while the client is %s", async (kind, kept, last) => {
    const { repository, gate } = await known(kind, kept);
    const before = await repository.shown();
    await repository.due((order) => last + 4 - order);
    await round(gate, repository);
    expect(await repository.outcome()).toEqual({ guard: "ok", forget: "not tried", check: "ok" });
    expect((await repository.planned()).pauses.map((pause) => pause.kind)).toContain(kind);
    expect(await repository.shown()).toEqual(before);
    await gate.stop();
  });
});
