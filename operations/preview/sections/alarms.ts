import { danger, list, note, Sentence } from "../markdown";
import { Inputs, Step } from "../model";
import { ofType, without } from "./inputs";

/** By which ways the keeper sends alarms; what is known only during the update is no list. */
const waysOf = ({ alarms }: Inputs): string[] =>
  Array.isArray(alarms) ? alarms.filter((way) => typeof way === "string") : [];

/** By which ways alarms are sent, where that changes. */
export function* alarms(steps: Step[]): Iterable<Sentence> {
  for (const { before, after, op } of ofType(steps, "keeper")) {
    const [was, is] = [waysOf(before), waysOf(after)];
    const [lost, gained] = [without(was, is), without(is, was)];
    if (lost.length > 0) yield danger`alarms are no longer sent by ${list(lost)}`;
    if (gained.length > 0) yield note`alarms are sent by ${list(gained)}`;
    if (is.length === 0 && op !== "delete" && (was.length > 0 || op === "create")) {
      yield note`no message is sent when something is amiss: there is no way by which alarms are sent`;
    }
  }
}
