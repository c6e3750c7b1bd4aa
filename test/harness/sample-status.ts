/** Statuses of a stack that nobody has: well, amiss, large, and full of names that an attacker chose. */
import {
  type Alarm,
  type AlarmKind,
  type Day,
  NO_SUSPECTS,
  type RepositoryStatus,
  type Status,
} from "../../keeper/status/schema";
import { bytes, dayOf } from "../../keeper/words";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** When the samples were made: a Sunday, in milliseconds since 1970. */
export const SAMPLE_AT = Date.UTC(2027, 2, 14, 6, 2, 11);

/** A number from 0 to below 1 that is the same in each run. */
function steady(seed: string): number {
  let hash = 2166136261;
  for (const char of seed) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 2246822507) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 3266489909) >>> 0;
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** How a repository grew: `backups` a day until then, from `bytes` of the first day by `growth` bytes a day. */
function sampleDays(seed: string, backups: number, until: number, bytes: number, growth: number): Day[] {
  const days: Day[] = [];
  let stored = bytes;
  for (let age = 119; age >= 0; age--) {
    const at = SAMPLE_AT - age * DAY;
    const day = dayOf(at);
    const chance = steady(seed + day);
    const silent = day > dayOf(until);
    const failed = !silent && chance < 0.02;
    const came = silent || failed ? 0 : backups;
    const added = came === 0 ? 0 : Math.round(growth * (0.4 + 1.2 * chance));
    // Each Sunday prune takes away half of what a week adds.
    stored += added - (!silent && new Date(at).getUTCDay() === 0 ? Math.round(3.5 * growth) : 0);
    days.push({ day, backups: came, reports: failed ? 1 : 0, added, bytes: stored });
  }
  return days;
}

/** A repository that is well, with one backup a night. */
export function sampleRepository(overrides: Partial<RepositoryStatus> = {}): RepositoryStatus {
  const { client = "web1", repository = "main" } = overrides;
  const seed = client + repository;
  const bytes = Math.round((2 + 30 * steady(seed)) * GIB);
  const lastBackup = overrides.lastBackup ?? SAMPLE_AT - 3 * HOUR - Math.round(50 * steady(seed)) * MINUTE;
  const partialFrom = dayOf(overrides.reported?.since ?? SAMPLE_AT + DAY);
  const days =
    overrides.days ??
    sampleDays(seed, 1, lastBackup, bytes, bytes / 150).map((one) =>
      one.day >= partialFrom ? { ...one, reports: 1 } : one,
    );
  const now = days.at(-1)?.bytes ?? bytes;
  const done = (at: number, detail: string) => ({ at, ok: true, detail, succeeded: at });
  return {
    client,
    repository,
    canary: false,
    frozen: false,
    held: false,
    schedule: "*-*-* 02:00:00",
    seen: SAMPLE_AT - 8_000,
    lastBackup,
    ...(overrides.schedule === "none" ? {} : { nextDue: Date.UTC(2027, 2, 15, 2) }),
    snapshots: 46,
    objects: Math.round(now / (12 * MIB)),
    bytes: now,
    versionBytes: Math.round(now * 1.12),
    added: days.at(-1)?.added ?? 0,
    days,
    tried: {
      guard: done(SAMPLE_AT - 2 * HOUR, "no findings"),
      forget: done(SAMPLE_AT - 2 * HOUR, "1 snapshot forgotten"),
      prune: done(SAMPLE_AT - 7 * DAY, "412 MiB removed"),
      check: done(SAMPLE_AT - DAY, "part 5 of 7 read"),
    },
    allDataRead: SAMPLE_AT - 9 * DAY,
    findings: 0,
    pauses: [],
    locks: { count: 0 },
    unknown: NO_SUSPECTS,
    hidden: NO_SUSPECTS,
    overwritten: NO_SUSPECTS,
    accountedUntil: SAMPLE_AT - 8_000,
    ...overrides,
  };
}

