/** Which alarms there are, kind by kind: from when on something is amiss, in one sentence, and what to type next. */
import { nameOf } from "../gate/names";
import { ownValue } from "../own-value";
import { printable } from "../printable";
import { daysBetweenChecks } from "../retention/due";
import type { KeeperSettings, KeptRepository } from "../settings";
import { DAY, HOUR, MINUTE } from "../time";
import type { ObservedRepository } from "../watch/observed";
import { bytes, counted, dayOf, duration, minute } from "../words";
import { byGravity } from "./order";
import { isForged, type Snapshot } from "./runs";
import type { Alarm, AlarmKind, Day, RepositoryStatus, Status, Suspects } from "./schema";

const GIB = 1024 ** 3;

/** By default all data is read within a fortnight: this is more than twice that. */
const CHECK_LATE = 35 * DAY;
/** Old versions that are kept for long let a check take longer than that by its own pace; it may lose a week. */
const CHECK_SLACK = 7 * DAY;
/** What a large upload adds is verified within days; a repository that takes longer than that stands still. */
const UNVERIFIED = 7 * DAY;
/** Actions have their turn daily and are repeated within hours: one that did not succeed for so long does not by itself. */
const STUCK = 3 * DAY;
/** A date that does not fit is seen within days, and its snapshot may stay for years. */
const FORGED = 30 * DAY;
/** restic replaces its lock every five minutes: an older one belongs to no command that runs. */
const LOCK = 48 * HOUR;
/** What a repository is compared with, and on how many days of these something must be known. */
const COMPARED = 30;
const LEAST_KNOWN = 7;
/** A smaller repository doubles and halves by chance. */
const LEAST_BYTES = GIB;
const SHRUNK = 0.5;
const GROWN = 10;
/** The share of the quota that is nearly all: a full bucket takes no backup. */
const QUOTA = 0.9;
/** As verify has it; from a quarter of an hour on S3 refuses. */
const CLOCK = MINUTE;

/** Characters of an alarm's sentence: much of it may be an attacker's. */
const MOST_TEXT = 1000;
/** Keys that it names, and characters of each. */
const MOST_NAMED = 3;
const MOST_NAME = 120;

/** How grave each kind is: critical is what loses backups, or is no accident. */
export const SEVERITY: Readonly<Record<AlarmKind, Alarm["severity"]>> = {
  overdue: "critical",
  partial: "warning",
  failed: "critical",
  paused: "warning",
  "waits-for-approval": "warning",
  findings: "critical",
  "check-failed": "warning",
  "check-late": "warning",
  "forged-date": "warning",
  "unknown-object": "critical",
  "hidden-object": "critical",
  "overwritten-object": "critical",
  lock: "warning",
  shrunk: "warning",
  grown: "warning",
  quota: "critical",
  "verify-failed": "critical",
  clock: "warning",
  unreadable: "critical",
};

/** What is amiss. */
interface Found {
  readonly kind: AlarmKind;
  /** Of several of one kind: which. */
  readonly which?: string;
  /** Where the fact itself has a time. */
  readonly since?: number;
  /** Where it has none: since when it is so if no earlier status knew it. @default now */
  readonly first?: number;
  readonly text: string;
  readonly next: string;
}

/** A repository that was looked at. */
export interface Looked {
  readonly seen: ObservedRepository;
  /** Those that are there, in the order of arrival. */
  readonly snapshots: readonly Snapshot[];
  /** As judged. */
  readonly row: RepositoryStatus;
  /** Absent: it is the canary. */
  readonly kept?: KeptRepository;
}

/** A repository, from all sides. */
interface About extends Looked {
  readonly now: number;
  readonly settings: KeeperSettings;
}

type Rule = (about: About) => readonly Found[];

/** What is typed on the client. Behind the canary is no machine: verify alone works with it. */
const onClient = ({ row: { client }, kept }: About, command: string): string => {
  if (kept === undefined) return "npm run verify";
  return kept.keyOnly === true
    ? `ask the operator of ${client} for: ${command}`
    : `npm run ssh -- ${client}, and there as root: ${command}`;
};

/** What shows more of the keeper's work. */
const status = ({ row }: About): string => `npm run keeper -- status ${nameOf(row)}`;

