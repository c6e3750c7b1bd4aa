import type { Store } from "../keeper/gate/store";
import type { Status } from "../keeper/status/schema";
import type { HostAccess } from "./deployment";
import { readStatus } from "./keeper-status";
import { SshHost } from "./transport/ssh";
import { withTemporaryFolder } from "./transport/temporary-folder";

/** Seconds for a round: systemd ends it after fourteen minutes. */
const ROUND_SECONDS = 900;

/**
 * Has the keeper's watcher do a round now, and waits for its end; one that goes on already is waited for. Of a round that
 * was not whole the status says what is missing.
 *
 * @param host the keeper's
 * @throws RunError where the host cannot be reached, or has no watcher
 */
export async function startWatcher(host: HostAccess): Promise<void> {
  await withTemporaryFolder((folder) =>
    new SshHost(host, { folder }).sh("systemctl start keeper-watch.service", {
      accept: [0, 1],
      timeout: ROUND_SECONDS,
    }),
  );
}

/** The keeper's watcher, and what it leaves. */
export interface Watcher {
  /** The bucket, as its owner. */
  readonly store: Pick<Store, "get">;
  /** Name of the keeper's host. */
  readonly keeper: string;
  /** Has it do a round. */
  readonly start: () => Promise<void>;
}

/**
 * Has the watcher do a round, and one more where that does not show what it is to see: it may have begun before.
 *
 * @returns the status of the last round
 * @throws Error where that cannot be read
 */
export async function statusAfterRound(
  { store, keeper, start }: Watcher,
  shows: (status: Status) => boolean,
): Promise<Status> {
  await start();
  const status = await readStatus(store, keeper);
  if (shows(status)) return status;
  await start();
  return await readStatus(store, keeper);
}
