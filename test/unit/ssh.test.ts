import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { remoteCommand } from "../../operations/transport/ssh";
import { ROOT } from "../../operations/transport/run";
import { SAMPLE_HOST, sampleDeployment } from "../harness/sample-deployment";

let folder: string;
/** The folder for temporary files. */
const temporary = (): string => path.join(folder, "tmp");

function program(name: string, script: string): void {
  fs.writeFileSync(path.join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** The command with a fake `ssh`, whose `$2` is its configuration; without one there is none on PATH. */
function start(ssh?: string, options: string[] = []): ChildProcess {
  if (ssh !== undefined) program("ssh", ssh);
  const others = ssh === undefined ? "" : `:${process.env.PATH ?? ""}`;
  return spawn(
    process.execPath,
    ["--import", "tsx", path.join(ROOT, "scripts/ssh.ts"), ...options, "rclonesrv", "uptime"],
    {
      cwd: ROOT,
      env: { ...process.env, PATH: `${folder}${others}`, TMPDIR: temporary() },
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    },
  );
}

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ssh-"));
  fs.mkdirSync(temporary());
  program("pulumi", `echo '${JSON.stringify({ deployment: sampleDeployment() }).replaceAll("'", "'\\''")}'`);
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true });
});

/** The folders of the command that are left, with the operator's key. */
const left = (): string[] =>
  fs.readdirSync(temporary()).filter((name) => name.startsWith("secure-backups-ssh-"));

describe("the operator's key is removed", () => {
  test("when ssh has ended, whose exit code counts", async () => {
    const tool = start('cat "$(dirname "$2")"/*.host.key; echo "$3 $4"; exit 7');
    let said = "";
    tool.stdout?.on("data", (bytes: Buffer) => (said += bytes.toString()));
    expect(await once(tool, "close")).toEqual([7, null]);
    expect(said).toBe(`${SAMPLE_HOST.privateKey}\nhost ${remoteCommand("uptime")}\n`);
    expect(left()).toEqual([]);
  });

  test("although another one is used with --identity", async () => {
    const identity = path.join(folder, "another");
    fs.writeFileSync(identity, "another key\n");
    const tool = start('cat "$(dirname "$2")"/*.host.key', ["--identity", identity]);
    let said = "";
    tool.stdout?.on("data", (bytes: Buffer) => (said += bytes.toString()));
    expect(await once(tool, "close")).toEqual([0, null]);
    expect(said).toBe("another key\n");
    expect(left()).toEqual([]);
  });

  test("when ssh cannot be started", async () => {
    expect(await once(start(), "close")).toEqual([1, null]);
    expect(left()).toEqual([]);
  });

  test.each<[string, NodeJS.Signals, "tool" | "terminal"]>([
    ["when the terminal is closed", "SIGHUP", "terminal"],
    ["at Ctrl-C", "SIGINT", "terminal"],
    ["when the tool alone is hung up", "SIGHUP", "tool"],
    ["when the tool alone is to end", "SIGTERM", "tool"],
  ])("%s, after ssh", async (_when, signal, whom) => {
    const tool = start(
      `trap 'trap "" HUP INT TERM; echo ended; exit 255' HUP INT TERM; echo ready; for i in $(seq 300); do sleep 0.1; done`,
    );
    let said = "";
    await new Promise<void>((resolve) => {
      tool.stdout?.on("data", (bytes: Buffer) => {
        said += bytes.toString();
        if (said === "ready\n") resolve();
      });
    });
    expect(left()).toHaveLength(1);
    const pid = tool.pid ?? 0;
    process.kill(whom === "tool" ? pid : -pid, signal);
    expect(await once(tool, "close")).toEqual([255, null]);
    expect(said).toBe("ready\nended\n");
    expect(left()).toEqual([]);
  });
});