/** What shows what happened to objects since a time, and changes nothing. */
const recover = ({ row: { client, repository, canary } }: About, since: number | undefined): string => {
  if (canary) return "npm run verify";
  const at = since === undefined ? "TIME" : minute(since - MINUTE);
  return `npm run recover -- --client ${client} --repository ${repository} --at ${at}`;
};

/** Keys that an attacker may have chosen, a few, in one line. */
const named = ({ some, count }: Suspects): string => {
  const names = some.slice(0, MOST_NAMED).map((key) => printable(key, MOST_NAME));
  return `${names.join(", ")}${count > names.length ? `, and ${count - names.length} more` : ""}`;
};

const overdue: Rule = (about) => {
  const { overdueSince, nextDue, lastBackup, repository, schedule } = about.row;
  if (overdueSince === undefined || nextDue === undefined) return [];
  const last =
    lastBackup === undefined ? "no backup has ever arrived" : `the last backup arrived ${minute(lastBackup)}`;
  return [
    {
      kind: "overdue",
      since: overdueSince,
      text: `${last}, and one was due by ${minute(nextDue)} (${JSON.stringify(schedule)})`,
      next: onClient(about, `restic-backup --status ${repository}`),
    },
  ];
};

const reported: Rule = (about) => {
  const { reported, repository } = about.row;
  if (reported === undefined) return [];
  const { result, since } = reported;
  const what = result === "failed" ? "failed" : "was partial: some of what it is to back up is not in it";
  return [
    {
      kind: result,
      since,
      text: `the client reports that its last run ${what}`,
      next: onClient(about, `restic-backup --status ${repository}`),
    },
  ];
};

const waits: Rule = ({ row }) =>
  row.pauses
    .filter(({ kind }) => kind === "waits-for-approval")
    .map(({ since, why }) => ({
      kind: "waits-for-approval",
      since,
      text: `the keeper's plan waits for approval: ${why}`,
      next: `npm run keeper -- approve ${nameOf(row)}`,
    }));

/** The pauses that are alarms: the others are the operator's own will, or alarms by themselves. */
const paused: Rule = (about) => {
  const { now, settings, row } = about;
  const isAlarm: Readonly<Record<string, (since: number) => boolean>> = {
    "put-again": () => true,
    unverified: (since) => now - since > UNVERIFIED,
    off: () => settings.retentionOff === undefined,
  };
  return row.pauses
    .filter(({ kind, since }) => ownValue(isAlarm, kind)?.(since) === true)
    .map(({ kind, why, since }) => ({
      kind: "paused",
      which: kind,
      since,
      text: `nothing is forgotten or pruned: ${why}`,
      next: kind === "put-again" ? `npm run keeper -- plan ${nameOf(row)}` : status(about),
    }));
};

/** When the keeper last worked on it; without that since when it could have, as far as the watcher has seen. */
function workedOn({ row, seen, kept }: About): { at?: number; never: boolean } {
  const last = seen.state?.tried.guard?.at;
  if (last !== undefined) return { at: last, never: false };
  const first = row.days.find(({ bytes: known }) => known !== undefined)?.day;
  if (kept === undefined || seen.created === undefined || first === undefined) return { never: true };
  return { at: Math.max(seen.created, Date.parse(first) + DAY), never: true };
}

/** Actions that fail again and again, and a guard that does not come at all: retention stands still without a pause. */
const stuck: Rule = (about) => {
  const { now, seen } = about;
  const tried = seen.state?.tried ?? {};
  const failing = (["forget", "prune"] as const).flatMap((action): Found[] => {
    const { ok = true, at = now, failingSince = at, detail = "" } = tried[action] ?? {};
    if (ok || now - failingSince <= STUCK) return [];
    const text = `${action} fails since ${minute(failingSince)}: ${detail}`;
    return [{ kind: "paused", which: action, since: failingSince, text, next: status(about) }];
  });
  const { at = now, never } = workedOn(about);
  if (now - at <= STUCK) return failing;
  const text = `the keeper has ${never ? "never worked on it" : `not worked on it since ${minute(at)}`}, and does so every day`;
  return [...failing, { kind: "paused", which: "guard", since: at, text, next: "npm run verify" }];
};

const findings: Rule = (about) => {
  const { state } = about.seen;
  const found = state?.findings ?? [];
  const [one] = found;
  if (one === undefined) return [];
  return [
    {
      kind: "findings",
      first: state?.tried.guard?.at,
      text: `the guard found ${counted(found.length, "thing")} amiss, first ${one.kind}: ${one.why}`,
      next: status(about),
    },
  ];
};

