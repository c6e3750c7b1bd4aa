/** A status as text for a terminal. Names in it may be an attacker's: every line is printable. */
import { amissFirst, isStale, type StatusRow } from "../../keeper/status/order";
import type { Alarm, RepositoryStatus, Status } from "../../keeper/status/schema";
import { bytes, counted, duration, minute } from "../../keeper/words";
import { staleLine } from "../keeper-status";
import { printable, wrap } from "../printable";
import { wayLines } from "../way-lines";

/** Alarms that are written out; the others are counted. */
const MOST_ALARMS = 40;
/** Characters of a cell: a name of the configuration has fewer. */
const MOST_CELL = 60;
const GAP = "  ";
const NEXT = "next: ";

/** A column of the table. */
interface Column {
  readonly heading: string;
  /** Whether it holds numbers, which end in a line. */
  readonly right?: boolean;
  /** Which goes first where the terminal is too narrow: the highest. @default it stays */
  readonly drop?: number;
  readonly cell: (row: StatusRow, now: number) => string;
}

const NONE = "-";
const ago = (at: number | undefined, now: number): string => (at === undefined ? NONE : duration(now - at));

/** When something of the keeper's last succeeded, and whether it fails now. */
const triedCell =
  (action: "forget" | "prune") =>
  ({ row }: StatusRow, now: number): string => {
    const last = row.tried[action];
    return last === undefined || last.ok ? ago(last?.succeeded, now) : `FAILED, ${ago(last.succeeded, now)}`;
  };

/** All that is unusual, in a few words; the alarms below say more. */
function stateOf({ row, alarms }: StatusRow, now: number): string {
  const { overdueSince, reported, claimed, error, lastBackup, schedule, canary } = row;
  const words = [
    ...(error === undefined ? [] : [`not read for ${ago(row.seen, now)}`]),
    ...(overdueSince === undefined ? [] : [`OVERDUE for ${ago(overdueSince, now)}`]),
    ...(reported === undefined ? [] : [`${reported.result} for ${ago(reported.since, now)}`]),
    ...(claimed === undefined ? [] : [`claims ${claimed}`]),
    ...(row.frozen ? ["frozen"] : []),
    ...(row.held ? ["held"] : []),
    ...(row.findings === 0 ? [] : [counted(row.findings, "finding")]),
  ];
  if (words.length > 0) return words.join(", ");
  if (alarms.length > 0) return [...new Set(alarms.map(({ kind }) => kind))].join(", ");
  if (canary) return "of verify";
  if (lastBackup === undefined) return "waits for its first backup";
  return schedule === "none" ? "ok, no schedule" : "ok";
}

const locksOf = ({ locks: { count, oldest } }: RepositoryStatus, now: number): string =>
  count === 0 ? NONE : `${count}, ${ago(oldest, now)}`;

const COLUMNS: readonly Column[] = [
  { heading: "REPOSITORY", cell: ({ row }) => `${row.client}/${row.repository}` },
  { heading: "LAST BACKUP", cell: ({ row }, now) => ago(row.lastBackup, now) },
  {
    heading: "ARRIVED",
    drop: 8,
    cell: ({ row }) => (row.lastBackup === undefined ? NONE : minute(row.lastBackup)),
  },
  { heading: "STATE", cell: stateOf },
  {
    heading: "NEXT DUE",
    drop: 5,
    cell: ({ row }) => (row.nextDue === undefined ? NONE : minute(row.nextDue)),
  },
  { heading: "SIZE", right: true, drop: 1, cell: ({ row }) => bytes(row.bytes) },
  { heading: "IN 24 H", right: true, drop: 4, cell: ({ row }) => `+${bytes(row.added)}` },
  { heading: "SNAPSHOTS", right: true, drop: 6, cell: ({ row }) => String(row.snapshots) },
  { heading: "FORGET", drop: 10, cell: triedCell("forget") },
  { heading: "PRUNE", drop: 9, cell: triedCell("prune") },
  {
    heading: "ALL READ",
    drop: 7,
    cell: ({ row }, now) => `${row.tried.check?.ok === false ? "FAILED, " : ""}${ago(row.allDataRead, now)}`,
  },
  { heading: "LOCKS", drop: 3, cell: ({ row }, now) => locksOf(row, now) },
  { heading: "ALARMS", right: true, drop: 2, cell: ({ alarms }) => String(alarms.length) },
];

/** A cell's text, of bounded length. */
const shown = (text: string): string => {
  const one = printable(text);
  return one.length > MOST_CELL ? `${one.slice(0, MOST_CELL - 1)}…` : one;
};

