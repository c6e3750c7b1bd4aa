/** restic on a repository of the bucket with the owner's keys, through rclone, on the operator's machine. */
import { DeployedBucket } from "../deployment";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { rcloneVersionProblem } from "../../config/values/programs";
import { endpointUrl } from "../../s3/client";
import { printable } from "../printable";
import { Interrupted, run } from "../transport/run";

/** The repository to open. */
export interface ResticTarget {
  bucket: DeployedBucket;
  client: string;
  repository: string;
  /** Secret. */
  password: string;
  /** The time at which it is read, in milliseconds since 1970. @default now, and then it can be written to */
  at?: number;
}

/** The bucket's remote in rclone's configuration, which exists only in that process's environment. */
const REMOTE = "recover";

/** A run of restic whose output is captured. */
export interface Captured {
  /** Gets each line that restic prints. */
  show: (line: string) => void;
  /** Time limit. */
  seconds: number;
}

const snapshotsFormat = z
  .array(
    z.object({
      id: z.string(),
      time: z.string(),
      hostname: z.string().default(""),
      tags: z.array(z.string()).nullish(),
      paths: z.array(z.string()).nullish(),
    }),
  )
  .nullable();
export type Snapshot = NonNullable<z.infer<typeof snapshotsFormat>>[number];
const messageFormat = z.object({ message: z.string() });

/** A line of `restic snapshots --json`: the snapshots, or what restic says besides. */
export function readSnapshots(line: string): Snapshot[] | string {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return line;
  }
  const list = snapshotsFormat.safeParse(json);
  return list.success ? (list.data ?? []) : (messageFormat.safeParse(json).data?.message ?? line);
}

/** The arguments with which `latest` is a backup, and not the report of a failed run, unless they choose by tag. */
export function latestBackup(args: readonly string[]): string[] {
  const [command = "", ...others] = args;
  const byTag = others.some((word) => /^--tag(=|$)/.test(word));
  return ["restore", "dump", "ls", "stats"].includes(command) && !byTag && others.some(isLatest)
    ? [command, "--tag", "", ...others]
    : [...args];
}

/** Restic's word for the newest snapshot, or for a folder in it. */
const isLatest = (word: string): boolean => /^latest(:|$)/.test(word);

/**
 * Whether a line of restic check, from 0.14 on, reports damaged data. If the service does not return the data, the check
 * ends with the same status, but with other messages.
 */
export function namesDamage(line: string): boolean {
  return (
    !line.includes("download error") &&
    /invalid data returned|is damaged: |ciphertext verification failed|trying to decrypt invalid data|: does not exist$|unexpected file size|contains \d+ errors|ID does not match|not found in (index|repository)/.test(
      line,
    )
  );
}

/** Seconds for a program to print its version. */
const VERSION_SECONDS = 20;

/**
 * @throws Error where rclone or restic is missing, or rclone's version is refused
 */
export async function requirePrograms(): Promise<void> {
  const version = async (program: string): Promise<string> => {
    try {
      return (await run(program, ["version"], { timeout: VERSION_SECONDS })).stdout;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new Error(`${program} is not on PATH: install it on this machine`, { cause: error });
    }
  };
  await version("restic");
  const rclone = /^rclone v(\d+\.\d+\.\d+)/.exec(await version("rclone"))?.[1] ?? "unknown";
  const problem = rcloneVersionProblem(rclone);
  if (problem !== undefined) throw new Error(`rclone on PATH: ${rclone} ${problem}`);
}

/** The environment in which restic and the rclone that it starts find the repository. Secret. */
export function resticEnvironment(target: ResticTarget, inherited: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { bucket, client, repository, password, at } = target;
  const remote: Record<string, string> = {
    TYPE: "s3",
    PROVIDER: "Other",
    ENV_AUTH: "false",
    ACCESS_KEY_ID: bucket.owner.accessKeyId,
    SECRET_ACCESS_KEY: bucket.owner.secretAccessKey,
    ENDPOINT: endpointUrl(bucket.endpoint),
    REGION: bucket.region,
    NO_CHECK_BUCKET: "true",
    // An attacker's keys may contain characters that XML cannot.
    LIST_URL_ENCODE: "true",
    ...(at === undefined ? {} : { VERSION_AT: new Date(at).toISOString() }),
  };
  return {
    // Without the operator's own settings for these programs.
    ...Object.fromEntries(Object.entries(inherited).filter(([name]) => !/^(RCLONE|RESTIC|AWS)_/.test(name))),
    ...Object.fromEntries(
      Object.entries(remote).map(([name, value]) => [`RCLONE_CONFIG_${REMOTE.toUpperCase()}_${name}`, value]),
    ),
    RCLONE_CONFIG: os.devNull,
    // With a slash, for the reason that servedPath in hosts/names.ts gives.
    RESTIC_REPOSITORY: `rclone:${REMOTE}:${bucket.bucket}/${client}/${repository}/`,
    RESTIC_PASSWORD: password,
  };
}

/** restic's commands that print a file's content or do not end: their output is passed through unchanged. */
const RAW = ["dump", "mount"];

/**
 * Runs restic. It takes no lock, and its cache is removed afterwards: it may contain what an attacker wrote under the
 * name of a good file.
 *
 * @param captured default: restic prints where this process does, without a time limit. Output to a terminal is made
 * printable: an attacker can choose the names of hosts, tags and files
 * @returns the exit status
 * @throws Error where restic cannot be started, or its time is up; Interrupted after Ctrl-C, if the output is captured
 */
export async function restic(target: ResticTarget, args: string[], captured?: Captured): Promise<number> {
  const cache = fs.mkdtempSync(path.join(os.tmpdir(), "recover-"));
  let interrupted = false;
  const onInterrupt = () => {
    // Ctrl-C reaches restic too; this process stays to clean up.
    interrupted = true;
  };
  process.on("SIGINT", onInterrupt);
  const stdioOf = ({ isTTY }: NodeJS.WriteStream) =>
    captured !== undefined || (isTTY && !RAW.includes(args[0] ?? "")) ? "pipe" : "inherit";
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn("restic", ["--no-lock", ...args], {
        env: {
          ...resticEnvironment(target, process.env),
          RESTIC_CACHE_DIR: cache,
          // Without a terminal restic prints its progress only if it is given an interval.
          ...(captured === undefined && stdioOf(process.stdout) === "pipe"
            ? { RESTIC_PROGRESS_FPS: "0.2" }
            : {}),
        },
        stdio: [
          captured === undefined ? "inherit" : "ignore",
          stdioOf(process.stdout),
          stdioOf(process.stderr),
        ],
      });
      for (const [from, to] of [
        [child.stdout, process.stdout],
        [child.stderr, process.stderr],
      ] as const) {
        if (from === null) continue;
        const show = captured?.show ?? ((line: string) => void to.write(`${printable(line)}\n`));
        createInterface({ input: from }).on("line", show);
      }
      const timer =
        captured &&
        setTimeout(() => {
          // On SIGTERM restic ends its rclone.
          child.kill("SIGTERM");
          reject(new Error(`restic was stopped after ${captured.seconds} s: is the S3 service up?`));
        }, captured.seconds * 1000);
      child.on("error", reject).on("close", (code) => {
        clearTimeout(timer);
        if (interrupted && captured !== undefined) reject(new Interrupted("restic"));
        else resolve(code ?? 130);
      });
    });
  } finally {
    process.off("SIGINT", onInterrupt);
    fs.rmSync(cache, { recursive: true, force: true });
  }
}
