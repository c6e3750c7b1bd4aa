/** The actions that restore a repository to an earlier state, computed from its object versions alone. */
import { historiesOf, isVersion, type Entry, type Version } from "../../s3/history";

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
  /** The key of the copy. Absent: too large or too long a name to be copied; it is hidden only, and stays as an old version. */
  target?: string;
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
  /** Versions and markers under names that are no text: they can but stay. */
  nameless: number;
  /** Whether the repository had its file `config` then: without it there was no repository. */
  existed: boolean;
}

/** What a plan is made for. */
export interface Aim {
  /** `CLIENT/REPOSITORY/` */
  prefix: string;
  /** The moment, in milliseconds since 1970; what was put at it counts. */
  at: number;
  /** What is moved away goes to `QUARANTINE/KEY`. */
  quarantine: string;
  /** The S3 identity that puts versions back; default: unknown. */
  owner?: string;
  /** IDs of the versions that were put back in this run, where the service tells them; default: none. */
  copies?: ReadonlySet<string>;
}

/**
 * The largest stranger that is copied: one request must do it, in the time that an answer may take. S3's own limit is
 * 5 GiB; restic's files are of at most 128 MiB and a little.
 */
export const LARGEST_COPY = 1024 ** 3;

/** S3's limit for a key, in bytes. */
const LONGEST_KEY = 1024;

/**
 * Tells the copies that a recovery put on top of a version. The same size and ETag prove nothing: the same content
 * encrypted with a key of the attacker's has them, too, and cannot be read. So it must be the owner who put it, and
 * a service that calls everybody's objects the owner's does not tell that.
 */
function copyTest(entries: readonly Entry[], { owner, copies }: Aim): (one: Version, of: Version) => boolean {
  const tells = entries.some(({ marker, by }) => !marker && by !== undefined && by !== owner);
  return (one, of) =>
    ((tells && one.by !== undefined && one.by === owner) || copies?.has(one.versionId) === true) &&
    one.size === of.size &&
    // The ETag of an upload in parts tells of the parts, and some services give the copy one of its own.
    (one.etag === of.etag || of.etag.includes("-"));
}

function moveAway(version: Version, quarantine: string): MoveAway {
  const target = `${quarantine}/${version.key}`;
  const fits = version.size <= LARGEST_COPY && Buffer.byteLength(target) <= LONGEST_KEY;
  return { does: "move-away", key: version.key, cause: version, version, ...(fits ? { target } : {}) };
}

/** What was on top at a moment. */
function entryAt(history: readonly Entry[], at: number): Entry | undefined {
  return history.find(({ modified }) => modified <= at);
}

/** What brings one key back to what it was; `undefined` when it is that already. */
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
  // A marker of the version's own time may lie above it, too, whatever our order says.
  const markers = history.filter(
    ({ marker, modified }, i) =>
      marker && (i < uppermost || (modified === version.modified && modified > at)),
  );
  return { does: "undelete", key: now.key, cause: now, markers };
}

/**
 * The plan that makes a repository what it was, but for its locks: those of then are over, and those of now stand in
 * the way. Nothing in it deletes a version. Once it is carried out, the plan for the same moment is empty.
 *
 * @param entries all versions and markers below the prefix; for each key versions, and markers, newest first
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
