/** One file of a host, as the comment lines of its command's text tell it. */
interface HostFile {
  path: string;
  /** Mode and owner. */
  access: string;
  digest: string;
  /** Whom the file concerns; empty where nobody in particular. */
  concerns: string[];
}

/** How the files of a host change. */
export interface FileChange {
  kind: "added" | "removed" | "changed";
  path: string;
  /** Mode and owner afterwards, and before where they change. */
  access: string;
  /** Whether the content changes; for added and removed files always. */
  content: boolean;
  /** Whom the file concerned before and concerns still. */
  concerns: string[];
  gained: string[];
  lost: string[];
}

const FILE_LINE =
  /^([0-7]{3,5}) (\S+:\S+) ("(?:[^"\\]|\\.)*"|'[^']*'|\S+) ([A-Za-z0-9:+/=_-]{6,})(?:[ ,;:]+(.*))?$/;

/** The comment lines that a command's text begins with, without their marks. */
export function summaryLines(text: unknown): string[] {
  const lines = typeof text === "string" ? text.split("\n") : [];
  const end = lines.findIndex((line) => !line.startsWith("#"));
  return (end < 0 ? lines : lines.slice(0, end)).map((line) => line.replace(/^#+ ?/, "").trimEnd());
}

function names(concerns: string): string[] {
  return concerns
    .replace(/^(for|concerns) /, "")
    .split(/[,; ]+/)
    .filter((name) => name !== "");
}

function parse(line: string): HostFile | undefined {
  const [, mode, owner, path, digest, concerns = ""] = FILE_LINE.exec(line) ?? [];
  return mode === undefined || owner === undefined || path === undefined || digest === undefined
    ? undefined
    : { path, access: `${mode} ${owner}`, digest, concerns: names(concerns) };
}

function filesOf(lines: string[]): Map<string, HostFile> {
  const files = lines.map(parse).filter((file) => file !== undefined);
  return new Map(files.map((file) => [file.path, file]));
}

/** What changes between two summaries, by path. */
export function diffFiles(before: string[], after: string[]): FileChange[] {
  const [old, now] = [filesOf(before), filesOf(after)];
  const changes: FileChange[] = [];
  for (const path of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [was, is] = [old.get(path), now.get(path)];
    const file = is ?? was;
    if (!file) {
      continue;
    }
    const [before, after] = [was?.concerns ?? [], is?.concerns ?? []];
    const gained = after.filter((name) => !before.includes(name));
    const lost = before.filter((name) => !after.includes(name));
    if (!was || !is) {
      const kind = is ? "added" : "removed";
      changes.push({
        kind,
        path,
        access: file.access,
        content: true,
        concerns: file.concerns,
        gained: [],
        lost: [],
      });
      continue;
    }
    const content = was.digest !== is.digest;
    const moved = was.access !== is.access;
    if (content || moved || gained.length + lost.length > 0) {
      const access = moved ? `${was.access} → ${is.access}` : is.access;
      const concerns = after.filter((name) => before.includes(name));
      changes.push({ kind: "changed", path, access, content, concerns, gained, lost });
    }
  }
  return changes;
}

/** Lines of a summary that tell of no file and stand in only one of two summaries. */
export function otherChanges(before: string[], after: string[]): { removed: string[]; added: string[] } {
  const prose = (lines: string[]): string[] =>
    lines.filter((line) => line !== "" && parse(line) === undefined);
  const [old, now] = [prose(before), prose(after)];
  return {
    removed: old.filter((line) => !now.includes(line)),
    added: now.filter((line) => !old.includes(line)),
  };
}