/** The rows as lines of at most `width` characters: columns go where they do not fit, then the last ends early. */
function rowLines(rows: readonly StatusRow[], now: number, width: number): string[] {
  const all = COLUMNS.map((column) => {
    const cells = [column.heading, ...rows.map((row) => shown(column.cell(row, now)))];
    return { column, cells, width: Math.max(...cells.map(({ length }) => length)) };
  });
  const total = (of: typeof all): number =>
    of.reduce((sum, one) => sum + one.width, 0) + GAP.length * (of.length - 1);
  const droppable = all.filter(({ column }) => column.drop !== undefined);
  droppable.sort((one, other) => (other.column.drop ?? 0) - (one.column.drop ?? 0));
  let kept = all;
  for (const gone of droppable) {
    if (total(kept) <= width) break;
    kept = kept.filter((one) => one !== gone);
  }
  return ["", ...rows].map((_, n) => {
    const line = kept.map(({ column, cells, width: w }) =>
      column.right === true ? (cells[n] ?? "").padStart(w) : (cells[n] ?? "").padEnd(w),
    );
    const text = line.join(GAP).trimEnd();
    return text.length > width ? `${text.slice(0, width - 1)}…` : text;
  });
}

/** One alarm: what, of what, since when; then what is amiss, and what to type next. */
function alarmLines({ severity, kind, client, repository, canary, since, text, next }: Alarm, now: number) {
  const about = client === undefined ? "the bucket" : `${client}/${repository ?? ""}`;
  const grave = canary ? "of the canary, sent to nobody" : severity === "critical" ? "CRITICAL" : severity;
  return [
    `${grave}: ${kind} of ${about}, since ${minute(since)} (${ago(since, now)})`,
    `    ${text}`,
    `    ${NEXT}${next}`,
  ];
}

/** The bucket in a few lines. */
function summaryLines(status: Status, now: number): string[] {
  const { at, by, bucket, repositories, alarms, verify, retentionOff } = status;
  const own = repositories.filter(({ canary }) => !canary).length;
  const count = alarms.filter(({ canary }) => !canary).length;
  const used = bucket.quota === undefined ? "" : ` of ${bytes(bucket.quota)}`;
  const tried =
    verify === undefined
      ? "none of all rings yet"
      : `${ago(verify.at, now)} ago: ${verify.passed} passed, ${verify.failed} failed, ${verify.unknown} could not be tried`;
  return [
    `${bucket.name}, seen by the ${by} ${minute(at)} (${ago(at, now)} ago): ` +
      `${own === 1 ? "1 repository" : `${own} repositories`}, ${bytes(bucket.bytes)}${used}, ` +
      (count === 0 ? "no alarm" : counted(count, "alarm")),
    `Last verify: ${tried}`,
    ...(retentionOff === undefined ? [] : [`Nothing is forgotten: ${retentionOff}`]),
  ];
}

/**
 * The status for a terminal: a row for each repository, what is amiss first, then the alarms. The canary has a row only
 * where it has an alarm.
 *
 * @param now milliseconds since 1970
 * @param keeper name of the keeper's host
 * @param width of the terminal, in characters. @default unbounded
 */
export function renderTable(status: Status, now: number, keeper: string, width = Infinity): string {
  const rows = amissFirst(status).filter(({ row, alarms }) => !row.canary || alarms.length > 0);
  const rest = status.alarms.length - MOST_ALARMS;
  const blocks = status.alarms.slice(0, MOST_ALARMS).map((alarm) => ["", ...alarmLines(alarm, now)]);
  const lines = [
    ...(isStale(status, now) ? [staleLine(status, keeper, now), ""] : []),
    ...summaryLines(status, now),
    "",
    ...rowLines(rows, now, width),
    ...blocks.flat(),
    ...(rest > 0 ? ["", `and ${counted(rest, "alarm")} more: --json has all`] : []),
  ];
  const ways = status.by === "keeper" ? wayLines(status.ways, now) : [];
  return [...lines, ...(ways.length === 0 ? [] : ["", ...ways])]
    .flatMap((line) => folded(line, width))
    .join("\n");
}

/**
 * A line in lines of at most `width` characters; what is to be copied stays in one. All but the first are indented, so
 * that no words of an attacker's begin what looks like a line of its own.
 */
function folded(line: string, width: number): string[] {
  if (line.length <= width || line.trimStart().startsWith(NEXT)) return [printable(line)];
  const indent = /^ */.exec(line)?.[0] ?? "";
  const parts = wrap(line, Math.max(20, width - indent.length - GAP.length));
  return parts.map((part, n) => `${indent}${n === 0 ? "" : GAP}${part}`);
}
