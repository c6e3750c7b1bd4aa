/** Shows how all backups are. */
import { setTimeout } from "node:timers/promises";
import { S3Store } from "../../keeper/gate/store";
import { visibleJson } from "../../keeper/printable";
import { messageOf } from "../../keeper/printable";
import { isAmiss, isStale } from "../../keeper/status/order";
import { renderPage } from "../../keeper/status/page";
import type { Status } from "../../keeper/status/schema";
import { withS3 } from "../../s3/with-s3";
import { EXIT, UsageError } from "../exit-status";
import { printable } from "../printable";
import { readDeployment } from "../read-deployment";
import { replaceFile } from "../replace-file";
import { look } from "./look";
import { readStatus, staleLine } from "../keeper-status";
import { renderTable } from "./table";

/** What is asked for. */
export interface StatusRequest {
  /** @default the selected one */
  stack?: string;
  /** Whether a program reads it: the document, and nothing else. @default false */
  json?: boolean;
  /** File that gets it as a page, besides. @default none */
  html?: string;
  /** Whether to show it again and again. @default false */
  watch?: boolean;
}

/** Where it is shown. */
export interface Screen {
  /** Characters of a line, and lines; absent: it is no terminal. */
  readonly size?: { readonly columns: number; readonly rows: number };
  readonly write: (text: string) => void;
  /** What a program that reads the document must not get. */
  readonly complain: (line: string) => void;
}

/** How often `--watch` looks. */
const PAUSE = 30_000;

/** 0: all is well. 1: something is amiss. 2: it is older than it should be, so nobody knows. */
export function exitStatusOf(status: Status, now: number): number {
  if (isStale(status, now)) return EXIT.unknown;
  return isAmiss(status, now) ? EXIT.failed : EXIT.done;
}

/**
 * Shows a status once.
 *
 * @param keeper name of the keeper's host
 * @param now milliseconds since 1970
 * @returns the exit status
 */
export function show(
  status: Status,
  keeper: string,
  now: number,
  { json = false }: StatusRequest,
  screen: Screen,
): number {
  if (json) {
    if (isStale(status, now)) screen.complain(staleLine(status, keeper, now));
    screen.write(`${visibleJson(JSON.stringify(status, undefined, 2))}\n`);
  } else {
    screen.write(`${renderTable(status, now, keeper, screen.size?.columns)}\n`);
  }
  return exitStatusOf(status, now);
}

/** Clears a terminal. */
const CLEAR = "\u001b[2J\u001b[H";

/**
 * Shows a status on a terminal until the operator interrupts it: what is amiss first, as much as there is room for.
 *
 * @param look reads the status; where it throws that is shown, and the next look may succeed
 * @param sleep waits for so many milliseconds
 */
export async function keepShowing(
  look: () => Promise<Status>,
  keeper: string,
  screen: Screen,
  now: () => number = Date.now,
  sleep: (ms: number) => Promise<unknown> = setTimeout,
): Promise<never> {
  for (;;) {
    const text = await look().then(
      (status) => renderTable(status, now(), keeper, screen.size?.columns),
      (error: unknown) => `could not be read: ${printable(messageOf(error))}`,
    );
    const lines = text.split("\n").slice(0, (screen.size?.rows ?? Infinity) - 1);
    screen.write(`${CLEAR}${lines.join("\n")}\n`);
    await sleep(PAUSE);
  }
}

/** This process's standard output. */
function ownScreen(): Screen {
  const { stdout } = process;
  return {
    // A terminal may change its size.
    get size() {
      return stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows } : undefined;
    },
    write: (text) => void stdout.write(text),
    complain: (line) => void process.stderr.write(`status: ${line}\n`),
  };
}

/**
 * Shows the status of a deployed stack: what its keeper left, or without one what is seen from here.
 *
 * @returns the exit status
 * @throws Error where it cannot be read
 */
export async function status(request: StatusRequest): Promise<number> {
  const screen = ownScreen();
  const { json = false, html, watch = false } = request;
  if (watch && (screen.size === undefined || json || html !== undefined)) {
    throw new UsageError(
      "--watch repaints a terminal: standard output is none, or --json or --html is given",
    );
  }
  const deployment = await readDeployment(request.stack);
  const { bucket, keeper } = deployment;
  if (keeper === undefined && watch) {
    throw new Error("--watch needs a keeper: without one each look lists the whole bucket");
  }
  const read = (): Promise<Status> =>
    keeper === undefined
      ? look(deployment)
      : withS3(bucket, bucket.owner, (s3) => readStatus(new S3Store(s3, bucket), keeper.name));
  const name = keeper?.name ?? "";
  if (watch) return await keepShowing(read, name, screen);
  const seen = await read();
  const now = Date.now();
  if (html !== undefined) replaceFile(html, renderPage(seen, now));
  return show(seen, name, now, request, screen);
}
