import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import {
  latestBackup,
  namesDamage,
  readSnapshots,
  requirePrograms,
  restic,
  ResticTarget,
} from "../../operations/recover/restic";
import { sampleBucket } from "../harness/sample-deployment";

const PATH = process.env.PATH;
let folder: string;

/** Puts a program on a PATH that has the shell's own besides. */
function program(name: string, script: string): void {
  fs.writeFileSync(path.join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "programs-"));
  process.env.PATH = folder;
});

afterEach(() => {
  process.env.PATH = PATH;
  fs.rmSync(folder, { recursive: true });
});

test("a missing program is named", async () => {
  await expect(requirePrograms()).rejects.toThrow("restic is not on PATH: install it");
  program("restic", "echo restic 0.19.1");
  await expect(requirePrograms()).rejects.toThrow("rclone is not on PATH: install it");
});

test.each([
  ["rclone v1.60.1-DEV", /1\.60\.1 is older than 1\.75\.1/],
  ["rclone v1.75.0", /1\.75\.0 is older than 1\.75\.1/],
  ["something else", /unknown is not a released version/],
])("%s is refused", async (printed, message) => {
  program("restic", "echo restic 0.19.1");
  program("rclone", `echo "${printed}"`);
  await expect(requirePrograms()).rejects.toThrow(message);
});

test("rclone 1.75.1 is accepted", async () => {
  program("restic", "echo restic 0.19.1");
  program("rclone", "echo rclone v1.75.1");
  await requirePrograms();
});

const target: ResticTarget = {
  bucket: sampleBucket(),
  client: "web",
  repository: "main",
  password: "the password",
};

test("restic's lines and exit status are returned; it has its own cache, which is removed afterwards", async () => {
  program("restic", 'echo "$*"; echo "$RESTIC_CACHE_DIR" >&2; printf unfinished; exit 3');
  const lines: string[] = [];
  const code = await restic(target, ["snapshots"], { show: (line) => lines.push(line), seconds: 20 });
  expect(code).toBe(3);
  expect(lines).toEqual(expect.arrayContaining(["--no-lock snapshots", "unfinished"]));
  const cache = lines.find((line) => line.startsWith(os.tmpdir())) ?? "";
  expect(path.basename(cache)).toMatch(/^recover-/);
  expect(fs.existsSync(cache)).toBe(false);
});

test("names that an attacker chose do not move the cursor of the operator's terminal", async () => {
  program("restic", "printf 'name \\033[2J\\n'; printf 'error \\033]0;title\\007\\n' >&2; exit 3");
  const terminals = [process.stdout, process.stderr].map((stream) => {
    const { isTTY } = stream;
    stream.isTTY = true;
    const write = jest.spyOn(stream, "write").mockImplementation(() => true);
    return { stream, isTTY, write };
  });
  try {
    expect(await restic(target, ["snapshots"])).toBe(3);
    const written = terminals.map(({ write }) => write.mock.calls.map(([text]) => text).join(""));
    expect(written).toEqual(["name \\u{1b}[2J\n", "error \\u{1b}]0;title\\u{7}\n"]);
  } finally {
    for (const { stream, isTTY, write } of terminals) {
      stream.isTTY = isTTY;
      write.mockRestore();
    }
  }
});

test("restic prints no progress to a file or a pipe", async () => {
  const asked = path.join(folder, "asked");
  program("restic", `echo "progress \${RESTIC_PROGRESS_FPS-unset}" >'${asked}'`);
  const { isTTY } = process.stdout;
  process.stdout.isTTY = false;
  try {
    expect(await restic(target, ["dump", "latest", "/file"])).toBe(0);
    expect(fs.readFileSync(asked, "utf8")).toBe("progress unset\n");
    process.stdout.isTTY = true;
    expect(await restic(target, ["restore", "latest"])).toBe(0);
    expect(fs.readFileSync(asked, "utf8")).toBe("progress 0.2\n");
  } finally {
    process.stdout.isTTY = isTTY;
  }
});

test("Ctrl-C during a check ends the recovery: it is no result of the check", async () => {
  process.env.PATH = `${folder}:${PATH ?? ""}`;
  program("restic", "echo ready; sleep 0.5; exit 130");
  const show = () => {
    process.emit("SIGINT");
  };
  await expect(restic(target, ["check"], { show, seconds: 20 })).rejects.toThrow("restic was interrupted");
});

test("restic is stopped after its time limit", async () => {
  process.env.PATH = `${folder}:${PATH ?? ""}`;
  program("restic", "exec sleep 60");
  const waiting = restic(target, ["snapshots"], { show: () => undefined, seconds: 1 });
  await expect(waiting).rejects.toThrow("restic was stopped after 1 s");
});

// As restic 0.14.0 and 0.19.1 were seen to print them.
test.each([
  ["Fatal: config or key e0601081 is damaged: ciphertext verification failed", true],
  ["Fatal: config cannot be loaded: trying to decrypt invalid data: ciphertext too short", true],
  ["error: error loading index 5e5e: LoadRaw(<index/5e5e5e5e5e>): invalid data returned", true],
  ["error: load <snapshot/5e5e5e5e5e>: invalid data returned", true],
  ["pack 91ba660a: does not exist", true],
  ["pack 91ba660a: unexpected file size: got 1000, expected 300127", true],
  ["pack 91ba660a contains 2 errors: [blob b5a5d4c3: decrypting blob <data/b5a5d4c3> failed]", true],
  ["Pack ID does not match, want 91ba660a, got 19e0b84a", true],
  ["  id 5681e8aa not found in repository", true],
  ["pack 91ba660a contains 1 errors: [partial download error: unexpected EOF]", false],
  ["download error: Load(<data/91ba660a80>, 300127, 0): connection refused", false],
  ["Fatal: repository contains errors", false],
  ["Fatal: repository does not exist: unable to open config file: no such file or directory", false],
  ["Fatal: wrong password or no key found", false],
  ["signal interrupt received, cleaning up", false],
])("namesDamage %s: %s", (line, damage) => {
  expect(namesDamage(line)).toBe(damage);
});

const LISTED = {
  time: "2026-11-29T02:17:34.06267496+01:00",
  paths: ["/srv"],
  hostname: "web",
  id: "b11ff6896b71056c",
};

// As restic 0.14.0 and 0.19.1 print them.
test.each<[string, unknown]>([
  [JSON.stringify([LISTED]), [LISTED]],
  ["[]", []],
  ["null", []],
  [
    '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}',
    "Fatal: wrong password or no key found",
  ],
  ["Fatal: wrong password or no key found", "Fatal: wrong password or no key found"],
  ['[{"x":1}]', '[{"x":1}]'],
])("readSnapshots %s", (line, read) => {
  expect(readSnapshots(line)).toEqual(read);
});

test.each<[string, string]>([
  ["restore latest --target /x", "restore --tag  latest --target /x"],
  ["dump latest:/srv file", "dump --tag  latest:/srv file"],
  ["restore latest --tag nightly", "restore latest --tag nightly"],
  ["restore latest --tag=nightly", "restore latest --tag=nightly"],
  ["restore b11ff689 --target /latest", "restore b11ff689 --target /latest"],
  ["snapshots --latest 1", "snapshots --latest 1"],
  ["diff latest b11ff689", "diff latest b11ff689"],
])("latestBackup %s: %s", (args, expected) => {
  expect(latestBackup(args.split(" ")).join(" ")).toBe(expected);
});
