/** What has to be done to bring a repository back to a moment, worked out from its versions alone. */

/** One version of an object, or one delete marker. */
export interface Entry {
  key: string;
  versionId: string;
  /** Whether it is a delete marker. */
  marker: boolean;
  /** Whether it is what a plain GET of the key meets. */
  latest: boolean;
  /** When it was put, in milliseconds since 1970 by the service's clock. */
  modified: number;
  /** Bytes; 0 for a marker. */
  size: number;
  /** Without quotes; empty for a marker. */
  etag: string;
  /** The S3 identity that put it, where the service tells. */
  by?: string;
}

/** A version of an object: an entry that is no delete marker. */
export type Version = Entry & { marker: false };

interface Act {
  key: string;
  /** The newest change that made the action necessary. */
  cause: Entry;
}

/** Was deleted since: the delete markers above the version of then go. */
export interface Undelete extends Act {
  does: "undelete";
  markers: Entry[];
}

/** Was overwritten since: the version of then is copied on top. */
export interface PutBack extends Act {
  does: "put-back";
  version: Version;
}

/** Was added since, or is a lock: it is copied into the quarantine and hidden by a delete marker. */
export interface MoveAway extends Act {
  does: "move-away";
  version: Version;
  /** Too large to copy: it is hidden only, and stays as an old version. */
  hideOnly: boolean;
}

export type Action = Undelete | PutBack | MoveAway;

/** @see planRecovery */
export interface Plan {
  /** What to do, in the order of the keys; empty when the repository is what it was. */
  actions: Action[];
  /** Files that are what they were, locks not counted. */
  unchanged: number;
  /** Keys of which delete markers alone are left: what they held before, if anything, is gone for good. */
  expired: string[];
  /** Files of then, locks not counted, that are too large to be copied on top: nobody but an attacker makes such. */
  tooLarge: string[];
  /** Whether the repository had its file `config` then: without it there was no repository. */
  existed: boolean;
}

/**
 * The largest object that is copied: one request must do it, in the time that an answer may take. S3's own limit is
 * 5 GiB; restic's files are of at most 128 MiB and a little.
 */
export const LARGEST_COPY = 1024 ** 3;

/**
 * All entries of one key, newest first. S3 lists versions and markers each in their order, newest first, but how the
 * two lists go together is told by times alone, and those may be as coarse as a second. So at one time the version
 * counts for newer than the marker: rather bring back too much than too little. What is on top is told for sure.
 */
export function historyOf(versions: readonly Entry[], markers: readonly Entry[]): Entry[] {
  const history: Entry[] = [];
  let v = 0;
  let m = 0;
  for (;;) {
    const version = versions[v];
    const marker = markers[m];
    if (marker === undefined) return [...history, ...versions.slice(v)];
    if (version === undefined) return [...history, ...markers.slice(m)];
    if (marker.latest || (!version.latest && marker.modified > version.modified)) {
      history.push(marker);
      m += 1;
    } else {
      history.push(version);
      v += 1;
    }
  }
}

const isVersion = (entry: Entry | undefined): entry is Version => entry !== undefined && !entry.marker;

const same = (one: Version, other: Version): boolean => one.etag === other.etag && one.size === other.size;

/** What was on top at a moment. */
function entryAt(history: readonly Entry[], at: number): Entry | undefined {
  return history.find(({ modified }) => modified <= at);
}

/** What brings one key back to what it was; `undefined` when it is that already. */
function actionFor(history: readonly Entry[], at: number, isLock: boolean): Action | undefined {
  const then = entryAt(history, at);
  const now = history[0];
  if (now === undefined) return undefined;
  const about = { key: now.key, cause: now };
  if (isLock || !isVersion(then)) {
    return isVersion(now)
      ? { ...about, does: "move-away", version: now, hideOnly: now.size > LARGEST_COPY }
      : undefined;
  }
  const uppermost = history.findIndex(isVersion);
  const version = history[uppermost] as Version;
  if (!same(version, then)) return { key: now.key, cause: version, does: "put-back", version: then };
  if (uppermost === 0) return undefined;
  // A marker of the version's own time may lie above it, too, whatever our order says.
  const markers = history.filter(
    ({ marker, modified }, i) =>
      marker && (i < uppermost || (modified === version.modified && modified > at)),
  );
  return { ...about, does: "undelete", markers };
}

/**
 * The plan that makes a repository what it was, but for its locks: those of then are over, and those of now stand in
 * the way. Nothing in it deletes a version. Once it is carried out, the plan for the same moment is empty.
 *
 * @param entries all versions and markers below `prefix`; for each key versions, and markers, newest first
 * @param prefix `CLIENT/REPOSITORY/`
 * @param at the moment, in milliseconds since 1970; what was put at it counts
 */
export function planRecovery(entries: readonly Entry[], prefix: string, at: number): Plan {
  const keys = new Map<string, { versions: Entry[]; markers: Entry[] }>();
  for (const entry of entries) {
    let lists = keys.get(entry.key);
    if (lists === undefined) keys.set(entry.key, (lists = { versions: [], markers: [] }));
    (entry.marker ? lists.markers : lists.versions).push(entry);
  }
  const plan: Plan = { actions: [], unchanged: 0, expired: [], tooLarge: [], existed: false };
  for (const [key, { versions, markers }] of keys) {
    const history = historyOf(versions, markers);
    const then = entryAt(history, at);
    const isLock = kindOf(key, prefix) === "locks";
    const action = actionFor(history, at, isLock);
    if (action !== undefined) {
      plan.actions.push(action);
      if (action.does === "put-back" && action.version.size > LARGEST_COPY) plan.tooLarge.push(key);
    }
    if (isLock) continue;
    if (isVersion(then)) {
      if (key === `${prefix}config`) plan.existed = true;
      if (action === undefined) plan.unchanged += 1;
    }
    if (versions.length === 0 && then === undefined) plan.expired.push(key);
  }
  return plan;
}

/** The kinds of files that a restic repository has, and what is none of them. */
export const KINDS = ["config", "keys", "snapshots", "index", "data", "locks", "other"] as const;
export type Kind = (typeof KINDS)[number];

/** The kind of file that a key stands for. */
export function kindOf(key: string, prefix: string): Kind {
  const path = key.slice(prefix.length);
  if (path === "config") return "config";
  const folder = path.split("/", 1)[0] as Kind;
  return path !== folder && folder !== "config" && KINDS.includes(folder) ? folder : "other";
}
