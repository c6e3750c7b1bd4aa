/** A plan as text for the operator who has to decide on it. */
import type { Entry } from "../../s3/history";
import { moment, printable } from "../printable";
import { REPORT_TAG } from "../../keeper/reported";
import { Snapshot } from "./restic";
import { Action, Kind, KINDS, kindOf, Plan } from "./plan";

/** How many files are listed for each kind of action, and paths for each snapshot. */
const NAMED = 5;

/** Why an added object is only hidden. */
export const NO_COPY = "too large, or its name too long, to be copied";

/** The first items of a list, one a line, and the number of the others. */
export function firstOf(all: readonly string[], indent: string): string {
  const rest = all.length > NAMED ? [`and ${all.length - NAMED} more`] : [];
  return [...all.slice(0, NAMED), ...rest].map((line) => `${indent}${line}`).join("\n");
}

/** Actions that are listed together. */
interface Group {
  /** Its column in the table; absent: none. */
  column?: string;
  heading: string;
  has: (action: Action, kind: Kind) => boolean;
}

const GROUPS: Group[] = [
  { column: "deleted", heading: "Deleted since; will be undeleted", has: ({ does }) => does === "undelete" },
  {
    column: "overwritten",
    heading: "Overwritten since; the version at that time will be copied on top",
    has: ({ does }) => does === "put-back",
  },
  {
    column: "added",
    heading: "Added since; will be moved to .quarantine/",
    has: ({ does }, kind) => does === "move-away" && kind !== "locks",
  },
  {
    // Every interrupted command leaves one: a lock alone is no sign of an attack.
    heading: "Locks, which would block restic; will be moved to .quarantine/, too",
    has: ({ does }, kind) => does === "move-away" && kind === "locks",
  },
];

/**
 * The plan as text: counts by kind of file, then for each kind of action who made it necessary and when, and the first
 * names.
 *
 * @param prefix `CLIENT/REPOSITORY/`
 * @param nameOf the name of an S3 identity
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
      `Of ${plan.expired.length} more files only delete markers are left: if they had content at that time, it has expired.`,
    );
  }
  if (plan.nameless > 0) {
    lines.push(
      "",
      `${plan.nameless} more versions have names that are not valid UTF-8. S3 cannot move them, so they stay; restic ignores them.`,
    );
  }
  return lines.join("\n");
}

/**
 * The backups among these snapshots, a line each, and the number of the others, which are reports of failed runs.
 *
 * @param listReports the command that lists the others
 */
export function describeSnapshots(snapshots: readonly Snapshot[], listReports: string): string {
  const backups = snapshots.filter(({ tags }) => tags?.includes(REPORT_TAG) !== true);
  const reports = snapshots.length - backups.length;
  const lines = backups.map(({ id, time, hostname, tags, paths }) => {
    const ms = Date.parse(time);
    const at = Number.isNaN(ms) ? printable(time) : moment(Math.floor(ms / 1000) * 1000);
    const tagged = tags == null || tags.length === 0 ? [] : [`tags ${listOf(tags)}`];
    return [id.slice(0, 8), at, printable(hostname), listOf(paths ?? []), ...tagged].join("  ");
  });
  return [
    ...(lines.length === 0
      ? ["none: the repository existed, but nothing had been backed up to it"]
      : [...lines, `${lines.length} ${lines.length === 1 ? "snapshot" : "snapshots"}`]),
    ...(reports === 0
      ? []
      : [
          `Left out: ${reports} ${reports === 1 ? "report" : "reports"} of runs that failed or were partial, listed by`,
          `  ${listReports}`,
        ]),
  ].join("\n");
}

/** The first values in a line, and the number of the others. */
function listOf(values: readonly string[]): string {
  const rest = values.length - NAMED;
  return values.slice(0, NAMED).map(printable).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
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
