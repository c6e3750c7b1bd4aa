/** Numbers and times in words, as tables, pages, mails and reasons show them. */
import { DAY, HOUR, isTime, MINUTE, SECOND } from "./time";

/** `1 snapshot`, `2 snapshots`. */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

/**
 * A time in UTC, to the minute: `2026-11-29T03:07Z`.
 *
 * @param ms milliseconds since 1970
 */
export const minute = (ms: number): string =>
  isTime(ms) ? new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, "Z") : "an unknown time";

/**
 * The day of a time in UTC: `2026-11-29`.
 *
 * @param ms milliseconds since 1970, of the calendar
 */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const UNITS = [
  [DAY, "d"],
  [HOUR, "h"],
  [MINUTE, "min"],
  [SECOND, "s"],
] as const;

/** A length of time by its largest unit and the next, what is less left out: `2 d 3 h`, `4 min`, `0 s`; of a negative one `0 s`. */
export function duration(ms: number): string {
  const first = UNITS.findIndex(([unit]) => ms >= unit);
  if (first < 0) return "0 s";
  let left = ms;
  return UNITS.slice(first, first + 2)
    .map(([unit, name]) => {
      const n = Math.floor(left / unit);
      left -= n * unit;
      return n === 0 ? "" : `${n} ${name}`;
    })
    .filter((part) => part !== "")
    .join(" ");
}

/** A number of bytes, in the unit in which it is less than 1024: `1.5 GiB`, `12 GiB`, `512 B`. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  // What would be shown as 1024 is 1 of the next.
  const shown = (value: number): number => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
  let at = 0;
  while (shown(n / 1024 ** at) >= 1024 && at < units.length - 1) at += 1;
  return `${shown(n / 1024 ** at)} ${units[at] ?? ""}`;
}
