import { homedir } from "node:os";
import * as path from "node:path";
import { ROOT } from "../../operations/transport/run";

/** The command of the local cloud. */
export const LOCAL_CLOUD = path.join(ROOT, "scripts/dev/local-cloud/local-cloud");

/** What a command line is put behind to be run inside the local cloud's network. */
export const IN_LOCAL_CLOUD = [LOCAL_CLOUD, "exec", "--"] as const;

/** The folder that keeps what is costly to make, outside the checkout. */
export const CACHE =
  process.env.SECURE_BACKUPS_CACHE ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), ".cache"), "secure-backups");
