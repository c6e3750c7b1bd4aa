import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { ROOT, run, RunError } from "../../operations/transport/run";

test("stops a program that prints without end", async () => {
  const stopped = run("sh", ["-c", "yes"], { timeout: 50 });
  await expect(stopped).rejects.toThrow(/^sh was stopped after 64 MiB of output\n/);
  await expect(stopped).rejects.toBeInstanceOf(RunError);
});

test("a failure whose output was shown repeats the errors in it, and not its last lines", async () => {
  const script = `for i in 1 2; do echo '    error: running "a'; echo '    secure-backups: the disk is full'; done; seq 50; exit 3`;
  const shown = run("sh", ["-c", script], { show: "stderr" });
  await expect(shown).rejects.toThrow(
    /^sh ended with exit status 3\nerror: running "a\nsecure-backups: the disk is full\nAll that it printed is above\.$/,
  );
  const unmarked = run("sh", ["-c", "seq 50; exit 3"], { show: "stderr" });
  await expect(unmarked).rejects.toThrow(/^sh ended with exit status 3\n50\nAll/);
  await expect(run("sh", ["-c", "seq 50; exit 3"])).rejects.toThrow(/status 3\n11\n[\s\S]*\n50$/);
});

test("an interrupted program is Interrupted, not a failure", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "interrupted-"));
  const script = path.join(folder, "script.ts");
  fs.writeFileSync(
    script,
    `import { run } from "${ROOT}/operations/transport/run";
run("sleep", ["60"]).catch((error) => console.log(error.constructor.name));
console.log("ready");
`,
  );
  const child = spawn(process.execPath, ["--import", "tsx", script], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (bytes: Buffer) => {
    said += bytes.toString();
    if (said === "ready\n") child.kill("SIGINT");
  });
  await once(child, "close");
  fs.rmSync(folder, { recursive: true });
  expect(said).toBe("ready\nInterrupted\n");
});

describe("a temporary folder is gone", () => {
  /** Runs statements in a process of its own, which may use `folder` and `run`; gives how it ended and what is left. */
  async function left(statements: string, signal?: NodeJS.Signals) {
    const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "temporary-"));
    try {
      const script = path.join(temporary, "script.ts");
      fs.writeFileSync(
        script,
        `import { writeFileSync } from "node:fs";
import { run } from "${ROOT}/operations/transport/run";
import { withTemporaryFolder } from "${ROOT}/operations/transport/temporary-folder";
void withTemporaryFolder(async (folder) => {
  writeFileSync(folder + "/key", "secret");
  ${statements}
});
`,
      );
      const child = spawn(process.execPath, ["--import", "tsx", script], {
        cwd: ROOT,
        env: { ...process.env, TMPDIR: temporary },
        stdio: ["ignore", "pipe", "ignore"],
      });
      if (signal !== undefined) {
        await once(child.stdout, "data");
        child.kill(signal);
      }
      const [status] = (await once(child, "close")) as [number | null];
      return { status, left: fs.readdirSync(temporary).filter((name) => name.startsWith("secure-backups-")) };
    } finally {
      fs.rmSync(temporary, { recursive: true });
    }
  }

  test.each<[string, string, NodeJS.Signals | undefined, number]>([
    ["when the work is done", "await Promise.resolve();", undefined, 0],
    ["when the work fails", "throw new Error('no');", undefined, 1],
    [
      "after an uncaught error",
      "setTimeout(() => { throw new Error('no'); }); await new Promise(() => setTimeout(() => 0, 60_000));",
      undefined,
      1,
    ],
    ["when the terminal is closed", "console.log('ready'); await run('sleep', ['60']);", "SIGHUP", 129],
    ["at Ctrl-C", "console.log('ready'); await run('sleep', ['60']);", "SIGINT", 130],
    [
      "at Ctrl-C while no program runs",
      "console.log('ready'); await new Promise((resolve) => setTimeout(resolve, 60_000));",
      "SIGINT",
      130,
    ],
    ["when it is to end", "console.log('ready'); await run('sleep', ['60']);", "SIGTERM", 143],
  ])("%s", async (_when, statements, signal, status) => {
    expect(await left(statements, signal)).toEqual({ status, left: [] });
  });
});
