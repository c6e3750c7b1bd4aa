/** What the configuration says to the keeper: `/etc/keeper/keeper.json`, without a secret. */
import type { BucketAddress } from "../s3/client";
import type { Bounds } from "./job";

/** What retention keeps of a repository. All counts are of arrivals, never of the dates that snapshots claim. */
export interface Keep {
  /** Days within which every snapshot is kept. */
  readonly within: number;
  /** Of so many days with an arrival, the newest being the first: the earliest snapshot that arrived on each. */
  readonly days: number;
  /** The same for weeks, from Monday on. */
  readonly weeks: number;
  readonly months: number;
  readonly years: number;
}

/** What the keeper knows of one repository. */
export interface KeptRepository {
  readonly client: string;
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

/** What has to be approved by the operator before it is forgotten. */
export interface ApprovalLimits {
  /** Most snapshots that one plan forgets without approval. */
  readonly snapshots: number;
  /** Largest share of a repository's snapshots that one plan forgets without approval, 0 to 1. */
  readonly share: number;
}

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
}
