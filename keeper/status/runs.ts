/** What a repository's snapshots say of the client's runs. Arrivals are S3's; what a snapshot says is the client's. */
import { ownValue } from "../own-value";
import { claimFits } from "../retention";
import type { RepositoryState } from "../state";
import { isTime } from "../time";
import type { ObservedRepository } from "../watch/observed";
import type { RepositoryStatus } from "./schema";

/** A snapshot that is there, or was. */
export interface Snapshot {
  readonly id: string;
  /** In milliseconds since 1970: the earliest that is known. */
  readonly arrived: number;
  /** What it says of itself; absent: no guard has read it. */
  readonly claim?: RepositoryState["claims"][string];
}

/** Of two that arrived in the same second a report is the later: a partial run's snapshot comes before its report. */
const byArrival = (one: Snapshot, other: Snapshot): number =>
  one.arrived - other.arrived || Number(isReport(one)) - Number(isReport(other));

/** Whether a snapshot is known to be the report of a run that was not whole. */
export const isReport = ({ claim }: Snapshot): boolean => claim?.report !== undefined;

/** The snapshots that are there, in the order of arrival. */
export function present({
  snapshots,
  state,
}: Pick<ObservedRepository, "snapshots" | "state">): readonly Snapshot[] {
  return snapshots
    .map(({ id, arrived }) => {
      const times = [arrived, ownValue(state?.arrivals, id) ?? NaN].filter(isTime);
      return snapshotOf(id, Math.min(...times), state);
    })
    .filter(({ arrived }) => isTime(arrived))
    .sort(byArrival);
}

/** The snapshots that the keeper remembers and that are no longer there: forgotten, or hidden. */
export function gone({ snapshots, state }: Pick<ObservedRepository, "snapshots" | "state">): Snapshot[] {
  const there = new Set(snapshots.map(({ id }) => id));
  return Object.entries(state?.arrivals ?? {})
    .filter(([id, arrived]) => !there.has(id) && isTime(arrived))
    .map(([id, arrived]) => snapshotOf(id, arrived, state));
}

function snapshotOf(id: string, arrived: number, state: RepositoryState | undefined): Snapshot {
  const claim = ownValue(state?.claims, id);
  return { id, arrived, ...(claim === undefined ? {} : { claim }) };
}

/**
 * The client's own word, where its last runs that a guard has read were not whole: how the last ended, and since when
 * none was. A partial run leaves a snapshot like a whole one's, and a report after it.
 *
 * @param snapshots in the order of arrival
 */
export function reportedBy(snapshots: readonly Snapshot[]): RepositoryStatus["reported"] {
  const read = snapshots.filter(({ claim }) => claim !== undefined);
  let reported: RepositoryStatus["reported"];
  for (let n = read.length - 1; n >= 0; n -= 1) {
    const { claim, arrived } = read[n] ?? {};
    if (claim?.report === undefined || arrived === undefined) break;
    reported = { result: reported?.result ?? claim.report, since: arrived };
    const before = read[n - 1];
    if (claim.report === "partial" && before !== undefined && !isReport(before)) n -= 1;
  }
  return reported;
}

/**
 * The last backup: the last snapshot that is no report. One that no guard has read counts, but not after a run that
 * failed: it may be the next report, and would clear an alarm for the hours until it is read.
 *
 * @param snapshots in the order of arrival
 * @param reported the client's word on them, as {@link reportedBy} has it
 */
export function lastBackupOf(
  snapshots: readonly Snapshot[],
  reported: RepositoryStatus["reported"],
): Snapshot | undefined {
  const failed = reported?.result === "failed";
  return snapshots.findLast((one) => (one.claim === undefined ? !failed : !isReport(one)));
}

/** Whether the date that a snapshot claims does not fit its arrival. */
export const isForged = ({ claim, arrived }: Snapshot): boolean =>
  claim !== undefined && !claimFits(arrived, claim.time);
