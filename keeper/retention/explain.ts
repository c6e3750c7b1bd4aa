/** What a `keep` means, in words and numbers: found by letting the pure function decide on backups to come. */
import { nextTime, OnCalendar, parseOnCalendar, smallestGap } from "../../config/on-calendar";
import type { Keep } from "../settings";
import { DAY, HOUR } from "../time";
import { counted } from "../words";
import { Arrival, keptBy } from "./keep";

const YEAR = 365 * DAY;
/** A change is explained for a repository with backups of so many years at most. */
const MOST_YEARS = 10;

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** A schedule as it is simulated: one that is none or not understood as daily, and no more than one backup an hour. */
function simulated(schedule: string): { calendar: OnCalendar; assumed: string } {
  const calendar = parseOnCalendar(schedule);
  const daily = parseOnCalendar("daily") as OnCalendar;
  if (calendar === undefined) return { calendar: daily, assumed: "with one backup a day, " };
  if (smallestGap(calendar) * 1000 >= HOUR) return { calendar, assumed: "" };
  return {
    calendar: { ...calendar, minutes: [0], seconds: [0] },
    assumed: "counted at one backup an hour, ",
  };
}

/** The snapshots that arrive after `from`, up to `to`. */
function arrivals(calendar: OnCalendar, from: number, to: number): Arrival[] {
  const all: Arrival[] = [];
  let time = nextTime(calendar, new Date(from))?.getTime();
  while (time !== undefined && time <= to) {
    all.push({ id: String(time), arrived: time });
    time = nextTime(calendar, new Date(time))?.getTime();
  }
  return all;
}

/** What is left of snapshots at a time. */
function left(keep: Keep | undefined, snapshots: readonly Arrival[], now: number): readonly Arrival[] {
  const there = snapshots.filter(({ arrived }) => arrived <= now);
  if (keep === undefined) return there;
  const kept = keptBy(keep, [], there, now);
  return there.filter(({ id }) => kept.has(id));
}

/** A `keep` in words, such as `all of 30 days, then one for each of 7 days and 5 weeks`. */
export function describeKeep(keep: Keep | undefined): string {
  if (keep === undefined) return "every snapshot";
  const units = (["days", "weeks", "months", "years"] as const)
    .filter((unit) => keep[unit] > 0)
    .map((unit) => counted(keep[unit], unit.slice(0, -1)));
  const each = [units.slice(0, -1).join(", "), units.at(-1) ?? ""]
    .filter((part) => part !== "")
    .join(" and ");
  const all = keep.within > 0 ? `all of ${counted(keep.within, "day")}` : "";
  const one = each === "" ? "" : `one for each of the last ${each} with a backup`;
  const both = [all, one].filter((part) => part !== "").join(", then ");
  return `${both === "" ? "" : `${both}, and always `}the newest and what is pinned`.replace(
    /^the/,
    "only the",
  );
}

/**
 * What a `keep` keeps, and what of the backups of the next twelve months it leaves.
 *
 * @param keep `undefined`: nothing is forgotten
 * @param schedule the client's; `none`: a backup a day is assumed, and the words say so
 * @param from milliseconds since 1970
 */
export function explainKeep(keep: Keep | undefined, schedule: string, from: number): string {
  const { calendar, assumed } = simulated(schedule);
  const to = from + YEAR;
  const all = arrivals(calendar, from, to);
  const there = left(keep, all, to);
  const made = `${assumed}of the ${counted(all.length, "backup")} of the next twelve months`;
  const end =
    there.length === all.length
      ? `${made} all are left at their end`
      : `${made} ${there.length} ${there.length === 1 ? "is" : "are"} left at their end, and the first goes on ${day(firstLoss(keep, all, from, to))}`;
  return `keeps ${describeKeep(keep)}; ${end}`;
}

/** The day on which the first goes. Once a snapshot has gone it stays gone, so the days can be halved. */
function firstLoss(keep: Keep | undefined, all: readonly Arrival[], from: number, to: number): number {
  let [least, most] = [0, Math.ceil((to - from) / DAY)];
  while (least < most) {
    const middle = (least + most) >> 1;
    const now = from + middle * DAY;
    const complete = left(keep, all, now).length === left(undefined, all, now).length;
    if (complete) least = middle + 1;
    else most = middle;
  }
  return from + least * DAY;
}

/** What a change does, in words. */
export interface Change {
  readonly words: string;
  /** Whether there are fewer snapshots for it, at once or in twelve months. */
  readonly removes: boolean;
}

/**
 * What a change of `keep` does to a repository that was backed up on its schedule for as long as either reaches (ten
 * years at most): what goes at once, and how many snapshots there are in twelve months.
 *
 * @see explainKeep
 */
export function explainChange(
  before: Keep | undefined,
  after: Keep | undefined,
  schedule: string,
  from: number,
): Change {
  const { calendar, assumed } = simulated(schedule);
  const years = Math.min(MOST_YEARS, Math.max(...[before, after].map(reach)));
  const to = from + YEAR;
  const past = arrivals(calendar, from - years * YEAR, from);
  const coming = arrivals(calendar, from, to);
  const now = left(before, past, from);
  const stay = left(after, now, from);
  const gone = now.length - stay.length;
  const oldest = (snapshots: readonly Arrival[]): string => {
    const [first] = snapshots;
    return first === undefined ? "" : `, the oldest of ${day(first.arrived)}`;
  };
  const first =
    gone === 0
      ? `nothing goes at once of its ${counted(now.length, "snapshot")}`
      : `of its ${counted(now.length, "snapshot")}${oldest(now)}, ${gone} would go at the first run, leaving ${stay.length}${oldest(stay)}`;
  const [was, is] = [left(before, [...now, ...coming], to), left(after, [...stay, ...coming], to)];
  const then = `in twelve months there are ${is.length}${oldest(is)}, where there would have been ${was.length}${oldest(was)}`;
  return {
    words: `${assumed}after ${counted(years, "year")} of backups: ${first}; ${then}`,
    removes: gone > 0 || is.length < was.length,
  };
}

/** Years after which a `keep` is full, one more being there to fall out of it. */
function reach(keep: Keep | undefined): number {
  if (keep === undefined) return 1;
  const { within, days, weeks, months, years } = keep;
  return (
    1 +
    Math.max(
      Math.ceil(within / 365),
      Math.ceil(days / 365),
      Math.ceil(weeks / 52),
      Math.ceil(months / 12),
      years,
    )
  );
}
