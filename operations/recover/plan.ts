/** The actions that restore a repository to an earlier state, computed from its object versions alone. */
import { historiesOf, isVersion, type Entry, type Version } from "../../s3/history";

interface Act {
  key: string;
  /** The newest change that made the action necessary. */
  cause: Entry;
}

/** Was deleted since: the delete markers above the version at that time are removed. */
export interface Undelete extends Act {
  does: "undelete";
  markers: Entry[];
}

/** Was overwritten since: the version at that time is copied on top. */
export interface PutBack extends Act {
  does: "put-back";
  version: Version;
}

/** Was added since, or is a lock: it is copied to the quarantine and hidden by a delete marker. */
export interface MoveAway extends Act {
  does: "move-away";
  version: Version;
  /** The key of the copy. Absent: the object or its key is too long to copy; it is only hidden, and stays as an old version. */
  target?: string;
}

export type Action = Undelete | PutBack | MoveAway;

/** @see planRecovery */
export interface Plan {
  /** In the order of the keys; empty when the repository is as it was. */
  actions: Action[];
  /** Number of files that are as they were, without locks. */
  unchanged: number;
  /** Keys with delete markers only: their earlier content, if any, is lost. */
  expired: string[];
  /** Number of versions and markers whose keys are not valid UTF-8: they cannot be moved. */
  nameless: number;
  /** Whether the file `config` existed at that time: without it there was no repository. */
  existed: boolean;
}

/** The aim of a plan. */
export interface Aim {
  /** `CLIENT/REPOSITORY/` */
  prefix: string;
  /** The time, in milliseconds since 1970; what was written exactly then counts. */
  at: number;
  /** Objects are moved away to `QUARANTINE/KEY`. */
  quarantine: string;
  /** The S3 identity that puts versions back. @default unknown */
  owner?: string;
  /** IDs of the versions that this run has put back, where the service reports them. @default none */
  copies?: ReadonlySet<string>;
}

/**
 * The largest added object that is copied, in bytes: one request must do it within the time limit of an answer. S3's own
 * limit is 5 GiB; restic's files have little more than 128 MiB.
 */
export const LARGEST_COPY = 1024 ** 3;

/** S3's limit for a key, in bytes. */
const LONGEST_KEY = 1024;

/**
 * A test for copies that a recovery put on top of a version. Equal size and ETag are not enough: an attacker can write
 * the same content encrypted with their own key, which nobody else can read. So the owner must have written it, and a
 * service that reports the owner for every object does not show that.
 */
function copyTest(entries: readonly Entry[], { owner, copies }: Aim): (one: Version, of: Version) => boolean {
  const reported = entries.some(({ marker, by }) => !marker && by !== undefined && by !== owner);
  return (one, of) =>
    ((reported && one.by !== undefined && one.by === owner) || copies?.has(one.versionId) === true) &&
    one.size === of.size &&
    // The ETag of a multipart upload depends on its parts, and some services give the copy another.
    (one.etag === of.etag || of.etag.includes("-"));
}

function moveAway(version: Version, quarantine: string): MoveAway {
  const target = `${quarantine}/${version.key}`;
  const fits = version.size <= LARGEST_COPY && Buffer.byteLength(target) <= LONGEST_KEY;
  return { does: "move-away", key: version.key, cause: version, version, ...(fits ? { target } : {}) };
}

/** What was on top at a time. */
function entryAt(history: readonly Entry[], at: number): Entry | undefined {
  return history.find(({ modified }) => modified <= at);
}

/** The action that restores one key; `undefined` when it is as it was. */
function actionFor(
  history: readonly Entry[],
  isLock: boolean,
  { at, quarantine }: Aim,
  isCopy: (one: Version, of: Version) => boolean,
): Action | undefined {
  const then = entryAt(history, at);
  const now = history[0];
  if (now === undefined) return undefined;
  if (isLock || !isVersion(then)) return isVersion(now) ? moveAway(now, quarantine) : undefined;
  const uppermost = history.findIndex(isVersion);
  const version = history[uppermost] as Version;
  if (version !== then && !isCopy(version, then)) {
    return { does: "put-back", key: now.key, cause: version, version: then };
  }
  if (uppermost === 0) return undefined;
  // A marker with the version's own time may be above it, too, contrary to our order.
  const markers = history.filter(
    ({ marker, modified }, i) =>
      marker && (i < uppermost || (modified === version.modified && modified > at)),
  );
  return { does: "undelete", key: now.key, cause: now, markers };
}

/**
 * The plan that restores a repository to its state at a time, without its locks: those of that time are no longer held,
 * and present ones would block restic. It deletes no version. Once it is applied, the plan for the same time is empty.
 *
 * @param entries all versions and markers below the prefix; of each key the versions, and the markers, newest first
 */
export function planRecovery(entries: readonly Entry[], aim: Aim): Plan {
  const { prefix, at } = aim;
  const named = entries.filter(({ nameless }) => !nameless);
  const isCopy = copyTest(named, aim);
  const nameless = entries.length - named.length;
  const plan: Plan = { actions: [], unchanged: 0, expired: [], nameless, existed: false };
  for (const [key, history] of historiesOf(named)) {
    const then = entryAt(history, at);
    const isLock = kindOf(key, prefix) === "locks";
    const action = actionFor(history, isLock, aim, isCopy);
    if (action !== undefined) plan.actions.push(action);
    if (isLock) continue;
    if (isVersion(then)) {
      if (key === `${prefix}config`) plan.existed = true;
      if (action === undefined) plan.unchanged += 1;
    }
    if (then === undefined && !history.some(isVersion)) plan.expired.push(key);
  }
  return plan;
}

/** The kinds of files in a restic repository, and `other` for everything else. */
export const KINDS = ["config", "keys", "snapshots", "index", "data", "locks", "other"] as const;
export type Kind = (typeof KINDS)[number];

/** The kind of file that a key names. */
export function kindOf(key: string, prefix: string): Kind {
  const path = key.slice(prefix.length);
  if (path === "config") return "config";
  const folder = path.split("/", 1)[0] as Kind;
  return path !== folder && folder !== "config" && KINDS.includes(folder) ? folder : "other";
}
