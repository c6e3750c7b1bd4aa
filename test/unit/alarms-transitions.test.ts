/** What each way has to send, round by round. */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { outboxSchema, type Outbox } from "../../keeper/alarms/outbox";
import { advance, failed, messengers, sent, wayStatus } from "../../keeper/alarms/transitions";
import { secretsOf, waysOf } from "../../keeper/alarms/ways";
import type { AlarmsConfig } from "../../keeper/settings";
import type { Alarm } from "../../keeper/status/schema";
import { sampleAlarm } from "../harness/sample-status";

const HOUR = 3_600_000;
const NOON = Date.UTC(2027, 2, 14, 12);

const CONFIG: AlarmsConfig = {
  graceHours: 6,
  digestHour: 6,
  mail: {
    server: "mail.example.org",
    port: 587,
    security: "starttls",
    user: "keeper",
    password: "hunter2",
    from: "keeper@example.org",
    to: ["ops@example.org"],
  },
  webhooks: [
    { name: "ops", url: "https://user:p%40ss@chat.example.org/hooks/T0/B0?key=abc", form: "slack" },
    { name: "data", url: "https://data.example.org/", form: "json" },
  ],
  command: { path: "/usr/local/bin/page", args: [] },
  ping: "https://ping.example.org/1234",
};
const MAIL: AlarmsConfig = { ...CONFIG, webhooks: [], command: undefined, ping: undefined };

const OVERDUE = sampleAlarm("overdue", { client: "db1", repository: "main" }, { severity: "critical" });
const LOCK = sampleAlarm("lock", { client: "web1", repository: "main" });
const QUOTA = sampleAlarm("quota", undefined);
const CANARY = sampleAlarm("lock", { client: ".canary", repository: "verify", canary: true });

/** One round in which each way succeeds, or fails. */
function round(
  now: number,
  alarms: readonly Alarm[],
  before: Outbox | undefined,
  {
    config = MAIL,
    works = true,
    testAsked,
  }: { config?: AlarmsConfig; works?: boolean; testAsked?: number } = {},
) {
  const { outbox, due } = advance(now, config, { alarms: [...alarms] }, testAsked, before);
  const sending = Object.fromEntries(
    [...due].map(([name, extras]) => [
      name,
      { ...extras, sending: outbox.ways[name]?.pending.map(({ what, alarm }) => `${what} ${alarm.id}`) },
    ]),
  );
  const ways = Object.entries(outbox.ways).map(([name, way]) => {
    const extras = due.get(name);
    if (extras === undefined) return [name, way];
    return [name, works ? sent(now, extras, way) : failed(now, extras, "it is down", way)];
  });
  // As it is read from the bucket by the next round.
  const after = outboxSchema.parse(
    JSON.parse(JSON.stringify({ ...outbox, ways: Object.fromEntries(ways) as Outbox["ways"] })),
  );
  return { sending, after };
}

/** A round of which only the transitions by mail count. */
const NIGHT = Date.UTC(2027, 2, 14, 0, 10);
const sending = (result: ReturnType<typeof round>): string[] | undefined => result.sending["mail"]?.sending;

test("an alarm is raised once and cleared once", () => {
  const first = round(NIGHT, [OVERDUE], undefined);
  expect(sending(first)).toEqual([`raised ${OVERDUE.id}`]);
  const second = round(NIGHT + 1, [{ ...OVERDUE, text: "still" }], first.after);
  expect(second.sending).toEqual({});
  expect(second.after.raised[OVERDUE.id]?.text).toBe("still");
  const third = round(NIGHT + 2, [], second.after);
  expect(sending(third)).toEqual([`cleared ${OVERDUE.id}`]);
  expect(round(NIGHT + 3, [], third.after).sending).toEqual({});
});