/** An alarm of a repository, or without one of the bucket. */
export function sampleAlarm(
  kind: AlarmKind,
  about: { client: string; repository: string; canary?: boolean } | undefined,
  overrides: Partial<Alarm> = {},
): Alarm {
  const name = about === undefined ? "" : `${about.client}/${about.repository}`;
  return {
    id: [kind, ...(about === undefined ? [] : [about.client, about.repository])].join(" "),
    kind,
    severity: "warning",
    ...(about === undefined ? {} : { client: about.client, repository: about.repository }),
    canary: about?.canary ?? false,
    since: SAMPLE_AT - 6 * HOUR,
    text: `Something is amiss with ${name || "the bucket"}.`,
    next: `npm run keeper -- status --stack prod ${name}`.trim(),
    ...overrides,
  };
}

/** A stack of which all is well. */
export function wellStatus(overrides: Partial<Status> = {}): Status {
  const repositories = overrides.repositories ?? [
    sampleRepository({ client: "appsrv" }),
    sampleRepository({ client: "appsrv", repository: "uploads", snapshots: 112 }),
    sampleRepository({ client: "web1" }),
    sampleRepository({ client: ".canary", repository: "verify", canary: true, schedule: "none" }),
  ];
  return {
    version: 1,
    at: SAMPLE_AT,
    by: "keeper",
    validUntil: SAMPLE_AT + 45 * MINUTE,
    bucket: {
      name: "backups-prod",
      endpoint: "https://s3.example.org",
      bytes: repositories.reduce((sum, { versionBytes }) => sum + versionBytes, 0),
      quota: 2048 * GIB,
      beside: NO_SUSPECTS,
      clockOff: 140,
    },
    verify: { at: SAMPLE_AT - 2 * DAY, passed: 61, failed: 0, unknown: 0 },
    alarms: [],
    ways: [
      { name: "mail", sent: SAMPLE_AT - 2 * MINUTE, pending: 0 },
      { name: "webhook ops", sent: SAMPLE_AT - 2 * MINUTE, pending: 0 },
      { name: "ping", sent: SAMPLE_AT, pending: 0 },
    ],
    ...overrides,
    repositories,
  };
}

