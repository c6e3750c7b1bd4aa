/** What the configuration says to the keeper: `/etc/keeper/keeper.json`, without a secret. */
import type { ApprovalLimits, Keep } from "../config/schema/keeper";
import type { AlarmsConfig } from "../config/schema/alarms";
import type { BucketAddress } from "../s3/client";
import type { Bounds } from "./job";

export type { AlarmsConfig } from "../config/schema/alarms";
export type { ApprovalLimits, Keep } from "../config/schema/keeper";

/** The client that the stack creates for its own tests; no configuration can name one like it. Its key is on no host. */
export const CANARY = { client: ".canary", repository: "verify" } as const;

/** What the keeper knows of one repository. */
export interface KeptRepository {
  readonly client: string;
  /** Whether its operator only handed over a public key, and may not have begun yet. */
  readonly keyOnly?: boolean;
  readonly repository: string;
  /** Absent: nothing is forgotten. */
  readonly keep?: Keep;
  /** Snapshots that are never forgotten, by full ID. */
  readonly pins: readonly string[];
  /** When the client backs up, a calendar expression; `none`: never by itself. */
  readonly schedule: string;
  /** Minutes over which the client's start is spread. */
  readonly window: number;
  /** Whether its client is frozen: nothing is forgotten or pruned. */
  readonly frozen: boolean;
}

/** From when on something is amiss. */
export type WatchSettings = Pick<AlarmsConfig, "graceHours" | "digestHour" | "quotaGib">;

/** The settings of the keeper's program. */
export interface KeeperSettings {
  readonly s3: BucketAddress;
  /** Why nothing is forgotten or pruned on this stack; absent: retention is on. */
  readonly retentionOff?: string;
  readonly repositories: readonly KeptRepository[];
  readonly approval: ApprovalLimits;
  readonly bounds: Bounds;
  /** Days after which old versions expire, for what the report says can be brought back. */
  readonly noncurrentVersionDays: number;
  /**
   * Minutes within which every program that works on a repository has put a lock, whether it is still there or not; restic
   * renews it every five. Until they are over nothing is pruned.
   * @default 10
   */
  readonly lockMinutes?: number;
}
