import { nextDay, parseOnCalendar, smallestGap } from "../on-calendar";
import type { Problem } from "./problem";

/** When a backup runs by itself. */
export function scheduleProblem(text: string): Problem {
  if (text === "none") return undefined;
  const calendar = parseOnCalendar(text);
  if (calendar === undefined) {
    return 'is not a calendar expression of systemd; write for example "daily", "Mon..Fri 22:30" or "*:0/15", or "none"';
  }
  return nextDay(calendar, new Date()) === undefined
    ? "is a time that never comes; correct the date"
    : undefined;
}

/** Minutes between two runs of a schedule, at least; of one that is none or not understood, those of a day. */
export function minutesBetweenRuns(schedule: string): number {
  const calendar = parseOnCalendar(schedule);
  return calendar === undefined ? 1440 : Math.floor(smallestGap(calendar) / 60);
}

/** A command for `/bin/sh`, of one line or several. */
export function commandProblem(text: string): Problem {
  return /(?![\t\n])[\p{Cc}\p{Cs}]/u.test(text) ? "has a control character; remove it" : undefined;
}

/** The ID of a snapshot; a short one could come to mean another snapshot. */
export function snapshotIdProblem(text: string): Problem {
  return /^[0-9a-f]{64}$/.test(text)
    ? undefined
    : "is not the full ID of a snapshot, 64 lower-case hexadecimal digits; see `restic snapshots --json`";
}

/** The name of a dump in its snapshot. */
export function fileNameProblem(text: string): Problem {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(text)
    ? undefined
    : "is not the plain name of a file; write letters, digits, dots and dashes, for example shop.sql";
}
