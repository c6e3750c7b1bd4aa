/** What a status says of a repository, and which are amiss. */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { KeptRepository } from "../../keeper/settings";
import type { RepositoryState } from "../../keeper/state";
import { dueAfter } from "../../keeper/status/due";
import { judge, type Judging } from "../../keeper/status/judge";
import { amissFirst, isAmiss } from "../../keeper/status/order";
import { statusSchema, type RepositoryStatus, type Status } from "../../keeper/status/schema";
import type { ObservedRepository } from "../../keeper/watch/observed";
import { DAY, HOUR } from "../../keeper/time";
import { GIB, idOf, KEPT, NOW, observedOf, seenOf, settingsOf, stateOf, tried } from "../harness/observed";
import { sampleAlarm, wellStatus } from "../harness/sample-status";

const MINUTE = 60_000;
const WATCH = { graceHours: 6, digestHour: 6 };

const judging = (change: Partial<Judging> = {}): Status =>
  judge({
    now: NOW,
    by: "keeper",
    settings: settingsOf(),
    watch: WATCH,
    observed: observedOf(),
    ...change,
  });

/** The only row. */
const rowOf = (
  seen: Partial<ObservedRepository> = {},
  kept: Partial<KeptRepository> = {},
  change: Partial<Judging> = {},
): RepositoryStatus => {
  const { now = NOW } = change;
  const [row] = judging({
    settings: settingsOf([{ ...KEPT, ...kept }]),
    observed: observedOf([seenOf({ at: now, ...seen })]),
    ...change,
  }).repositories;
  if (row === undefined) throw new Error("there is no row");
  return row;
};

/** A status that has this row. */
const before = (row: RepositoryStatus): Status => ({ ...judging(), repositories: [row] });

const LAST = NOW - 8 * HOUR - 50 * MINUTE;

type Claims = RepositoryState["claims"];
const claim = (arrived: number, report?: "partial" | "failed"): Claims[string] => ({
  time: new Date(arrived - 5 * MINUTE).toISOString(),
  hostname: "web",
  ...(report && { report }),
});

/** A snapshot by its days ago and what it says; without a word no guard has read it. */
type Said = readonly [daysAgo: number, says?: "whole" | "partial" | "failed"];

function snapshotsOf(...all: readonly Said[]): Pick<ObservedRepository, "snapshots" | "state"> {
  const snapshots = all.map(([daysAgo], n) => ({ id: idOf(n), arrived: LAST - daysAgo * DAY }));
  const claims = all.flatMap(([, says], n) => {
    const { id = "", arrived = 0 } = snapshots[n] ?? {};
    return says === undefined ? [] : [[id, claim(arrived, says === "whole" ? undefined : says)] as const];
  });
  return { snapshots, state: stateOf({ claims: Object.fromEntries(claims) }) };
}

describe("a status", () => {
  test("is valid for three rounds of the keeper, and without a bound from the workstation", () => {
    expect(judging()).toMatchObject({ at: NOW, by: "keeper", validUntil: NOW + 45 * MINUTE, ways: [] });
    expect(judging({ by: "workstation" })).not.toHaveProperty("validUntil");
  });

  test("says how the bucket is", () => {
    const verify = { at: NOW - DAY, passed: 3, failed: 0, unknown: 1 };
    const observed = observedOf([seenOf(), seenOf({ client: ".canary", repository: "verify" })], {
      quota: 100 * GIB,
      clockOff: -12,
      verify,
    });
    const settings = settingsOf([KEPT], { retentionOff: "it is off" });
    const status = judging({ observed, settings });
    expect(status).toMatchObject({
      bucket: {
        name: "b",
        endpoint: "https://s3.example.org",
        bytes: 22 * GIB,
        quota: 100 * GIB,
        clockOff: -12,
      },
      retentionOff: "it is off",
      verify,
    });
    const configured = judging({ observed, settings, watch: { ...WATCH, quotaGib: 50 } });
    expect(configured.bucket.quota).toBe(50 * GIB);
  });

  test("has the form of its schema, whatever was seen", () => {
    const observed = observedOf([
      seenOf({ locks: { count: 1, oldest: NOW - HOUR, forged: { count: 0, some: [] } } }),
      seenOf({ client: ".canary", repository: "verify", error: "away" }),
    ]);
    const status = judging({ observed });
    expect(statusSchema.parse(status)).toEqual(status);
  });

  test("takes no word of a keeper that is not there", () => {
    const seen = snapshotsOf([1, "whole"], [0, "failed"]);
    const planned = { version: 1, at: NOW, pauses: [{ kind: "held", why: "held" }], putAgain: [] } as const;
    const row = rowOf({ ...seen, planned }, {}, { by: "workstation" });
    expect(row).toMatchObject({ lastBackup: LAST, pauses: [], tried: {} });
    expect(row).not.toHaveProperty("reported");
    expect(row).not.toHaveProperty("allDataRead");
  });
});

