/**
 * The calendar expressions of systemd (systemd.time(7), "Calendar Events"), as far as a backup needs them: no fractions
 * of seconds, no Unix times, no steps of months or years, no range of one value, no list that counts from the end of a
 * month. What is accepted here systemd accepts, and understands in the same way.
 */

/** The values of one component, in ascending order; `undefined`: any. */
type Values = readonly number[] | undefined;

/** A calendar expression. */
export interface OnCalendar {
  /** Monday is 0. */
  weekdays: Values;
  years: Values;
  months: Values;
  days: Values;
  /** Whether `days` counts from the end of the month, 1 being its last day. */
  fromMonthEnd: boolean;
  hours: Values;
  minutes: Values;
  seconds: Values;
  /** As written; absent: the host's own time zone. */
  timeZone?: string;
}

const SHORTHANDS: ReadonlyMap<string, string> = new Map([
  ["minutely", "*-*-* *:*:00"],
  ["hourly", "*-*-* *:00:00"],
  ["daily", "*-*-* 00:00:00"],
  ["weekly", "Mon *-*-* 00:00:00"],
  ["monthly", "*-*-01 00:00:00"],
  ["quarterly", "*-01,04,07,10-01 00:00:00"],
  ["semiannually", "*-01,07-01 00:00:00"],
  ["semi-annually", "*-01,07-01 00:00:00"],
  ["biannually", "*-01,07-01 00:00:00"],
  ["bi-annually", "*-01,07-01 00:00:00"],
  ["yearly", "*-01-01 00:00:00"],
  ["annually", "*-01-01 00:00:00"],
]);

const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/** The first and the last value of a component. */
type Range = readonly [number, number];

const YEARS: Range = [1970, 2199];
const MONTHS: Range = [1, 12];
const DAYS: Range = [1, 31];
/** From the end of a month only days are counted that every month has. */
const DAYS_FROM_END: Range = [1, 28];
const HOURS: Range = [0, 23];
const SIXTIETHS: Range = [0, 59];

/**
 * Reads a calendar expression.
 *
 * @returns `undefined` for what systemd refuses, and for what is left out here
 */
export function parseOnCalendar(expression: string): OnCalendar | undefined {
  const words = expression.split(" ");
  const last = words.at(-1) ?? "";
  const timeZone = words.length > 1 && isTimeZone(last) ? last : undefined;
  if (timeZone !== undefined) words.pop();
  const first = words[0]?.toLowerCase() ?? "";
  const shorthand = words.length === 1 ? SHORTHANDS.get(first) : undefined;
  const parts = shorthand === undefined ? words : shorthand.split(" ");

  const weekdayPart = /^[a-z]/i.test(parts[0] ?? "") ? parts.shift() : undefined;
  const datePart = parts[0] !== undefined && !parts[0].includes(":") ? parts.shift() : undefined;
  const timePart = parts.shift();
  if (parts.length > 0 || (weekdayPart ?? datePart ?? timePart) === undefined) return undefined;

  const weekdays = weekdayPart === undefined ? ANY : parseWeekdays(weekdayPart);
  const date = parseDate(datePart ?? "*-*-*");
  const time = parseTime(timePart ?? "00:00:00");
  if (weekdays === undefined || date === undefined || time === undefined) return undefined;
  return { weekdays: weekdays.values, ...date, ...time, ...(timeZone === undefined ? {} : { timeZone }) };
}

/** A component that was understood; without values: any. */
interface Parsed {
  values: Values;
}

const ANY: Parsed = { values: undefined };

function isTimeZone(word: string): boolean {
  if (!/^[A-Z][A-Za-z0-9_+-]*(\/[A-Z][A-Za-z0-9_+-]*)*$/.test(word)) return false;
  if (weekdayNumber(word) >= 0) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: word });
    return true;
  } catch {
    return false;
  }
}

