/** The owner's hold on a repository: while it stands, the keeper forgets and prunes nothing of it. */
import { setTimeout } from "node:timers/promises";
import { locksPut, readJournal } from "../keeper/gate/journal";
import { nameOf, ownerKey, type RepositoryName } from "../keeper/gate/names";
import { contentOf, type Store } from "../keeper/gate/store";

/** Most bytes of a hold. */
const MOST_BYTES = 4096;

/** Milliseconds after which a lock that was not renewed belongs to no running restic, which does so every five minutes. */
const RENEWED = 6 * 60_000;

/** Milliseconds between two looks whether the keeper has stopped. */
const PAUSE = 5_000;

/**
 * Puts the hold, where none stands. The keeper looks for it before each of its deletes, so a run that is going on ends
 * with the next.
 *
 * @param store the bucket, as its owner: nobody else may put it
 * @param why one line for who finds it; {@link removeHold} takes it for the name of who put it
 * @param now milliseconds since 1970
 * @returns whether there was none before
 */
export async function putHold(
  store: Pick<Store, "head" | "put">,
  name: RepositoryName,
  why: string,
  now: number,
): Promise<boolean> {
  const isNew = !(await isHeld(store, name));
  if (isNew) await store.put(ownerKey(name, "hold"), Buffer.from(JSON.stringify({ at: now, why })));
  return isNew;
}

/**
 * Removes the hold.
 *
 * @param why only one that was put for this reason. @default any
 * @returns whether there was such a hold
 */
export async function removeHold(
  store: Pick<Store, "get" | "hide">,
  name: RepositoryName,
  why?: string,
): Promise<boolean> {
  const content = await contentOf(store, ownerKey(name, "hold"), MOST_BYTES);
  if (content === undefined || (why !== undefined && reasonOf(content) !== why)) return false;
  await store.hide(ownerKey(name, "hold"));
  return true;
}

/** Why a hold was put; `undefined`: it was put by hand, in another form. */
function reasonOf(content: Buffer): unknown {
  try {
    return (JSON.parse(content.toString()) as { why?: unknown } | null)?.why;
  } catch {
    return undefined;
  }
}

/** Whether a hold stands. */
export async function isHeld(store: Pick<Store, "head">, name: RepositoryName): Promise<boolean> {
  return (await store.head(ownerKey(name, "hold"))) !== undefined;
}

/** Whether a run of the keeper that can still change the repository has its lock: it journals each that it puts. */
async function keeperWorks(
  store: Pick<Store, "versions" | "get" | "head">,
  name: RepositoryName,
  now: number,
): Promise<boolean> {
  const records = await readJournal(store, name, [now - RENEWED, now]);
  const locks = locksPut(records.filter(({ at }) => at > now - RENEWED));
  for (const key of locks) if ((await store.head(key)) !== undefined) return true;
  return false;
}

/** What {@link withHold} needs besides the bucket. */
export interface HoldOptions {
  readonly print: (text: string) => void;
  /** Milliseconds since 1970. @default the clock */
  readonly now?: () => number;
  /** Waits for so many milliseconds. @default a timer */
  readonly sleep?: (ms: number) => Promise<unknown>;
}

/**
 * Does something with a repository that the keeper leaves alone meanwhile: puts the hold, and waits until a run that is
 * going on has ended, six minutes at most, for its lock is not renewed under a hold. Removes the hold where the work was
 * done; otherwise it stays until the work is repeated, or the operator releases it.
 *
 * @param why see {@link putHold}
 * @param work returns its exit status
 */
export async function withHold(
  store: Store,
  name: RepositoryName,
  why: string,
  { print, now = Date.now, sleep = setTimeout }: HoldOptions,
  work: () => Promise<number>,
): Promise<number> {
  await putHold(store, name, why, now());
  try {
    let waits = false;
    while (await keeperWorks(store, name, now())) {
      if (!waits) print("Waiting for a run of the keeper to end.");
      waits = true;
      await sleep(PAUSE);
    }
  } catch (error) {
    print(`Whether a run of the keeper goes on could not be read: ${(error as Error).message}`);
  }
  const code = await work();
  if (code === 0) await removeHold(store, name, why);
  else print(`\nThe keeper leaves ${nameOf(name)} alone until: npm run keeper -- release ${nameOf(name)}`);
  return code;
}