describe("a repository", () => {
  test("has what was seen of it", () => {
    const state = stateOf({
      tried: {
        guard: tried(NOW - HOUR),
        forget: tried(NOW - HOUR, {
          ok: false,
          detail: "locked",
          succeeded: NOW - DAY,
          failingSince: NOW - 2 * HOUR,
        }),
      },
      findings: [{ kind: "claims-false", objects: [], why: "it lies" }],
    });
    const hidden = { count: 2, since: NOW - DAY, some: ["web/main/index/a"] };
    const locks = { count: 1, oldest: NOW - HOUR, forged: { count: 0, some: [] } };
    expect(rowOf({ state, hidden, locks, held: true, accountedUntil: NOW - 2 * DAY, addedToday: 5 })).toEqual(
      {
        client: "web",
        repository: "main",
        canary: false,
        frozen: false,
        held: true,
        schedule: KEPT.schedule,
        seen: NOW,
        lastBackup: LAST,
        nextDue: Date.parse("2026-11-30T03:00:00Z"),
        snapshots: 3,
        objects: 100,
        bytes: 10 * GIB,
        versionBytes: 11 * GIB,
        added: 5,
        days: [
          { day: "2026-11-27", backups: 1, reports: 0, added: 0 },
          { day: "2026-11-28", backups: 1, reports: 0, added: 0 },
          { day: "2026-11-29", backups: 1, reports: 0, added: 0, bytes: 10 * GIB },
        ],
        tried: {
          guard: { at: NOW - HOUR, ok: true, detail: "done", succeeded: NOW - HOUR },
          forget: { at: NOW - HOUR, ok: false, detail: "locked", succeeded: NOW - DAY },
        },
        allDataRead: NOW - HOUR,
        findings: 1,
        pauses: [],
        locks: { count: 1, oldest: NOW - HOUR },
        unknown: { count: 0, some: [] },
        hidden,
        overwritten: { count: 0, some: [] },
        accountedUntil: NOW - 2 * DAY,
      },
    );
  });

  test("that is not in the settings is the canary's: it has no schedule", () => {
    const [row] = judging({ settings: settingsOf([]) }).repositories;
    expect(row).toMatchObject({ canary: true, schedule: "none" });
    expect(row).not.toHaveProperty("nextDue");
  });

  test("that cannot be listed stays as it was when it was last seen, with the error", () => {
    const was = rowOf({}, {}, { now: NOW - HOUR });
    const { snapshots, bytes } = seenOf({ snapshots: [], bytes: 0 });
    const row = rowOf({ error: "S3 is away", snapshots, bytes }, {}, { previous: before(was) });
    expect(row).toEqual({ ...was, error: "S3 is away" });
    expect(rowOf({}, {}, { previous: before(row) })).not.toHaveProperty("error");
  });

  test("that could never be listed was never seen", () => {
    expect(rowOf({ error: "S3 is away" })).toMatchObject({ seen: 0, snapshots: 0, error: "S3 is away" });
  });

  test("remembers since when it pauses, by kind", () => {
    const planned = (at: number, ...kinds: ("unverified" | "held")[]) => ({
      planned: {
        version: 1,
        at,
        pauses: kinds.map((kind) => ({ kind, why: `${kind} ${at}` })),
        putAgain: [],
      } as const,
    });
    const first = rowOf(planned(NOW - DAY, "unverified"));
    expect(first.pauses).toEqual([{ kind: "unverified", why: `unverified ${NOW - DAY}`, since: NOW - DAY }]);
    const next = rowOf(planned(NOW, "unverified", "held"), {}, { previous: before(first) });
    expect(next.pauses.map(({ since }) => since)).toEqual([NOW - DAY, NOW]);
  });

  test("has a claimed date where its last backup's does not fit, and no other", () => {
    const seen = snapshotsOf([1, "whole"], [0, "whole"]);
    const forged = (id: string): RepositoryState => {
      const { claims = {} } = seen.state ?? {};
      return stateOf({ claims: { ...claims, [id]: { time: "2031-01-01T00:00:00Z", hostname: "web" } } });
    };
    expect(rowOf(seen)).not.toHaveProperty("claimed");
    expect(rowOf({ ...seen, state: forged(idOf(1)) }).claimed).toBe("2031-01-01T00:00:00Z");
    expect(rowOf({ ...seen, state: forged(idOf(0)) })).not.toHaveProperty("claimed");
  });

  test("counts the earliest arrival that the keeper knows", () => {
    const state = stateOf({ arrivals: { [idOf(0)]: LAST - 3 * DAY } });
    expect(rowOf({ state }).lastBackup).toBe(LAST - DAY);
  });
});

