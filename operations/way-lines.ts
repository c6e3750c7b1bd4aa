import { sendsNone } from "../keeper/alarms/transitions";
import type { WayStatus } from "../keeper/status/schema";
import { counted, duration } from "../keeper/words";

/** What an operator hears where there is nothing but a ping, or not even that. */
export const NO_WAY =
  "there is no way by which alarms are sent: give alarms mail, a webhook or a command in the configuration";

/**
 * The ways of alarms, one a line: when something was last sent by each, whether it fails, and what is not sent yet.
 *
 * @param now milliseconds since 1970
 */
export const wayLines = (ways: readonly WayStatus[], now: number): string[] => [
  ...(sendsNone(ways) ? [NO_WAY] : []),
  ...ways.map((way) => wayLine(way, now)),
];

function wayLine({ name, sent, failingSince, error, pending }: WayStatus, now: number): string {
  const ago = (at: number): string => duration(now - at);
  return [
    `${name}: ${sent === undefined ? "nothing sent yet" : `last sent ${ago(sent)} ago`}`,
    ...(failingSince === undefined ? [] : [`FAILS for ${ago(failingSince)}: ${error ?? "no reason given"}`]),
    ...(pending === 0 ? [] : [`${counted(pending, "message")} not sent yet`]),
  ].join(", ");
}
