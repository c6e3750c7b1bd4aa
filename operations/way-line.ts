import type { WayStatus } from "../keeper/status/schema";
import { counted, duration } from "../keeper/words";

/**
 * A way of alarms in one line: when something was last sent by it, whether it fails, and what is not sent yet.
 *
 * @param now milliseconds since 1970
 */
export function wayLine({ name, sent, failingSince, error, pending }: WayStatus, now: number): string {
  const ago = (at: number): string => duration(Math.max(0, now - at));
  return [
    `${name}: ${sent === undefined ? "nothing sent yet" : `last sent ${ago(sent)} ago`}`,
    ...(failingSince === undefined ? [] : [`FAILS for ${ago(failingSince)}: ${error ?? "no reason given"}`]),
    ...(pending === 0 ? [] : [`${counted(pending, "message")} not sent yet`]),
  ].join(", ");
}
