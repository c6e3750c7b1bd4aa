/** The status that the keeper left in the bucket: it can be read while the keeper is down. */
import { contentOf, type Store } from "../keeper/gate/store";
import { MOST_STATUS_BYTES, STATUS_KEY } from "../keeper/status/keys";
import { type Status, statusSchema } from "../keeper/status/schema";

/**
 * Finds the status; `undefined`: the keeper has left none yet.
 *
 * @param store the bucket, as its owner
 * @throws Error where it is not in the form of this version
 */
export async function findStatus(store: Pick<Store, "get">): Promise<Status | undefined> {
  const content = await contentOf(store, STATUS_KEY, MOST_STATUS_BYTES);
  if (content === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(content.toString());
  } catch {
    json = undefined;
  }
  const { data } = statusSchema.safeParse(json);
  if (data === undefined) {
    throw new Error(
      `${STATUS_KEY} is not what the keeper of this version writes: work in a checkout of the version that did the last update`,
    );
  }
  return data;
}

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
    `the keeper has left no status yet, and does so every 15 minutes: see why by npm run ssh -- ${keeper}, and there: ` +
      "systemctl status keeper-watch.timer keeper-watch.service",
  );
}
