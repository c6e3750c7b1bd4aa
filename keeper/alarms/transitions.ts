/** What each way has to send: decided from what a round saw and what was sent before. */
import type { AlarmsConfig } from "../settings";
import type { Alarm, Status, WayStatus } from "../status/schema";
import { DAY } from "../time";
import { dayOf } from "../words";
import type { Outbox, Transition, WayOutbox } from "./outbox";

/** The way that no alarm is sent by: a request after each whole round. */
export const PING = "ping";

/** Most transitions that are kept for a way. */
const MOST_PENDING = 1000;

/** Milliseconds after which a test that the owner asked for is not made any more. */
const TEST_MS = DAY;

/** What a way sends besides its transitions. */
export interface Extras {
  readonly digest: boolean;
  /** When the owner asked for the test; absent: for none. */
  readonly test?: number;
}

/** The outbox of a round, before anything is sent. */
export interface Advanced {
  readonly outbox: Outbox;
  /** By the names of the ways; those that have nothing to send are absent. */
  readonly due: ReadonlyMap<string, Extras>;
}

/** Whether no alarm is sent: a ping says nothing of what is amiss. */
export const sendsNone = (ways: readonly Pick<WayStatus, "name">[]): boolean =>
  ways.every(({ name }) => name === PING);

/** The names of the ways that alarms are sent by. */
export const messengers = (config: AlarmsConfig): string[] => [
  ...(config.mail === undefined ? [] : ["mail"]),
  ...config.webhooks.map(({ name }) => `webhook ${name}`),
  ...(config.command === undefined ? [] : ["command"]),
];

/** The names of all ways, the ping among them. */
export const wayNames = (config: AlarmsConfig): string[] => [
  ...messengers(config),
  ...(config.ping === undefined ? [] : [PING]),
];

/** The alarms that are sent, by ID: not the canary's. */
const sentAlarms = (alarms: readonly Alarm[]): Map<string, Alarm> =>
  new Map(alarms.filter(({ canary }) => !canary).map((alarm) => [alarm.id, alarm]));

/**
 * Adds what changed since the last round to what each way has to send. An alarm that comes and goes before it was sent is
 * sent as both. A way that is new learns what is raised now; one that was removed is dropped.
 *
 * @param testAsked when the owner last asked for a test
 * @param before the outbox that the last round left; absent: there was none, and each way is new
 */
export function advance(
  now: number,
  config: AlarmsConfig,
  status: Pick<Status, "alarms">,
  testAsked: number | undefined,
  before: Outbox | undefined,
): Advanced {
  const raised = sentAlarms(status.alarms);
  const known = new Map(Object.entries(before?.raised ?? {}));
  const changed: Transition[] = [
    ...[...known].filter(([id]) => !raised.has(id)).map(([, alarm]) => at(now, "cleared", alarm)),
    ...bySeverity([...raised].filter(([id]) => !known.has(id)).map(([, alarm]) => alarm)).map((alarm) =>
      at(now, "raised", alarm),
    ),
  ];
  const all = bySeverity([...raised.values()]).map((alarm) => at(now, "raised", alarm));
  const ways = wayNames(config).map((name): [string, WayOutbox] => {
    const way = before?.ways[name];
    if (name === PING) return [name, way ?? { pending: [] }];
    return [name, way === undefined ? withPending(all, { pending: [] }) : withPending(changed, way)];
  });
  const due = ways.flatMap(([name, way]): [string, Extras][] => {
    if (name === PING) return [];
    const digest = new Date(now).getUTCHours() >= config.digestHour && way.digest !== dayOf(now);
    const test = testOf(now, testAsked, way);
    if (way.pending.length === 0 && !digest && test === undefined) return [];
    return [[name, { digest, ...(test === undefined ? {} : { test }) }]];
  });
  return {
    outbox: { version: 1, at: now, raised: Object.fromEntries(raised), ways: Object.fromEntries(ways) },
    due: new Map(due),
  };
}

const at = (time: number, what: Transition["what"], alarm: Alarm): Transition => ({ what, at: time, alarm });

/** The critical ones last: where a way has too many to send, the oldest are left out first. */
const bySeverity = (alarms: readonly Alarm[]): Alarm[] => [
  ...alarms.filter(({ severity }) => severity === "warning"),
  ...alarms.filter(({ severity }) => severity === "critical"),
];

function withPending(added: readonly Transition[], way: WayOutbox): WayOutbox {
  const pending = [...way.pending, ...added];
  const leftOut = (way.leftOut ?? 0) + Math.max(0, pending.length - MOST_PENDING);
  return { ...way, pending: pending.slice(-MOST_PENDING), ...(leftOut === 0 ? {} : { leftOut }) };
}

/** The test that the way has not made yet. Not an old one: a way that was added later is not asked. */
function testOf(now: number, asked: number | undefined, way: WayOutbox): number | undefined {
  if (asked === undefined || asked < now - TEST_MS) return undefined;
  return way.test === undefined || asked > way.test.at ? asked : undefined;
}

/**
 * The outbox of a way that sent all it had to.
 *
 * @param warning why not everybody got it: it stays in the status until all is sent again
 */
export function sent(now: number, { digest, test }: Extras, way: WayOutbox, warning?: string): WayOutbox {
  const { pending, leftOut, failingSince, error, ...rest } = way;
  return {
    ...rest,
    pending: [],
    sent: now,
    ...(digest ? { digest: dayOf(now) } : {}),
    ...(warning === undefined ? {} : { failingSince: failingSince ?? now, error: warning }),
    ...(test === undefined
      ? {}
      : { test: { at: test, ok: warning === undefined, detail: warning ?? "sent" } }),
  };
}

/** The outbox of a way that could not send what it had to: it stays pending. */
export const failed = (now: number, { test }: Extras, error: string, way: WayOutbox): WayOutbox => ({
  ...way,
  failingSince: way.failingSince ?? now,
  error,
  ...(test === undefined ? {} : { test: { at: test, ok: false, detail: error } }),
});

/** What the status says of the ways. */
export const wayStatus = (outbox: Outbox): WayStatus[] =>
  Object.entries(outbox.ways).map(
    ([name, { pending, sent: last, failingSince, error, test, leftOut = 0 }]) => ({
      name,
      ...(last === undefined ? {} : { sent: last }),
      ...(failingSince === undefined ? {} : { failingSince }),
      ...(error === undefined ? {} : { error }),
      pending: pending.length + leftOut,
      ...(test === undefined ? {} : { test }),
    }),
  );
