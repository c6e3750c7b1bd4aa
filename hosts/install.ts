import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { HostFile } from "./manifest";
import { LIBRARY } from "./names";
import { InstallSummary } from "./summary";

/** All that one host gets, as one command. */
export interface HostInstall {
  /** Not secret: what a preview shows. */
  summary: InstallSummary;
  /** Secret: the POSIX sh script with the content of every file, for `sh -s` as root to read on stdin. */
  script: string;
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

/**
 * What an install prints last. It stands in no command and no script as one piece, so that a login which only repeats
 * what it is sent does not print it.
 */
const AT_ITS_END = ["secure-backups: the install", "came to its end"] as const;

/** Quotes a value as one word of POSIX sh. Throws for NUL, which no word can hold. */
export function shellQuote(value: string): string {
  if (value.includes("\0")) {
    throw new Error("a value with a NUL byte cannot be passed to a shell");
  }
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

/** One of the scripts below this folder. */
export function hostScript(name: string): string {
  return readFileSync(join(__dirname, name), "utf8");
}

/**
 * The command line that runs a program of POSIX sh in /bin/sh, whatever login shell reads it first: sshd hands every
 * command to that, and fish answers what it cannot parse with exit status 0.
 * @throws Error for a character that sh, fish and tcsh do not agree on within single quotes
 */
export function inPosixShell(program: string): string {
  if (/['\\!\p{Control}]/u.test(program)) {
    throw new Error(
      "a program for any login shell is one line without quote, backslash and exclamation mark",
    );
  }
  return `/bin/sh -c '${program}'`;
}

/**
 * The remote command of every install: reads the install script on stdin and runs it as root, for 50 minutes at most.
 * Fails unless the whole script arrived and ran. Short, for Pulumi prints it before the error of an install that fails.
 */
export const INSTALL_COMMAND = inPosixShell(
  `[ $(id -u) = 0 ] && s= || s="sudo -n"; $s timeout -k 10 3000 sh -s; case $? in ${COMPLETE}) exit 0 ;; ` +
    `0) echo "secure-backups: the script was cut off: run the update again" >&2; exit 1 ;; *) exit $? ;; esac`,
);

/** Whether an install whose command succeeded with this output really ran: it says so at its end. */
export function cameToItsEnd(stdout: string): boolean {
  return stdout.split("\n").includes(AT_ITS_END.join(" "));
}

/** Wraps the body of a script: nothing runs before all of it has arrived, and no child of it can eat the rest. */
export function wrapScript(body: string): string {
  const end = `printf '%s %s\\n' ${AT_ITS_END.map(shellQuote).join(" ")}`;
  return `secure_backups_install() {\n${body}\n}\nsecure_backups_install </dev/null\n${end}\nexit ${COMPLETE}\n`;
}

/**
 * Puts together an install: parameters, then a `put_NAME` shell function for each group of entries and a `guard_NAME`
 * for those that may meet another program's file, then the shared library and the host's own script, which calls the
 * functions where their turn is.
 */
export function assembleInstall(a: {
  title: string;
  /** Files beside this one, in their order after the library: the last one is the host's own. */
  hostScripts: readonly string[];
  parameters: Record<string, string>;
  groups: Record<string, HostEntry[]>;
}): HostInstall {
  const assignments = Object.entries({ SB_LIB: LIBRARY, ...a.parameters }).map(
    ([name, value]) => `${name}=${shellQuote(value)}`,
  );
  const functions = Object.entries(a.groups).flatMap(([name, entries]) => [
    putFunction(name, entries),
    ...guardFunction(name, entries),
  ]);
  const library = ["lib.sh", "ours.sh", ...a.hostScripts].map(hostScript).join("");
  const script = wrapScript(["set -eu", ...assignments, ...functions, library].join("\n"));
  const files = Object.values(a.groups).flat().filter(isFile);
  const summaries = files.map(({ path, mode, owner, content, digestKey, concerns = [] }) => [
    path,
    { mode, owner, digest: digest(content, digestKey), concerns },
  ]);
  const summary = {
    title: a.title,
    script: digest(script),
    files: Object.fromEntries(summaries) as InstallSummary["files"],
  };
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
    const content = Buffer.from(entry.content, "utf8");
    const [sent, unpack] = entry.packed === true ? [gzipSync(content, { level: 9 }), " gzip"] : [content, ""];
    const wrapped = sent.toString("base64").match(/.{1,76}/g) ?? [];
    return [`install_file ${path} ${owner} ${entry.mode}${unpack} <<'EOF'`, ...wrapped, "EOF"].join("\n");
  });
  return [`put_${name}() {`, ...(lines.length === 0 ? [":"] : lines), "}"].join("\n");
}

/** `guard_NAME` fails where a path of the group holds what is not the stack's; none where no entry has a signature. */
function guardFunction(name: string, entries: HostEntry[]): string[] {
  const lines = entries
    .filter(isFile)
    .flatMap(({ path, signature }) => (signature === undefined ? [] : [guardLine(path, signature)]));
  return lines.length === 0 ? [] : [[`guard_${name}() {`, ...lines, "}"].join("\n")];
}

/** The line of shell that fails where the path holds a file without the signature; `need_ours` is in ours.sh. */
export function guardLine(path: string, signature: string): string {
  return `need_ours ${shellQuote(path)} ${shellQuote(signature)}`;
}

/** Twelve hex digits of a content's SHA-256, keyed where a key is given. */
function digest(content: string, key?: string): string {
  const hash = key === undefined ? createHash("sha256") : createHmac("sha256", key);
  return hash.update(content, "utf8").digest("hex").slice(0, 12);
}
