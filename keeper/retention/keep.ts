/** Which snapshots stay, by their arrivals alone. */
import type { Keep } from "../settings";
import { DAY } from "../time";

/** A snapshot as retention sees it: what it claims of itself is not there. */
export interface Arrival {
  readonly id: string;
  /** Milliseconds since 1970; not finite: unknown. */
  readonly arrived: number;
}

const byArrival = (one: Arrival, other: Arrival): number =>
  one.arrived - other.arrived || (one.id < other.id ? -1 : 1);

/** The number of a time's day, week (from Monday on), month or year in UTC. */
const CALENDAR = {
  days: (time: number) => Math.floor(time / DAY),
  // The first of January 1970 was a Thursday.
  weeks: (time: number) => Math.floor((Math.floor(time / DAY) + 3) / 7),
  months: (time: number) => new Date(time).getUTCFullYear() * 12 + new Date(time).getUTCMonth(),
  years: (time: number) => new Date(time).getUTCFullYear(),
} as const;

/**
 * The IDs of the snapshots that stay: every pin; every one whose arrival is unknown, or no more than `within` days ago;
 * the earliest of each of the last so many days, weeks, months and years that have an arrival; and the newest. Of
 * several that arrived in the same millisecond the one of the lowest ID counts as the earliest.
 *
 * The earliest of each, because an attacker can add snapshots to a day that is over only by having been there before.
 * As only what is not the earliest of its day goes, running it daily leaves the same as running it once at the end.
 *
 * @param now milliseconds since 1970
 */
export function keptBy(
  keep: Keep,
  pins: readonly string[],
  snapshots: readonly Arrival[],
  now: number,
): Set<string> {
  const known = snapshots.filter(({ arrived }) => Number.isFinite(arrived)).sort(byArrival);
  const kept = new Set(pins);
  for (const { id, arrived } of snapshots) if (!(now - arrived > keep.within * DAY)) kept.add(id);
  const newest = known.at(-1);
  if (newest !== undefined) kept.add(newest.id);
  for (const unit of ["days", "weeks", "months", "years"] as const) {
    const earliest = new Map<number, string>();
    for (const { id, arrived } of known) {
      const bucket = CALENDAR[unit](arrived);
      if (!earliest.has(bucket)) earliest.set(bucket, id);
    }
    // They came in ascending order.
    const last = [...earliest.values()];
    for (const id of last.slice(Math.max(0, last.length - keep[unit]))) kept.add(id);
  }
  return kept;
}
