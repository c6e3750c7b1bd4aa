import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { requirePrograms, restic, ResticTarget } from "../../scripts/recover/restic";

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

test("rclone 1.75.1 is taken", async () => {
  program("restic", "echo restic 0.19.1");
  program("rclone", "echo rclone v1.75.1");
  await requirePrograms();
});

const target: ResticTarget = {
  bucket: {
    ...{ endpoint: "s3.example.com", region: "r", bucket: "backups", policy: "", versioning: true },
    owner: { accessKeyId: "id", secretAccessKey: "the owner's secret" },
    noncurrentVersionDays: 30,
  },
  client: "web",
  repository: "main",
  password: "the password",
};

test("restic's lines and exit status come back; it has its own cache, which is gone afterwards", async () => {
  program("restic", 'echo "$*"; echo "$RESTIC_CACHE_DIR" >&2; printf unfinished; exit 3');
  const lines: string[] = [];
  const code = await restic(target, ["snapshots"], { show: (line) => lines.push(line), seconds: 20 });
  expect(code).toBe(3);
  expect(lines).toEqual(expect.arrayContaining(["--no-lock snapshots", "unfinished"]));
  const cache = lines.find((line) => line.startsWith(os.tmpdir())) ?? "";
  expect(path.basename(cache)).toMatch(/^recover-/);
  expect(fs.existsSync(cache)).toBe(false);
});

test("restic that does not end is ended", async () => {
  process.env.PATH = `${folder}:${PATH ?? ""}`;
  program("restic", "exec sleep 60");
  const waiting = restic(target, ["snapshots"], { show: () => undefined, seconds: 1 });
  await expect(waiting).rejects.toThrow("restic was stopped after 1 s");
});