/** A stack of which much is amiss: what each column and section can show. */
export function sampleStatus(overrides: Partial<Status> = {}): Status {
  const dead = { client: "db1", repository: "postgres" };
  const partial = { client: "files", repository: "home" };
  const lying = { client: "git", repository: "main" };
  const locked = { client: "mail", repository: "main" };
  const canary = { client: ".canary", repository: "verify", canary: true };
  const silentSince = SAMPLE_AT - 3 * DAY - 4 * HOUR;
  const repositories = [
    sampleRepository({ client: "appsrv" }),
    sampleRepository({ client: "appsrv", repository: "uploads", snapshots: 112 }),
    sampleRepository({ client: "build", schedule: "none", frozen: true, lastBackup: SAMPLE_AT - 24 * DAY }),
    sampleRepository({
      ...dead,
      lastBackup: silentSince,
      overdueSince: Date.UTC(2027, 2, 12, 9),
      nextDue: Date.UTC(2027, 2, 12, 2),
      added: 0,
      pauses: [
        {
          kind: "silent",
          why: "no backup has arrived for 3 days: nothing is forgotten until one does",
          since: SAMPLE_AT - DAY,
        },
      ],
    }),
    sampleRepository({
      ...partial,
      lastBackup: SAMPLE_AT - 4 * HOUR,
      reported: { result: "partial", since: SAMPLE_AT - 2 * DAY - 4 * HOUR },
    }),
    sampleRepository({
      ...lying,
      claimed: "2031-01-01T00:00:00Z",
      snapshots: 903,
      hidden: { count: 3, since: SAMPLE_AT - 5 * HOUR, some: [`git/main/index/${"4c".repeat(32)}`] },
      pauses: [
        {
          kind: "waits-for-approval",
          why: "312 of 903 snapshots are to go: approve the plan",
          since: SAMPLE_AT - DAY,
        },
      ],
    }),
    sampleRepository({
      ...locked,
      tried: {
        guard: { at: SAMPLE_AT - HOUR, ok: true, detail: "no findings", succeeded: SAMPLE_AT - HOUR },
        forget: { at: SAMPLE_AT - HOUR, ok: true, detail: "nothing to do", succeeded: SAMPLE_AT - HOUR },
        prune: {
          at: SAMPLE_AT - HOUR,
          ok: false,
          detail: "a lock is in the way",
          succeeded: SAMPLE_AT - 8 * DAY,
        },
      },
      allDataRead: SAMPLE_AT - 44 * DAY,
      locks: { count: 1, oldest: SAMPLE_AT - 51 * HOUR },
    }),
    sampleRepository({ client: "new-laptop", snapshots: 0, objects: 0, bytes: 0, versionBytes: 0, days: [] }),
    sampleRepository({ client: "web1" }),
    sampleRepository({ client: "web2" }),
    sampleRepository({ ...canary, schedule: "none" }),
  ].map((one) => {
    if (one.client !== "new-laptop") return one;
    const { lastBackup, nextDue, allDataRead, ...without } = one;
    return { ...without, tried: {} };
  });
  const well = wellStatus({ repositories });
  const quota = Math.round(well.bucket.bytes / 0.93);
  return {
    ...well,
    bucket: { ...well.bucket, quota },
    alarms: [
      sampleAlarm("overdue", dead, {
        severity: "critical",
        since: Date.UTC(2027, 2, 12, 9),
        text: 'the last backup arrived 2027-03-11T02:02Z, and one was due by 2027-03-12T02:00Z ("*-*-* 02:00:00")',
        next: "npm run ssh -- db1, and there as root: restic-backup --status postgres",
      }),
      sampleAlarm("hidden-object", lying, {
        severity: "critical",
        since: SAMPLE_AT - 5 * HOUR,
        text: `3 objects hidden, neither by the keeper nor by the owner: index/${"4c".repeat(32)}, and 2 more`,
        next: "npm run recover -- --client git --repository main --at 2027-03-14T01:01Z",
      }),
      sampleAlarm("quota", undefined, {
        severity: "critical",
        since: SAMPLE_AT - 20 * DAY,
        text: `the repositories have ${bytes(well.bucket.bytes)} with their old versions, and the bucket may have ${bytes(quota)}`,
        next: "docs/handbook.md, Retention: forget more, or raise the quota",
      }),
      sampleAlarm("forged-date", lying, {
        text: "1 snapshot with a date that does not fit, copied or forged: 7d1f0a93 arrived 2027-03-14T02:22Z and claims 2031-01-01T00:00:00Z",
        next: "npm run keeper -- status git/main",
      }),
      sampleAlarm("waits-for-approval", lying, {
        since: SAMPLE_AT - DAY,
        text: "the keeper's plan waits for approval: 312 of 903 snapshots are to go",
        next: "npm run keeper -- approve git/main",
      }),
      sampleAlarm("partial", partial, {
        since: SAMPLE_AT - 2 * DAY - 4 * HOUR,
        text: "the client reports that its last run was partial: some of what it is to back up is not in it",
        next: "npm run ssh -- files, and there as root: restic-backup --status home",
      }),
      sampleAlarm("lock", locked, {
        since: SAMPLE_AT - 51 * HOUR,
        text: "a lock stands since 2027-03-12T03:02Z: while it does, nothing is pruned or checked",
        next: "npm run ssh -- mail, and there as root: restic-backup main unlock",
      }),
      sampleAlarm("check-late", locked, {
        since: SAMPLE_AT - 9 * DAY,
        text: "a check is to read all data within 35 d, and did so last 2027-01-29T06:02Z",
        next: "npm run keeper -- status mail/main",
      }),
      sampleAlarm("forged-date", canary, {
        text: "1 snapshot with a date that does not fit, copied or forged",
        next: "npm run keeper -- status .canary/verify",
      }),
    ],
    ways: [
      { name: "mail", sent: SAMPLE_AT - 5 * HOUR, pending: 0 },
      {
        name: "webhook ops",
        sent: SAMPLE_AT - 6 * DAY,
        failingSince: SAMPLE_AT - 5 * HOUR,
        error: "connect ECONNREFUSED 192.0.2.7:443",
        pending: 4,
        test: { at: SAMPLE_AT - 30 * MINUTE, ok: false, detail: "connect ECONNREFUSED 192.0.2.7:443" },
      },
      { name: "ping", sent: SAMPLE_AT, pending: 0 },
    ],
    ...overrides,
  };
}

