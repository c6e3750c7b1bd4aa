/** The owner's hold on a repository: while it stands, the keeper forgets and prunes nothing of it. */
import { ownerKey, type RepositoryName } from "../keeper/gate/names";
import type { Store } from "../keeper/gate/store";

/**
 * Puts the hold. The keeper looks for it before each of its deletes, so a run that is going on ends with the next.
 *
 * @param store the bucket, as its owner: nobody else may put it
 * @param why one line for who finds it
 * @param now milliseconds since 1970
 * @returns whether there was none before; only then it is the caller's to remove
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
 * @returns whether there was one
 */
export async function removeHold(
  store: Pick<Store, "head" | "hide">,
  name: RepositoryName,
): Promise<boolean> {
  const held = await isHeld(store, name);
  if (held) await store.hide(ownerKey(name, "hold"));
  return held;
}

/** Whether a hold stands. */
export async function isHeld(store: Pick<Store, "head">, name: RepositoryName): Promise<boolean> {
  return (await store.head(ownerKey(name, "hold"))) !== undefined;
}
