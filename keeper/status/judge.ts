/** How the backups are, from what was seen and what was known before: pure, and the time is an argument. */
import { ACTIONS } from "../job";
import { byName, nameOf } from "../gate/names";
import { ownValue } from "../own-value";
import type { KeeperSettings, KeptRepository, WatchSettings } from "../settings";
import type { RepositoryState, Tried } from "../state";
import { DAY, HOUR, MINUTE } from "../time";
import type { Observed, ObservedRepository } from "../watch/observed";
import { dayOf } from "../words";
import { alarmsOf, type Looked } from "./alarms";
import { dueAfter } from "./due";
import { gone, isForged, isReport, lastBackupOf, present, reportedBy, type Snapshot } from "./runs";
import { CALENDAR_DAYS, type Day, NO_SUSPECTS, type RepositoryStatus, type Status } from "./schema";

/** Three rounds of the watcher: one may be late, and one may fail. */
const VALID = 45 * MINUTE;

/** What a judgement is made from. */
export interface Judging {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly by: Status["by"];
  readonly settings: KeeperSettings;
  readonly watch: WatchSettings;
  readonly observed: Observed;
  /** What was judged last; it holds what S3 does not remember. */
  readonly previous?: Status;
}

/** How the backups are. The ways by which alarms are sent are left empty. */
export function judge({ now, by, settings, watch, observed, previous }: Judging): Status {
  const allKept = byName(settings.repositories);
  const known = byName(previous?.repositories ?? []);
  const looked = observed.repositories.map((one): Looked => {
    // What a keeper left that is no longer there is history: no guard will read what came since.
    const seen = by === "keeper" ? one : { ...one, state: undefined, planned: undefined };
    const snapshots = present(seen);
    const kept = allKept.get(nameOf(seen));
    const row = rowOf(now, watch, seen, snapshots, kept, known.get(nameOf(seen)));
    return { seen, snapshots, row, ...(kept && { kept }) };
  });
  const repositories = looked.map(({ row }) => row);
  const { retentionOff } = settings;
  const { errors = [] } = observed;
  // What could not be read this time stays as it was.
  const before = errors.length > 0 ? previous : undefined;
  const verify = observed.verify ?? before?.verify;
  const bucket = bucketOf(settings, watch, observed, repositories, before?.bucket);
  return {
    version: 1,
    at: now,
    by,
    ...(by === "keeper" && { validUntil: now + VALID }),
    bucket,
    ...(retentionOff !== undefined && { retentionOff }),
    ...(verify !== undefined && { verify }),
    repositories,
    alarms: alarmsOf({
      now,
      settings,
      looked,
      errors,
      bucket,
      verify,
      previous: previous?.alarms ?? [],
    }),
    ways: [],
  };
}

function bucketOf(
  { s3 }: KeeperSettings,
  { quotaGib }: WatchSettings,
  { beside, clockOff, quota: reported }: Observed,
  repositories: readonly RepositoryStatus[],
  before: Status["bucket"] | undefined,
): Status["bucket"] {
  const quota = quotaGib === undefined ? (reported ?? before?.quota) : quotaGib * 1024 ** 3;
  return {
    name: s3.bucket,
    endpoint: s3.endpoint,
    bytes: repositories.reduce((sum, { versionBytes }) => sum + versionBytes, 0),
    ...(quota !== undefined && { quota }),
    beside: before !== undefined && beside.count === 0 ? before.beside : beside,
    ...(clockOff !== undefined && { clockOff }),
  };
}

/**
 * One repository.
 *
 * @param snapshots those that are there, in the order of arrival
 * @param kept its settings; absent: it is the canary
 * @param before what was known of it
 */
function rowOf(
  now: number,
  watch: WatchSettings,
  seen: ObservedRepository,
  snapshots: readonly Snapshot[],
  kept: KeptRepository | undefined,
  before: RepositoryStatus | undefined,
): RepositoryStatus {
  const { client, repository, error, state, planned } = seen;
  const known = {
    client,
    repository,
    canary: kept === undefined,
    frozen: kept?.frozen ?? false,
    schedule: kept?.schedule ?? "none",
  };
  if (error !== undefined) return { ...UNSEEN, ...known, ...before, error };

  const reported = reportedBy(snapshots);
  const last = lastBackupOf(snapshots, reported);
  const nextDue = kept && nextDueOf(now, kept, seen, snapshots, last?.arrived, before);
  const overdueSince =
    kept && nextDue !== undefined ? nextDue + kept.window * MINUTE + watch.graceHours * HOUR : undefined;
  const oldest = seen.locks.oldest;
  return {
    ...known,
    held: seen.held,
    seen: seen.at,
    ...(last !== undefined && { lastBackup: last.arrived }),
    ...(last?.claim !== undefined && isForged(last) && { claimed: last.claim.time }),
    ...(reported !== undefined && { reported }),
    ...(nextDue !== undefined && { nextDue }),
    ...(overdueSince !== undefined && overdueSince <= now && { overdueSince }),
    snapshots: seen.snapshots.length,
    objects: seen.objects,
    bytes: seen.bytes,
    versionBytes: seen.versionBytes,
    added: seen.addedToday,
    days: daysOf(now, seen, snapshots, before?.days ?? []),
    tried: triedOf(state),
    ...(state?.allDataRead !== undefined && { allDataRead: state.allDataRead }),
    findings: state?.findings.length ?? 0,
    pauses: (planned?.pauses ?? []).map(({ kind, why }) => ({
      kind,
      why,
      since: before?.pauses.find((one) => one.kind === kind)?.since ?? planned?.at ?? now,
    })),
    locks: { count: seen.locks.count, ...(oldest !== undefined && { oldest }) },
    unknown: seen.unknown,
    hidden: seen.hidden,
    overwritten: seen.overwritten,
    ...(seen.accountedUntil !== undefined && { accountedUntil: seen.accountedUntil }),
  };
}

