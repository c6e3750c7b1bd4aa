/** Rounds of the watcher over a bucket in memory: what they leave, what they send, and what they do when something fails. */
import { beforeEach, expect, test } from "@jest/globals";
import type { Message } from "../../keeper/alarms/message";
import { outboxSchema } from "../../keeper/alarms/outbox";
import { ALARMS_TEST } from "../../keeper/gate/names";
import type { AlarmsConfig } from "../../keeper/settings";
import { OUTBOX_KEY, STATUS_KEY } from "../../keeper/status/keys";
import { type Status, statusSchema } from "../../keeper/status/schema";
import { type WatchRound, watchRound } from "../../keeper/watch/round";
import { DAY, HOUR } from "../../keeper/time";
import { idOf, KEPT, NOW, settingsOf } from "../harness/observed";
import { HttpReceiver } from "../harness/receivers";
import { WatchedMemory } from "../harness/watched-store";

const ALARMS: AlarmsConfig = {
  graceHours: 6,
  digestHour: 0,
  webhooks: [{ name: "ops", url: "https://hooks.example.org/secret", form: "json" }],
};

let store: WatchedMemory;
let now: number;
let works: boolean;
let messages: Message[];
let lines: string[];
let published: Map<string, string>;

beforeEach(() => {
  store = new WatchedMemory();
  store.identity = "W";
  now = NOW;
  works = true;
  messages = [];
  lines = [];
  published = new Map();
  const at = NOW - 9 * HOUR;
  store.add("web/main/config", Buffer.from("x"), at);
  store.add(`web/main/snapshots/${idOf(1)}`, Buffer.from("x"), at);
});

/** One round, in which the keeper puts. */
async function round(change: Partial<WatchRound> = {}): Promise<boolean> {
  store.identity = "K";
  try {
    return await watchRound({
      store,
      identity: () => Promise.resolve("K"),
      settings: settingsOf([KEPT]),
      alarms: ALARMS,
      ways: [
        {
          name: "webhook ops",
          limitMs: 1000,
          send: (message) => {
            if (!works) return Promise.reject(new Error("it is down"));
            messages.push(message);
            return Promise.resolve(undefined);
          },
        },
      ],
      publish: (name, content) => Promise.resolve(void published.set(name, content)),
      published: (name) => Promise.resolve(published.get(name)),
      now: () => now,
      log: (line) => lines.push(line),
      ...change,
    });
  } finally {
    store.identity = "W";
  }
}

const json = (key: string): unknown => JSON.parse(store.shown(key)?.toString() ?? "null");
const status = (): Status => statusSchema.parse(json(STATUS_KEY));
const kinds = (message: Message | undefined) =>
  message?.transitions.map(({ what, alarm }) => `${what} ${alarm.kind}`);

test("a round leaves status, page, metrics and outbox, in the bucket and on the host", async () => {
  expect(await round()).toBe(true);
  const left = [".status/metrics.prom", ".status/outbox.json", ".status/status.html", ".status/status.json"];
  expect(store.shownKeys(".status/")).toEqual(left);
  expect([...published.keys()].sort()).toEqual(left.map((key) => key.slice(".status/".length)));
  for (const [name, content] of published) expect(store.shown(`.status/${name}`)?.toString()).toBe(content);
  expect(status().ways).toEqual([{ name: "webhook ops", sent: NOW, pending: 0 }]);
  expect(published.get("status.html")).toContain("<td");
  expect(published.get("metrics.prom")).toContain("# TYPE");
  expect(messages.map(({ subject }) => subject)).toEqual(["[b] the repository is well"]);
  expect(lines).toEqual(["2 listings, 0 alarms"]);
});

test("an alarm is sent once when it is raised and once when it is over, over the rounds", async () => {
  await round();
  now += DAY + HOUR;
  await round();
  now += 1;
  await round();
  store.add(`web/main/snapshots/${idOf(2)}`, Buffer.from("x"), now);
  now += 1;
  await round();
  expect(messages.map(kinds)).toEqual([[], ["raised overdue"], ["cleared overdue"]]);
  expect(status().alarms).toEqual([]);
});

