/** One file of a host, as the comment lines of its command's text tell it. */
interface HostFile {
  path: string;
  /** Mode and owner. */
  access: string;
  digest: string;
  /** What the file grants or names, a line each. */
  concerns: string[];
}

/** What the text of a host's command says: a title, then each file. */
export interface Summary {
  title: string;
  /** Digest of the whole install script. */
  script: string;
  files: Map<string, HostFile>;
}

/** How a file of a host changes. */
export interface FileChange {
  kind: "added" | "removed" | "changed";
  path: string;
  /** Mode and owner; before and after where they change. */
  access: string;
  /** Whether the content changes; for added and removed files always. */
  content: boolean;
  /** What the file grants or names from now on, and no longer; for added and removed files all of it. */
  gained: string[];
  lost: string[];
  /** What it granted or named before and does still. */
  kept: string[];
}

const FILE_LINE = /^([0-7]{4}) (\S+:\S+) (\S+) ([0-9a-f]{12})$/;
const SCRIPT = /, script ([0-9a-f]{12})$/;

/**
 * Reads the comment lines that a command's text begins with: a title; for each file its mode, owner, path and
 * digest; below it, indented, what it concerns. Other lines count to the title.
 */
export function readSummary(text: unknown): Summary {
  const all = typeof text === "string" ? text.split("\n") : [];
  const end = all.findIndex((line) => !line.startsWith("#"));
  const lines = (end < 0 ? all : all.slice(0, end)).map((line) => line.replace(/^# ?/, "").trimEnd());
  const files = new Map<string, HostFile>();
  const title: string[] = [];
  let current: HostFile | undefined;
  for (const line of lines) {
    const [, mode = "", owner = "", path, digest = ""] = FILE_LINE.exec(line) ?? [];
    if (path !== undefined) {
      current = { path, access: `${mode} ${owner}`, digest, concerns: [] };
      files.set(path, current);
    } else if (line.startsWith("  ") && current) {
      current.concerns.push(line.trim());
    } else if (line !== "") {
      title.push(line);
    }
  }
  const head = title.join("; ");
  return { title: head.replace(SCRIPT, ""), script: SCRIPT.exec(head)?.[1] ?? "", files };
}

/** What changes between two summaries, in the order of the paths. */
export function diffFiles(before: Summary, after: Summary): FileChange[] {
  const paths = [...new Set([...before.files.keys(), ...after.files.keys()])].sort();
  return paths.flatMap((path): FileChange[] => {
    const [was, is] = [before.files.get(path), after.files.get(path)];
    const [old, now] = [was?.concerns ?? [], is?.concerns ?? []];
    const gained = now.filter((line) => !old.includes(line));
    const lost = old.filter((line) => !now.includes(line));
    const kept = now.filter((line) => old.includes(line));
    const accesses = [...new Set([was, is].flatMap((file) => (file ? [file.access] : [])))];
    const kind = !was ? "added" : !is ? "removed" : "changed";
    const content = was?.digest !== is?.digest;
    const changed = content || accesses.length > 1 || gained.length + lost.length > 0;
    return changed ? [{ kind, path, access: accesses.join(" → "), content, gained, lost, kept }] : [];
  });
}