describe("the client's own word", () => {
  test.each<[string, readonly Said[], RepositoryStatus["reported"], number | undefined]>([
    [
      "whole runs",
      [
        [1, "whole"],
        [0, "whole"],
      ],
      undefined,
      0,
    ],
    [
      "a failed run",
      [
        [1, "whole"],
        [0, "failed"],
      ],
      { result: "failed", since: LAST },
      1,
    ],
    [
      "a partial run",
      [
        [1, "whole"],
        [0.01, "whole"],
        [0, "partial"],
      ],
      { result: "partial", since: LAST },
      0.01,
    ],
    [
      "a partial run whose report arrives in the same second",
      [
        [1, "whole"],
        [0, "partial"],
        [0, "whole"],
      ],
      { result: "partial", since: LAST },
      0,
    ],
    [
      "partial runs, then a failed one",
      [
        [3, "whole"],
        [2.01, "whole"],
        [2, "partial"],
        [1.01, "whole"],
        [1, "partial"],
        [0, "failed"],
      ],
      { result: "failed", since: LAST - 2 * DAY },
      1.01,
    ],
    [
      "a report before a whole run",
      [
        [2, "failed"],
        [1, "whole"],
      ],
      undefined,
      1,
    ],
    [
      "reports alone",
      [
        [1, "failed"],
        [0, "failed"],
      ],
      { result: "failed", since: LAST - DAY },
      undefined,
    ],
    [
      "a failed run, and what no guard has read",
      [[2, "whole"], [1, "failed"], [0]],
      { result: "failed", since: LAST - DAY },
      2,
    ],
    [
      "a partial run, and what no guard has read",
      [[1.01, "whole"], [1, "partial"], [0]],
      { result: "partial", since: LAST - DAY },
      0,
    ],
    [
      "failed runs around a whole one",
      [
        [2, "failed"],
        [1, "whole"],
        [0, "failed"],
      ],
      { result: "failed", since: LAST },
      1,
    ],
    ["nothing that a guard has read", [[1], [0]], undefined, 0],
  ])("%s", (_, snapshots, reported, lastBackup) => {
    const row = rowOf(snapshotsOf(...snapshots));
    expect(row.reported).toEqual(reported);
    expect(row.lastBackup).toBe(lastBackup === undefined ? undefined : LAST - lastBackup * DAY);
  });
});

