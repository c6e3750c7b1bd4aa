/** When the next backup is due. */
import { nextTime, parseOnCalendar } from "../../config/on-calendar";
import { HOUR } from "../time";

/** Hours that clocks are ahead of UTC, from the west to the east. */
const FIRST_ZONE = -12;
const LAST_ZONE = 14;

/**
 * The schedule's next time after a backup. A schedule without a time zone is in the client's own, which is not known:
 * the latest next time of all zones is taken. For a backup that came at its time that is a day, week or month later;
 * with zones of whole hours it is up to an hour too early, which the least grace makes up for.
 *
 * @param base in milliseconds since 1970
 * @returns `undefined`: there is no schedule, or no further time
 */
export function dueAfter(schedule: string, base: number): number | undefined {
  const calendar = schedule === "none" ? undefined : parseOnCalendar(schedule);
  if (calendar === undefined) return undefined;
  if (calendar.timeZone !== undefined) return nextTime(calendar, new Date(base))?.getTime();
  let latest: number | undefined;
  for (let zone = FIRST_ZONE; zone <= LAST_ZONE; zone += 1) {
    const next = nextTime(calendar, new Date(base + zone * HOUR));
    if (next !== undefined) latest = Math.max(latest ?? 0, next.getTime() - zone * HOUR);
  }
  return latest;
}