test("a transition is kept until it is sent, also of an alarm that came and went", () => {
  const first = round(NIGHT, [OVERDUE], undefined, { works: false });
  const second = round(NIGHT + 1, [LOCK], first.after, { works: false });
  expect(wayStatus(second.after)).toEqual([
    { name: "mail", failingSince: NIGHT, error: "it is down", pending: 3 },
  ]);
  const third = round(NIGHT + 2, [LOCK], second.after);
  expect(sending(third)).toEqual([`raised ${OVERDUE.id}`, `cleared ${OVERDUE.id}`, `raised ${LOCK.id}`]);
  expect(wayStatus(third.after)).toEqual([{ name: "mail", sent: NIGHT + 2, pending: 0 }]);
  expect(round(NIGHT + 3, [LOCK], third.after).sending).toEqual({});
});

test("each way gets each transition once, in the order of time, however often it is down", () => {
  const alarms = [OVERDUE, LOCK, QUOTA];
  const rounds = fc.array(fc.record({ up: fc.boolean(), raised: fc.subarray(alarms) }), { maxLength: 40 });
  fc.assert(
    fc.property(rounds, (all) => {
      let outbox: Outbox | undefined;
      const heard: string[] = [];
      const happened: string[] = [];
      let last = new Set<string>();
      [...all, { up: true, raised: [] }].forEach(({ up, raised }, n) => {
        const ids = new Set(raised.map(({ id }) => id));
        happened.push(
          ...[...last]
            .filter((id) => !ids.has(id))
            .map((id) => `cleared ${id}`)
            .sort(),
        );
        happened.push(
          ...[...ids]
            .filter((id) => !last.has(id))
            .map((id) => `raised ${id}`)
            .sort(),
        );
        last = ids;
        const result = round(NIGHT + n, raised, outbox, { works: up });
        if (up) heard.push(...(sending(result) ?? []));
        outbox = result.after;
      });
      // Within one round the order is by severity.
      expect([...heard].sort()).toEqual([...happened].sort());
      for (const { id } of alarms) {
        const own = (list: string[]) => list.filter((line) => line.endsWith(` ${id}`));
        expect(own(heard)).toEqual(own(happened));
      }
    }),
  );
});

test("the canary's alarms are not sent", () => {
  const first = round(NIGHT, [CANARY], undefined);
  expect(first.sending).toEqual({});
  expect(first.after.raised).toEqual({});
});

test("a new way learns what is raised now, and a removed one is dropped", () => {
  const first = round(NIGHT, [OVERDUE, QUOTA], undefined);
  const config = { ...MAIL, mail: undefined, webhooks: CONFIG.webhooks.slice(0, 1) };
  const second = round(NIGHT + 1, [OVERDUE, LOCK], first.after, { config });
  // The most severe last: too many would be left out from the front.
  const raised = [`raised ${LOCK.id}`, `raised ${OVERDUE.id}`];
  expect(second.sending).toEqual({ "webhook ops": { digest: false, sending: raised } });
  expect(Object.keys(second.after.ways)).toEqual(["webhook ops"]);
});

test("a thousand transitions are kept, and the oldest are counted", () => {
  const some = (name: string) =>
    Array.from({ length: 700 }, (_, n) => sampleAlarm("lock", { client: `${name}${n}`, repository: "main" }));
  const first = round(NIGHT, [...some("a"), OVERDUE], undefined, { works: false });
  const second = round(NIGHT + 1, [...some("b"), OVERDUE], first.after, { works: false });
  const way = second.after.ways["mail"];
  expect(way?.pending).toHaveLength(1000);
  expect(way?.leftOut).toBe(1101);
  expect(way?.pending.at(-1)?.alarm.client).toBe("b699");
  expect(wayStatus(second.after)[0]?.pending).toBe(2101);
  const third = round(NIGHT + 2, [...some("b"), OVERDUE], second.after);
  expect(third.after.ways["mail"]).toEqual({ pending: [], sent: NIGHT + 2 });
});

