/**
 * What the gate and a worker say to each other: JSON below `/keeper/` on the repository's socket. Two are no JSON
 * document, because a repository may have a million objects: a listing is one `StoredObject` in JSON a line
 * (`application/x-ndjson`), and the guard's memory (`GET` and `PUT /keeper/memory`) is bytes that the gate only stores.
 */
import type { StoredObject } from "./objects";
import type { Reported } from "./reported";

/** What a run may do, in this order. */
export const ACTIONS = ["guard", "forget", "prune", "check"] as const;
export type Action = (typeof ACTIONS)[number];

/** What a finding is about. */
export interface Finding {
  /** In kebab case, such as `claims-disagree`. */
  readonly kind: string;
  /** The objects that it names, as `TYPE/ID`. */
  readonly objects: readonly string[];
  /** One sentence for the operator. */
  readonly why: string;
}

/** What a snapshot says of itself: the client's own word, or an attacker's. */
export interface Claim {
  /** RFC 3339. */
  readonly time: string;
  readonly hostname: string;
  /** It is the report of a run that was not whole; absent: it is a backup. */
  readonly report?: Reported;
}

/** The bounds of a run; every one of them ends the run with a finding or an error, never with a crash. */
export interface Bounds {
  /** Objects of a repository. */
  readonly objects: number;
  /** Bytes of one index, key or snapshot, encrypted, and after decompression. */
  readonly metadataBytes: number;
  /** Bytes of one pack. */
  readonly packBytes: number;
  /** Bytes of packs that a run may read. */
  readonly readBytes: number;
  /** Objects that may arrive between the guard and the lock before the run gives up and is repeated later. */
  readonly lateObjects: number;
}

/** `GET /keeper/job`: ends the session before, whose worker is gone, and begins one; 204: nothing is due. */
export interface Job {
  readonly client: string;
  readonly repository: string;
  readonly actions: readonly Action[];
  /** Full IDs of the snapshots to forget; decided by the gate, which passes no other deletion of a snapshot. */
  readonly forget: readonly string[];
  /** The part of the data that a check reads. */
  readonly readData?: { readonly part: number; readonly of: number };
  /** The only key that is used (`--key-hint`); absent: pinned by this run, from the earliest arrival that opens. */
  readonly keyId?: string;
  readonly bounds: Bounds;
}

/**
 * `GET /keeper/objects`, and `GET /keeper/frozen`, which answers once restic holds its lock and asks for a listing.
 * Of the types keys, snapshots, index and data; listed in the order snapshots, index, data, keys. Where a key of S3 is
 * not `TYPE/ID` (for packs `data/AB/ID`, AB being how ID begins), the ID is all that follows `TYPE/`: a finding.
 */
export interface Listing {
  readonly objects: readonly StoredObject[];
}

/**
 * `POST /keeper/admit`: from now on restic sees the whole last listing that this session was given, in the versions of
 * that listing, and of the keys only this one. Parts are never admitted: a listing with a finding is admitted to no one.
 */
export interface Admission {
  readonly keyId: string;
}

/** `POST /keeper/result`: ends the session; taken after `POST /keeper/abandon`, too, as is the memory. */
export interface Result {
  readonly keyId?: string;
  readonly findings: readonly Finding[];
  /** Each action that was done or tried; absent: its turn did not come. */
  readonly done: Partial<Record<Action, { readonly ok: boolean; readonly detail: string }>>;
  /** Whether every pack is verified now. */
  readonly verified: boolean;
  readonly readBytes: number;
  /** What snapshots claim, by ID: nothing is forgotten because of it. Only of those that this run read: each is read once. */
  readonly claims: Readonly<Record<string, Claim>>;
}
