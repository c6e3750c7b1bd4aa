/** Which alarms there are, each kind from both sides of its bound. */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { KeeperSettings, KeptRepository } from "../../keeper/settings";
import type { Pause, RepositoryState } from "../../keeper/state";
import { judge } from "../../keeper/status/judge";
import { ALARM_KINDS, statusSchema, type Alarm, type Day, type Status } from "../../keeper/status/schema";
import type { Observed, ObservedRepository } from "../../keeper/watch/observed";
import { DAY, HOUR } from "../../keeper/time";
import { GIB, idOf, KEPT, NOW, observedOf, seenOf, settingsOf, stateOf, tried } from "../harness/observed";

interface Change {
  readonly seen?: Partial<ObservedRepository>;
  readonly state?: Partial<RepositoryState>;
  readonly kept?: Partial<KeptRepository>;
  readonly settings?: Partial<KeeperSettings>;
  readonly observed?: Partial<Observed>;
  readonly quotaGib?: number;
  readonly now?: number;
  /** The days of the previous status. */
  readonly days?: readonly Day[];
  readonly previous?: Status;
}

const CANARY = { client: ".canary", repository: "verify" };

/** The status of one repository and the canary, in both of which all is well but for what is given. */
function statusOf({
  seen,
  state,
  kept,
  settings,
  observed,
  quotaGib,
  now = NOW,
  days,
  previous,
}: Change): Status {
  const judging = {
    now,
    by: "keeper",
    settings: settingsOf([{ ...KEPT, ...kept }], settings),
    watch: { graceHours: 6, digestHour: 6, quotaGib },
    observed: observedOf(
      [seenOf({ state: stateOf(state), at: now, ...seen }), seenOf({ ...CANARY, state: undefined, at: now })],
      observed,
    ),
  } as const;
  const before = previous ?? judge({ ...judging, observed: observedOf() });
  const repositories = before.repositories.map((one) =>
    days === undefined ? one : { ...one, days: [...days] },
  );
  return judge({ ...judging, ...((days ?? previous) && { previous: { ...before, repositories } }) });
}

const alarmsOf = (change: Change): Alarm[] => statusOf(change).alarms;
const idsOf = (change: Change): string[] => alarmsOf(change).map(({ id }) => id);

const suspects = { count: 1, since: NOW - DAY, some: ["web/main/x"] };
/** Each snapshot is read, and the one of so many days ago is this report. */
const says = (daysAgo: number, report?: "partial" | "failed"): Change => ({
  state: {
    claims: Object.fromEntries(
      seenOf().snapshots.map(({ id, arrived }) => [
        id,
        {
          time: new Date(arrived).toISOString(),
          hostname: "web",
          ...(id === idOf(daysAgo) && report && { report }),
        },
      ]),
    ),
  },
});
const pausedFor = (kind: Pause["kind"], at = NOW - HOUR): Partial<ObservedRepository> => ({
  planned: { version: 1, at, pauses: [{ kind, why: "so it is" }], putAgain: [] },
});
const failing = (since: number) =>
  tried(NOW - HOUR, { ok: false, detail: "exit status 1", failingSince: since });
const claims = (arrived: number, time: number): Change => ({
  seen: { snapshots: [...seenOf().snapshots, { id: idOf(9), arrived }] },
  state: { claims: { [idOf(9)]: { time: new Date(time).toISOString(), hostname: "web" } } },
});
/** So many days before today, each with this. */
const known = (n: number, of: Partial<Day>): Change => ({
  days: Array.from({ length: n }, (_, at) => ({
    day: new Date(NOW - (n - at) * DAY).toISOString().slice(0, 10),
    backups: 1,
    reports: 0,
    added: 0,
    ...of,
  })),
});
const locks = (since: number, forged = 0) => ({
  seen: {
    locks: { count: 1, oldest: since, forged: { count: forged, some: forged > 0 ? ["locks/x"] : [] } },
  },
});

const BOUND = Date.parse("2026-11-30T09:30:00Z");
const HELD = { held: true } as const;

