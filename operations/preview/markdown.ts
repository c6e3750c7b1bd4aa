/** Longest value shown in full, in characters. */
const LONGEST_VALUE = 160;
/** Most members of a list shown one by one. */
const LONGEST_LIST = 12;

/** A value as a code span that nothing inside it can leave, on one line. */
export function codeSpan(text: string): string {
  const shown = cut(text.replace(/\s/g, " "), LONGEST_VALUE);
  if (shown.trim() === "") {
    return shown === "" ? "(empty)" : "(blank)";
  }
  const runs = shown.match(/`+/g) ?? [];
  const fence = "`".repeat(1 + Math.max(0, ...runs.map((run) => run.length)));
  const padding = /^[` ]|[` ]$/.test(shown) ? " " : "";
  return `${fence}${padding}${shown}${padding}${fence}`;
}

/** The first `most` characters, with a mark where some are cut. */
export function cut(text: string, most: number): string {
  const chars = Array.from(text);
  return chars.length > most ? `${chars.slice(0, most).join("")}…` : text;
}

/** `a`, `b` and 3 more. */
export function list(items: string[]): string {
  const shown = items.slice(0, LONGEST_LIST);
  const rest = items.length - shown.length;
  return rest > 0 ? `${shown.join(", ")} and ${rest} more` : shown.join(", ");
}

/** `1 host`, `2 hosts`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** The length that counts: UTF-8 bytes, never less than the characters GitHub counts. */
export function size(text: string): number {
  return Buffer.byteLength(text);
}

/** As many lines as fit into `budget` bytes; the last says how many do not. */
export function fit(lines: string[], budget: number, prefix = "- "): string[] {
  const note = (cut: number): string => `${prefix}… and ${cut} more, cut for length`;
  const reserve = size(note(lines.length)) + 1;
  const kept: string[] = [];
  let used = 0;
  for (const [index, line] of lines.entries()) {
    used += size(line) + 1;
    const last = index === lines.length - 1;
    if (used > (last ? budget : budget - reserve)) {
      return [...kept, note(lines.length - index)];
    }
    kept.push(line);
  }
  return kept;
}
