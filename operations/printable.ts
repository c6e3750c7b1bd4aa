import { visible } from "../keeper/printable";

/** A string of unknown origin, such as a key, without characters that control the terminal. */
export const printable = visible;

/** The same for several lines. All that is printed for the operator passes through it. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/**
 * A time as it is printed, in UTC.
 *
 * @param ms milliseconds since 1970
 */
export function moment(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** Breaks a text into lines of at most `width` characters, between words where possible. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter(Boolean).map(printable)) {
    let rest = word;
    if (line !== "" && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = "";
    }
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    line = line === "" ? rest : `${line} ${rest}`;
  }
  return line === "" && lines.length > 0 ? lines : [...lines, line];
}