test("nothing is amiss where all is well", () => {
  expect(alarmsOf({})).toEqual([]);
});

describe("an alarm", () => {
  test.each<[id: string, what: string, raises: Change, not: Change]>([
    ["overdue web/main", "the grace is over", { now: BOUND }, { now: BOUND - 1 }],
    ["partial web/main", "the last run was partial", says(0, "partial"), says(0)],
    ["failed web/main", "the last run failed", says(0, "failed"), says(1, "failed")],
    [
      "paused-put-again web/main",
      "an object was put again",
      { seen: pausedFor("put-again") },
      { seen: pausedFor("held") },
    ],
    [
      "paused-unverified web/main",
      "packs stay unverified for a week",
      { seen: pausedFor("unverified", NOW - 7 * DAY - 1) },
      { seen: pausedFor("unverified", NOW - 7 * DAY) },
    ],
    [
      "paused-off web/main",
      "it is too large",
      { seen: pausedFor("off") },
      { seen: pausedFor("off"), settings: { retentionOff: "so it is" } },
    ],
    [
      "paused-forget web/main",
      "forget fails for three days",
      { state: { tried: { guard: tried(NOW), forget: failing(NOW - 3 * DAY - 1) } } },
      { state: { tried: { guard: tried(NOW), forget: failing(NOW - 3 * DAY) } } },
    ],
    [
      "paused-prune web/main",
      "prune fails for three days",
      { state: { tried: { guard: tried(NOW), prune: failing(NOW - 3 * DAY - 1) } } },
      { state: { tried: { guard: tried(NOW), prune: tried(NOW - 9 * DAY) } } },
    ],
    [
      "paused-guard web/main",
      "the keeper does not come for three days",
      { state: { tried: { guard: tried(NOW - 3 * DAY - 1) } } },
      { state: { tried: { guard: tried(NOW - 3 * DAY) } } },
    ],
    [
      "paused-guard web/main",
      "the keeper never comes, and the watcher has looked for longer than three days",
      { seen: { state: undefined }, ...known(4, { bytes: 1 }) },
      { seen: { state: undefined }, ...known(3, { bytes: 1 }) },
    ],
    [
      "paused-guard web/main",
      "the keeper never comes, and the repository is there for longer than three days",
      { seen: { state: undefined, created: NOW - 3 * DAY - 1 }, ...known(9, { bytes: 1 }) },
      { seen: { state: undefined, created: NOW - 3 * DAY }, ...known(9, { bytes: 1 }) },
    ],
    [
      "waits-for-approval web/main",
      "a plan waits",
      { seen: pausedFor("waits-for-approval") },
      { seen: pausedFor("nothing-arrived") },
    ],
    [
      "findings web/main",
      "the guard found something",
      { state: { findings: [{ kind: "claims-false", objects: [], why: "it lies" }] } },
      { state: { findings: [] } },
    ],
    [
      "check-failed web/main",
      "the last check failed",
      { state: { tried: { guard: tried(NOW), check: failing(NOW - 2 * HOUR) } } },
      { state: { tried: { guard: tried(NOW), check: tried(NOW) } } },
    ],
    [
      "check-late web/main",
      "all data was last read five weeks ago",
      { state: { allDataRead: NOW - 35 * DAY - 1 } },
      { state: { allDataRead: NOW - 35 * DAY } },
    ],
    [
      "forged-date web/main",
      "a snapshot claims the future",
      claims(NOW - DAY, NOW - DAY + HOUR + 1),
      claims(NOW - DAY, NOW - DAY + HOUR),
    ],
    [
      "forged-date web/main",
      "a snapshot claims the past",
      claims(NOW - DAY, NOW - 3 * DAY - 1),
      claims(NOW - DAY, NOW - 3 * DAY),
    ],
    [
      "forged-date web/main",
      "it arrived within 30 days",
      claims(NOW - 30 * DAY, 0),
      claims(NOW - 30 * DAY - 1, 0),
    ],
    [
      "unknown-object web/main",
      "a name is none of restic's",
      { seen: { unknown: suspects } },
      { seen: HELD },
    ],
    ["hidden-object web/main", "an object is hidden", { seen: { hidden: suspects } }, { seen: HELD }],
    [
      "overwritten-object web/main",
      "one was overwritten",
      { seen: { overwritten: suspects } },
      { seen: HELD },
    ],
    ["lock web/main", "a lock is two days old", locks(NOW - 48 * HOUR - 1), locks(NOW - 48 * HOUR)],
    ["lock web/main", "a lock is forged", locks(NOW - HOUR, 1), locks(NOW - HOUR)],
    [
      "shrunk web/main",
      "less than half is left",
      { ...known(30, { bytes: 4 * GIB }), seen: { bytes: 2 * GIB - 1 } },
      { ...known(30, { bytes: 4 * GIB }), seen: { bytes: 2 * GIB } },
    ],
    [
      "shrunk web/main",
      "seven days are known",
      { ...known(7, { bytes: 4 * GIB }), seen: { bytes: 1 } },
      { ...known(6, { bytes: 4 * GIB }), seen: { bytes: 1 } },
    ],
    [
      "shrunk web/main",
      "it usually has a GiB",
      { ...known(7, { bytes: GIB }), seen: { bytes: 1 } },
      { ...known(7, { bytes: GIB - 1 }), seen: { bytes: 1 } },
    ],
    [
      "grown web/main",
      "more than ten times as much arrived as usual",
      { ...known(30, { added: GIB }), seen: { addedToday: 10 * GIB + 1 } },
      { ...known(30, { added: GIB }), seen: { addedToday: 10 * GIB } },
    ],
    [
      "grown web/main",
      "something arrived on seven days",
      { ...known(7, { added: 1 }), seen: { addedToday: GIB } },
      { ...known(6, { added: 1 }), seen: { addedToday: GIB } },
    ],
    [
      "grown web/main",
      "a GiB arrived",
      { ...known(7, { added: 1 }), seen: { addedToday: GIB } },
      { ...known(7, { added: 1 }), seen: { addedToday: GIB - 1 } },
    ],
    ["unreadable web/main", "it cannot be listed", { seen: { error: "away" } }, {}],
    [
      "unreadable",
      "the bucket cannot be read",
      { observed: { errors: ["away"] } },
      { observed: { errors: [] } },
    ],
    ["unknown-object", "the bucket has other names", { observed: { beside: suspects } }, {}],
    // The repository and the canary have 11 GiB each.
    [
      "quota",
      "nine tenths are used",
      { observed: { quota: (22 / 0.9) * GIB } },
      { observed: { quota: 25 * GIB } },
    ],
    [
      "quota",
      "the configured quota counts",
      { quotaGib: 24, observed: { quota: 99 * GIB } },
      { quotaGib: 25 },
    ],
    [
      "verify-failed",
      "a finding of verify failed",
      { observed: { verify: { at: NOW, passed: 1, failed: 1, unknown: 0 } } },
      { observed: { verify: { at: NOW, passed: 1, failed: 0, unknown: 1 } } },
    ],
    [
      "clock",
      "the clock is ahead by a minute",
      { observed: { clockOff: 60_001 } },
      { observed: { clockOff: 60_000 } },
    ],
    ["clock", "or behind", { observed: { clockOff: -60_001 } }, { observed: { clockOff: -60_000 } }],
  ])("%s is raised when %s", (id, _, raises, not) => {
    expect(idsOf(raises)).toContain(id);
    expect(idsOf(not)).not.toContain(id);
  });

  test("about each kind can be raised", () => {
    const kinds = new Set(EVERYTHING.map(({ kind }) => kind));
    expect(ALARM_KINDS.filter((kind) => !kinds.has(kind))).toEqual(["partial", "unreadable"]);
  });
});

