/** When the keeper works on a repository. */
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { nextTime, OnCalendar, parseOnCalendar } from "../../config/on-calendar";
import type { Action } from "../../keeper/job";
import { afterRun, isDue, NEW_STATE } from "../../keeper/retention";
import { clientIsAtWork, daysBetweenChecks, lastTurns, overdueAt } from "../../keeper/retention/due";
import { DAY, HOUR } from "../../keeper/time";
import type { KeeperSettings, KeptRepository } from "../../keeper/settings";
import type { RepositoryState } from "../../keeper/state";

const MINUTE = 60_000;
const START = Date.parse("2026-11-02T00:00:00Z");

const repository = (schedule: string, name = "web", window = 60): KeptRepository => ({
  client: name,
  repository: "main",
  keep: { within: 30, days: 7, weeks: 5, months: 12, years: 2 },
  pins: [],
  schedule,
  window,
  frozen: false,
});

const settings: KeeperSettings = {
  s3: { endpoint: "https://s3.example.org", region: "r", bucket: "b" },
  repositories: [],
  approval: { snapshots: 50, share: 0.25 },
  bounds: { objects: 1e6, metadataBytes: 1e8, packBytes: 1e8, readBytes: 1e10, lateObjects: 100 },
  noncurrentVersionDays: 30,
};

const calendar = (schedule: string): OnCalendar => {
  const parsed = parseOnCalendar(schedule);
  if (parsed === undefined) throw new Error(schedule);
  return parsed;
};

/** Verified, and something was forgotten long ago, so that every action has its turns. */
const STATE: RepositoryState = {
  ...NEW_STATE,
  verified: true,
  tried: { forget: { at: 1, ok: true, detail: "", succeeded: 1 } },
};

interface Run {
  readonly at: number;
  readonly actions: readonly Action[];
}

/** What a timer that asks every ten minutes starts; `fails`: which actions of which run fail. */
function runs(
  of: KeptRepository,
  days: number,
  fails: (run: Run, count: number) => readonly Action[] = () => [],
  state: RepositoryState = STATE,
): Run[] {
  const all: Run[] = [];
  for (let now = START; now < START + days * DAY; now += 10 * MINUTE) {
    const actions = isDue(now, settings, of, state);
    if (actions.length === 0) continue;
    const run = { at: now, actions };
    const failing = fails(run, all.length);
    const done = Object.fromEntries(
      actions.map((action) => [action, { ok: !failing.includes(action), detail: "" }]),
    );
    state = afterRun(
      now,
      state,
      { actions },
      { findings: [], done, verified: true, readBytes: 0, claims: {} },
    );
    all.push(run);
  }
  return all;
}

const SCHEDULES = [
  "daily",
  "*-*-* 03:00:00",
  "Mon..Fri 22:30",
  "Sun 04:00 Europe/Berlin",
  "*-*-01 01:00",
  "3,15:00",
  "0/6:30",
  "hourly",
  "*:0/15",
  "none",
];
const schedules = fc.constantFrom(...SCHEDULES);
const names = fc.stringMatching(/^[a-z][a-z0-9]{0,15}$/);

