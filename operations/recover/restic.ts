/** restic on a repository of the bucket with the owner's keys, through rclone, on the operator's machine. */
import { DeployedBucket } from "../deployment";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { rcloneVersionProblem } from "../../config/values";
import { endpointUrl } from "../../s3/client";
import { printable } from "../printable";
import { Interrupted, run } from "../transport/run";

/** A repository to open. */
export interface ResticTarget {
  bucket: DeployedBucket;
  client: string;
  repository: string;
  /** Secret. */
  password: string;
  /** The moment, in milliseconds since 1970, as of which it is shown; default: as it is, and then it can be written to. */
  at?: number;
}

/** The name of the bucket's remote in rclone's configuration, which is in the environment of that process alone. */
const REMOTE = "recover";

/** A run of restic whose output is taken. */
export interface Captured {
  /** Takes each line that restic prints. */
  show: (line: string) => void;
  /** After these restic is ended. */
  seconds: number;
}

/** Whether a line is the last of restic's list of snapshots; of an empty list restic prints nothing. */
export function endsSnapshots(line: string): boolean {
  return /^[1-9]\d* snapshots?\s*$/.test(line);
}

/**
 * Whether a line of restic check, from 0.14 on, tells of data that is not what it must be. A service that did not give
 * the data ends a check in the same way, with the same status, but is told in other words.
 */
export function namesDamage(line: string): boolean {
  return (
    !line.includes("download error") &&
    /invalid data returned|is damaged: |ciphertext verification failed|trying to decrypt invalid data|: does not exist$|unexpected file size|contains \d+ errors|ID does not match|not found in (index|repository)/.test(
      line,
    )
  );
}

/** Seconds for a program to tell its version. */
const VERSION_SECONDS = 20;

/**
 * @throws Error where rclone or restic is missing, or rclone is one that must not be used
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
    // An attacker's keys may hold what XML cannot.
    LIST_URL_ENCODE: "true",
    ...(at === undefined ? {} : { VERSION_AT: new Date(at).toISOString() }),
  };
  return {
    // The operator's own settings for these programs must not leak in.
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

/** restic's commands that give a file's content, or have no end: their output is not gone through. */
const RAW = ["dump", "mount"];

/**
 * Runs restic and gives its exit status. It takes no lock, and its cache goes with it: what an attacker put under
 * the name of a good file must not be met again.
 *
 * @param captured default: restic prints where this process does, and takes as long as the operator lets it. What
 * goes to a terminal is made printable: names of hosts, tags and files are an intruder's to choose
 * @throws Error where restic cannot be started, or its time is up; Interrupted after Ctrl-C, but with the terminal
 */
export async function restic(target: ResticTarget, args: string[], captured?: Captured): Promise<number> {
  const cache = fs.mkdtempSync(path.join(os.tmpdir(), "recover-"));
  let interrupted = false;
  const stay = () => {
    // Ctrl-C reaches restic too; this process stays, to clean up after it.
    interrupted = true;
  };
  process.on("SIGINT", stay);
  const taken = ({ isTTY }: NodeJS.WriteStream) =>
    captured !== undefined || (isTTY && !RAW.includes(args[0] ?? "")) ? "pipe" : "inherit";
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn("restic", ["--no-lock", ...args], {
        env: {
          ...resticEnvironment(target, process.env),
          RESTIC_CACHE_DIR: cache,
          // Where its terminal is taken from it, restic tells its progress only if it is told how often.
          ...(captured === undefined && taken(process.stdout) === "pipe"
            ? { RESTIC_PROGRESS_FPS: "0.2" }
            : {}),
        },
        stdio: [captured === undefined ? "inherit" : "ignore", taken(process.stdout), taken(process.stderr)],
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
          // restic ends its rclone when it is asked to end.
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
    process.off("SIGINT", stay);
    fs.rmSync(cache, { recursive: true, force: true });
  }
}
