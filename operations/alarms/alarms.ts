/** By which ways alarms are sent, when something last was, and a test of all. */
import { messengers, wayNames } from "../../keeper/alarms/transitions";
import { ALARMS_TEST } from "../../keeper/gate/names";
import { S3Store, type Store } from "../../keeper/gate/store";
import { isStale } from "../../keeper/status/order";
import type { Status, WayStatus } from "../../keeper/status/schema";
import { withS3 } from "../../s3/with-s3";
import { EXIT } from "../exit-status";
import { printableLines } from "../printable";
import { readDeployment } from "../read-deployment";
import { findStatus, readStatus, staleLine, watcherLog } from "../keeper-status";
import { startWatcher, statusAfterRound, type Watcher } from "../start-watcher";
import { NO_WAY, wayLines } from "../way-lines";

/** What is asked for. */
export interface AlarmsRequest {
  /** @default the selected one */
  stack?: string;
  /** Whether to send a test by each way. @default false */
  test?: boolean;
}

/** What a test needs. */
export interface Testing extends Watcher {
  readonly store: Pick<Store, "get" | "put">;
  /** Names of the ways that alarms are sent by. */
  readonly ways: readonly string[];
  readonly print: (line: string) => void;
}

const find = (status: Pick<Status, "ways"> | undefined, name: string): WayStatus | undefined =>
  status?.ways.find((way) => way.name === name);

/**
 * Has the keeper send a test by each way, and shows what came of each.
 *
 * @returns the exit status
 * @throws Error without a way, or where the status cannot be read afterwards
 */
export async function testAlarms({ ways, print, ...watcher }: Testing): Promise<number> {
  const { store, keeper } = watcher;
  if (ways.length === 0) throw new Error(NO_WAY);
  const before = await findStatus(store);
  await store.put(ALARMS_TEST, Buffer.alloc(0));
  const outcome = (status: Status, name: string): WayStatus["test"] => {
    const test = find(status, name)?.test;
    return test?.at === find(before, name)?.test?.at ? undefined : test;
  };
  const status = await statusAfterRound(watcher, (seen) =>
    ways.some((name) => outcome(seen, name) !== undefined),
  );
  const tests = ways.map((name) => [name, outcome(status, name)] as const);
  for (const [name, test] of tests) {
    if (test === undefined) {
      print(`${name}: NOT TESTED: ${watcherLog(keeper)}`);
    } else {
      print(`${name}: ${test.ok ? "sent" : `FAILED: ${test.detail}`}`);
    }
  }
  return tests.every(([, test]) => test?.ok === true) ? EXIT.done : EXIT.failed;
}

/**
 * Shows by which ways alarms are sent, and when something last was; of a status that is too old, that it is.
 *
 * @param keeper name of the keeper's host
 * @param now milliseconds since 1970
 * @returns the exit status
 */
export function listWays(
  status: Pick<Status, "at" | "validUntil" | "ways">,
  keeper: string,
  ways: readonly string[],
  now: number,
  print: (line: string) => void,
): number {
  const all = ways.map((name) => find(status, name) ?? { name, pending: 0 });
  if (isStale(status, now)) print(staleLine(status, keeper, now));
  for (const line of wayLines(all, now)) print(line);
  if (isStale(status, now)) return EXIT.unknown;
  return all.some(({ failingSince }) => failingSince !== undefined) ? EXIT.failed : EXIT.done;
}

/**
 * Does this on a deployed stack.
 *
 * @returns the exit status
 * @throws Error where the stack has no keeper, or the status cannot be read
 */
export async function alarms({ stack, test = false }: AlarmsRequest): Promise<number> {
  const deployment = await readDeployment(stack);
  const { bucket, keeper } = deployment;
  if (keeper === undefined) throw new Error("the stack has no keeper: it is what sends alarms");
  const ways = messengers(deployment.alarms);
  const print = (line: string): void => {
    console.log(printableLines(line));
  };
  return await withS3(bucket, bucket.owner, async (s3) => {
    const store = new S3Store(s3, bucket);
    if (!test) {
      const status = await readStatus(store, keeper.name);
      return listWays(status, keeper.name, wayNames(deployment.alarms), Date.now(), print);
    }
    const start = (): Promise<void> => startWatcher(keeper.host);
    return await testAlarms({ store, keeper: keeper.name, ways, start, print });
  });
}