const checkFailed: Rule = (about) => {
  const check = about.seen.state?.tried.check;
  if (check === undefined || check.ok) return [];
  return [
    {
      kind: "check-failed",
      since: check.failingSince ?? check.at,
      text: `the last check failed: ${check.detail}`,
      next: status(about),
    },
  ];
};

const checkLate: Rule = (about) => {
  const { now, settings, seen, snapshots } = about;
  const { state } = seen;
  // Before its first run the keeper knows nothing.
  if (state === undefined || Object.keys(state.tried).length === 0) return [];
  const { allDataRead, cycleBegan, nextPart } = state;
  const base = allDataRead ?? cycleBegan ?? snapshots[0]?.arrived;
  if (base === undefined) return [];
  const parts = nextPart?.of ?? 1;
  const late = Math.max(CHECK_LATE, parts * daysBetweenChecks(settings, parts) * DAY + CHECK_SLACK);
  if (now - base <= late) return [];
  const last = allDataRead === undefined ? "never yet" : `last ${minute(allDataRead)}`;
  return [
    {
      kind: "check-late",
      since: base + late,
      text: `a check is to read all data within ${duration(late)}, and did so ${last}`,
      next: status(about),
    },
  ];
};

const forgedDate: Rule = (about) => {
  const { now, snapshots } = about;
  const forged = snapshots.filter((one) => isForged(one) && now - one.arrived <= FORGED);
  const [one] = forged;
  if (one?.claim === undefined) return [];
  return [
    {
      kind: "forged-date",
      since: one.arrived,
      text: `${counted(forged.length, "snapshot")} with a date that does not fit, copied or forged: ${one.id} arrived ${minute(one.arrived)} and claims ${printable(one.claim.time, 40)}`,
      next: status(about),
    },
  ];
};

/** Objects that nobody accounts for. */
const suspects =
  (kind: AlarmKind, of: (row: RepositoryStatus) => Suspects, what: string): Rule =>
  (about) => {
    const all = of(about.row);
    if (all.count === 0) return [];
    return [
      {
        kind,
        since: all.since,
        text: `${counted(all.count, "object")} ${what}: ${named(all)}`,
        next: recover(about, all.since),
      },
    ];
  };

const lock: Rule = (about) => {
  const { now, row, seen } = about;
  const { forged } = seen.locks;
  if (forged.count > 0) {
    return [
      {
        kind: "lock",
        since: forged.since,
        text: `${counted(forged.count, "lock")} that restic did not write: ${named(forged)}`,
        next: recover(about, forged.since),
      },
    ];
  }
  const { oldest } = row.locks;
  if (oldest === undefined || now - oldest <= LOCK) return [];
  return [
    {
      kind: "lock",
      since: oldest,
      text: `a lock stands since ${minute(oldest)}: while it does, nothing is pruned or checked`,
      next: onClient(about, `restic-backup ${row.repository} unlock`),
    },
  ];
};

/** The median of what is known of the last 30 days without today; `undefined`: it is known of too few. */
function median(now: number, days: readonly Day[], of: (day: Day) => number | undefined): number | undefined {
  const [first, today] = [dayOf(now - COMPARED * DAY), dayOf(now)];
  const values = days
    .filter(({ day }) => day >= first && day < today)
    .flatMap((day) => of(day) ?? [])
    .sort((one, other) => one - other);
  const middle = values.length / 2;
  const [low = 0, high = 0] = [values[Math.ceil(middle) - 1], values[Math.floor(middle)]];
  return values.length < LEAST_KNOWN ? undefined : (low + high) / 2;
}

const shrunk: Rule = (about) => {
  const { now, row } = about;
  const usual = median(now, row.days, (day) => day.bytes);
  if (usual === undefined || usual < LEAST_BYTES || row.bytes >= SHRUNK * usual) return [];
  return [
    {
      kind: "shrunk",
      text: `it has ${bytes(row.bytes)}; the median of the last ${COMPARED} days is ${bytes(usual)}`,
      next: recover(about, now - DAY),
    },
  ];
};

const grown: Rule = (about) => {
  const { now, row } = about;
  const usual = median(now, row.days, ({ added }) => (added > 0 ? added : undefined));
  if (usual === undefined || row.added < LEAST_BYTES || row.added <= GROWN * usual) return [];
  return [
    {
      kind: "grown",
      text: `${bytes(row.added)} arrived within a day; the median of the last ${COMPARED} days with any is ${bytes(usual)}`,
      next: onClient(about, `restic-backup ${row.repository} snapshots`),
    },
  ];
};

