/**
 * How the backups are: the document `.status/status.json`, which the keeper's watcher leaves in the bucket and which
 * `npm run status -- --json` prints; docs/status.schema.json is its JSON Schema. All times are milliseconds since 1970.
 * Names in it may be an attacker's: whatever shows them takes them for text.
 */
import { z } from "zod";

const time = z.number().int();
const count = z.number().int().min(0);

/** Days of a repository that the status has: a calendar of the last months. */
export const CALENDAR_DAYS = 120;

/** What an alarm may be about; the handbook says of each who gets it, and what to do then. */
export const ALARM_KINDS = [
  "overdue",
  "partial",
  "failed",
  "paused",
  "waits-for-approval",
  "findings",
  "check-failed",
  "check-late",
  "forged-date",
  "unknown-object",
  "hidden-object",
  "overwritten-object",
  "lock",
  "shrunk",
  "grown",
  "quota",
  "verify-failed",
  "clock",
  "unreadable",
] as const;
export type AlarmKind = (typeof ALARM_KINDS)[number];

export const alarmSchema = z.object({
  id: z.string().meta({ description: "kind, client and repository: the same as long as the alarm lasts" }),
  kind: z.enum(ALARM_KINDS),
  severity: z.enum(["critical", "warning"]),
  client: z.string().optional().meta({ description: "absent: it is about the whole bucket" }),
  repository: z.string().optional(),
  canary: z.boolean().meta({ description: "of verify's own repository: shown, never sent" }),
  since: time,
  text: z.string().meta({ description: "one sentence: what is amiss" }),
  next: z.string().meta({ description: "what to type next" }),
});
/** Something that is amiss now. */
export type Alarm = z.infer<typeof alarmSchema>;

const tried = z.object({ at: time, ok: z.boolean(), detail: z.string(), succeeded: time.optional() });

const day = z.object({
  day: z.string().meta({ description: "YYYY-MM-DD, UTC" }),
  backups: count.meta({ description: "snapshots that arrived, without reports of failed runs" }),
  reports: count.meta({ description: "reports of runs that were partial or failed" }),
  added: count.meta({ description: "bytes that arrived" }),
  bytes: count.optional().meta({ description: "bytes of the repository when the day was last looked at" }),
});
/** One day of a repository. */
export type Day = z.infer<typeof day>;

const suspects = z.object({
  count,
  since: time.optional(),
  some: z.array(z.string()).meta({ description: "keys, a few" }),
});
/** Objects that something happened to which nobody accounts for. */
export type Suspects = z.infer<typeof suspects>;
export const NO_SUSPECTS: Suspects = { count: 0, some: [] };

const repository = z.object({
  client: z.string(),
  repository: z.string(),
  canary: z.boolean(),
  frozen: z.boolean(),
  held: z.boolean(),
  schedule: z.string(),
  seen: time.meta({
    description: "when it was last listed, 0: never; what follows is as it was at that time",
  }),
  error: z.string().optional().meta({ description: "why it could not be listed this time" }),
  lastBackup: time
    .optional()
    .meta({ description: "arrival of the last snapshot that is no report of a failed run" }),
  claimed: z
    .string()
    .optional()
    .meta({ description: "when that snapshot says it was made, where that does not fit" }),
  reported: z
    .object({ result: z.enum(["partial", "failed"]), since: time })
    .optional()
    .meta({ description: "the client's own word, where its last runs were not whole" }),
  nextDue: time.optional(),
  overdueSince: time.optional(),
  snapshots: count,
  objects: count,
  bytes: count.meta({ description: "of the current versions" }),
  versionBytes: count.meta({ description: "of all versions" }),
  added: count.meta({ description: "bytes that arrived within 24 hours" }),
  days: z.array(day).meta({
    description: `the last ${CALENDAR_DAYS} days, the oldest first; days without anything may be absent`,
  }),
  tried: z.object({
    guard: tried.optional(),
    forget: tried.optional(),
    prune: tried.optional(),
    check: tried.optional(),
  }),
  allDataRead: time.optional().meta({ description: "when a check had last read all data" }),
  findings: count.meta({ description: "of the guard" }),
  pauses: z.array(z.object({ kind: z.string(), why: z.string(), since: time })),
  locks: z.object({ count, oldest: time.optional() }),
  unknown: suspects,
  hidden: suspects,
  overwritten: suspects,
  accountedUntil: time.optional().meta({ description: "until when each hidden object is accounted for" }),
});
/** One repository. */
export type RepositoryStatus = z.infer<typeof repository>;

const way = z.object({
  name: z.string().meta({ description: "mail, webhook NAME, command, ping" }),
  sent: time.optional().meta({ description: "when something was last sent" }),
  failingSince: time.optional(),
  error: z.string().optional(),
  pending: count.meta({ description: "messages that could not be sent yet" }),
  test: z.object({ at: time, ok: z.boolean(), detail: z.string() }).optional(),
});
/** A way by which alarms are sent. */
export type WayStatus = z.infer<typeof way>;

export const statusSchema = z
  .object({
    version: z.literal(1),
    at: time,
    by: z.enum(["keeper", "workstation"]),
    validUntil: time.optional().meta({ description: "later than that the watcher is late, or dead" }),
    bucket: z.object({
      name: z.string(),
      endpoint: z.string(),
      bytes: count.meta({ description: "of all versions of all repositories" }),
      quota: count.optional().meta({ description: "bytes that the bucket may have, where that is known" }),
      beside: suspects.meta({ description: "names that belong to no repository of the stack" }),
      clockOff: z.number().optional().meta({ description: "milliseconds that this clock is ahead of S3's" }),
    }),
    retentionOff: z.string().optional().meta({ description: "why nothing is forgotten" }),
    verify: z.object({ at: time, passed: count, failed: count, unknown: count }).optional(),
    repositories: z.array(repository),
    alarms: z.array(alarmSchema),
    ways: z.array(way),
  })
  .meta({ title: "Status of secure-backups" });
/** How all backups are. */
export type Status = z.infer<typeof statusSchema>;
