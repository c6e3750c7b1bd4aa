import type { HostAccess } from "./deployment";
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