/** A stack of many repositories; one of fifty is overdue. */
export function manyStatus(repositories: number): Status {
  const all = Array.from({ length: repositories }, (_, n) => {
    const client = `client-${String(n).padStart(4, "0")}`;
    return n % 50 === 49
      ? sampleRepository({
          client,
          lastBackup: SAMPLE_AT - 4 * DAY,
          overdueSince: SAMPLE_AT - 3 * DAY,
          nextDue: SAMPLE_AT - 3 * DAY - 6 * HOUR,
        })
      : sampleRepository({ client });
  });
  return wellStatus({
    repositories: all,
    alarms: all
      .filter(({ overdueSince }) => overdueSince !== undefined)
      .map((one) => sampleAlarm("overdue", one, { severity: "critical", since: SAMPLE_AT - 3 * DAY })),
  });
}

/** Names and texts that an attacker chose, to harm what shows them. */
export const HOSTILE = [
  `<script>alert(1)</script><img src=x onerror=alert(2)><b>bold</b>`,
  `"><svg onload=alert(3)>`,
  `' onmouseover='alert(4)' x='`,
  "--></style><style>*{display:none}</style><!--",
  "</title></code></svg><base href=https://attacker.example/>",
  "&lt;i&gt;&#60;i&#62;&amp;",
  "\u202egnp.exe\u202c\u2066isolate\u2069\u200e\u200f\u061c",
  "\u001b]0;title\u0007\u001b[2J\u0000\r\nnext line\u0085\u2028\u2029\ttab",
  "\ufeff\u200bzero\u00adwidth\u{e0041}\ud800",
  "combining " + "a\u0300\u0301\u0302\u0303".repeat(40),
  `back\\slash \\n "quoted" {label="x"} # HELP`,
  "https://attacker.example/?x=1 javascript:alert(5)",
  "very-long-".repeat(400),
  "__proto__",
  "",
] as const;

/** Each hostile string wherever a status has a string. */
export function hostileStatus(): Status {
  const repositories = HOSTILE.map((text) =>
    sampleRepository({
      client: text,
      repository: text,
      schedule: text,
      error: text,
      claimed: text,
      pauses: [{ kind: text, why: text, since: SAMPLE_AT }],
      days: [{ day: text, backups: 1, reports: 1, added: 1, bytes: 1 }],
      tried: { check: { at: SAMPLE_AT, ok: false, detail: text } },
      findings: 1,
      unknown: { count: 1, since: SAMPLE_AT, some: [text] },
      hidden: { count: 1, since: SAMPLE_AT, some: [text] },
      overwritten: { count: 1, since: SAMPLE_AT, some: [text] },
    }),
  );
  return wellStatus({
    bucket: {
      name: HOSTILE.join(""),
      endpoint: HOSTILE.join(""),
      bytes: 1,
      beside: { count: HOSTILE.length, since: SAMPLE_AT, some: [...HOSTILE] },
    },
    retentionOff: HOSTILE.join(""),
    repositories,
    alarms: repositories.map((one, n) =>
      sampleAlarm("unknown-object", one, {
        severity: n % 2 === 0 ? "critical" : "warning",
        text: one.client,
        next: one.client,
      }),
    ),
    ways: HOSTILE.map((text) => ({
      name: text,
      failingSince: SAMPLE_AT,
      error: text,
      pending: 1,
      test: { at: SAMPLE_AT, ok: false, detail: text },
    })),
  });
}
