/** The status that the keeper left in the bucket: it can be read while the keeper is down. */
import { readDocument } from "../keeper/documents";
import type { Store } from "../keeper/gate/store";
import { MOST_STATUS_BYTES, STATUS_KEY } from "../keeper/status/keys";
import { type Status, statusSchema } from "../keeper/status/schema";
import { duration, minute } from "../keeper/words";

/** What shows whether the keeper's watcher runs. */
export const watcherState = (keeper: string): string =>
  `npm run ssh -- ${keeper}, and there: systemctl status keeper-watch.timer keeper-watch.service`;

/** What shows what the watcher said in its rounds. */
export const watcherLog = (keeper: string): string =>
  `npm run ssh -- ${keeper}, and there: journalctl -u keeper-watch`;

/** What an operator does about a status that is too old. */
export const staleLine = ({ at }: Pick<Status, "at">, keeper: string, now: number): string =>
  `STALE: the keeper last looked ${minute(at)}, ${duration(now - at)} ago, and does so every 15 minutes. ` +
  `See why: ${watcherState(keeper)}`;

/**
 * Finds the status; `undefined`: the keeper has left none yet.
 *
 * @param store the bucket, as its owner
 * @throws Error where it is not in the form of this version
 */
export const findStatus = (store: Pick<Store, "get">): Promise<Status | undefined> =>
  readDocument(store, STATUS_KEY, statusSchema, MOST_STATUS_BYTES);

/**
 * Reads the status.
 *
 * @param keeper name of the keeper's host
 * @throws Error where there is none, or it is not in the form of this version; it says what to do
 * @see findStatus
 */
export async function readStatus(store: Pick<Store, "get">, keeper: string): Promise<Status> {
  const status = await findStatus(store);
  if (status !== undefined) return status;
  throw new Error(
    `the keeper has left no status yet, and does so every 15 minutes: see why by ${watcherState(keeper)}`,
  );
}
