/** A plan in the words of the person who has to decide on it. */
import { Action, Entry, KINDS, kindOf, Plan } from "./plan";

/** Files that are named for each action. */
const NAMED = 5;

/** A text of somebody else's, such as a key, that cannot move the terminal's cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A moment as it is printed, and as `--at` takes it. */
export function moment(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

const HEADINGS: [does: Action["does"], column: string, heading: string][] = [
  ["undelete", "deleted", "Deleted since; will come back"],
  ["put-back", "overwritten", "Overwritten since; the version of then will be put on top"],
  ["move-away", "added", "Added since, or locks; will be moved to .quarantine/"],
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
  for (const [does, , heading] of HEADINGS) {
    const actions = plan.actions.filter((action) => action.does === does);
    if (actions.length === 0) continue;
    lines.push("", `${heading} (${actions.length}):`, `  ${changes(actions, nameOf)}`);
    for (const action of actions.slice(0, NAMED)) {
      const hidden =
        action.does === "move-away" && action.hideOnly ? ", too large to be copied: will be hidden" : "";
      lines.push(
        `    ${printable(action.key.slice(prefix.length))}  ${whoAndWhen(action.cause, nameOf)}${hidden}`,
      );
    }
    if (actions.length > NAMED) lines.push(`    and ${actions.length - NAMED} more`);
  }
  if (plan.expired.length > 0) {
    lines.push(
      "",
      `Of ${plan.expired.length} more files only delete markers are left: if they held data then, it has expired.`,
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
  const columns = HEADINGS.map(([does]) => plan.actions.filter((action) => action.does === does));
  const rows = KINDS.map((kind) => ({
    kind,
    counts: columns.map((actions) => actions.filter(({ key }) => kindOf(key, prefix) === kind).length),
  }));
  const line = (name: string, cells: (string | number)[]) =>
    `  ${name.padEnd(10)}${cells.map((cell) => String(cell).padStart(13)).join("")}`;
  const unchanged = `  unchanged: ${plan.unchanged}`;
  if (plan.actions.length === 0) return unchanged;
  return [
    line(
      "",
      HEADINGS.map(([, column]) => column),
    ),
    ...rows
      .filter(({ counts }) => counts.some((count) => count > 0))
      .map(({ kind, counts }) => line(kind, counts)),
    unchanged,
  ].join("\n");
}
