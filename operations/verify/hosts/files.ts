/** Files of a host: whether their owner, mode and content are as wanted. */
import { createHash } from "node:crypto";
import * as path from "node:path";
import { PROJECT_VERSION } from "../../deployment";
import { Seen, Undecided } from "../probe";
import { HostFacts, linesOf, seen } from "./facts";

interface Mode {
  mode: string;
  owner: string;
  type: string;
}

/** The output of `modes` in inspect.sh. */
export function parseModes(text: string): Map<string, Mode> {
  return new Map(
    linesOf(text).map((line) => {
      const [, mode = "", owner = "", type = "", name = ""] = /^(\d+) (\S+) ([^|]*)\|(.*)$/.exec(line) ?? [];
      return [name, { mode, owner, type }];
    }),
  );
}

/** A file as it must be; the mode has four octal digits. */
export interface OwnedFile {
  path: string;
  owner: string;
  mode: string;
}

/** Owner and mode of a program that an install downloads. */
export const PROGRAM = { owner: "root:root", mode: "0755" };

/** What is wrong with a file that must be exactly so, or with a directory above it, through which it could be replaced. */
export function modeProblems(modes: Map<string, Mode>, { path: file, owner, mode }: OwnedFile): string[] {
  const found = modes.get(file);
  if (found === undefined) return [`${file} is missing`];
  const problems: string[] = [];
  if (!found.type.startsWith("regular")) problems.push(`${file} is a ${found.type}`);
  if (found.owner !== owner || found.mode.padStart(4, "0") !== mode)
    problems.push(`${file} is ${found.mode} ${found.owner}, not ${mode.replace(/^0/, "")} ${owner}`);
  for (let above = path.dirname(file); above !== "/"; above = path.dirname(above)) {
    const directory = modes.get(above);
    if (directory === undefined) problems.push(`${above} is missing`);
    else if (!directory.owner.startsWith("root:") || othersWrite(directory))
      problems.push(
        `${above} is ${directory.mode} ${directory.owner}: others than root can replace what is in it`,
      );
  }
  return problems;
}

/** Whether others than the owner may write, where the group is not root's. */
function othersWrite({ mode, owner }: Mode): boolean {
  const bits = Number.parseInt(mode, 8);
  return (bits & 0o002) !== 0 || ((bits & 0o020) !== 0 && !owner.endsWith(":root"));
}

/** The output of sha256sum: path -> sum. */
export function parseSums(text: string): Map<string, string> {
  return new Map(linesOf(text).map((line) => [line.slice(66), line.slice(0, 64)]));
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * Compares files with what the stack wrote, by their sums.
 *
 * @param project the version of this project that wrote them
 * @throws Undecided for a difference where that was another version than this: it may be the versions'
 */
export function contentSeen(
  facts: HostFacts,
  contents: readonly { path: string; content: string }[],
  project: string,
): Seen {
  const sums = parseSums(facts("sums"));
  const result = seen(
    contents.flatMap(({ path: file, content }) => {
      const sum = sums.get(file);
      if (sum === undefined) return [`${file} is missing`];
      return sum === sha256(content) ? [] : [`${file} is NOT what the stack wrote`];
    }),
    contents.length === 1
      ? "what the stack wrote"
      : `${String(contents.length)} files as the stack wrote them`,
  );
  if (result.holds === true || project === PROJECT_VERSION) return result;
  throw new Undecided(
    `version ${project} did the last update, and version ${PROJECT_VERSION} is compared: ${result.happened}`,
    `run verify in a checkout of version ${project}, or run pulumi up with this one and verify again`,
  );
}
