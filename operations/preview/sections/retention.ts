import { isDeepStrictEqual } from "node:util";
import { describeKeep, explainChange, explainKeep } from "../../../keeper/retention";
import type { Keep } from "../../../keeper/settings";
import { danger, list, Markdown, note, Sentence } from "../markdown";
import { Inputs, Step } from "../model";
import { isRecord } from "../secrets";
import { ofType, text } from "./inputs";

/** What the keeper's input says of a repository that has no `keep`. */
const NOTHING_FORGOTTEN = "nothing is forgotten";

/** More days, weeks, months or years than any configuration has. */
const MOST_UNITS = 10_000;

/** So many different changes are worked out in numbers; a configuration has few. */
const MOST_EXPLAINED = 20;

/** What is kept of a repository. */
interface Kept {
  /** Absent: everything. */
  readonly keep?: Keep;
  readonly schedule: string;
}

/** `unknown`: it is no `keep`, or known only during the update; `undefined`: the keeper does not know the repository. */
type Reading = Kept | "unknown" | undefined;

function readKept(value: unknown): Reading {
  if (value === undefined) return undefined;
  if (value === NOTHING_FORGOTTEN) return { schedule: "none" };
  if (!isRecord(value)) return "unknown";
  const count = (unit: string): number => {
    const number = value[unit];
    return Number.isInteger(number) && Number(number) >= 0 && Number(number) <= MOST_UNITS
      ? Number(number)
      : NaN;
  };
  const keep: Keep = {
    within: count("within"),
    days: count("days"),
    weeks: count("weeks"),
    months: count("months"),
    years: count("years"),
  };
  if (Object.values(keep).some(Number.isNaN)) return "unknown";
  return { keep, schedule: text(value["schedule"]) || "none" };
}

/** What is kept of each repository, by `CLIENT/REPOSITORY`. */
function readAll({ keep }: Inputs): Map<string, Reading> {
  return new Map(
    Object.entries(isRecord(keep) ? keep : {}).map(([repository, value]) => [repository, readKept(value)]),
  );
}

/** Words without any value of the preview but numbers. */
const words =
  (plain: string): Markdown =>
  () =>
    plain;

/** What a change means for repositories that share it. */
function sentence(names: string[], was: Reading, is: Reading, now: number, explained: boolean): Sentence {
  if (is === undefined) {
    return note`the keeper no longer works on ${list(names)}: what is there stays`;
  }
  if (is === "unknown" || was === "unknown") {
    return danger`what is kept of ${list(names)} changes, and is known only during the update`;
  }
  if (was === undefined) {
    const what = explained ? explainKeep(is.keep, is.schedule, now) : `keeps ${describeKeep(is.keep)}`;
    return note`of ${list(names)} the keeper ${words(what)}`;
  }
  const from = words(describeKeep(was.keep));
  const to = words(describeKeep(is.keep));
  if (!explained) return danger`of ${list(names)} other snapshots are kept: ${from} → ${to}`;
  const { words: means, removes } = explainChange(was.keep, is.keep, is.schedule, now);
  return removes
    ? danger`of ${list(names)} **fewer snapshots are kept**: ${from} → ${to}. ${words(means)}`
    : note`of ${list(names)} as many snapshots are kept, or more: ${from} → ${to}. ${words(means)}`;
}

function* changes({ before, after }: Step, now: number): Iterable<Sentence> {
  const [old, current] = [readAll(before), readAll(after)];
  const groups = new Map<string, { names: string[]; was: Reading; is: Reading }>();
  for (const name of [...new Set([...old.keys(), ...current.keys()])].sort()) {
    const [was, is] = [old.get(name), current.get(name)];
    if (sameKeep(was, is)) continue;
    const key = JSON.stringify([was ?? null, is ?? null]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { names: [name], was, is });
    else group.names.push(name);
  }
  for (const [at, { names, was, is }] of [...groups.values()].entries()) {
    yield sentence(names, was, is, now, at < MOST_EXPLAINED);
  }
}

/** Whether the same is kept; another schedule is a matter of the client. */
function sameKeep(was: Reading, is: Reading): boolean {
  const known = was !== undefined && is !== undefined && was !== "unknown" && is !== "unknown";
  return known ? isDeepStrictEqual(was.keep, is.keep) : isDeepStrictEqual(was, is);
}

/** What the keeper keeps and removes over the next twelve months, where that changes. */
export function* retention(steps: Step[], now: number): Iterable<Sentence> {
  const keepers = ofType(steps, "keeper");
  for (const step of keepers) {
    if (step.op === "delete") {
      yield note`the keeper is removed: nothing is forgotten any more, and the bucket only grows`;
    } else {
      yield* changes(step, now);
    }
  }
  if (keepers.length === 0 && ofType(steps, "backupBucket").some(({ op }) => op === "create")) {
    yield note`there is no keeper: nothing is ever forgotten, and the bucket only grows`;
  }
}
