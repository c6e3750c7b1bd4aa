/** The status as metrics of Prometheus. How old something is, PromQL computes: there are only times. */
import { type Action, ACTIONS } from "../job";
import { visible } from "../printable";
import { type Alarm, ALARM_KINDS, type RepositoryStatus, type Status } from "./schema";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number | undefined];

/** Prometheus takes any character, but somebody may look at the file in a terminal. */
const label = (value: string): string => visible(value).replace(/[\\"]/g, "\\$&");

/** A metric with those of its samples that have a value. */
function metric(name: string, help: string, samples: readonly Sample[]): string[] {
  const lines = samples.flatMap(([labels, value]) => {
    if (value === undefined) return [];
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${label(text)}"`);
    return [`secure_backups_${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${String(value)}`];
  });
  if (lines.length === 0) return [];
  return [`# HELP secure_backups_${name} ${help}`, `# TYPE secure_backups_${name} gauge`, ...lines];
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);
const flag = (value: boolean): number => (value ? 1 : 0);

/** Since when each repository has alarms of each kind: of several, the first. */
function earliest(alarms: readonly Alarm[]): Sample[] {
  const samples = new Map<string, Sample>();
  for (const { client, repository, kind, since } of alarms.toSorted((a, b) => b.since - a.since)) {
    if (client === undefined || repository === undefined) continue;
    samples.set(JSON.stringify([client, repository, kind]), [{ client, repository, kind }, seconds(since)]);
  }
  return [...samples.values()];
}

/**
 * The status in the text format of Prometheus, for the textfile collector of node_exporter. The canary is left out: its
 * alarms are verify's.
 */
export function renderMetrics(status: Status): string {
  const { bucket, verify, ways } = status;
  const repositories = status.repositories.filter(({ canary }) => !canary);
  const alarms = status.alarms.filter(({ canary }) => !canary);

  const one = (name: string, help: string, value: number | undefined): string[] =>
    metric(name, help, [[{}, value]]);
  const each = (
    name: string,
    help: string,
    value: (repository: RepositoryStatus) => number | undefined,
  ): string[] =>
    metric(
      name,
      help,
      repositories.map((it) => [{ client: it.client, repository: it.repository }, value(it)]),
    );
  const eachAction = (
    name: string,
    help: string,
    value: (tried: NonNullable<RepositoryStatus["tried"][Action]>) => number | undefined,
  ): string[] =>
    metric(
      name,
      help,
      repositories.flatMap(({ client, repository, tried }) =>
        ACTIONS.map((action): Sample => {
          const last = tried[action];
          return [{ client, repository, action }, last && value(last)];
        }),
      ),
    );
  const eachWay = (name: string, help: string, value: (way: (typeof ways)[number]) => number | undefined) =>
    metric(
      name,
      help,
      ways.map((way) => [{ way: way.name }, value(way)]),
    );

  return [
    one("watch_timestamp_seconds", "When the watcher last looked.", seconds(status.at)),
    one(
      "watch_valid_until_timestamp_seconds",
      "Later than that the watcher is late or dead.",
      seconds(status.validUntil),
    ),
    metric(
      "alarms",
      "Alarms that last, by kind.",
      ALARM_KINDS.map((kind) => [{ kind }, alarms.filter((alarm) => alarm.kind === kind).length]),
    ),
    metric(
      "repository_alarm_since_timestamp_seconds",
      "Since when a repository has an alarm of this kind.",
      earliest(alarms),
    ),
    eachWay("way_failing", "Whether alarms cannot be sent by this way.", (way) =>
      flag(way.failingSince !== undefined),
    ),
    eachWay("way_pending_messages", "Messages that could not be sent yet.", ({ pending }) => pending),
    eachWay("way_last_sent_timestamp_seconds", "When something was last sent by this way.", ({ sent }) =>
      seconds(sent),
    ),
    one("bucket_size_bytes", "Size of all versions of all repositories.", bucket.bytes),
    one("bucket_quota_bytes", "What the bucket may have.", bucket.quota),
    one(
      "bucket_unknown_objects",
      "Objects whose names belong to no repository of the stack.",
      bucket.beside.count,
    ),
    one("clock_ahead_seconds", "How far the watcher's clock is ahead of S3's.", seconds(bucket.clockOff)),
    one(
      "retention_enabled",
      "Whether anything is forgotten on this stack.",
      flag(status.retentionOff === undefined),
    ),
    one("verify_timestamp_seconds", "When verify last ended.", seconds(verify?.at)),
    metric(
      "verify_checks",
      "What the last verify checked, by outcome.",
      (["passed", "failed", "unknown"] as const).map((outcome) => [{ outcome }, verify?.[outcome]]),
    ),
    each("repository_seen_timestamp_seconds", "When the repository was last listed.", ({ seen }) =>
      seconds(seen),
    ),
    each("repository_listed", "Whether the watcher could list the repository this time.", ({ error }) =>
      flag(error === undefined),
    ),
    each(
      "last_backup_timestamp_seconds",
      "When the last snapshot arrived that is no report of a failed run.",
      ({ lastBackup }) => seconds(lastBackup),
    ),
    each("next_due_timestamp_seconds", "When the next backup is due.", ({ nextDue }) => seconds(nextDue)),
    each("overdue", "Whether a backup is overdue.", ({ overdueSince }) => flag(overdueSince !== undefined)),
    metric(
      "reported_since_timestamp_seconds",
      "Since when the client reports that its runs are not whole.",
      repositories.map(({ client, repository, reported }) => [
        { client, repository, result: reported?.result ?? "" },
        seconds(reported?.since),
      ]),
    ),
    each("frozen", "Whether the client is frozen.", ({ frozen }) => flag(frozen)),
    each("held", "Whether the operator holds retention.", ({ held }) => flag(held)),
    each("snapshots", "Snapshots.", ({ snapshots }) => snapshots),
    each("objects", "Current objects.", ({ objects }) => objects),
    each("repository_size_bytes", "Size of the current versions.", ({ bytes }) => bytes),
    each("repository_versions_size_bytes", "Size of all versions.", ({ versionBytes }) => versionBytes),
    each("repository_added_bytes", "Size of what arrived within 24 hours.", ({ added }) => added),
    each("locks", "Locks.", ({ locks }) => locks.count),
    each("oldest_lock_timestamp_seconds", "When the oldest lock arrived.", ({ locks }) =>
      seconds(locks.oldest),
    ),
    metric(
      "suspect_objects",
      "Objects to which something happened that nobody accounts for.",
      repositories.flatMap(({ client, repository, unknown, hidden, overwritten }): Sample[] => [
        [{ client, repository, what: "unknown" }, unknown.count],
        [{ client, repository, what: "hidden" }, hidden.count],
        [{ client, repository, what: "overwritten" }, overwritten.count],
      ]),
    ),
    each("findings", "What the guard found.", ({ findings }) => findings),
    each("retention_pauses", "Reasons for which retention stands still.", ({ pauses }) => pauses.length),
    eachAction("retention_last_try_timestamp_seconds", "When the keeper last tried an action.", ({ at }) =>
      seconds(at),
    ),
    eachAction("retention_last_try_succeeded", "Whether the last try of an action succeeded.", ({ ok }) =>
      flag(ok),
    ),
    eachAction(
      "retention_last_success_timestamp_seconds",
      "When an action last succeeded.",
      ({ succeeded }) => seconds(succeeded),
    ),
    each("all_data_read_timestamp_seconds", "When a check had last read all data.", ({ allDataRead }) =>
      seconds(allDataRead),
    ),
  ]
    .flat()
    .map((line) => `${line}\n`)
    .join("");
}
