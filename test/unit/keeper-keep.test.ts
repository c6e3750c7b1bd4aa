/** Which snapshots stay. The table is that of the measurements that led to this rule. */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { Arrival, keptBy } from "../../keeper/retention/keep";
import { DAY, HOUR } from "../../keeper/time";
import type { Keep } from "../../keeper/settings";

const NOW = Date.parse("2026-11-29T12:00:00Z");
const NONE: Keep = { within: 0, days: 0, weeks: 0, months: 0, years: 0 };

/** Snapshots of a name, one at each time. */
const at = (name: string, times: readonly number[]): Arrival[] =>
  times.map((arrived, index) => ({ id: `${name}${String(index)}`, arrived }));

/** One snapshot a day, the newest today. */
const daily = (days: number, name = "genuine", hour = 3): Arrival[] =>
  at(
    name,
    Array.from({ length: days }, (_, ago) => Math.floor(NOW / DAY) * DAY + hour * HOUR - ago * DAY),
  );

const kept = (keep: Keep, snapshots: readonly Arrival[], now = NOW, pins: readonly string[] = []): string[] =>
  [...keptBy(keep, pins, snapshots, now)].sort();

const genuine = (ids: readonly string[]): string[] => ids.filter((id) => id.startsWith("genuine"));

const keeps = fc.record({
  within: fc.integer({ min: 0, max: 60 }),
  days: fc.integer({ min: 0, max: 20 }),
  weeks: fc.integer({ min: 0, max: 20 }),
  months: fc.integer({ min: 0, max: 20 }),
  years: fc.integer({ min: 0, max: 12 }),
});

/** Of the last three years, in any order, some at the same time. */
const histories = fc.array(fc.integer({ min: 0, max: 3 * 365 * 24 }), { maxLength: 120 }).map((hours) =>
  at(
    "genuine",
    hours.map((hour) => NOW - hour * HOUR),
  ),
);

describe("what attackers add, against 41 daily snapshots and seven days and five weeks", () => {
  const weekly = (within: number): Keep => ({ ...NONE, within, days: 7, weeks: 5 });
  const left = (within: number, forged: readonly Arrival[]): number =>
    genuine(kept(weekly(within), [...daily(41), ...forged])).length;
  const floors = [0, 14, 30] as const;

  test.each([
    ["nothing", [], [11, 17, 31]],
    [
      "37 that arrived just now, whatever dates they claim",
      at(
        "forged",
        Array.from({ length: 37 }, (_, n) => NOW - 37 + n),
      ),
      [11, 17, 31],
    ],
    ["the first of each of the last ten days", daily(10, "forged", 1), [5, 17, 31]],
    ["the last of each of the last ten days", daily(10, "forged", 5), [11, 17, 31]],
  ])("%s", (_, forged, counts) => {
    expect(floors.map((within) => left(within, forged))).toEqual(counts);
  });
});