describe("what is due", () => {
  test("comes in its period: guard and forget every day, prune and check every week", () => {
    fc.assert(
      fc.property(schedules, names, (schedule, name) => {
        const all = runs(repository(schedule, name), 28);
        for (const [action, days] of [
          ["guard", 1],
          ["forget", 1],
          ["prune", 7],
          ["check", 7],
        ] as const) {
          const times = all.filter(({ actions }) => actions.includes(action)).map(({ at }) => at);
          const gaps = times.slice(1).map((time, n) => time - (times[n] ?? 0));
          expect(times.length).toBeGreaterThanOrEqual(28 / days);
          expect(times.length).toBeLessThanOrEqual(28 / days + 1);
          // The first are due at once, and a prune a day after the first turn where nothing was forgotten before it.
          for (const gap of gaps.slice(2)) expect(gap).toBe(days * DAY);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("does not come while the client backs up, where its schedule leaves the time", () => {
    fc.assert(
      fc.property(schedules, names, fc.integer({ min: 5, max: 120 }), (schedule, name, window) => {
        const of = repository(schedule, name, window);
        if (schedule === "none" || schedule === "*:0/15") return;
        const length = (window + 30) * MINUTE;
        if (schedule === "hourly" && 2 * length > HOUR) return;
        for (const { at } of runs(of, 14, ({ actions }) => actions)) {
          const next = nextTime(calendar(schedule), new Date(at - length));
          expect(next === undefined || next.getTime() > at).toBe(true);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("comes half a period away from a daily or weekly client, give or take a quarter", () => {
    fc.assert(
      fc.property(names, (name) => {
        const { day } = lastTurns(START, repository("*-*-* 03:00", name, 0));
        const hours = ((day % DAY) - 3 * HOUR) / HOUR;
        expect(hours).toBeGreaterThanOrEqual(6);
        expect(hours).toBeLessThanOrEqual(18);
        // A Sunday, the third day after the first of January 1970.
        const { week } = lastTurns(START, repository("Sun 03:00", name, 0));
        const since = ((week - 3 * DAY - 3 * HOUR) % (7 * DAY)) / DAY;
        expect(since).toBeGreaterThan(1);
        expect(since).toBeLessThan(6);
      }),
    );
  });

  test.each(SCHEDULES)("is spread over the fleet: %s", (schedule) => {
    const turns = Array.from({ length: 1000 }, (_, n) =>
      lastTurns(START, repository(schedule, `client-${String(n)}`, 10)),
    );
    const most = (times: readonly number[], width: number, period: number): number => {
      const counts = new Map<number, number>();
      for (const time of times) {
        const at = Math.floor((time % period) / width);
        counts.set(at, (counts.get(at) ?? 0) + 1);
      }
      return Math.max(...counts.values());
    };
    // Half of the longest gap is used: of a day twelve hours, of a week with a free weekend a day and a half.
    expect(
      most(
        turns.map(({ day }) => day),
        HOUR,
        DAY,
      ),
    ).toBeLessThan(250);
    expect(
      most(
        turns.map(({ week }) => week),
        DAY,
        7 * DAY,
      ),
    ).toBeLessThan(750);
  });

  test("comes at once where the operator asks for it, as far as nothing stands against it", () => {
    const noon = START + 12 * HOUR;
    const done = { at: noon - MINUTE, ok: true, detail: "", succeeded: noon - MINUTE };
    const tried = { guard: done, forget: done, prune: { ...done, succeeded: noon - HOUR }, check: done };
    const state = { ...STATE, tried };
    // While the client backs up, too.
    const of = repository("*-*-* 12:00:00");
    expect(isDue(noon, settings, of, state)).toEqual([]);
    expect(isDue(noon, settings, of, state, true)).toEqual(["guard", "forget", "prune", "check"]);
    const found = { ...state, findings: [{ kind: "claims-disagree", objects: [], why: "" }] };
    expect(isDue(noon, settings, of, found, true)).toEqual(["guard", "check"]);
  });

  test("is everything, of a repository without a state; what depends on a guard waits for it", () => {
    const noon = START + 12 * HOUR;
    expect(isDue(noon, settings, repository("daily"), undefined)).toEqual(["guard", "check"]);
    expect(isDue(noon, settings, repository("daily"), { ...NEW_STATE, verified: true })).toEqual([
      "guard",
      "forget",
      "check",
    ]);
  });

  test("comes in time after a clock that was a year ahead was put right", () => {
    const ahead = { at: START + 365 * DAY, ok: true, detail: "", succeeded: START + 365 * DAY };
    const state = { ...STATE, tried: { ...STATE.tried, guard: ahead, check: ahead } };
    expect(isDue(START + 12 * HOUR, settings, repository("daily"), state)).toEqual([
      "guard",
      "forget",
      "prune",
      "check",
    ]);
  });

  test("is no prune before something was forgotten, and none after until something was again", () => {
    const forgotten = (at: number): RepositoryState => ({
      ...STATE,
      tried: {
        forget: { at, ok: true, detail: "", succeeded: at },
        prune: { at: START, ok: true, detail: "", succeeded: START },
      },
    });
    const later = START + 20 * DAY + 12 * HOUR;
    expect(isDue(later, settings, repository("daily"), forgotten(START - 1))).not.toContain("prune");
    expect(isDue(later, settings, repository("daily"), forgotten(START + 1))).toContain("prune");
  });

  test.each([
    ["a frozen client", { frozen: true }, {}, {}],
    ["no keep", { keep: undefined }, {}, {}],
    ["findings", {}, { findings: [{ kind: "k", objects: [], why: "w" }] }, {}],
    ["packs that are not verified", {}, { verified: false }, {}],
    ["a stack on which retention is off", {}, {}, { retentionOff: "no versioning" }],
  ])("is guard and check alone with %s", (_, change, state, more) => {
    const { keep, ...rest } = { ...repository("daily"), ...change };
    const of = { ...rest, ...(keep && { keep }) };
    const noon = START + 12 * HOUR;
    expect(isDue(noon, { ...settings, ...more }, of, { ...STATE, ...state })).toEqual(["guard", "check"]);
  });
});

describe("what fails", () => {
  const succeeded = { at: START, ok: true, detail: "", succeeded: START };
  const state: RepositoryState = {
    ...STATE,
    tried: {
      guard: succeeded,
      forget: succeeded,
      check: succeeded,
      prune: { ...succeeded, succeeded: START - 1 },
    },
  };
  const failures = (failing: Action, of: KeptRepository): number[] =>
    runs(of, 14, () => [failing], state)
      .filter(({ actions }) => actions.includes(failing))
      .map(({ at }) => at);

  test.each(["guard", "forget", "prune", "check"] as const)(
    "is repeated after one or two hours, then ever more rarely, and at its turn: %s",
    (action) => {
      fc.assert(
        fc.property(names, (name) => {
          const times = failures(action, repository("none", name));
          const [first = 0, second = 0] = times;
          expect(second - first).toBeGreaterThanOrEqual(HOUR);
          expect(second - first).toBeLessThanOrEqual(2 * HOUR + 10 * MINUTE);
          // Six in the first day, then at its turns.
          expect(times.length).toBeLessThanOrEqual(6 + 15);
          expect(times.length).toBeGreaterThanOrEqual(7);
        }),
        { numRuns: 20 },
      );
    },
  );

  test("comes back to its turns when it succeeds again", () => {
    const all = runs(repository("none"), 14, ({ actions }, count) => (count === 1 ? actions.slice(1) : []));
    expect(all.length).toBe(15 + 1);
  });

  test("is not repeated before its turn where the guard found something", () => {
    const found = { ...STATE, findings: [{ kind: "k", objects: [], why: "w" }] };
    const all = runs(repository("none"), 14, () => ["guard"], {
      ...found,
      tried: { check: { at: START, ok: true, detail: "", succeeded: START + 30 * DAY } },
    });
    expect(all.length).toBeLessThanOrEqual(15);
  });
});

describe("checks", () => {
  test.each([
    [1, 7],
    [2, 7],
    [4, 3],
    [8, 1],
    [64, 1],
  ])("of data in %i parts come every %i days, while old versions live 30", (parts, days) => {
    expect(daysBetweenChecks(settings, parts)).toBe(days);
    const state: RepositoryState = { ...STATE, nextPart: { part: 1, of: parts } };
    const checks = runs(repository("daily"), 43, undefined, state).filter(({ actions }) =>
      actions.includes("check"),
    );
    const gaps = checks.slice(2).map(({ at }, n) => (at - (checks[n + 1]?.at ?? 0)) / DAY);
    expect(new Set(gaps)).toEqual(new Set([days]));
  });
});

describe("a client's next snapshot", () => {
  test.each([
    ["daily", "2026-11-02T03:00:00Z", "2026-11-05T01:00:00Z"],
    ["Sun 04:00", "2026-11-01T04:20:00Z", "2026-11-16T05:00:00Z"],
    ["Mon..Fri 22:30", "2026-11-06T22:40:00Z", "2026-11-11T23:30:00Z"],
    ["hourly", "2026-11-02T03:00:00Z", "2026-11-03T06:00:00Z"],
  ])(
    "%s after %s is overdue at %s: after the next two times, the window and a day",
    (schedule, last, due) => {
      expect(overdueAt(repository(schedule), Date.parse(last))).toBe(Date.parse(due));
    },
  );

  test("is never overdue without a schedule", () => {
    expect(overdueAt(repository("none"), START)).toBeUndefined();
  });

  test("is awaited from its time on, for its window and half an hour", () => {
    const at = (time: string): boolean => clientIsAtWork(Date.parse(time), repository("*-*-* 03:00"));
    expect(at("2026-11-02T02:59:59Z")).toBe(false);
    expect(at("2026-11-02T03:00:00Z")).toBe(true);
    expect(at("2026-11-02T04:29:59Z")).toBe(true);
    expect(at("2026-11-02T04:30:00Z")).toBe(false);
  });
});

describe("the next time of a calendar expression", () => {
  /** The next times that systemd itself works out. */
  const systemd = (expression: string, after: number, count: number): string[] =>
    execFileSync(
      "systemd-analyze",
      [
        "calendar",
        `--base-time=${new Date(after).toISOString().replace("T", " ").slice(0, 19)} UTC`,
        `--iterations=${String(count)}`,
        "--",
        expression,
      ],
      { encoding: "utf8", env: { ...process.env, TZ: "UTC", LC_ALL: "C" } },
    )
      .split("\n")
      .flatMap(
        (line) =>
          /(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w{3} ([\d-]+ [\d:]+) UTC/.exec(line)?.[1] ?? [],
      )
      .map((time) => time.replace(" ", "T"));

  test("is systemd's", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          ...SCHEDULES.filter((schedule) => schedule !== "none"),
          "Mon *-02-29 12:00",
          "*-*~1 23:59:58",
          "03:00 America/New_York",
          "*-01/3-01 00:00".replace("/3", ",04,07"),
          "22..23,0..3:0,7,14,21,28,35,42,49,56:13 Asia/Kolkata",
        ),
        // Away from the hours at which clocks are changed.
        fc.integer({
          min: Date.parse("2026-11-03T00:00:00Z") / 1000,
          max: Date.parse("2027-03-10T00:00:00Z") / 1000,
        }),
        (schedule, seconds) => {
          const expected = systemd(schedule, seconds * 1000, 5);
          const found: string[] = [];
          let time: Date | undefined = new Date(seconds * 1000);
          for (let n = 0; n < expected.length && time !== undefined; n += 1) {
            time = nextTime(calendar(schedule), time);
            if (time !== undefined) found.push(time.toISOString().slice(0, 19));
          }
          expect(expected.length).toBe(5);
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  test("after the last step of a day is the next day's first, which systemd 252 leaves out", () => {
    const last = new Date("2026-11-28T18:26:13Z");
    const next = nextTime(calendar("22..23,0..3:0/7:13 Asia/Kolkata"), last);
    expect(next?.toISOString()).toBe("2026-11-28T18:30:13.000Z");
  });

  test("is there once where the clocks are put forward or back over it, an hour off at most", () => {
    for (const night of ["2026-03-29", "2026-10-25"]) {
      const start = Date.parse(`${night}T00:00:00Z`) - 12 * HOUR;
      const first = nextTime(calendar("02:30 Europe/Berlin"), new Date(start));
      const second = first && nextTime(calendar("02:30 Europe/Berlin"), first);
      const [one = 0, other = 0] = [first?.getTime(), second?.getTime()];
      expect(Math.abs(one - Date.parse(`${night}T01:00:00Z`))).toBeLessThanOrEqual(HOUR / 2);
      expect(other - one).toBeGreaterThanOrEqual(23 * HOUR);
      expect(other - one).toBeLessThanOrEqual(25 * HOUR);
    }
  });

  test("is none after the last", () => {
    expect(nextTime(calendar("2026-01-01 00:00"), new Date(START))).toBeUndefined();
  });
});