/** Most that can be amiss at once. */
const EVERYTHING = alarmsOf({
  ...known(10, { bytes: 90 * GIB, added: 1 }),
  now: BOUND,
  seen: {
    ...pausedFor("put-again"),
    ...locks(NOW - 9 * DAY).seen,
    planned: {
      version: 1,
      at: NOW - 9 * DAY,
      pauses: (["put-again", "unverified", "off", "waits-for-approval"] as const).map((kind) => ({
        kind,
        why: "so",
      })),
      putAgain: [],
    },
    unknown: suspects,
    hidden: suspects,
    overwritten: suspects,
    addedToday: GIB,
  },
  state: {
    findings: [{ kind: "claims-false", objects: [], why: "it lies" }],
    allDataRead: 0,
    tried: { guard: tried(0), forget: failing(0), prune: failing(0), check: failing(0) },
    claims: { [idOf(0)]: { time: "2099-01-01T00:00:00Z", hostname: "web", report: "failed" } },
  },
  observed: {
    beside: suspects,
    quota: 1,
    clockOff: HOUR,
    verify: { at: NOW, passed: 0, failed: 2, unknown: 0 },
  },
});

test("the median of an even number of days lies between the two in the middle", () => {
  const [few = [], many = []] = [2, 6].map((n) => known(8, { bytes: n * GIB }).days);
  const days = [...few.slice(0, 4), ...many.slice(4)];
  expect(idsOf({ days, seen: { bytes: 2 * GIB - 1 } })).toEqual(["shrunk web/main"]);
  expect(idsOf({ days, seen: { bytes: 2 * GIB } })).toEqual([]);
});