test("a way that fails is red in the status, fails no round, and gets all later", async () => {
  works = false;
  now += DAY + HOUR;
  expect(await round()).toBe(true);
  const red = { name: "webhook ops", failingSince: now, error: "it is down", pending: 1 };
  expect(status().ways).toEqual([red]);
  expect(lines).toContain("webhook ops: it is down");
  works = true;
  now += 1;
  expect(await round()).toBe(true);
  expect(messages.map(kinds)).toEqual([["raised overdue"]]);
});

test("the owner's question for a test is answered once", async () => {
  store.add(ALARMS_TEST, Buffer.from(""), NOW - 1);
  await round();
  expect(status().ways[0]?.test).toEqual({ at: NOW - 1, ok: true, detail: "sent" });
  await round();
  expect(messages.map((message) => message.test)).toEqual([true]);
});

test("the outbox is kept right after sending, before anything else is put", async () => {
  await round();
  const puts = store.calls.filter((call) => call.startsWith("put "));
  expect(puts[0]).toBe(`put ${OUTBOX_KEY}`);
});

test("what cannot be put or written fails the round, and stops nothing else", async () => {
  store.before = (call) => {
    if (call === `put ${OUTBOX_KEY}`) throw new Error(`cannot put ${OUTBOX_KEY}: denied`);
  };
  expect(await round()).toBe(false);
  expect(lines).toContain(`cannot put ${OUTBOX_KEY}: denied`);
  expect(status().at).toBe(NOW);
  store.before = () => undefined;
  const publish = () => Promise.reject(new Error("disk is full"));
  expect(await round({ publish })).toBe(false);
  expect(lines).toContain("cannot write status.json: disk is full");
});

test("of a bucket that takes nothing more an alarm is sent once all the same", async () => {
  await round();
  store.before = (call) => {
    if (call.startsWith("put ")) throw new Error("QuotaExceeded");
  };
  for (const hours of [25, 26, 27]) {
    now = NOW + hours * HOUR;
    expect(await round()).toBe(false);
  }
  store.before = () => undefined;
  now += 1;
  expect(await round()).toBe(true);
  expect(messages.map(kinds)).toEqual([[], ["raised overdue"]]);
});

test("a repository that cannot be listed fails the round, which is judged all the same", async () => {
  store.before = (call) => {
    if (call === "versions web/main/") throw new Error("reset");
  };
  expect(await round()).toBe(false);
  expect(lines.find((line) => line.startsWith("web/main: "))).toContain("reset");
  expect(status().repositories.find(({ client }) => client === "web")?.error).toContain("reset");
});

test.each([STATUS_KEY, OUTBOX_KEY])("%s that is not understood counts as absent", async (key) => {
  const publish = () => Promise.resolve();
  for (const content of ["{", "[]", '{"version":2}', "x".repeat(65 << 20)]) {
    store.add(key, Buffer.from(content));
    lines = [];
    expect(await round({ publish })).toBe(true);
    expect(lines[0]).toBe(`${key} of before is not understood, and counts as absent`);
    expect(outboxSchema.parse(json(OUTBOX_KEY)).version).toBe(1);
    expect(status().version).toBe(1);
  }
});

test.each([STATUS_KEY, OUTBOX_KEY])(
  "without an answer to what %s is nothing is sent, and nothing forgotten",
  async (key) => {
    await round();
    const before = store.shown(key);
    store.before = (call) => {
      if (call === `get ${key}`) throw new Error("503");
    };
    now += DAY + HOUR;
    await expect(round()).rejects.toThrow("503");
    expect(messages).toHaveLength(1);
    expect(store.shown(key)).toBe(before);
  },
);

test("a ping follows a whole round alone, and its outcome is kept", async () => {
  const receiver = await HttpReceiver.start();
  try {
    const alarms = { ...ALARMS, ping: `${receiver.url}/ping` };
    expect(await round({ alarms })).toBe(true);
    expect(receiver.requests.map(({ url }) => url)).toEqual(["/ping"]);
    expect(outboxSchema.parse(json(OUTBOX_KEY)).ways["ping"]).toEqual({ pending: [], sent: NOW });
    await round({ alarms, publish: () => Promise.reject(new Error("disk is full")) });
    expect(receiver.requests).toHaveLength(1);
    receiver.answer = 500;
    expect(await round({ alarms })).toBe(true);
    expect(await round({ alarms })).toBe(true);
    expect(status().ways.find(({ name }) => name === "ping")).toMatchObject({ failingSince: NOW });
  } finally {
    await receiver.stop();
  }
});
