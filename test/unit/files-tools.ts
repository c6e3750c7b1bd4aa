import { CACHE } from "../../scripts/dev/cloud";
import { type ExecFileSyncOptions, execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What to do about each program that the tests of hosts/ need: they fail without it, they never skip. */
const REMEDIES = {
  bash: "apt-get install bash",
  dash: "apt-get install dash",
  fish: "apt-get install fish",
  tcsh: "apt-get install tcsh",
  shellcheck: "apt-get install shellcheck",
  ssh: "apt-get install openssh-client",
  "ssh-keygen": "apt-get install openssh-client",
  sshd: "apt-get install openssh-server",
  "systemd-analyze": "apt-get install systemd",
  "systemd-tmpfiles": "apt-get install systemd",
  rclone: "scripts/dev/toolchain/ensure rclone",
  restic: "scripts/dev/toolchain/ensure restic",
} as const;

export type Tool = keyof typeof REMEDIES;

/** The path of a program. Throws with the remedy where it is missing. */
export function tool(name: Tool): string {
  const folders = [join(CACHE, "artifacts"), ...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
  const found = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (found === undefined) {
    throw new Error(`this test needs ${name}: run ${REMEDIES[name]}`);
  }
  return found;
}

/** Runs a program, bounded; returns its stdout, throws with its stderr. */
export function run(name: Tool, args: string[], options: ExecFileSyncOptions = {}): string {
  return execFileSync(tool(name), args, { timeout: 20_000, stdio: "pipe", ...options, encoding: "utf8" });
}

/** Runs a program, bounded, for its status and all it says. */
export function attempt(
  name: Tool,
  args: string[],
  options: ExecFileSyncOptions = {},
): { status: number | null; output: string } {
  const result = spawnSync(tool(name), args, {
    timeout: 20_000,
    stdio: "pipe",
    ...options,
    encoding: "utf8",
  });
  return { status: result.status, output: result.stdout + result.stderr };
}

/** Calls the function with a new directory, which is removed afterwards. */
export function inDirectory<T>(use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "secure-backups-test-"));
  try {
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