describe("what is no alarm", () => {
  test.each<[string, Change]>([
    ["a silent client's pause, which is overdue by itself", { seen: pausedFor("silent") }],
    ["a repository without keep", { seen: pausedFor("no-keep") }],
    [
      "a frozen one",
      { seen: pausedFor("frozen"), kept: { frozen: true }, now: BOUND + 99 * DAY, state: { tried: {} } },
    ],
    ["findings' pause, which are an alarm by themselves", { seen: pausedFor("findings") }],
    ["a check that never was, of a young repository", { state: { allDataRead: undefined } }],
    [
      "a first check that goes on",
      {
        seen: { snapshots: [{ id: idOf(5), arrived: NOW - 300 * DAY }, ...seenOf().snapshots] },
        state: { allDataRead: undefined, cycleBegan: NOW - 35 * DAY, nextPart: { part: 2, of: 8 } },
      },
    ],
    [
      "data that the keeper reads at its own, slower pace",
      {
        settings: { noncurrentVersionDays: 365 },
        state: { allDataRead: NOW - (8 * 7 + 7) * DAY, nextPart: { part: 8, of: 8 } },
      },
    ],
    [
      "a keeper that has not begun",
      {
        seen: { snapshots: [{ id: idOf(5), arrived: NOW - 300 * DAY }, ...seenOf().snapshots] },
        state: { allDataRead: undefined, tried: {} },
      },
    ],
    [
      "days that are over",
      { ...known(40, { bytes: 90 * GIB }), days: known(40, { bytes: 90 * GIB }).days?.slice(0, 9) },
    ],
    ["days without an arrival", { ...known(30, { added: 0 }), seen: { addedToday: 9 * GIB } }],
  ])("%s", (_, change) => {
    expect(idsOf(change)).toEqual([]);
  });

  test("late is what was never read since the first backup, or since the first check began", () => {
    const old = { snapshots: [{ id: idOf(5), arrived: NOW - 35 * DAY - 1 }, ...seenOf().snapshots] };
    expect(idsOf({ seen: old, state: { allDataRead: undefined } })).toEqual(["check-late web/main"]);
    const cycle = { allDataRead: undefined, cycleBegan: NOW - 35 * DAY - 1 };
    expect(idsOf({ state: cycle })).toEqual(["check-late web/main"]);
    const again = { allDataRead: NOW - 35 * DAY - 1, cycleBegan: NOW - DAY };
    expect(idsOf({ state: again })).toEqual(["check-late web/main"]);
    const slow = { allDataRead: NOW - (8 * 7 + 7) * DAY - 1, nextPart: { part: 8, of: 8 } };
    expect(idsOf({ settings: { noncurrentVersionDays: 365 }, state: slow })).toEqual(["check-late web/main"]);
  });
});

