/** A plan in the words of the person who has to decide on it. */
import type { Entry } from "../../s3/history";
import { moment, printable } from "../printable";
import { Action, Kind, KINDS, kindOf, Plan } from "./plan";

/** Files that are named for each action. */
const NAMED = 5;

/** Why a plan has a stranger hidden only. */
export const NO_COPY = "too large, or its name too long, to be copied";

/** The first of a list, a line each, and how many more there are. */
export function firstOf(all: readonly string[], indent: string): string {
  const rest = all.length > NAMED ? [`and ${all.length - NAMED} more`] : [];
  return [...all.slice(0, NAMED), ...rest].map((line) => `${indent}${line}`).join("\n");
}

/** Actions that are told together. */
interface Group {
  /** Its column in the table; absent: it has a line of its own. */
  column?: string;
  heading: string;
  has: (action: Action, kind: Kind) => boolean;
}

const GROUPS: Group[] = [
  { column: "deleted", heading: "Deleted since; will come back", has: ({ does }) => does === "undelete" },
  {
    column: "overwritten",
    heading: "Overwritten since; the version of then will be put on top",
    has: ({ does }) => does === "put-back",
  },
  {
    column: "added",
    heading: "Added since; will be moved to .quarantine/",
    has: ({ does }, kind) => does === "move-away" && kind !== "locks",
  },
  {
    // Any command that was interrupted leaves one behind: by itself it tells of no attack.
    heading: "Locks, which would stop restic; will be moved to .quarantine/, too",
    has: ({ does }, kind) => does === "move-away" && kind === "locks",
  },
];

/**
 * The plan as lines of text: counts by the kind of file, then for each action who did when what made it necessary,
 * and the first names.
 *
 * @param prefix `CLIENT/REPOSITORY/`
 * @param nameOf an S3 identity in words
 */
export function describePlan(plan: Plan, prefix: string, nameOf: (id: string) => string): string {
  const lines = [table(plan, prefix)];
  for (const { heading, has } of GROUPS) {
    const actions = plan.actions.filter((action) => has(action, kindOf(action.key, prefix)));
    if (actions.length === 0) continue;
    lines.push("", `${heading} (${actions.length}):`, `  ${changes(actions, nameOf)}`);
    const named = actions.map((action) => {
      const hidden =
        action.does === "move-away" && action.target === undefined ? `, ${NO_COPY}: will be hidden` : "";
      return `${printable(action.key.slice(prefix.length))}  ${whoAndWhen(action.cause, nameOf)}${hidden}`;
    });
    lines.push(firstOf(named, "    "));
  }
  if (plan.expired.length > 0) {
    lines.push(
      "",
      `Of ${plan.expired.length} more files only delete markers are left: if they held data then, it has expired.`,
    );
  }
  if (plan.nameless > 0) {
    lines.push(
      "",
      `${plan.nameless} versions more have names that are no text. S3 has no way to move them, so they stay; restic passes over them.`,
    );
  }
  return lines.join("\n");
}

function whoAndWhen({ modified, by }: Entry, nameOf: (id: string) => string): string {
  return by === undefined ? moment(modified) : `${moment(modified)} by ${nameOf(by)}`;
}

function changes(actions: Action[], nameOf: (id: string) => string): string {
  const causes = actions.map(({ cause }) => cause).sort((a, b) => a.modified - b.modified);
  const [first, last] = [causes[0], causes.at(-1)] as [Entry, Entry];
  const names = new Map<string, number>();
  for (const { by } of causes) {
    const name = by === undefined ? "an unknown identity" : nameOf(by);
    names.set(name, (names.get(name) ?? 0) + 1);
  }
  const who = [...names].map(([name, count]) => (names.size === 1 ? name : `${name} (${count})`)).join(", ");
  return `from ${moment(first.modified)} to ${moment(last.modified)}, by ${who}`;
}

function table(plan: Plan, prefix: string): string {
  const columns = GROUPS.filter(({ column }) => column !== undefined);
  const rows = KINDS.map((kind) => ({
    kind,
    counts: columns.map(
      ({ has }) =>
        plan.actions.filter((action) => kindOf(action.key, prefix) === kind && has(action, kind)).length,
    ),
  }));
  const line = (name: string, cells: (string | number)[]) =>
    `  ${name.padEnd(10)}${cells.map((cell) => String(cell).padStart(13)).join("")}`;
  const changed = rows.filter(({ counts }) => counts.some((count) => count > 0));
  const locks = plan.actions.filter(({ key }) => kindOf(key, prefix) === "locks").length;
  const unchanged = `  unchanged: ${plan.unchanged}${locks === 0 ? "" : `; locks: ${locks}`}`;
  if (changed.length === 0) return unchanged;
  return [
    line(
      "",
      columns.map(({ column = "" }) => column),
    ),
    ...changed.map(({ kind, counts }) => line(kind, counts)),
    unchanged,
  ].join("\n");
}
