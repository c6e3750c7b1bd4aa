/** What one round of the watcher saw in the bucket, before anything is judged. Times in milliseconds since 1970. */
import type { Suspects } from "../status/schema";
import type { VerifyRecord } from "../documents";
import type { Planned, RepositoryState } from "../state";

/** What S3 has of one repository. */
export interface ObservedRepository {
  readonly client: string;
  readonly repository: string;
  /** When its listing began. */
  readonly at: number;
  /** Why it could not be listed; then all that follows is empty. */
  readonly error?: string;
  /** When its `config` arrived; absent: it has none. */
  readonly created?: number;
  /** Its current snapshots with a name as restic gives it, in the order of arrival. */
  readonly snapshots: readonly { readonly id: string; readonly arrived: number }[];
  /** Current objects, without locks. */
  readonly objects: number;
  /** Bytes of the current versions. */
  readonly bytes: number;
  /** Bytes of all versions. */
  readonly versionBytes: number;
  /** Bytes of objects by the day of arrival, `YYYY-MM-DD`, of the days that the status has. */
  readonly added: Readonly<Record<string, number>>;
  /** Bytes of objects that arrived within 24 hours. */
  readonly addedToday: number;
  readonly locks: {
    readonly count: number;
    readonly oldest?: number;
    /** Locks that restic did not write: with another name, or too short. */
    readonly forged: Suspects;
  };
  /** Objects whose names restic does not give. */
  readonly unknown: Suspects;
  /** Objects that neither the keeper's journal nor the owner hid. */
  readonly hidden: Suspects;
  /** Objects that were put again, not by the owner, and that the owner has not approved. */
  readonly overwritten: Suspects;
  /** Until when every hidden object is accounted for: the next round reads no journal of earlier days. */
  readonly accountedUntil?: number;
  /** What the gate left; absent: it has not worked on it. */
  readonly state?: RepositoryState;
  readonly planned?: Planned;
  readonly held: boolean;
}

/** What one round saw. */
export interface Observed {
  /** When it began. */
  readonly at: number;
  /** Milliseconds that this machine's clock is ahead of S3's; absent: S3 showed no time. */
  readonly clockOff?: number;
  /** Bytes that the bucket may have, where the service says so, now or to the last verify. */
  readonly quota?: number;
  /** Names at the bucket's top, and among a client's repositories, that belong to no repository of the stack. */
  readonly beside: Suspects;
  /** What of the bucket itself could not be read, in sentences; absent: nothing. */
  readonly errors?: readonly string[];
  readonly verify?: Omit<VerifyRecord, "quota">;
  /** When the owner last asked for a test of the alarms. */
  readonly testAsked?: number;
  /** All of the settings', and the canary's. */
  readonly repositories: readonly ObservedRepository[];
}