describe("an alarm", () => {
  const [hidden] = alarmsOf({ seen: { hidden: suspects } });

  test("names client and repository, since when, and what to type next", () => {
    expect(hidden).toEqual({
      id: "hidden-object web/main",
      kind: "hidden-object",
      severity: "critical",
      client: "web",
      repository: "main",
      canary: false,
      since: NOW - DAY,
      text: "1 object hidden, neither by the keeper nor by the owner: web/main/x",
      next: "npm run recover -- --client web --repository main --at 2026-11-28T11:59Z",
    });
  });

  test("about the bucket names neither", () => {
    const [clock] = alarmsOf({ observed: { clockOff: -90_000 } });
    expect(clock).toEqual({
      id: "clock",
      kind: "clock",
      severity: "warning",
      canary: false,
      since: NOW,
      text: "the watcher's clock is 1 min 30 s behind S3's",
      next: "docs/handbook.md, Clocks",
    });
  });

  test.each<[string, Change, string]>([
    ["the stack reaches", {}, "npm run ssh -- web, and there as root: restic-backup --status main"],
    [
      "has another operator",
      { kept: { keyOnly: true } },
      "ask the operator of web for: restic-backup --status main",
    ],
  ])("about a client that %s says what to type there", (_, change, next) => {
    const [overdue] = alarmsOf({ ...change, now: BOUND });
    expect(overdue).toMatchObject({
      next,
      since: BOUND,
      text: 'the last backup arrived 2026-11-29T03:10Z, and one was due by 2026-11-30T03:00Z ("*-*-* 03:00 UTC")',
    });
  });

  test("about verify's own repository is the canary's, and comes last", () => {
    const canary = seenOf({ ...CANARY, unknown: suspects, ...locks(0).seen, state: undefined });
    const alarms = alarmsOf({ observed: { repositories: [seenOf(locks(NOW - 3 * DAY).seen), canary] } });
    expect(alarms.map(({ id, canary: own, next }) => [id, own, next])).toEqual([
      ["lock web/main", false, "npm run ssh -- web, and there as root: restic-backup main unlock"],
      ["lock .canary/verify", true, "npm run verify"],
      ["unknown-object .canary/verify", true, "npm run verify"],
    ]);
  });

  test("stands since it was first raised, where the fact has no time", () => {
    const change = { observed: { clockOff: HOUR } };
    const first = statusOf({ ...change, now: NOW - DAY });
    expect(alarmsOf({ ...change, previous: first })).toMatchObject([{ id: "clock", since: NOW - DAY }]);
    const well = statusOf({ now: NOW - DAY });
    expect(alarmsOf({ ...change, previous: well })).toMatchObject([{ id: "clock", since: NOW }]);
  });

  test("of findings stands since the guard that had them first", () => {
    const state = (at: number) => ({
      findings: [{ kind: "claims-false", objects: [], why: "it lies" }],
      tried: { guard: tried(at) },
    });
    const first = statusOf({ state: state(NOW - DAY) });
    expect(first.alarms).toMatchObject([{ since: NOW - DAY }]);
    expect(alarmsOf({ state: state(NOW), previous: first })).toMatchObject([{ since: NOW - DAY }]);
  });

  test("of a repository that cannot be listed stands beside that", () => {
    const previous = statusOf({ seen: { hidden: suspects } });
    const error = { error: "S3 is away", snapshots: [], state: undefined, at: NOW + HOUR };
    const status = statusOf({ seen: error, now: NOW + HOUR, previous });
    expect(status.alarms).toMatchObject([hidden, { id: "unreadable web/main", since: NOW + HOUR }]);
    const later = statusOf({ seen: error, now: NOW + 2 * HOUR, previous: status });
    expect(later.alarms).toEqual(status.alarms);
    const other = alarmsOf({ seen: { ...error, error: "denied" }, previous: status });
    expect(other).toMatchObject([hidden, { since: NOW + HOUR, text: "it could not be listed: denied" }]);
    expect(idsOf({ previous: later })).toEqual([]);
  });

  test("about the bucket stands while that cannot be read", () => {
    const verify = { at: NOW, passed: 1, failed: 1, unknown: 0 };
    const previous = statusOf({ observed: { beside: suspects, quota: 1, verify } });
    const ids = ["quota", "unknown-object", "verify-failed"];
    expect(previous.alarms.map(({ id }) => id).sort()).toEqual(ids);
    const blind = alarmsOf({ observed: { errors: ["away", "denied"] }, previous });
    expect(blind).toEqual(expect.arrayContaining(previous.alarms));
    expect(blind.find(({ id }) => id === "unreadable")?.text).toBe(
      "of the bucket itself something could not be read: away; denied",
    );
    expect(idsOf({ previous })).toEqual([]);
    const beside = { count: 2, since: NOW, some: ["x", "y"] };
    const seen = statusOf({ observed: { errors: ["away"], beside }, previous });
    expect(seen.bucket.beside).toEqual(beside);
  });

  test("has what an attacker chose as one line without signs that control anything", () => {
    const some = ["web/main/\u001b[2J\u202egpj\n<b>x</b>", "y".repeat(900), "z", "w"];
    const [alarm] = alarmsOf({ seen: { unknown: { count: 9, since: NOW, some } } });
    expect(alarm?.text).toBe(
      `9 objects with names that restic does not give: web/main/?[2J?gpj | <b>x</b>, ${"y".repeat(120)}, z, and 6 more`,
    );
  });
});

