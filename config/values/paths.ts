import type { Problem } from "./problem";

/** File systems that the kernel provides, or that hold nothing beyond a restart: no backup of them can be restored. */
export const KERNEL_FOLDERS: readonly string[] = ["/proc", "/sys", "/dev", "/run"];

/** What a shell would expand, and what the exclude patterns know. `[]` and `{}` count where they would choose. */
const GLOB = /[*?]|\[[^\]]+\]|\{[^{}]*,[^{}]*\}/;

/** A path on a client, which restic takes as it stands. */
export function pathProblem(text: string): Problem {
  const home = homeProblem(text);
  if (home !== undefined) return home;
  if (!text.startsWith("/")) return `is not absolute; begin it with a slash, for example "/srv/data"`;
  const normal = normalPath(text);
  if (normal !== text) return `is not in its plain form; write ${JSON.stringify(normal)}`;
  if (GLOB.test(text)) {
    const parts = text.split("/");
    const above = parts
      .slice(
        0,
        parts.findIndex((part) => GLOB.test(part)),
      )
      .join("/");
    return (
      "is a pattern, but paths are not expanded; list each path by its name, or give " +
      `${JSON.stringify(above === "" ? "/" : above)} and leave the rest out with excludes`
    );
  }
  const kernel = KERNEL_FOLDERS.find((folder) => text === folder || text.startsWith(`${folder}/`));
  return kernel === undefined
    ? undefined
    : `lies in ${kernel}, which the kernel creates at each start and no backup can restore; leave it out`;
}

/** One of restic's exclude patterns: each part between slashes as Go's `filepath.Match` reads it, or `**`. */
export function excludeProblem(text: string): Problem {
  const home = homeProblem(text);
  if (home !== undefined) return home;
  const bad = normalPath(text.replace(/^!/, ""))
    .split("/")
    .map(globProblem)
    .find((problem) => problem !== undefined);
  return bad === undefined ? undefined : `is a pattern that restic refuses (${bad})`;
}

/** A path as Go's `filepath.Clean` writes it: without empty parts, `.` and `..`. */
export function normalPath(text: string): string {
  const rooted = text.startsWith("/");
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!rooted) parts.push(part);
  }
  return rooted ? `/${parts.join("/")}` : parts.join("/") || ".";
}

/**
 * What of one part of a pattern breaks the grammar of `filepath.Match`: `\` takes the next character as it stands,
 * `[` begins a class of single characters and ranges, and only a class may have more to obey.
 */
function globProblem(part: string): Problem {
  const characters = Array.from(part);
  let at = 0;
  /** Reads one character of a class, perhaps behind a backslash; returns whether there was one and something after it. */
  const member = (): boolean => {
    const first = characters[at];
    if (first === undefined || first === "-" || first === "]") return false;
    at += first === "\\" ? 2 : 1;
    return at < characters.length;
  };
  while (at < characters.length) {
    const character = characters[at];
    at += 1;
    if (character === "\\") {
      if (at === characters.length) return 'a backslash ends it; write "\\\\" for a backslash';
      at += 1;
    }
    if (character !== "[") continue;
    if (characters[at] === "^") at += 1;
    let members = 0;
    while (members === 0 || characters[at] !== "]") {
      const whole = member();
      if (whole && characters[at] !== "-") {
        members += 1;
        continue;
      }
      if (whole) at += 1;
      if (!whole || !member()) {
        return 'a "[" has no "]" with characters or ranges before it, and no slash between; write "\\[" for a bracket';
      }
      members += 1;
    }
    at += 1;
  }
  return undefined;
}

/** What a shell would expand to a home directory or another variable, which nothing here does. */
function homeProblem(text: string): Problem {
  const tilde = /^!?~(?:[A-Za-z_][\w.-]*)?(?=\/|$)/.exec(text)?.[0];
  if (tilde !== undefined && (text.includes("/") || tilde.endsWith("~"))) return homeRemedy(tilde);
  const variable = /\$\{\w+\}|\$(?:HOME|USER|LOGNAME|PWD|TMPDIR|XDG_\w+)(?!\w)/.exec(text)?.[0];
  return variable === undefined ? undefined : homeRemedy(variable);
}

function homeRemedy(found: string): Problem {
  return (
    `has ${JSON.stringify(found.replace(/^!/, ""))}, which is not expanded here; ` +
    'write the folder itself, for example "/root"'
  );
}
