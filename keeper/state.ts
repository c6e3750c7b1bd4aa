/** What the gate remembers of a repository, `.keeper/CLIENT/REPOSITORY/state.json`; times in milliseconds since 1970. */
import type { Action, Claim, Finding } from "./job";
import type { ObjectType } from "./objects";

/** How an action went when it was last tried. */
export interface Tried {
  readonly at: number;
  readonly ok: boolean;
  /** One line for the operator. */
  readonly detail: string;
  /** When it last succeeded; absent: never. */
  readonly succeeded?: number;
  /** When it first failed since then; absent: it did not fail. */
  readonly failingSince?: number;
}

/** A reason for which a repository's retention stands still. */
export interface Pause {
  readonly kind:
    | "off"
    | "no-keep"
    | "frozen"
    | "held"
    | "silent"
    | "put-again"
    | "findings"
    | "unverified"
    | "waits-for-approval"
    | "nothing-arrived";
  /** One sentence with the remedy. */
  readonly why: string;
}

/** The snapshots that a plan forgets, and whether the operator has to approve it first. */
export interface Plan {
  readonly made: number;
  /** Full IDs, sorted. */
  readonly forget: readonly string[];
  /** Full IDs, sorted. */
  readonly kept: readonly string[];
  /** Why it waits for approval; absent: it does not. */
  readonly waits?: string;
}

/** An object of which S3 has more than one version that is no marker: somebody put it a second time. */
export interface PutAgain {
  readonly type: ObjectType;
  readonly id: string;
  /** Of all its versions. */
  readonly versionIds: readonly string[];
}

/** `.keeper/CLIENT/REPOSITORY/plan.json`: what the gate decided last. */
export interface Planned {
  readonly version: 1;
  readonly at: number;
  readonly pauses: readonly Pause[];
  /** Absent: the repository has no `keep`. */
  readonly plan?: Plan;
  /** The objects that were put again and whose versions the operator has to judge, a thousand at most. */
  readonly putAgain: readonly PutAgain[];
}

/** `.owner/CLIENT/REPOSITORY/approval.json`, which the operator's command writes with the owner's credentials. */
export interface Approval {
  readonly at: number;
  /** Snapshots that may be forgotten, full IDs. */
  readonly forget: readonly string[];
  /** Versions of objects that were put again and that the operator has judged, by version ID. */
  readonly versions: readonly string[];
}

/** The state of a repository. */
export interface RepositoryState {
  readonly version: 1;
  /** When S3 first had each snapshot, by ID. Times only ever become earlier. */
  readonly arrivals: Readonly<Record<string, number>>;
  /** The only key that the keeper uses; pinned by the first run. */
  readonly keyId?: string;
  readonly tried: Partial<Record<Action, Tried>>;
  /** What the last guard found; empty: nothing. */
  readonly findings: readonly Finding[];
  /** Whether the last guard had verified every pack. */
  readonly verified: boolean;
  /** The part of the data that the next check reads, of how many. */
  readonly nextPart?: { readonly part: number; readonly of: number };
  /** When the cycle that is going on began, and when one last ended: then all data had been read. */
  readonly cycleBegan?: number;
  readonly allDataRead?: number;
  /** What snapshots claim, by ID: nothing is forgotten because of it. */
  readonly claims: Readonly<Record<string, Claim>>;
}
