/** verify's probes of the keeper's watcher, and what it leaves for the status. */
import { describe, expect, test } from "@jest/globals";
import type { Message } from "../../keeper/alarms/message";
import { readVerifyRecord } from "../../keeper/documents";
import { STATUS_KEY } from "../../keeper/status/keys";
import type { Alarm, Status } from "../../keeper/status/schema";
import { watchRound } from "../../keeper/watch/round";
import { readStatus } from "../../operations/keeper-status";
import type { Finding, Verdict } from "../../operations/verify/probe";
import { inTurn } from "../../operations/verify/probe";
import { leaveRecord } from "../../operations/verify/record";
import { watchProbes } from "../../operations/verify/watch";
import { settingsOf } from "../harness/observed";
import { MemoryStore } from "../harness/memory-store";
import { SAMPLE_AT, sampleAlarm, wellStatus } from "../harness/sample-status";
import { WatchedMemory } from "../harness/watched-store";

const MAIL = {
  server: "mail.example.org",
  port: 587,
  security: "starttls" as const,
  from: "backups@example.org",
  to: ["ops@example.org"],
};

const CANARY = { client: ".canary", repository: "verify", canary: true };
const KEYS = { snapshot: ".canary/verify/snapshots/verify-watch", lock: ".canary/verify/locks/verify-watch" };

/** What a watcher makes of what is in the bucket. */
type Watcher = (store: MemoryStore, round: number) => Partial<Status> | undefined;

/** A watcher that sees both. */
const alarmsOf = (store: MemoryStore): Alarm[] => [
  ...(store.shown(KEYS.snapshot) === undefined ? [] : [sampleAlarm("unknown-object", CANARY)]),
  ...(store.shown(KEYS.lock) === undefined ? [] : [sampleAlarm("lock", CANARY)]),
];

async function probed(watcher: Watcher, first?: Partial<Status>, now = SAMPLE_AT) {
  const store = new MemoryStore();
  const leave = (status: Partial<Status>) =>
    store.add(STATUS_KEY, Buffer.from(JSON.stringify(wellStatus(status))));
  if (first !== undefined) leave(first);
  let rounds = 0;
  const findings = await inTurn(
    watchProbes({
      store,
      keeper: "keepersrv",
      start: () => {
        rounds += 1;
        const status = watcher(store, rounds);
        if (status !== undefined) leave(status);
        return Promise.resolve();
      },
      forge: (key) => Promise.resolve(store.add(key, Buffer.from("first"))),
      remove: (keys) => Promise.resolve(keys.map((key) => store.keys.delete(key))),
      now: () => now,
    }),
  );
  const of = (id: string) => findings.find((finding) => finding.id === id) as Finding;
  const left = Object.values(KEYS).filter((key) => store.keys.has(key));
  return { watch: of("keeper.watch"), alarm: of("keeper.watch-alarm"), rounds, left };
}

const SOUND: Watcher = (store) => ({ alarms: alarmsOf(store) });

test("a watcher that sees what is forged passes, and nothing of it is left", async () => {
  const { watch, alarm, rounds, left } = await probed(SOUND, {});
  expect(watch).toMatchObject({ ring: 1, verdict: "pass" });
  expect(alarm).toMatchObject({ verdict: "pass", happened: "the status has them: unknown-object, lock" });
  expect([rounds, left]).toEqual([1, []]);
});

test("the keeper's own watcher passes: the first round is clean, the next has the alarms and sends none of them", async () => {
  const store = new WatchedMemory();
  const at = SAMPLE_AT;
  store.identity = "W";
  const messages: Message[] = [];
  const watched: Status[] = [];
  const ways = [
    {
      name: "mail",
      limitMs: 1000,
      send: (message: Message) => {
        messages.push(message);
        return Promise.resolve(undefined);
      },
    },
  ];
  const alarms = { graceHours: 6, digestHour: 23, webhooks: [], mail: MAIL };
  const start = async () => {
    store.identity = "K";
    const identity = () => Promise.resolve("K");
    const nothing = () => Promise.resolve(undefined);
    const files = { publish: nothing, published: nothing };
    const settings = settingsOf([]);
    await watchRound({
      store,
      identity,
      settings,
      alarms,
      ways,
      ...files,
      now: () => at,
      log: () => undefined,
    });
    store.identity = "W";
    watched.push(await readStatus(store, "keepersrv"));
  };
  const findings = await inTurn(
    watchProbes({
      store,
      keeper: "keepersrv",
      start,
      forge: (key) => Promise.resolve(store.add(key, Buffer.from("first"), at)),
      remove: (keys) => Promise.resolve(keys.map((key) => store.keys.delete(key))),
      now: () => at,
    }),
  );
  expect(findings.map(({ verdict }) => verdict)).toEqual(["pass", "pass"]);
  expect(watched.map((status) => status.alarms.map(({ kind }) => kind).sort())).toEqual([
    [],
    ["lock", "unknown-object"],
  ]);
  expect(messages).toEqual([]);
});