const anyPause = fc.constantFrom<Pause["kind"]>(
  "off",
  "held",
  "silent",
  "put-again",
  "unverified",
  "waits-for-approval",
);
const anySuspects = fc.record({
  count: fc.nat(3),
  since: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
  some: fc.array(fc.string({ unit: "binary" }), { maxLength: 4 }),
});

test("alarms have IDs of their own and the form of the schema, whatever was seen", () => {
  const anyRepository = fc.record({
    error: fc.option(fc.string({ unit: "binary" }), { nil: undefined }),
    unknown: anySuspects,
    hidden: anySuspects,
    forged: anySuspects,
    pauses: fc.array(anyPause, { maxLength: 6 }),
    oldest: fc.integer({ min: 0, max: NOW }),
    since: fc.integer({ min: 0, max: NOW }),
  });
  fc.assert(
    fc.property(anyRepository, anyRepository, anySuspects, fc.boolean(), (one, other, beside, again) => {
      const [web, canary] = [one, other].map(({ error, unknown, hidden, forged, pauses, oldest, since }, n) =>
        seenOf({
          ...(n === 1 && CANARY),
          ...(error !== undefined && { error }),
          unknown,
          hidden,
          locks: { count: 1, oldest, forged },
          planned: {
            version: 1,
            at: since,
            pauses: pauses.map((kind) => ({ kind, why: "so" })),
            putAgain: [],
          },
          state: stateOf({ tried: { guard: tried(since), forget: failing(since) }, allDataRead: since }),
        }),
      ) as [ObservedRepository, ObservedRepository];
      const observed = { repositories: [web, canary], beside, quota: 1, clockOff: HOUR };
      const first = statusOf({ observed });
      const status = again ? statusOf({ observed, previous: first }) : first;
      expect(statusSchema.parse(status)).toEqual(status);
      const ids = status.alarms.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(status.alarms.every(({ canary: own, client }) => own === (client === CANARY.client))).toBe(true);
      expect(status.alarms.every(({ text, next }) => /^\P{C}+$/u.test(text) && /^\P{C}+$/u.test(next))).toBe(
        true,
      );
    }),
  );
});

test("an alarm's times and sentences name no time that the calendar does not have", () => {
  const state = stateOf({
    allDataRead: -1e300,
    arrivals: { [idOf(0)]: -1e300 },
    tried: { guard: tried(-1e300) },
  });
  expect(idsOf({ seen: { state } })).toEqual(["check-late web/main", "paused-guard web/main"]);
});
