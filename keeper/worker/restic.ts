/** restic as a child that sees nothing but the gate and the repository's password. */
import { spawn } from "node:child_process";
import { setTimeout } from "node:timers";
import { printable } from "../printable";

/** Bytes of output that are kept, the last ones. */
const OUTPUT_BYTES = 8192;
/** Milliseconds that restic has to remove its lock and end before it is killed. */
const GRACE_MS = 10_000;

/** restic's exit code where another lock keeps it from working. */
export const LOCKED = 11;

/** How restic ended. */
export interface Ended {
  /** Absent: a signal ended it. */
  readonly code?: number;
  /** The end of what it wrote, on one line. */
  readonly output: string;
}

/**
 * Runs restic until it ends or has to.
 *
 * @throws Error when it cannot be started.
 */
export function runRestic(program: string, args: readonly string[], stop: AbortSignal): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const { HOME, TMPDIR } = process.env;
    const child = spawn(program, args, { env: { HOME, TMPDIR }, stdio: ["ignore", "pipe", "pipe"] });
    let output = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      output = Buffer.concat([output, chunk]).subarray(-OUTPUT_BYTES);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);

    let killer: NodeJS.Timeout | undefined;
    const end = () => {
      child.kill("SIGTERM");
      killer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
    };
    if (stop.aborted) {
      end();
    }
    stop.addEventListener("abort", end);
    const settle = () => {
      clearTimeout(killer);
      stop.removeEventListener("abort", end);
    };
    child.once("error", (error) => {
      settle();
      reject(error);
    });
    child.once("close", (code) => {
      settle();
      resolve({ ...(code === null ? {} : { code }), output: printable(output.toString(), Infinity) });
    });
  });
}