test("a keeper whose watcher has done no round yet does one", async () => {
  expect(await probed(SOUND)).toMatchObject({ watch: { verdict: "pass" }, rounds: 2 });
  expect((await probed(() => undefined)).watch).toMatchObject({
    verdict: "unknown",
    happened: expect.stringContaining("has left no status yet"),
  });
});

test("a round that had begun before is not taken for one that looked", async () => {
  const { alarm, rounds } = await probed(
    (store, round) => (round === 1 ? {} : { alarms: alarmsOf(store) }),
    {},
  );
  expect([alarm.verdict, rounds]).toEqual(["pass", 2]);
});

describe("it fails", () => {
  test("where the last round is too old", async () => {
    const { watch } = await probed(SOUND, {}, SAMPLE_AT + 46 * 60_000);
    expect(watch).toMatchObject({
      verdict: "FAIL",
      happened: "the last round was 2027-03-14T06:02Z: it is late, or dead",
      remedy: "npm run ssh -- keepersrv, and there: journalctl -u keeper-watch",
    });
  });

  test("where something could not be listed", async () => {
    const text = "it could not be listed: no\u001b[2J";
    const alarms = [sampleAlarm("unreadable", { client: "web1", repository: "main" }, { text })];
    const { watch } = await probed(SOUND, { alarms });
    expect(watch).toMatchObject({ verdict: "FAIL", happened: expect.stringContaining("no\\u{1b}[2J") });
  });

  test.each<[string, (alarm: Alarm) => boolean, string]>([
    ["the lock alone", ({ kind }) => kind === "lock", "unknown-object"],
    ["the name alone", ({ kind }) => kind === "unknown-object", "lock"],
    ["nothing", () => false, "unknown-object, lock"],
  ])("where the watcher sees %s", async (_, sees, missing) => {
    const { alarm, rounds, left } = await probed((store) => ({ alarms: alarmsOf(store).filter(sees) }), {});
    expect(alarm).toMatchObject({ verdict: "FAIL", happened: `the status has no alarm: ${missing}` });
    expect([rounds, left]).toEqual([2, []]);
  });

  test("where the alarms are of a client, not of the canary", async () => {
    const client = { client: "web1", repository: "main" };
    const alarms = (["unknown-object", "lock"] as const).map((kind) => sampleAlarm(kind, client));
    expect((await probed(() => ({ alarms }), {})).alarm.verdict).toBe("FAIL");
  });
});

test("what is forged is removed, too, where the watcher cannot be started", async () => {
  const { alarm, left } = await probed(() => {
    throw new Error("ssh: no route to host");
  }, {});
  expect(alarm).toMatchObject({ verdict: "unknown", happened: expect.stringContaining("no route to host") });
  expect(left).toEqual([]);
});

test("what a verify leaves is what the watcher reads", async () => {
  const store = new MemoryStore();
  const verdicts: Verdict[] = ["pass", "pass", "FAIL", "unknown", "unknown", "unknown", "open"];
  const findings = verdicts.map((verdict) => ({ verdict }));
  const record = { at: SAMPLE_AT, passed: 2, failed: 1, unknown: 3 };
  await leaveRecord(store, findings, SAMPLE_AT);
  expect(await readVerifyRecord(store)).toEqual(record);
  await leaveRecord(store, findings, SAMPLE_AT, 1000);
  expect(await readVerifyRecord(store)).toEqual({ ...record, quota: 1000 });
});