/** All that is asked of a repository that could be listed. */
const RULES: readonly Rule[] = [
  overdue,
  reported,
  paused,
  stuck,
  waits,
  findings,
  checkFailed,
  checkLate,
  forgedDate,
  suspects("unknown-object", ({ unknown }) => unknown, "with names that restic does not give"),
  suspects("hidden-object", ({ hidden }) => hidden, "hidden, neither by the keeper nor by the owner"),
  suspects("overwritten-object", ({ overwritten }) => overwritten, "put a second time, not by the owner"),
  lock,
  shrunk,
  grown,
];

/** What is asked of the bucket. */
function ofBucket({ bucket, verify, errors }: Alarming): Found[] {
  const { beside, bytes: used, quota, clockOff } = bucket;
  const found: Found[] = [];
  if (errors.length > 0) {
    found.push({
      kind: "unreadable",
      text: `of the bucket itself something could not be read: ${errors.join("; ")}`,
      next: "npm run verify",
    });
  }
  if (beside.count > 0) {
    found.push({
      kind: "unknown-object",
      since: beside.since,
      text: `${counted(beside.count, "name")} in the bucket that belong to no repository of the stack: ${named(beside)}`,
      next: "npm run --silent status -- --json: bucket.beside has more of them",
    });
  }
  if (quota !== undefined && used >= QUOTA * quota) {
    found.push({
      kind: "quota",
      text: `the repositories have ${bytes(used)} with their old versions, and the bucket may have ${bytes(quota)}`,
      next: "docs/handbook.md, Retention: forget more, or raise the quota",
    });
  }
  if (verify !== undefined && verify.failed > 0) {
    found.push({
      kind: "verify-failed",
      since: verify.at,
      text: `${counted(verify.failed, "finding")} of the last verify failed`,
      next: "npm run verify",
    });
  }
  if (clockOff !== undefined && Math.abs(clockOff) > CLOCK) {
    found.push({
      kind: "clock",
      text: `the watcher's clock is ${duration(Math.abs(clockOff))} ${clockOff > 0 ? "ahead of" : "behind"} S3's`,
      next: "docs/handbook.md, Clocks",
    });
  }
  return found;
}

/** What alarms are made from. */
export interface Alarming {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly settings: KeeperSettings;
  readonly looked: readonly Looked[];
  /** What of the bucket itself could not be read. */
  readonly errors: readonly string[];
  readonly bucket: Status["bucket"];
  readonly verify: Status["verify"];
  /** The alarms of the previous status. */
  readonly previous: readonly Alarm[];
}

/**
 * All alarms, the gravest first, the canary's last. Of a repository that could not be listed those of before stand, and
 * that it could not be.
 */
export function alarmsOf(alarming: Alarming): Alarm[] {
  const { now, settings, looked, previous } = alarming;
  const before = new Map(previous.map((one) => [one.id, one]));
  const raise = ({ kind, which, since, first = now, text, next }: Found, row?: RepositoryStatus): Alarm => {
    const id = [which === undefined ? kind : `${kind}-${which}`, ...(row ? [nameOf(row)] : [])].join(" ");
    return {
      id,
      kind,
      severity: SEVERITY[kind],
      ...(row && { client: row.client, repository: row.repository }),
      canary: row?.canary ?? false,
      since: since ?? before.get(id)?.since ?? first,
      text: printable(text, MOST_TEXT),
      next,
    };
  };
  const alarms = ofBucket(alarming).map((found) => raise(found));
  for (const one of looked) {
    const { row } = one;
    if (row.error !== undefined) {
      alarms.push(
        raise(
          { kind: "unreadable", text: `it could not be listed: ${row.error}`, next: "npm run verify" },
          row,
        ),
        ...previous.filter(
          ({ kind, client, repository }) =>
            kind !== "unreadable" && client === row.client && repository === row.repository,
        ),
      );
      continue;
    }
    alarms.push(
      ...RULES.flatMap((rule) => rule({ ...one, now, settings })).map((found) => raise(found, row)),
    );
  }
  return [...new Map(alarms.map((one) => [one.id, one])).values()].sort(byGravity);
}
