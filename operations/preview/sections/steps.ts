import { count, list, Markdown, say, nothing } from "../markdown";
import { Op, Preview, Step } from "../model";

/** A cell of a table: in a table even a code span ends at a vertical bar. */
const cell =
  (piece: Markdown): Markdown =>
  (code) =>
    piece((value) => code(value).replaceAll("|", "\\|"));

/** The row of a step: what happens to which resource, and which of its properties change (never their values). */
export function stepRow({ engineOp, type, name, changes, reasons }: Step): Markdown {
  const shortType = type.replace(/:([^:/]+)\/[^:]+:/, ":$1:");
  const forced = reasons.length > 0 ? say`; forced by ${list(reasons)}` : nothing;
  return cell(say`| ${engineOp} | ${shortType} | ${name} | ${list(changes)}${forced} |`);
}

const TALLY: [Op, string][] = [
  ["delete", "to delete"],
  ["replace", "to replace"],
  ["update", "to update"],
  ["create", "to create"],
  ["other", "other"],
];

/** `4 resources: 1 to delete, 3 to create; 31 unchanged.` */
export function tally({ steps, unchanged }: Preview): string {
  const parts = TALLY.map(([op, words]) => [steps.filter((step) => step.op === op).length, words] as const)
    .filter(([n]) => n > 0)
    .map(([n, words]) => `${n} ${words}`);
  return parts.length > 0
    ? `${count(steps.length, "resource")}: ${parts.join(", ")}; ${unchanged} unchanged.`
    : `No changes: ${count(unchanged, "resource")} unchanged.`;
}