describe("the next backup", () => {
  const at = (time: string): number => Date.parse(`2026-11-${time}:00Z`);

  test.each<[schedule: string, base: string, due: string]>([
    // In the given zone.
    ["*-*-* 03:00 UTC", "29T03:10", "30T03:00"],
    ["*-*-* 03:00 UTC", "29T02:59", "29T03:00"],
    ["*-*-* 03:00 Europe/Berlin", "29T02:10", "30T02:00"],
    // In the client's own, which backed up at its time: in UTC, in Berlin, in New York, in India, in Kiritimati.
    ["*-*-* 03:00", "29T03:10", "30T03:00"],
    ["*-*-* 03:00", "29T02:10", "30T02:00"],
    ["*-*-* 03:00", "29T08:10", "30T08:00"],
    ["*-*-* 03:00", "28T21:40", "29T21:00"],
    ["*-*-* 03:00", "28T13:10", "29T13:00"],
    ["Mon *-*-* 03:00", "23T02:10", "30T02:00"],
    ["Mon *-*-* 03:00", "22T13:10", "29T13:00"],
    ["*:0/15", "29T03:10", "29T03:15"],
  ])("of %s after %s is due at %s", (schedule, base, due) => {
    expect(dueAfter(schedule, at(base))).toBe(at(due));
  });

  test("is never due without a schedule", () => {
    expect(dueAfter("none", NOW)).toBeUndefined();
  });

  const DUE = Date.parse("2026-11-30T03:00:00Z");
  const BOUND = DUE + 30 * MINUTE + 6 * HOUR;

  test("is overdue from its time, its window and the grace on", () => {
    expect(rowOf({}, {}, { now: BOUND - 1 })).not.toHaveProperty("overdueSince");
    expect(rowOf({}, {}, { now: BOUND })).toMatchObject({ nextDue: DUE, overdueSince: BOUND });
    const later = rowOf({}, { window: 60 }, { now: BOUND, watch: { ...WATCH, graceHours: 7 } });
    expect(later).not.toHaveProperty("overdueSince");
  });

  const nothing = { snapshots: [], created: undefined };

  test.each<[string, Partial<ObservedRepository>, Partial<KeptRepository>, boolean]>([
    ["a client that is silent", {}, {}, true],
    ["a frozen one", {}, { frozen: true }, false],
    ["one without a schedule", {}, { schedule: "none" }, false],
    ["an empty repository", { snapshots: [] }, {}, true],
    ["a key-only client that has not begun", { snapshots: [] }, { keyOnly: true }, false],
    ["a key-only client that has", {}, { keyOnly: true }, true],
    ["a repository that does not exist, seen for the first time", nothing, {}, false],
    ["reports alone", { ...snapshotsOf([1, "failed"], [0.5, "failed"]), created: undefined }, {}, true],
  ])("of %s", (_, seen, kept, overdue) => {
    const row = rowOf(seen, kept, { now: NOW + 5 * DAY });
    expect(row.overdueSince !== undefined).toBe(overdue);
  });

  test("of a repository that does not exist is due since the first status that saw it", () => {
    const first = rowOf(nothing);
    expect(first.nextDue).toBe(DUE);
    const next = rowOf(nothing, {}, { now: BOUND, previous: before(first) });
    expect(next).toMatchObject({ nextDue: DUE, overdueSince: BOUND });
  });

  test("stays due where the snapshots are gone: key-only, too", () => {
    const was = rowOf({}, { keyOnly: true });
    const row = rowOf(nothing, { keyOnly: true }, { now: BOUND, previous: before(was) });
    expect(row.overdueSince).toBe(BOUND);
  });

  test("is not put off by a forged status", () => {
    const was = { ...rowOf(), nextDue: NOW + 365 * DAY };
    expect(rowOf({}, {}, { now: BOUND, previous: before(was) }).overdueSince).toBe(BOUND);
  });

  test("of a client that was thawed is due after that", () => {
    const now = NOW + 20 * DAY;
    const frozen = rowOf({}, { frozen: true }, { now });
    const thawed = rowOf({}, {}, { now, previous: before(frozen) });
    expect(thawed.nextDue).toBe(DUE + 20 * DAY);
    expect(thawed).not.toHaveProperty("overdueSince");
    const later = rowOf({}, {}, { now: BOUND + 20 * DAY, previous: before(thawed) });
    expect(later.overdueSince).toBe(BOUND + 20 * DAY);
  });

  test("is due by a new schedule from its change on, where nothing was overdue", () => {
    const now = NOW + 3 * DAY;
    const weekly = rowOf({}, { schedule: "Sun *-*-* 03:00 UTC" }, { now });
    expect(weekly.nextDue).toBe(DUE + 6 * DAY);
    expect(rowOf({}, {}, { now, previous: before(weekly) }).nextDue).toBe(DUE + 3 * DAY);
    const daily = rowOf({}, {}, { now });
    expect(daily.overdueSince).toBe(BOUND);
    const moved = rowOf({}, { schedule: "*-*-* 04:00 UTC" }, { now, previous: before(daily) });
    expect(moved.overdueSince).toBe(BOUND - 23 * HOUR);
  });

  test("is not due any more once it has arrived", () => {
    const was = rowOf({}, {}, { now: BOUND });
    const snapshots = [{ id: idOf(9), arrived: BOUND }];
    const row = rowOf({ snapshots }, {}, { now: BOUND + 1, previous: before(was) });
    expect(row).not.toHaveProperty("overdueSince");
    expect(row.nextDue).toBe(DUE + DAY);
  });
});

