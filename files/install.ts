import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A program to download: what a host installs after it has checked the sum. */
export interface Artifact {
  /** The version that the program itself must report, as `1.76.0`. */
  version: string;
  /** http or https address of the program itself, a `.zip` (rclone) or a `.bz2` (restic). */
  url: string;
  /** SHA-256 of the file at `url`, in lower-case hex. */
  sha256: string;
}

/** All that one host gets, as one command. */
export interface HostInstall {
  /** Not secret: one line for each file (mode, owner:group, path, digest) and for whom it concerns. */
  summary: string;
  /** Secret: the POSIX sh script with the content of every file, for `sh -s` as root to read on stdin. */
  script: string;
}

/** A file on a host. */
export interface HostFile {
  path: string;
  /** `root:root` and so on. */
  owner: string;
  /** Four octal digits. */
  mode: string;
  content: string;
  /**
   * For a secret content: what its digest is keyed with, since a weak secret could be guessed from a plain digest.
   * As strong as a key, and of the same life as the file.
   */
  digestKey?: string;
  /** Not secret: lines for a person, each one thing that this file grants or names. */
  concerns?: string[];
}

/** A directory on a host; the one above it must exist or be listed before. */
export interface HostDir {
  dir: string;
  owner: string;
  mode: string;
}

export type HostEntry = HostFile | HostDir;

/** The status with which an install script says that it ran to its end: an empty or cut-off one ends otherwise. */
const COMPLETE = 80;

/** Quotes a value as one word of POSIX sh. Throws for NUL, which no word can hold. */
export function shellQuote(value: string): string {
  if (value.includes("\0")) {
    throw new Error("a value with a NUL byte cannot be passed to a shell");
  }
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

/** The text of one of the scripts beside this file. */
export function hostScript(name: string): string {
  return readFileSync(join(__dirname, "host", name), "utf8");
}

/**
 * The text of the remote command: the summary as comments, so that a preview shows what changes, then one line
 * that reads the install script on stdin as root. Holds no secret. Fails unless the whole script arrived and ran.
 */
export function installCommand(summary: string): string {
  const comments = summary
    .split(/\r\n|\r|\n/)
    .map((line) => `# ${line}`.trimEnd())
    .join("\n");
  return (
    `${comments}\n` +
    `if [ "$(id -u)" = 0 ]; then set --; else set -- sudo -n; fi; ` +
    `"$@" timeout -k 10 3000 sh -s; status=$?; case $status in ${COMPLETE}) exit 0 ;; ` +
    `0) echo "secure-backups: the install script did not arrive whole: run the update again" >&2; exit 1 ;; ` +
    `*) exit $status ;; esac\n`
  );
}

/** Wraps the body of a script: nothing runs before all of it has arrived, and no child of it can eat the rest. */
export function wrapScript(body: string): string {
  return `secure_backups_install() {\n${body}\n}\nsecure_backups_install </dev/null\nexit ${COMPLETE}\n`;
}

/**
 * Puts together an install: parameters, then a `put_NAME` shell function for each group of entries, then the shared
 * library and the host's own script, which calls the functions where their turn is.
 */
export function assembleInstall(a: {
  title: string;
  /** Files of `files/host`, in their order after the library: the last one is the host's own. */
  hostScripts: readonly string[];
  parameters: Record<string, string>;
  groups: Record<string, HostEntry[]>;
}): HostInstall {
  const assignments = Object.entries(a.parameters).map(([name, value]) => `${name}=${shellQuote(value)}`);
  const functions = Object.entries(a.groups).map(([name, entries]) => putFunction(name, entries));
  const library = ["lib.sh", ...a.hostScripts].map(hostScript).join("");
  const script = wrapScript(["set -eu", ...assignments, ...functions, library].join("\n"));
  const files = Object.values(a.groups).flat().filter(isFile);
  const summary = [
    `${a.title}, script ${digest(script)}`,
    ...files.flatMap((file) => [
      `${file.mode} ${file.owner} ${file.path} ${digest(file.content, file.digestKey)}`,
      ...(file.concerns ?? []).map((line) => `  ${line}`),
    ]),
  ].join("\n");
  return { summary, script };
}

function isFile(entry: HostEntry): entry is HostFile {
  return "path" in entry;
}

/** `put_NAME [PATH]` makes the entries; a PATH given at run time takes the place of a single file's own. */
function putFunction(name: string, entries: HostEntry[]): string {
  const lines = entries.map((entry) => {
    const owner = entry.owner.split(":").map(shellQuote).join(" ");
    if (!isFile(entry)) {
      return `make_dir ${shellQuote(entry.dir)} ${owner} ${entry.mode}`;
    }
    const path = entries.length === 1 ? `"\${1:-${entry.path}}"` : shellQuote(entry.path);
    const base64 = Buffer.from(entry.content, "utf8").toString("base64");
    const wrapped = base64.match(/.{1,76}/g) ?? [];
    return [`install_file ${path} ${owner} ${entry.mode} <<'EOF'`, ...wrapped, "EOF"].join("\n");
  });
  return [`put_${name}() {`, ...(lines.length === 0 ? [":"] : lines), "}"].join("\n");
}

/** Twelve hex digits of a content's SHA-256, keyed where a key is given. */
function digest(content: string, key?: string): string {
  const hash = key === undefined ? createHash("sha256") : createHmac("sha256", key);
  return hash.update(content, "utf8").digest("hex").slice(0, 12);
}
