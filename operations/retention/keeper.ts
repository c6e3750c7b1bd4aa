/** What the operator tells the keeper, and what it reports: all by objects in the bucket, never by its host. */
import { createInterface } from "node:readline/promises";
import type { RepositoryName } from "../../keeper/gate/names";
import { nameOf, ownerKey } from "../../keeper/gate/names";
import { S3Store, type Store } from "../../keeper/gate/store";
import { withS3 } from "../../s3/with-s3";
import { type Deployment, repositoriesOf } from "../deployment";
import { EXIT, UsageError } from "../exit-status";
import { isHeld, putHold, removeHold } from "../hold";
import { printableLines } from "../printable";
import { readPlanned, readApproval, readState, writeApproval } from "../../keeper/documents";
import { describePlan, describeState, isAmiss } from "./report";

/** What can be asked of it. */
export const REQUESTS = ["status", "plan", "approve", "run", "hold", "release"] as const;
export type KeeperRequest = (typeof REQUESTS)[number];

/** What one request needs. */
interface Context {
  /** The bucket, as its owner. */
  readonly store: Store;
  readonly noncurrentVersionDays: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly print: (text: string) => void;
  /** Asks the operator; `true`: yes. */
  readonly confirm: (question: string) => Promise<boolean>;
}

/** Does one request for one repository; returns its exit status. */
type Doing = (context: Context, name: RepositoryName) => Promise<number>;

const NOTHING_YET = "  the keeper has not worked on it yet";

const status: Doing = async ({ store, noncurrentVersionDays, print }, name) => {
  const [state, planned, held] = await Promise.all([
    readState(store, name),
    readPlanned(store, name),
    isHeld(store, name),
  ]);
  if (held) print("  HELD by the owner");
  if (state === undefined) {
    print(NOTHING_YET);
    return EXIT.unknown;
  }
  print(describeState(state, planned, noncurrentVersionDays));
  return isAmiss(state) ? EXIT.failed : EXIT.done;
};

const plan: Doing = async ({ store, print }, name) => {
  const [planned, state] = await Promise.all([readPlanned(store, name), readState(store, name)]);
  print(planned === undefined ? NOTHING_YET : describePlan(planned, state));
  return planned === undefined ? EXIT.unknown : EXIT.done;
};

const approve: Doing = async ({ store, now, print, confirm }, name) => {
  const [planned, state, before] = await Promise.all([
    readPlanned(store, name),
    readState(store, name),
    readApproval(store, name),
  ]);
  if (planned === undefined) {
    print(NOTHING_YET);
    return EXIT.unknown;
  }
  print(describePlan(planned, state));
  const forget = planned.plan?.waits === undefined ? [] : planned.plan.forget;
  const versions = planned.putAgain.flatMap(({ versionIds }) => versionIds);
  if (forget.length === 0 && versions.length === 0) {
    print("  nothing waits for approval");
    return EXIT.done;
  }
  const what = [
    ...(forget.length > 0 ? [`forget these ${String(forget.length)} snapshots`] : []),
    ...(versions.length > 0 ? [`take the objects that were put again for genuine`] : []),
  ].join(" and ");
  if (!(await confirm(`  ${nameOf(name)}: ${what}? Type yes: `))) {
    print("  nothing was approved");
    return EXIT.failed;
  }
  // What was judged before stays so: its versions are still there.
  const judged = [...new Set([...(before?.versions ?? []), ...versions])];
  await writeApproval(store, name, { at: now, forget, versions: judged });
  print("  approved: the keeper's next run does it");
  return EXIT.done;
};

const runSoon: Doing = async ({ store, print }, name) => {
  await store.put(ownerKey(name, "run"), Buffer.alloc(0));
  print(
    "  the next round guards, forgets, prunes and checks it, as far as nothing stands against that; one begins every hour",
  );
  return EXIT.done;
};

const hold: Doing = async ({ store, now, print }, name) => {
  const isNew = await putHold(store, name, "npm run keeper -- hold", now);
  print(isNew ? "  held: nothing of it is forgotten or pruned until it is released" : "  it is held already");
  return EXIT.done;
};

const release: Doing = async ({ store, print }, name) => {
  print((await removeHold(store, name)) ? "  released" : "  it was not held");
  return EXIT.done;
};

const DOING: Record<KeeperRequest, Doing> = { status, plan, approve, run: runSoon, hold, release };

/**
 * The repositories that `CLIENT` or `CLIENT/REPOSITORY` names.
 *
 * @throws UsageError where it is neither; Error where the stack has no such repository
 */
export function namedRepositories(
  target: string,
  { clients }: Pick<Deployment, "clients">,
): RepositoryName[] {
  const [, client, repository] = /^([a-z0-9-]+)(?:\/([a-z0-9-]+))?$/.exec(target) ?? [];
  if (client === undefined) {
    throw new UsageError(`${JSON.stringify(target)} is neither CLIENT nor CLIENT/REPOSITORY`);
  }
  const named = repositoriesOf(clients.filter(({ name }) => name === client)).filter(
    (one) => repository === undefined || one.repository === repository,
  );
  if (named.length === 0)
    throw new Error(`the stack has no ${target}: its clients and repositories are in the configuration`);
  return named;
}

/**
 * Does a request for each repository in turn.
 *
 * @returns the exit status, the gravest of all
 */
export async function askKeeper(
  request: KeeperRequest,
  names: readonly RepositoryName[],
  { print, ...context }: Context,
): Promise<number> {
  const say = (text: string): void => {
    print(printableLines(text));
  };
  const all: number[] = [];
  for (const name of names) {
    say(nameOf(name));
    all.push(await DOING[request]({ ...context, print: say }, name));
  }
  return [EXIT.failed, EXIT.unknown].find((one) => all.includes(one)) ?? EXIT.done;
}

/** Asks on the terminal. */
async function asked(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UsageError("approve asks on a terminal: there is none, and no --yes");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(question)).trim() === "yes";
  } finally {
    terminal.close();
  }
}

/**
 * Does a request on a deployed stack, with the owner's keys.
 *
 * @param target `CLIENT` or `CLIENT/REPOSITORY`
 * @param yes approves what it shows without asking
 * @returns the exit status
 * @throws Error where the stack has no keeper or no such repository
 */
export async function keeper(
  deployment: Deployment,
  request: KeeperRequest,
  target: string,
  yes: boolean,
): Promise<number> {
  const { bucket } = deployment;
  const names = namedRepositories(target, deployment);
  if (bucket.keeper === undefined) {
    throw new Error(
      "the stack has no keeper: nothing is ever forgotten, so there is nothing to plan or to hold",
    );
  }
  return await withS3(bucket, bucket.owner, (s3) =>
    askKeeper(request, names, {
      store: new S3Store(s3, bucket),
      noncurrentVersionDays: bucket.noncurrentVersionDays,
      now: Date.now(),
      print: console.log,
      confirm: yes ? () => Promise.resolve(true) : asked,
    }),
  );
}
