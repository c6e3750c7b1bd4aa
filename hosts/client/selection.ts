/** What restic backs up, and what of that it leaves out. */

/** The paths for restic's `--files-from-raw`: each ends in NUL, so any name survives. */
export function renderPaths(paths: readonly string[]): string {
  for (const path of paths) {
    if (!path.startsWith("/") || path.includes("\0") || /\p{Surrogate}/u.test(path)) {
      throw new Error(`path ${JSON.stringify(path)} must be absolute, valid Unicode and without NUL`);
    }
  }
  return paths.map((path) => `${path}\0`).join("");
}

/** Go's unicode.IsSpace, by which restic trims the lines of an exclude file. */
const BLANK = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * One line of restic's exclude file that means the pattern as it stands: restic expands `$`, takes `#` at the start
 * for a comment and trims blanks. Throws for a line end within, which its file format cannot hold.
 */
export function excludeLine(pattern: string): string {
  if (pattern === "" || /[\n\0]/.test(pattern) || /\p{Surrogate}/u.test(pattern)) {
    throw new Error(`exclude pattern ${JSON.stringify(pattern)} must not be empty or hold a line end or NUL`);
  }
  let line = pattern;
  const last = line.slice(-1);
  if (BLANK.test(last)) {
    const backslashes = /(\\*).$/su.exec(line)?.[1]?.length ?? 0;
    // An escaped blank loses its backslash: the class says the same.
    line = `${line.slice(0, backslashes % 2 === 1 ? -2 : -1)}[${last}]`;
  }
  const first = line.slice(0, 1);
  if (line !== `[${first}]` && (first === "#" || BLANK.test(first))) {
    line = `[${first}]${line.slice(1)}`;
  }
  return `${line.replaceAll("$", "$$$$")}\n`;
}

/** restic's exclude file. */
export function renderExcludes(excludes: readonly string[]): string {
  return excludes.map(excludeLine).join("");
}
