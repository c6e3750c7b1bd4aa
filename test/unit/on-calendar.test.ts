import { execFileSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { nextDay, parseOnCalendar } from "../../config/on-calendar";

/** What systemd says of expressions: `undefined` for one that it refuses, else the date of its next elapse, or `"never"`. */
function systemd(expressions: readonly string[]): (string | undefined)[] {
  return expressions.map((expression) => {
    try {
      const output = execFileSync("systemd-analyze", ["calendar", "--", expression], {
        encoding: "utf8",
        env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
        stdio: ["ignore", "pipe", "ignore"],
      });
      return /Next elapse: (?:\w{3} )?([\d-]+|never)/.exec(output)?.[1];
    } catch {
      return undefined;
    }
  });
}

const number = (least: number, most: number) => fc.integer({ min: least, max: most }).map(String);
const padded = (least: number, most: number) =>
  number(least, most).chain((text) => fc.constantFrom(text, text.padStart(2, "0")));

/** A list of numbers, ranges and repetitions; some of them out of bounds. */
const component = (least: number, most: number, { steps = true, list = 3 } = {}) => {
  const value = padded(least, most);
  const range = fc
    .tuple(value, value)
    .filter(([from, to]) => Number(from) !== Number(to))
    .map(([from, to]) => `${from}..${to}`);
  const item = fc.oneof(
    { weight: 4, arbitrary: value },
    range,
    ...(steps
      ? [
          fc.tuple(value, number(0, most)).map(([from, step]) => `${from}/${step}`),
          fc.tuple(range, number(0, 9)).map(([both, step]) => `${both}/${step}`),
        ]
      : []),
  );
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant("*") },
    fc.array(item, { minLength: 1, maxLength: list }).map((items) => items.join(",")),
  );
};

const weekday = fc.constantFrom("Mon", "tue", "Wednesday", "THU", "fri", "Sat", "sunday");
const weekdays = fc
  .array(
    fc.oneof(
      weekday,
      fc.tuple(weekday, weekday).map(([from, to]) => `${from}..${to}`),
    ),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  .map((items) => items.join(","));
const whole = { steps: false };
const year = fc.oneof(
  { weight: 3, arbitrary: fc.constant("*") },
  component(2020, 2210, whole),
  component(0, 99, whole),
);
const day = fc.oneof(
  component(0, 33).map((days) => `-${days}`),
  component(0, 33, { list: 1 }).map((days) => `~${days}`),
);
const date = fc
  .tuple(year, component(0, 13, whole), day)
  .chain(([y, m, d]) => fc.constantFrom(`${y}-${m}${d}`, `${m}${d}`));
const time = fc
  .tuple(component(0, 25), component(0, 61), component(0, 61))
  .chain(([h, m, s]) => fc.constantFrom(`${h}:${m}:${s}`, `${h}:${m}`));
const expression = fc
  .tuple(
    fc.option(weekdays),
    fc.option(date),
    fc.option(time),
    fc.option(fc.constantFrom("UTC", "Europe/Berlin", "No/Where")),
  )
  .map((parts) => parts.filter((part) => part !== null).join(" "));

describe("calendar expressions", () => {
  test("what is accepted systemd accepts, with the same first day; what is refused systemd refuses", () => {
    fc.assert(
      fc.property(expression, (text) => {
        const calendar = parseOnCalendar(text);
        const [said] = systemd([text]);
        if (calendar === undefined) return said === undefined;
        if (said === undefined) return false;
        // systemd 252 passes over the first days of a month in steps that fall on a working day.
        if (/^[a-z].* .*[-~][\d,.]*\//i.test(text)) return true;
        // The time of today may have passed, and a time zone moves the date: a day's difference is allowed for.
        const day = nextDay(calendar, new Date());
        if (day === undefined) return said === "never";
        if (said === "never") return isToday(day);
        const days = Math.abs(new Date(`${said}T00:00:00Z`).getTime() - day.getTime()) / 86_400_000;
        return days <= 1 || isToday(day);
      }),
      { numRuns: 400 },
    );
  }, 120_000);

  test("no text makes it fail", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseOnCalendar(text);
      }),
    );
  });

  test.each([
    "daily",
    "Weekly",
    "quarterly",
    "bi-annually",
    "minutely",
    "annually UTC",
    "Mon,Tue, 1:00",
    "Mon-Wed 3:00",
  ])("%s is an expression for systemd, too", (text) => {
    expect(parseOnCalendar(text)).toBeDefined();
    expect(systemd([text])[0]).toMatch(/^\d/);
  });

  test.each([
    "",
    " ",
    "Mon..",
    "tomorrow",
    "1:00 1:00",
    "*-*-*-*",
    "Sun..Mon",
    "1:2:3:4",
    "daily 1:00",
    "*-*-* 1:00  UTC",
    "1:00 Mon",
    "__proto__",
    "constructor",
  ])("%j is none, for systemd neither", (text) => {
    expect(parseOnCalendar(text)).toBeUndefined();
    expect(systemd([text])[0]).toBeUndefined();
  });

  test.each(["*-02-30", "*-04,06-31", "2003-03-05 05:40", "Mon 2026-11-29"])("%s never comes", (text) => {
    const calendar = parseOnCalendar(text);
    expect(calendar && nextDay(calendar, new Date("2026-11-29T00:00:00Z"))).toBeUndefined();
  });

  test.each([
    ["*-02-29", "2028-02-29"],
    ["*-*~1", "2026-11-30"],
    ["Mon *-05~07/1", "2027-05-31"],
    ["2199-12-31", "2199-12-31"],
  ])("%s comes on %s", (text, day) => {
    const calendar = parseOnCalendar(text);
    expect(calendar && nextDay(calendar, new Date("2026-11-29T12:00:00Z"))?.toISOString().slice(0, 10)).toBe(
      day,
    );
  });
});

function isToday(day: Date): boolean {
  return Math.abs(day.getTime() - Date.now()) <= 2 * 86_400_000;
}
