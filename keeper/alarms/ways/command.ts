/** Alarms to a program. */
import { spawn } from "node:child_process";
import { printable } from "../../printable";
import type { CommandConfig } from "../../../config/schema/alarms";
import type { Message } from "../message";

/** Bytes of the end of its output that are looked at, and characters of the line that an error quotes. */
const TAIL_BYTES = 4096;
const MOST_LINE = 200;

/** The program gets no more of the environment: it says where the keeper's credentials are. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs the program with the message as JSON on its standard input.
 *
 * @param signal ends the program and what it started
 * @throws Error where it does not end with 0, with the last line of its output
 */
export async function runCommand(
  { path, args }: CommandConfig,
  message: Message,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(path, args, {
    cwd: "/",
    env: { PATH },
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own, which can be ended as a whole.
    detached: true,
  });
  let tail = Buffer.alloc(0);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => (tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES)));
  }
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // All of it has ended.
    }
    // A process that left the group may still hold them.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  signal.addEventListener("abort", end, { once: true });
  // It may end without reading.
  child.stdin.on("error", () => undefined);
  child.stdin.end(JSON.stringify(message));
  try {
    const outcome = await new Promise<string | undefined>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status, killedBy) => {
        resolve(status === 0 ? undefined : killedBy === null ? `status ${String(status)}` : killedBy);
      });
    });
    if (outcome === undefined) return;
    const line = printable(tail.toString().trimEnd().split("\n").at(-1) ?? "", MOST_LINE);
    throw new Error(`it ended with ${outcome}${line === "" ? "" : `: ${line}`}`);
  } finally {
    signal.removeEventListener("abort", end);
  }
}