describe("the days", () => {
  test("are the last 120, with what was known before", () => {
    const known = [
      { day: "2026-08-01", backups: 1, reports: 0, added: 7, bytes: 1 },
      { day: "2026-08-02", backups: 1, reports: 0, added: 7, bytes: 1 },
      { day: "2026-11-28", backups: 5, reports: 1, added: 9, bytes: 3 },
      { day: "2026-11-29", backups: 0, reports: 0, added: 1, bytes: 4 },
      { day: "2026-12-01", backups: 1, reports: 0, added: 7, bytes: 1 },
    ];
    const previous = before({ ...rowOf(), days: known });
    const added = { "2026-11-28": 8, "2026-11-29": 2, "2026-11-20": 3 };
    expect(rowOf({ added }, {}, { previous }).days).toEqual([
      { day: "2026-08-02", backups: 1, reports: 0, added: 7, bytes: 1 },
      { day: "2026-11-20", backups: 0, reports: 0, added: 3 },
      { day: "2026-11-27", backups: 1, reports: 0, added: 0 },
      { day: "2026-11-28", backups: 5, reports: 1, added: 9, bytes: 3 },
      { day: "2026-11-29", backups: 1, reports: 0, added: 2, bytes: 10 * GIB },
    ]);
  });

  test("count what was forgotten, and reports by themselves, once they are read", () => {
    const arrivals = { [idOf(7)]: LAST - DAY, [idOf(8)]: LAST };
    const claims = { [idOf(0)]: claim(LAST, "failed"), [idOf(8)]: claim(LAST) };
    const previous = before(rowOf({ state: stateOf({ arrivals }) }));
    expect(previous.repositories[0]?.days.at(-1)).toMatchObject({ backups: 2, reports: 0 });
    const { days } = rowOf({ state: stateOf({ arrivals, claims }) }, {}, { previous });
    expect(days.slice(-2)).toMatchObject([
      { backups: 2, reports: 0 },
      { backups: 1, reports: 1 },
    ]);
  });
});