describe("what stays", () => {
  test("the newest, every pin, and everything that arrived within the days", () => {
    fc.assert(
      fc.property(keeps, histories, fc.array(fc.nat(150)), (keep, snapshots, pinned) => {
        const pins = pinned.map((index) => `genuine${String(index)}`);
        const stays = keptBy(keep, pins, snapshots, NOW);
        const newest = Math.max(...snapshots.map(({ arrived }) => arrived));
        expect(snapshots.filter(({ id }) => pins.includes(id) && !stays.has(id))).toEqual([]);
        expect(
          snapshots.filter(({ id, arrived }) => NOW - arrived <= keep.within * DAY && !stays.has(id)),
        ).toEqual([]);
        expect(snapshots.some(({ id, arrived }) => arrived === newest && stays.has(id))).toBe(
          snapshots.length > 0,
        );
      }),
    );
  });

  test("one of which it is unknown when it arrived, which takes nobody's place", () => {
    const unknown = { id: "unknown", arrived: NaN };
    expect(kept(NONE, [...daily(3), unknown])).toEqual(["genuine0", "unknown"]);
  });

  test("the same in whatever order S3 lists them", () => {
    fc.assert(
      fc.property(
        keeps,
        histories.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
        (keep, [snapshots, shuffled]) => {
          expect(kept(keep, shuffled)).toEqual(kept(keep, snapshots));
        },
      ),
    );
  });

  test("of the same millisecond the lowest ID", () => {
    const same = ["b", "a", "c"].map((id) => ({ id, arrived: NOW - DAY }));
    expect(kept({ ...NONE, days: 2 }, [...same, ...daily(1)])).toEqual(["a", "genuine0"]);
  });

  test.each([
    ["days", ["2026-11-27T23:59:59Z", "2026-11-28T00:00:00Z"]],
    // A Sunday and the Monday after it.
    ["weeks", ["2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z"]],
    ["months", ["2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z"]],
    ["years", ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"]],
  ] as const)("the first of each of the %s of UTC's calendar", (unit, [end, begin]) => {
    const times = [end, begin, "2026-11-29T11:00:00Z"].map((time) => Date.parse(time));
    const later = at("later", [Date.parse(begin) + 1000, Date.parse("2026-11-29T10:00:00Z")]);
    expect(kept({ ...NONE, [unit]: 3 }, [...at("s", times), ...later])).toEqual(
      unit === "days" ? ["later1", "s0", "s1", "s2"] : ["s0", "s1", "s2"],
    );
  });

  test("units without a snapshot are not counted", () => {
    const snapshots = at(
      "s",
      [0, 100, 200, 300].map((days) => NOW - days * DAY),
    );
    expect(kept({ ...NONE, days: 3 }, snapshots)).toEqual(["s0", "s1", "s2"]);
  });
});

describe("snapshots that an attacker adds, no earlier than `within` days ago", () => {
  /** At so many minutes before now, as far as that is within the days. */
  const forgedAt = (minutes: readonly number[], { within }: Keep): Arrival[] =>
    at(
      "forged",
      minutes.filter((ago) => ago * 60_000 <= within * DAY).map((ago) => NOW - ago * 60_000),
    );
  const attacks = fc.array(fc.nat({ max: 60 * 24 * 60 }), { maxLength: 200 });

  test("remove no genuine one where the client backs up every day, too", () => {
    fc.assert(
      fc.property(keeps, attacks, (keep, minutes) => {
        const snapshots = daily(800);
        const forged = forgedAt(minutes, keep);
        expect(genuine(kept(keep, [...snapshots, ...forged]))).toEqual(kept(keep, snapshots));
      }),
    );
  });

  /** The first day of a time's day, week, month and year. */
  const unitsOf = (time: number): string[] => {
    const iso = new Date(time).toISOString();
    const sinceMonday = (new Date(time).getUTCDay() + 6) % 7;
    const monday = new Date(time - sinceMonday * DAY).toISOString().slice(0, 10);
    return [iso.slice(0, 10), `week ${monday}`, iso.slice(0, 7), iso.slice(0, 4)];
  };

  test("take the place of one genuine one for each day, week, month or year in which the client did not back up", () => {
    fc.assert(
      fc.property(keeps, histories, attacks, (keep, snapshots, minutes) => {
        const forged = forgedAt(minutes, keep);
        const after = new Set(kept(keep, [...snapshots, ...forged]));
        const lost = kept(keep, snapshots).filter((id) => !after.has(id));
        const own = new Set(snapshots.flatMap(({ arrived }) => unitsOf(arrived)));
        const added = new Set(
          forged.flatMap(({ arrived }) => unitsOf(arrived)).filter((unit) => !own.has(unit)),
        );
        const newest = forged.length > 0 ? 1 : 0;
        expect(lost.length).toBeLessThanOrEqual(added.size + newest);
        const recent = new Set(
          snapshots.filter(({ arrived }) => NOW - arrived <= keep.within * DAY).map(({ id }) => id),
        );
        expect(lost.filter((id) => recent.has(id))).toEqual([]);
      }),
    );
  });
});

describe("ten years of daily backups", () => {
  const KEEP: Keep = { within: 30, days: 60, weeks: 26, months: 24, years: 10 };
  const START = Date.parse("2026-01-01T03:00:00Z");
  const PIN = "2027-08-13T03:00:00.000Z";

  test("forgotten day by day leave what forgetting once at the end leaves, with the pin", () => {
    const all: Arrival[] = [];
    let there: Arrival[] = [];
    let most = 0;
    for (let day = 0; day < 3652; day += 1) {
      const arrived = START + day * DAY;
      const snapshot = { id: new Date(arrived).toISOString(), arrived };
      all.push(snapshot);
      there.push(snapshot);
      const stays = keptBy(KEEP, [PIN], there, arrived + HOUR);
      there = there.filter(({ id }) => stays.has(id));
      most = Math.max(most, there.length);
    }
    const ids = there.map(({ id }) => id);
    const end = START + 3651 * DAY + HOUR;
    const atOnce = keptBy(KEEP, [PIN], all, end);
    expect(ids).toEqual(all.map(({ id }) => id).filter((id) => atOnce.has(id)));
    expect(ids).toContain(PIN);
    // Of each year its first.
    for (let year = 2026; year <= 2035; year += 1)
      expect(ids).toContain(`${String(year)}-01-01T03:00:00.000Z`);
    expect(most).toBeLessThanOrEqual(60 + 26 + 24 + 10 + 2);
  });

  test("are the same for any keep", () => {
    fc.assert(
      fc.property(keeps, fc.array(fc.integer({ min: 1, max: 20 * 24 }), { maxLength: 150 }), (keep, gaps) => {
        let now = START;
        const all: Arrival[] = [];
        let there: Arrival[] = [];
        for (const gap of gaps) {
          now += gap * HOUR;
          const snapshot = { id: String(now), arrived: now };
          all.push(snapshot);
          const stays = keptBy(keep, [], [...there, snapshot], now);
          there = [...there, snapshot].filter(({ id }) => stays.has(id));
        }
        expect(there.map(({ id }) => id).sort()).toEqual(kept(keep, all, now));
      }),
    );
  });
});
