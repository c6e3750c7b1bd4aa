/** What a run on a repository may do: decided from what S3 lists and what was remembered, and from nothing else. */
import type { Action, Claim, Job } from "../job";
import type { StoredObject } from "../objects";
import { ownValue } from "../own-value";
import type { ApprovalLimits, KeeperSettings, KeptRepository } from "../settings";
import type { Approval, Pause, Plan, PutAgain, RepositoryState } from "../state";
import { counted } from "../words";
import { isDue, overdueAt } from "./due";
import { Arrival, keptBy } from "./keep";
import { held, nothingArrived, putAgain, silent, standing, tooLarge, waits } from "./pauses";

/** What the gate saw of a repository. */
export interface Observed {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly settings: KeeperSettings;
  readonly repository: KeptRepository;
  /** Absent: there is none yet. */
  readonly state: RepositoryState | undefined;
  /** All snapshots that S3 lists now. */
  readonly snapshots: readonly Pick<StoredObject, "id" | "arrived">[];
  /** Bytes of all packs that S3 lists now. */
  readonly dataBytes: number;
  readonly putAgain: readonly PutAgain[];
  readonly approval?: Approval;
  /** Whether the owner's hold stands. */
  readonly held: boolean;
  /** Whether the owner asked for a run since the last one. */
  readonly asked: boolean;
}

/** What follows from it. */
export interface Decision extends Pick<Job, "actions" | "forget" | "readData"> {
  /** Why actions are not among those that are due; empty: nothing stands still. */
  readonly pauses: readonly Pause[];
  /** What would be forgotten if nothing paused; absent: the repository has no `keep`. */
  readonly plan?: Plan;
  /** The objects that pause it because they were put again, the first {@link MOST_SHOWN}. */
  readonly putAgain: readonly PutAgain[];
  /** For the state, before the run begins: see {@link mergedArrivals}. */
  readonly arrivals: Readonly<Record<string, number>>;
}

/** Of objects that were put again so many are shown to the operator at once. */
const MOST_SHOWN = 1000;

/** These pauses are no reason against a prune: they protect snapshots that are still there. */
const OF_FORGETTING: readonly Pause["kind"][] = ["waits-for-approval", "nothing-arrived"];

/** Decides. Without actions nothing is due. */
export function decide(observed: Observed): Decision {
  const { now, settings, repository, state } = observed;
  const arrivals = mergedArrivals(state?.arrivals ?? {}, observed.snapshots);
  const snapshots = observed.snapshots.map(({ id }) => ({ id, arrived: arrivals[id] ?? NaN }));
  const { plan, forget, why } = planned(observed, snapshots);
  const last = lastOf(snapshots.filter(({ id }) => claimOf(state, id)?.report === undefined));
  const lastBackup = lastOf(backupsOf(snapshots, state));
  const overdue = lastBackup === undefined ? undefined : overdueAt(repository, lastBackup);
  const again = unjudged(observed.putAgain, observed.approval);
  const parts = partsOf(observed.dataBytes, settings.bounds.readBytes);
  const readable = parts <= Math.min(MOST_PARTS, settings.noncurrentVersionDays);

  const pauses = [
    ...standing(settings, repository, state),
    ...(readable ? [] : [tooLarge(parts, settings.noncurrentVersionDays)]),
    ...(observed.held ? [held(repository)] : []),
    ...(lastBackup !== undefined && overdue !== undefined && overdue < now
      ? [silent(repository, lastBackup, overdue)]
      : []),
    ...(again.length > 0 ? [putAgain(repository, again)] : []),
    ...(why === undefined ? [] : [waits(repository, why)]),
    ...(repository.keep !== undefined && (last ?? -Infinity) <= (state?.tried.forget?.succeeded ?? -Infinity)
      ? [nothingArrived(last)]
      : []),
  ];

  const against: Partial<Record<Action, boolean>> = {
    forget: forget.length === 0 || pauses.some(({ kind }) => kind !== "waits-for-approval"),
    prune: pauses.some(({ kind }) => !OF_FORGETTING.includes(kind)),
  };
  const actions = isDue(now, settings, repository, state, observed.asked).filter(
    (action) => against[action] !== true,
  );
  const next = state?.nextPart;
  return {
    actions,
    forget: actions.includes("forget") ? forget : [],
    pauses,
    ...(plan === undefined ? {} : { plan }),
    ...(actions.includes("check") && parts <= MOST_PARTS
      ? { readData: next !== undefined && next.part > 1 && next.of >= parts ? next : { part: 1, of: parts } }
      : {}),
    putAgain: again.slice(0, MOST_SHOWN),
    arrivals,
  };
}

/** The objects of which the operator has not judged every version. */
export function unjudged(objects: readonly PutAgain[], approval: Approval | undefined): PutAgain[] {
  const judged = new Set(approval?.versions);
  return objects.filter(({ versionIds }) => versionIds.some((version) => !judged.has(version)));
}