/** Arrivals within five days, each with what it may say. */
const history = fc.array(
  fc.record({
    daysAgo: fc.integer({ min: 0, max: 500 }).map((n) => n / 100),
    says: fc.constantFrom(undefined, "whole" as const, "partial" as const, "failed" as const),
    forged: fc.boolean(),
  }),
  { maxLength: 8 },
);

test("nothing that a client says of itself clears what arrivals alone say is overdue", () => {
  fc.assert(
    fc.property(
      history,
      fc.constantFrom("*-*-* 03:00", "*-*-* 03:00 UTC", "*:0/15", "Mon *-*-* 03:00", "none"),
      fc.boolean(),
      fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
      fc.integer({ min: 0, max: 14 * 24 }),
      (all, schedule, keyOnly, createdDaysAgo, hours) => {
        const now = NOW + hours * HOUR;
        const { snapshots, state } = snapshotsOf(...all.map(({ daysAgo, says }) => [daysAgo, says] as const));
        const claims = Object.entries(state?.claims ?? {}).map(
          ([id, one], n) =>
            [id, all[n]?.forged === true ? { ...one, time: "2099-01-01T00:00:00Z" } : one] as const,
        );
        const created = createdDaysAgo === undefined ? undefined : LAST - createdDaysAgo * DAY;
        const seen = { snapshots, created };
        const silent = rowOf({ ...seen, state: stateOf() }, { schedule, keyOnly }, { now });
        const said = rowOf(
          { ...seen, state: stateOf({ claims: Object.fromEntries(claims) }) },
          { schedule, keyOnly },
          { now },
        );
        // And with the same status of before.
        const previous = before(rowOf({ ...seen, state: stateOf() }, { schedule, keyOnly }));
        const later = rowOf(
          { ...seen, state: stateOf({ claims: Object.fromEntries(claims) }) },
          { schedule, keyOnly },
          { now, previous },
        );
        if (silent.overdueSince !== undefined) {
          for (const one of [said, later]) {
            expect(one.overdueSince).toBeLessThanOrEqual(silent.overdueSince);
          }
        }
      },
    ),
  );
});

describe("what is amiss", () => {
  const named = (client: string, canary = false): RepositoryStatus => ({ ...rowOf(), client, canary });

  test("comes first: by the gravest alarm, then by name, and the canary last", () => {
    const repositories = ["b", "a", "d", "c"].map((name) => named(name)).concat(named(".canary", true));
    const alarms = ["d", ".canary", "c", "d"].map((client, n) =>
      sampleAlarm(n === 3 ? "lock" : "overdue", { client, repository: "main" }),
    );
    const rows = amissFirst({ repositories, alarms: [sampleAlarm("quota", undefined), ...alarms] });
    expect(rows.map(({ row, alarms: own }) => [row.client, own.map(({ kind }) => kind)])).toEqual([
      ["d", ["overdue", "lock"]],
      ["c", ["overdue"]],
      ["a", []],
      ["b", []],
      [".canary", ["overdue"]],
    ]);
  });

  const way = { name: "mail", pending: 0 };

  test.each<[string, Partial<Status>, boolean]>([
    ["nothing", {}, false],
    ["an alarm", { alarms: [sampleAlarm("lock", undefined)] }, true],
    ["an alarm of the canary", { alarms: [{ ...sampleAlarm("lock", undefined), canary: true }] }, false],
    ["a way that works", { ways: [way] }, false],
    ["a way that fails", { ways: [{ ...way, failingSince: NOW }] }, true],
    ["a status that is valid", { validUntil: NOW }, false],
    ["one that is no longer", { validUntil: NOW - 1 }, true],
    ["one without a bound", { validUntil: undefined }, false],
  ])("%s", (_, change, amiss) => {
    expect(isAmiss({ ...wellStatus(), alarms: [], ways: [], validUntil: NOW, ...change }, NOW)).toBe(amiss);
  });
});
