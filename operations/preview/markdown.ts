/** Longest value shown in full, in characters. */
const LONGEST_VALUE = 160;
/** Most members of a list shown one by one. */
const LONGEST_LIST = 12;

/** A value as a code span that nothing inside it can leave, on one line. */
export function codeSpan(value: string): string {
  const shown = cut(value.replace(/\s/g, " "), LONGEST_VALUE);
  if (shown.trim() === "") {
    return shown === "" ? "(empty)" : "(blank)";
  }
  const runs = shown.match(/`+/g) ?? [];
  const fence = "`".repeat(1 + Math.max(0, ...runs.map((run) => run.length)));
  const padding = /^[` ]|[` ]$/.test(shown) ? " " : "";
  return `${fence}${padding}${shown}${padding}${fence}`;
}

/** The first `most` characters, with a mark where some are cut. */
export function cut(value: string, most: number): string {
  const chars = Array.from(value);
  return chars.length > most ? `${chars.slice(0, most).join("")}…` : value;
}

/** `1 host`, `2 hosts`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** The length that counts: UTF-8 bytes, never less than the characters GitHub counts. */
export function size(markdown: string): number {
  return Buffer.byteLength(markdown);
}

/** As many lines as fit into `budget` bytes; the last says how many do not. */
export function fit(lines: string[], budget: number, prefix = "- "): string[] {
  const note = (omitted: number): string => `${prefix}… and ${omitted} more, cut for length`;
  const reserve = size(note(lines.length)) + 1;
  let used = 0;
  const end = lines.findIndex((line, index) => {
    used += size(line) + 1;
    return used > (index === lines.length - 1 ? budget : budget - reserve);
  });
  return end < 0 ? lines : [...lines.slice(0, end), note(lines.length - end)];
}

/** Shows one value: cleans it and puts it into a code span. */
export type Code = (value: unknown) => string;

/** A piece of Markdown whose values are not cleaned yet. */
export type Markdown = (code: Code) => string;

/** Markdown from a template: a value becomes a code span, a piece of Markdown stays as it is. */
export function say(words: TemplateStringsArray, ...values: unknown[]): Markdown {
  const shown = (value: unknown, code: Code): string =>
    typeof value === "function" ? (value as Markdown)(code) : code(value);
  return (code) => words.reduce((before, after, index) => before + shown(values[index - 1], code) + after);
}

/** No Markdown at all. */
export const nothing = say``;

/** `a`, `b` and 3 more: each value a code span, each piece of Markdown as it is. */
export function list(values: unknown[]): Markdown {
  const rest = values.length - LONGEST_LIST;
  const end = rest > 0 ? ` and ${rest} more` : "";
  return (code) =>
    values
      .slice(0, LONGEST_LIST)
      .map((value) => say`${value}`(code))
      .join(", ") + end;
}

/** The pieces that are not {@link nothing}, joined by semicolons; nothing where there are none. */
export function clauses(pieces: Markdown[]): Markdown {
  const some = pieces.filter((piece) => piece !== nothing);
  return some.length > 0 ? (code) => some.map((piece) => piece(code)).join("; ") : nothing;
}

/** One line of the comment. */
export interface Sentence {
  markdown: Markdown;
  /** Whether it says that something is destroyed, lost or exposed: then it goes into the warning on top. */
  danger: boolean;
  /** Lines below it. */
  details: Markdown[];
}

type Tag = (words: TemplateStringsArray, ...values: unknown[]) => Sentence;
const tag =
  (danger: boolean): Tag =>
  (words, ...values) => ({ danger, markdown: say(words, ...values), details: [] });

/** A {@link Sentence} from a template as that of {@link say}. */
export const note = tag(false);
/** The same for the warning on top. */
export const danger = tag(true);
