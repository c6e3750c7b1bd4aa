import { spawn } from "node:child_process";
import { constants } from "node:os";
import * as path from "node:path";

/** The root of the checkout. */
export const ROOT = path.resolve(__dirname, "../..");

/** @see run */
export interface RunOptions {
  /** The program's standard input. @default empty */
  input?: string;
  /** Variables added to this process's environment. */
  env?: Record<string, string>;
  /** Seconds after which the program and its children are killed. @default 600 */
  timeout?: number;
  /** Exit codes that are no error; `"any"`: every one. @default [0] */
  accept?: number[] | "any";
  /** Also show the output as it comes; `"stderr"`: all of it on standard error. @default false */
  show?: boolean | "stderr";
}

/** How a program ended, and what it printed. */
export interface Result {
  code: number;
  stdout: string;
  stderr: string;
  /** Wall seconds. */
  seconds: number;
}

/** Characters that a program may print on each of its two outputs: a compromised host must not fill the memory. */
const MOST_OUTPUT = 64 << 20;

/** Sends a signal to each program that runs. */
const running = new Set<(signal: NodeJS.Signals) => void>();

/** A program in a group of its own gets no Ctrl-C from the terminal: Pulumi has to get it, to release its lock. */
function interrupt(): void {
  for (const end of running) end("SIGINT");
}

/** The operator interrupted the work: code that continues after a failure must not continue after this. */
export class Interrupted extends Error {
  constructor(name: string) {
    super(`${name} was interrupted`);
  }
}

function setRunning(end: (signal: NodeJS.Signals) => void, runs: boolean): void {
  const before = running.size;
  if (runs) running.add(end);
  else running.delete(end);
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) {
    if (before === 0 && runs) process.on(signal, interrupt);
    if (before > 0 && running.size === 0) process.off(signal, interrupt);
  }
}

/** Lines of a program's output that a message repeats. */
const TAIL_LINES = 40;

/** Lines of errors, in output that has been shown already. */
const ERROR_LINES = 10;

/**
 * A program that failed. Its message ends with the last lines that the program printed; where all of them have been
 * shown already, with the lines that it marked as errors, or the last one.
 */
export class RunError extends Error {
  constructor(
    what: string,
    readonly result: Result,
    { shown = false }: { shown?: boolean } = {},
  ) {
    const lines = `${result.stdout}\n${result.stderr}`.trim().split("\n");
    const errors = [
      ...new Set(
        lines.map((line) => line.trim()).filter((line) => /^(error\b|secure-backups: )/i.test(line)),
      ),
    ];
    const repeated = shown
      ? [
          ...(errors.length > 0 ? errors.slice(0, ERROR_LINES) : lines.slice(-1)),
          "All that it printed is above.",
        ]
      : lines.slice(-TAIL_LINES);
    super(`${what}\n${repeated.join("\n")}`);
  }
}

/**
 * Runs a program to its end in the checkout. The program gets its own process group, so that a timeout ends
 * all that it started.
 * @throws RunError where the exit code is not accepted, the time is up, or it prints too much; Interrupted after Ctrl-C
 */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Result> {
  const { timeout = 600, accept = [0] } = options;
  const shown = options.show !== undefined && options.show !== false;
  const started = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    let stdout = "";
    let stderr = "";
    let stopped: string | undefined;
    let interrupted = false;
    const end = (signal: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // It has ended already.
      }
    };
    const stop = (why: string) => {
      stopped ??= why;
      end("SIGKILL");
      // A process that left the group may still hold the pipes.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const timer = setTimeout(() => {
      stop(`after ${String(timeout)} s`);
    }, timeout * 1000);
    const pass = (signal: NodeJS.Signals) => {
      interrupted = true;
      end(signal);
    };
    setRunning(pass, true);
    const ended = () => {
      clearTimeout(timer);
      setRunning(pass, false);
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (options.show) (options.show === "stderr" ? process.stderr : process.stdout).write(text);
      if (stdout.length > MOST_OUTPUT) stop("after 64 MiB of output");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      if (options.show) process.stderr.write(text);
      if (stderr.length > MOST_OUTPUT) stop("after 64 MiB of error messages");
    });
    child.on("error", (error) => {
      ended();
      reject(error);
    });
    child.stdin.on("error", () => {
      // The program ended without reading all of its input; its exit code says the rest.
    });
    child.stdin.end(options.input ?? "");
    child.on("close", (status) => {
      ended();
      const result: Result = { code: status ?? 137, stdout, stderr, seconds: (Date.now() - started) / 1000 };
      const name = path.basename(command);
      if (interrupted) {
        reject(new Interrupted(name));
      } else if (stopped !== undefined) {
        reject(new RunError(`${name} was stopped ${stopped}`, result, { shown }));
      } else if (accept !== "any" && !accept.includes(result.code)) {
        reject(new RunError(`${name} ended with exit status ${String(result.code)}`, result, { shown }));
      } else {
        resolve(result);
      }
    });
  });
}

/**
 * Hands this process's terminal to a program until it ends. This process outlives the program: it ignores Ctrl-C, which
 * the terminal sends to both, and passes on a signal that it gets alone.
 *
 * @param command makes the command line, once no signal ends this process any more
 * @param env variables added to this process's environment
 * @returns the program's exit status
 */
export async function attach(
  command: () => readonly string[],
  env: Record<string, string> = {},
): Promise<number> {
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGHUP", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  const [program = "", ...args] = command();
  const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, ...env } });
  return await new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (status, signal) => {
      resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** Reports what is being done, does it, and reports how long it took. */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  // Not by console.log: Jest holds that back until the end of a test file.
  const say = (line: string) => process.stdout.write(`${line}\n`);
  say(`==> ${title}`);
  try {
    const value = await work();
    say(`    ${title}: done in ${seconds()}`);
    return value;
  } catch (error) {
    say(`    ${title}: FAILED after ${seconds()}`);
    throw error;
  }
}