/** The plan, what of it may be forgotten now, and why the rest has to wait. */
function planned(
  { now, settings, repository, state, approval }: Observed,
  snapshots: readonly Arrival[],
): { plan?: Plan; forget: readonly string[]; why?: string } {
  const { keep, pins } = repository;
  if (keep === undefined) return { forget: [] };
  // By arrivals alone, which no client and no worker can forge; what they claim to be reports may only add to what stays.
  const backups = snapshots.filter(({ id }) => isBackup(claimOf(state, id)));
  const kept = new Set([...keptBy(keep, pins, snapshots, now), ...keptBy(keep, pins, backups, now)]);
  const ids = snapshots.map(({ id }) => id).sort();
  const goes = ids.filter((id) => !kept.has(id));
  const approved = new Set(approval?.forget);
  const alone = goes.filter((id) => !approved.has(id));
  const first = state?.tried.forget?.succeeded === undefined && alone.length === goes.length;
  const why = needsApproval(alone.length, ids.length, first, settings.approval);
  const plan = { made: now, forget: goes, kept: ids.filter((id) => kept.has(id)) };
  return why === undefined
    ? { plan, forget: goes }
    : { plan: { ...plan, waits: why }, forget: goes.filter((id) => approved.has(id)), why };
}

/** Why snapshots that nobody approved are not forgotten; `undefined`: they may be. */
function needsApproval(
  unapproved: number,
  all: number,
  first: boolean,
  { snapshots, share }: ApprovalLimits,
): string | undefined {
  if (unapproved === 0) return undefined;
  const goes = `${counted(unapproved, "snapshot")} of ${all} would go`;
  if (first) return `${goes}, for the first time`;
  if (unapproved > snapshots) return `${goes}, more than ${snapshots} at once`;
  if (unapproved > share * all) return `${goes}, more than ${Math.round(share * 100)} % at once`;
  return undefined;
}

/** What a snapshot said of itself when the guard read it; absent: it has not. */
const claimOf = (state: RepositoryState | undefined, id: string): Claim | undefined =>
  ownValue(state?.claims, id);

/** Whether a snapshot was read and is no report of a run that was not whole. */
const isBackup = (claim: Claim | undefined): boolean => claim !== undefined && claim.report === undefined;

/**
 * The snapshots that show that the client backs up: those that are known to be backups. What no guard has read yet counts
 * as well, unless the client's last word that was read is a report: then it may be the next one.
 */
function backupsOf(snapshots: readonly Arrival[], state: RepositoryState | undefined): readonly Arrival[] {
  const claims = snapshots.map(({ id, arrived }) => ({ id, arrived, claim: claimOf(state, id) }));
  const read = claims.filter(({ claim }) => claim !== undefined);
  const last = lastOf(read);
  const reports = read.some(({ arrived, claim }) => arrived === last && !isBackup(claim));
  return claims.filter(({ claim }) => isBackup(claim) || (claim === undefined && !reports));
}

/** The last known arrival. */
const lastOf = (snapshots: readonly Arrival[]): number | undefined =>
  snapshots
    .map(({ arrived }) => arrived)
    .filter((time) => Number.isFinite(time))
    .reduce<number | undefined>((last, time) => Math.max(last ?? time, time), undefined);

/** Of snapshots that S3 no longer lists so many arrivals are remembered, the latest. */
const MOST_GONE = 10_000;

/**
 * The arrivals that are known now: of each snapshot the earliest. Those of snapshots that are gone stay, so that one
 * that recover brings back after its old versions have expired does not count as new; of these only the latest
 * {@link MOST_GONE}, which bounds the state. One that is brought back later than that counts as new: it stays longer.
 */
export function mergedArrivals(
  known: Readonly<Record<string, number>>,
  listed: readonly Pick<StoredObject, "id" | "arrived">[],
): Record<string, number> {
  const present = listed
    .map(({ id, arrived }): [string, number] => {
      const before = ownValue(known, id);
      return [id, Math.min(before ?? arrived, Number.isFinite(arrived) ? arrived : (before ?? arrived))];
    })
    .filter(([, arrived]) => Number.isFinite(arrived));
  const ids = new Set(listed.map(({ id }) => id));
  const gone = Object.entries(known)
    .filter(([id]) => !ids.has(id))
    .sort(([, one], [, other]) => other - one)
    .slice(0, MOST_GONE);
  return Object.fromEntries([...gone, ...present]);
}

/** restic's `--read-data-subset=N/T` sorts packs by the first byte of their IDs, so T is at most this. */
const MOST_PARTS = 256;

/** Into how many parts the data is cut for checks: a power of two, so that restic's parts are of equal size. */
export function partsOf(dataBytes: number, readBytes: number): number {
  let parts = 1;
  while (parts * readBytes < dataBytes) parts *= 2;
  return parts;
}
