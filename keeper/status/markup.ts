/** HTML of which every string is text: whatever is put into `markup` is escaped, unless `markup` itself wrote it. */
import { visible } from "../printable";

/** What `markup` wrote. */
class Html {
  constructor(readonly text: string) {}
}
export type { Html };

/** What `markup` takes; nothing is written for `undefined`. */
export type Part = string | number | Html | readonly Part[] | undefined;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string => visible(text).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);

function written(part: Part): string {
  if (part === undefined) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(written).join("");
  return escaped(String(part));
}

/** HTML with values in it, for the content of elements and for attributes in double quotes. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((string, n) => string + written(parts[n])).join(""));
}

/** A name that somebody else may have chosen: what it does to the direction of writing stays within it. */
export const name = (text: string): Html => markup`<bdi>${text}</bdi>`;
