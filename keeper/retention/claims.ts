/** What snapshots claim of themselves: it decides nothing, and what does not fit is reported. */
import { DAY, HOUR } from "../time";

/** A snapshot begins before it arrives, and a long backup takes days; more than that is reported. */
const EARLIEST_CLAIM = 2 * DAY;
const LATEST_CLAIM = HOUR;

/**
 * Whether a date that a snapshot claims fits its arrival. One that does not is copied or forged.
 *
 * @param arrived milliseconds since 1970
 * @param time as the snapshot has it, RFC 3339
 */
export function claimFits(arrived: number, time: string): boolean {
  const claimed = Date.parse(time);
  return claimed >= arrived - EARLIEST_CLAIM && claimed <= arrived + LATEST_CLAIM;
}