/** @returns -1 for a word that names no weekday */
function weekdayNumber(word: string): number {
  const lower = word.toLowerCase();
  return WEEKDAYS.findIndex((name) => name === lower || name.slice(0, 3) === lower);
}

function parseWeekdays(part: string): Parsed | undefined {
  const found = new Set<number>();
  for (const item of part.replace(/,$/, "").split(",")) {
    const [from, to = from, ...rest] = item.split(/\.\.|-/).map(weekdayNumber) as [number, ...number[]];
    if (from < 0 || to < from || rest.length > 0) return undefined;
    for (let day = from; day <= to; day += 1) found.add(day);
  }
  return { values: ascending(found) };
}

function parseDate(part: string): Pick<OnCalendar, "years" | "months" | "days" | "fromMonthEnd"> | undefined {
  const match = /^(?:([^-~]+)-)?([^-~]+)([-~])([^-~]+)$/.exec(part);
  if (match === null) return undefined;
  const [, year = "*", month = "", separator, day = ""] = match;
  const fromMonthEnd = separator === "~";
  // systemd 252 cannot work out the next time of months in steps where the time zone has a summer time (EDEADLK), and
  // adds up the bounds of a list that counts from the month's end.
  if (/\//.test(year + month) || (fromMonthEnd && day.includes(","))) return undefined;
  const years = parseComponent(year, YEARS, fullYear);
  const months = parseComponent(month, MONTHS);
  const days = parseComponent(day, fromMonthEnd ? DAYS_FROM_END : DAYS, undefined, fromMonthEnd);
  if (years === undefined || months === undefined || days === undefined) return undefined;
  return { years: years.values, months: months.values, days: days.values, fromMonthEnd };
}

/** A year of two digits is one of 1970 to 2069. */
function fullYear(year: number): number {
  if (year >= 100) return year;
  return year < 70 ? 2000 + year : 1900 + year;
}

function parseTime(part: string): Pick<OnCalendar, "hours" | "minutes" | "seconds"> | undefined {
  const [hour = "", minute = "", second = "00", ...rest] = part.split(":");
  const hours = parseComponent(hour, HOURS);
  const minutes = parseComponent(minute, SIXTIETHS);
  const seconds = parseComponent(second, SIXTIETHS);
  if (hours === undefined || minutes === undefined || seconds === undefined || rest.length > 0)
    return undefined;
  return { hours: hours.values, minutes: minutes.values, seconds: seconds.values };
}

/**
 * `*`, or a list of `N`, `N..M`, each with a repetition `/R` or without.
 *
 * @param downwards whether a repetition without an end counts down, as days from the end of a month do
 */
function parseComponent(
  part: string,
  [least, most]: Range,
  complete: (value: number) => number = (value) => value,
  downwards = false,
): Parsed | undefined {
  if (part === "*") return ANY;
  const found = new Set<number>();
  for (const item of part.split(",")) {
    const match = /^(\d{1,4})(?:\.\.(\d{1,4}))?(?:\/(\d{1,4}))?$/.exec(item);
    if (match === null) return undefined;
    const start = complete(Number(match[1]));
    const step = match[3] === undefined ? undefined : Number(match[3]);
    // The last value that the steps reach counts, not the one that is written. A range of one value some components
    // take and others do not.
    const stop = match[2] === undefined ? undefined : complete(Number(match[2]));
    const end = stop === undefined ? undefined : stop - ((stop - start) % (step ?? 1));
    if (start < least || start > most || step === 0) return undefined;
    if (end !== undefined && (end > most || stop === undefined || stop <= start)) return undefined;
    if (end === undefined && step !== undefined) {
      if (downwards ? start - step < least : start + step > most) return undefined;
      for (let value = start; value >= least && value <= most; value += downwards ? -step : step)
        found.add(value);
      continue;
    }
    for (let value = start; value <= (end ?? start); value += step ?? 1) found.add(value);
  }
  return { values: ascending(found) };
}

function ascending(values: Set<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

const DAY_MS = 86_400_000;

/**
 * The first day, as midnight UTC of its date, on or after that of `now` to which the expression applies.
 *
 * @returns `undefined` where there is none until 2199, the last year that systemd knows
 */
export function nextDay(calendar: OnCalendar, now: Date): Date | undefined {
  const has = (values: Values, value: number) => values?.includes(value) ?? true;
  const first = Math.floor(now.getTime() / DAY_MS) * DAY_MS;
  for (let time = first; ; time += DAY_MS) {
    const day = new Date(time);
    const [year, month, date] = [day.getUTCFullYear(), day.getUTCMonth() + 1, day.getUTCDate()];
    if (year > YEARS[1]) return undefined;
    const count = calendar.fromMonthEnd ? new Date(Date.UTC(year, month, 0)).getUTCDate() - date + 1 : date;
    const weekday = (day.getUTCDay() + 6) % 7;
    if (
      has(calendar.years, year) &&
      has(calendar.months, month) &&
      has(calendar.days, count) &&
      has(calendar.weekdays, weekday)
    ) {
      return day;
    }
  }
}

/** The seconds of a day at which the expression applies, in ascending order. */
function timesOfDay({ hours, minutes, seconds }: OnCalendar): number[] {
  const all = (values: Values, [least, most]: Range) =>
    values ?? Array.from({ length: most - least + 1 }, (_, index) => least + index);
  return all(hours, HOURS).flatMap((hour) =>
    all(minutes, SIXTIETHS).flatMap((minute) =>
      all(seconds, SIXTIETHS).map((second) => (hour * 60 + minute) * 60 + second),
    ),
  );
}

/** Seconds between the two times of a day that lie closest together; a day where there is one time. */
export function smallestGap(calendar: OnCalendar): number {
  const times = timesOfDay(calendar);
  const tomorrow = (times[0] ?? 0) + 86_400;
  return [...times, tomorrow]
    .slice(1)
    .reduce((least, time, index) => Math.min(least, time - (times[index] ?? 0)), 86_400);
}

/** By time zone: to construct one takes longer than to use it. */
const CLOCKS = new Map<string, Intl.DateTimeFormat>();

/** What the clocks of a time zone show, as if it were UTC. */
function wallClock(time: number, timeZone: string | undefined): number {
  if (timeZone === undefined) return time;
  let clock = CLOCKS.get(timeZone);
  if (clock === undefined) {
    const two = "2-digit";
    const fields = { year: "numeric", month: two, day: two, hour: two, minute: two, second: two } as const;
    clock = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", ...fields });
    CLOCKS.set(timeZone, clock);
  }
  const parts = new Map(clock.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
  const at = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const shown = Date.UTC(at("year"), at("month") - 1, at("day"), at("hour"), at("minute"), at("second"));
  return shown + (time % 1000);
}

/**
 * The first time after `after` to which the expression applies. Without a time zone it is read as UTC, which is what
 * the hosts of the stack run. A time that the clocks pass over or show twice is an hour off at most.
 *
 * @returns `undefined` where there is none until 2199
 */
export function nextTime(calendar: OnCalendar, after: Date): Date | undefined {
  const { timeZone } = calendar;
  const times = timesOfDay(calendar);
  const utc = (shown: number): number => {
    const guess = 2 * shown - wallClock(shown, timeZone);
    return guess + shown - wallClock(guess, timeZone);
  };
  // The clocks may have been put back since a time of the day before.
  let from = wallClock(after.getTime(), timeZone) - 2 * 3_600_000;
  for (;;) {
    const day = nextDay(calendar, new Date(from));
    if (day === undefined) return undefined;
    for (const seconds of times) {
      const shown = day.getTime() + seconds * 1000;
      if (shown < from) continue;
      const time = utc(shown);
      if (time > after.getTime()) return new Date(time);
    }
    from = day.getTime() + DAY_MS;
  }
}