/** What is known of a repository that was never listed. */
const UNSEEN = {
  held: false,
  seen: 0,
  snapshots: 0,
  objects: 0,
  bytes: 0,
  versionBytes: 0,
  added: 0,
  days: [],
  tried: {},
  findings: 0,
  pauses: [],
  locks: { count: 0 },
  unknown: NO_SUSPECTS,
  hidden: NO_SUSPECTS,
  overwritten: NO_SUSPECTS,
} satisfies Partial<RepositoryStatus>;

/**
 * When the next backup is due: never of a frozen client, and of one whose operator may not have begun yet. As long as
 * none arrives it stays what it was, so that a repository without anything in it has a time, too. A client that was
 * frozen, or was given another schedule while nothing was overdue, has until the next time from now on.
 *
 * @param last arrival of the last backup
 */
function nextDueOf(
  now: number,
  { schedule, frozen, keyOnly }: KeptRepository,
  { created }: ObservedRepository,
  snapshots: readonly Snapshot[],
  last: number | undefined,
  before: RepositoryStatus | undefined,
): number | undefined {
  if (frozen || (keyOnly === true && snapshots.length === 0 && before?.nextDue === undefined))
    return undefined;
  const changed = before !== undefined && (before.frozen || before.schedule !== schedule);
  const nothingNew = last === undefined || last === before?.lastBackup;
  const latest = dueAfter(schedule, now);
  // No later than from now on: a forged status would put it off for ever.
  const possible = before?.nextDue !== undefined && before.nextDue <= (latest ?? Infinity);
  if (possible && !changed && nothingNew) return before.nextDue;
  if (changed && before.overdueSince === undefined) return latest;
  // Reports alone are no backup: it is due since the repository is there.
  const began = Math.min(created ?? Infinity, snapshots[0]?.arrived ?? Infinity);
  return dueAfter(schedule, last ?? (began === Infinity ? now : began));
}

/** The days of which something is known, the oldest first. */
function daysOf(
  now: number,
  seen: ObservedRepository,
  snapshots: readonly Snapshot[],
  before: readonly Day[],
): Day[] {
  const first = dayOf(now - (CALENDAR_DAYS - 1) * DAY);
  const last = dayOf(now);
  const arrived = new Map<string, { backups: number; reports: number }>();
  for (const one of [...snapshots, ...gone(seen)]) {
    const day = dayOf(one.arrived);
    const { backups, reports } = arrived.get(day) ?? { backups: 0, reports: 0 };
    const report = Number(isReport(one));
    arrived.set(day, { backups: backups + 1 - report, reports: reports + report });
  }
  const known = new Map(before.map((one) => [one.day, one]));
  const today = dayOf(seen.at);
  const days = [...new Set([...arrived.keys(), ...known.keys(), ...Object.keys(seen.added), today])];
  return days
    .filter((day) => day >= first && day <= last)
    .sort()
    .map((day) => {
      const was = known.get(day) ?? { backups: 0, reports: 0, added: 0, bytes: undefined };
      const is = arrived.get(day) ?? { backups: 0, reports: 0 };
      // Arrivals of snapshots that are gone are remembered for a while only, and what a prune removed is no more.
      const more = is.backups + is.reports >= was.backups + was.reports ? is : was;
      const bytes = day === today ? seen.bytes : was.bytes;
      return {
        day,
        backups: more.backups,
        reports: more.reports,
        added: Math.max(was.added, ownValue(seen.added, day) ?? 0),
        ...(bytes !== undefined && { bytes }),
      };
    });
}

function triedOf(state: RepositoryState | undefined): RepositoryStatus["tried"] {
  const shown = ({ at, ok, detail, succeeded }: Tried) => ({
    at,
    ok,
    detail,
    ...(succeeded !== undefined && { succeeded }),
  });
  return Object.fromEntries(
    ACTIONS.flatMap((action) => {
      const last = state?.tried[action];
      return last === undefined ? [] : [[action, shown(last)]];
    }),
  );
}