describe("the daily summary", () => {
  const due = (result: ReturnType<typeof round>) => result.sending["mail"]?.digest ?? false;

  test("is sent once a day, from its hour on, also when nothing is amiss", () => {
    const first = round(NIGHT + 6 * HOUR - 11 * 60_000, [], undefined);
    expect(due(first)).toBe(false);
    const second = round(NIGHT + 6 * HOUR, [], first.after);
    expect(due(second)).toBe(true);
    expect(due(round(NIGHT + 20 * HOUR, [], second.after))).toBe(false);
    expect(due(round(NIGHT + 25 * HOUR, [], second.after))).toBe(false);
    expect(due(round(NIGHT + 30 * HOUR, [], second.after))).toBe(true);
  });

  test("that could not be sent is sent by a later round", () => {
    const first = round(NOON, [], undefined, { works: false });
    expect(due(first)).toBe(true);
    expect(first.after.ways["mail"]).toEqual({ pending: [], failingSince: NOON, error: "it is down" });
    const second = round(NOON + 1, [], first.after);
    expect(due(second)).toBe(true);
    expect(due(round(NOON + 2, [], second.after))).toBe(false);
  });

  test("is sent again after a clock that was ahead", () => {
    const ahead = round(NOON + 24 * 365 * HOUR, [], undefined);
    expect(due(round(NOON, [], ahead.after))).toBe(true);
  });
});

describe("a test that the owner asks for", () => {
  const asked = (result: ReturnType<typeof round>) => result.sending["mail"]?.test;

  test("is made once by each way, whatever its outcome", () => {
    const first = round(NIGHT, [], undefined, { config: CONFIG, works: false, testAsked: NIGHT - 5 });
    expect(Object.keys(first.sending)).toEqual(messengers(CONFIG));
    expect(asked(first)).toBe(NIGHT - 5);
    const test = { at: NIGHT - 5, ok: false, detail: "it is down" };
    expect(wayStatus(first.after)[0]).toEqual({
      name: "mail",
      failingSince: NIGHT,
      error: "it is down",
      pending: 0,
      test,
    });
    expect(round(NIGHT + 1, [], first.after, { config: CONFIG, testAsked: NIGHT - 5 }).sending).toEqual({});
    const second = round(NIGHT + 2, [], first.after, { testAsked: NIGHT - 4 });
    expect(asked(second)).toBe(NIGHT - 4);
    expect(second.after.ways["mail"]?.test).toEqual({ at: NIGHT - 4, ok: true, detail: "sent" });
  });

  test("is made once although the owner's clock is ahead", () => {
    const first = round(NIGHT, [], undefined, { testAsked: NIGHT + HOUR });
    expect(asked(first)).toBe(NIGHT + HOUR);
    expect(asked(round(NIGHT + 1, [], first.after, { testAsked: NIGHT + HOUR }))).toBeUndefined();
  });

  test("of days ago is not made by a way that is new", () => {
    expect(asked(round(NIGHT, [], undefined, { testAsked: NIGHT - 25 * HOUR }))).toBeUndefined();
  });
});

test("a warning stays in the status until all is sent", () => {
  const { outbox, due } = advance(NIGHT, MAIL, { alarms: [OVERDUE] }, undefined, undefined);
  const extras = due.get("mail");
  const way = outbox.ways["mail"];
  if (extras === undefined || way === undefined) throw new Error("nothing is due");
  const warned = sent(NIGHT, extras, way, "the server refused one");
  expect(warned).toEqual({ pending: [], sent: NIGHT, failingSince: NIGHT, error: "the server refused one" });
  expect(sent(NIGHT + 1, extras, warned)).toEqual({ pending: [], sent: NIGHT + 1 });
});

test("the ways have the names that the outbox knows them by", () => {
  expect(messengers(CONFIG)).toEqual(["mail", "webhook ops", "webhook data", "command"]);
  expect(
    waysOf(CONFIG)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(messengers(CONFIG).sort());
  const { outbox } = advance(NIGHT, CONFIG, { alarms: [] }, undefined, undefined);
  expect(Object.keys(outbox.ways)).toEqual([...messengers(CONFIG), "ping"]);
});

test("a password and what a URL holds beyond its host are secrets", () => {
  const secrets = secretsOf(CONFIG);
  for (const secret of [
    "hunter2",
    Buffer.from("hunter2").toString("base64"),
    Buffer.from("\0keeper\0hunter2").toString("base64"),
    "p@ss",
    "p%40ss",
    "/hooks/T0/B0?key=abc",
    "/1234",
    CONFIG.ping,
  ]) {
    expect(secrets).toContain(secret);
  }
  expect(secrets).not.toContain("/");
});
