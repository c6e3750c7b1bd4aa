/** The keeper's program as it reaches the host: one file, its command line, and the gate as a process. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { bundleKeeper } from "../../hosts/keeper/bundle";
import { KEPT, settingsOf, WorkerSide } from "../harness/gate-bench";

jest.setTimeout(120_000);

const SECRET = "a secret access key";

let folder: string;
let program: string;
let settings: string;
let started: ChildProcess[] = [];

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "gate-main-"));
  const { content } = bundleKeeper();
  expect(gzipSync(content).length).toBeLessThan(500_000);
  program = path.join(folder, "keeper.js");
  fs.writeFileSync(program, content);
  settings = path.join(folder, "keeper.json");
  // Nothing listens there.
  const s3 = { endpoint: "http://127.0.0.1:9", region: "test", bucket: "backups" };
  fs.writeFileSync(settings, JSON.stringify({ ...settingsOf([KEPT]), s3 }));
  fs.writeFileSync(
    path.join(folder, "s3.json"),
    JSON.stringify({ accessKeyId: "id", secretAccessKey: SECRET }),
  );
});

afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  fs.rmSync(folder, { recursive: true });
});

/** Starts the program; the end has all that it wrote. */
function keeper(...args: string[]) {
  const child = spawn(process.execPath, ["--disallow-code-generation-from-strings", program, ...args], {
    env: { CREDENTIALS_DIRECTORY: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started = [...started, child];
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const end = new Promise<{ status: number | null; output: string }>((resolve) => {
    child.on("close", (status) => {
      resolve({ status, output });
    });
  });
  return { child, end };
}

test.each([
  [[]],
  [["other"]],
  [["gate", "--sockets", "/x"]],
  [["due", "--sockets"]],
  [["due", "--sockets", "/x", "more"]],
  [["worker", "--socket", "/x", "--restic", "/y", "--password", "p"]],
  [["watch", "--settings", "/x"]],
  [["watch", "--settings", "/x", "--page", "/y", "--alarms", "/z"]],
])("a command line that is not understood ends with 64: %j", async (args) => {
  const { status, output } = await keeper(...args).end;
  expect(output).toContain("usage: keeper.js gate");
  expect(status).toBe(64);
});

test("the gate serves while S3 is away, and ends by SIGTERM", async () => {
  const sockets = path.join(folder, "sockets");
  fs.mkdirSync(sockets);
  const { child, end } = keeper("gate", "--settings", settings, "--sockets", sockets);
  while (!fs.existsSync(path.join(sockets, ".round")) && child.exitCode === null) await setTimeout(20);
  const side = new WorkerSide(sockets);
  expect(await side.status("GET", "/keeper/job")).toBe(503);
  expect(await side.status("GET", "/config")).toBe(403);
  const due = { status: 1, output: "keeper: the gate answers 503\n" };
  expect(await keeper("due", "--sockets", sockets).end).toEqual(due);
  child.kill("SIGTERM");
  const { status, output } = await end;
  expect(status).toBe(0);
  const lines = output.split("\n");
  expect(lines.filter((line) => line.includes("ECONNREFUSED"))).toHaveLength(2);
  expect(lines[0]).toBe("repositories served: 1");
  expect(lines.at(-2)).toBe("ended");
  expect(output).not.toContain(SECRET);
  expect(fs.readdirSync(path.join(sockets, "web-1/main"))).toEqual([]);
});

test("the watcher's round fails while S3 is away, and leaves nothing", async () => {
  const url = `http://127.0.0.1:9/${SECRET}`;
  const alarms = { graceHours: 6, digestHour: 6, webhooks: [{ name: "ops", url, form: "json" }] };
  fs.writeFileSync(path.join(folder, "alarms.json"), JSON.stringify(alarms));
  const page = path.join(folder, "page");
  fs.mkdirSync(page);
  const { status, output } = await keeper("watch", "--settings", settings, "--page", page).end;
  expect(output).toMatch(/^keeper: .*ECONNREFUSED/);
  expect(output).not.toContain(SECRET);
  expect(status).toBe(1);
  expect(fs.readdirSync(page)).toEqual([]);
});

test("without a gate it is not known what is due", async () => {
  const { status, output } = await keeper("due", "--sockets", folder).end;
  expect(output).toContain("ENOENT");
  expect(status).toBe(1);
});

test("credentials that are no JSON are not printed", async () => {
  const broken = path.join(folder, "broken");
  fs.mkdirSync(broken);
  fs.writeFileSync(path.join(broken, "s3.json"), SECRET);
  const child = spawn(process.execPath, [program, "gate", "--settings", settings, "--sockets", broken], {
    env: { CREDENTIALS_DIRECTORY: broken },
    stdio: ["ignore", "ignore", "pipe"],
  });
  started = [...started, child];
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(1);
  expect(output).toContain("s3.json is no JSON");
  expect(output).not.toContain("secret");
});
