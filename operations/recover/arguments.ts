/** The command line of `npm run recover`. */
import { nameProblem } from "../../config/values/names";
import { UsageError } from "../exit-status";

/** restic's commands that only read. Any other retries for 15 minutes to write where nothing can be written. */
const READING = [
  "snapshots",
  "ls",
  "find",
  "diff",
  "dump",
  "restore",
  "stats",
  "check",
  "cat",
  "list",
  "mount",
];

/** What the operator asks for. */
export interface RecoverRequest {
  client: string;
  repository: string;
  /** Milliseconds since 1970. */
  at: number;
  /** @default the selected one */
  stack?: string;
  /** Whether to carry the plan out; otherwise it is shown. */
  apply: boolean;
  /** Arguments for restic on the repository at that time; with them there is no plan. */
  restic?: string[];
}

/** The same for many repositories, one after the other. */
export interface RecoverManyRequest extends Pick<RecoverRequest, "at" | "stack" | "apply"> {
  /** @default every client that the bucket has something of */
  client?: string;
}

/**
 * A time as an operator writes it, in milliseconds since 1970.
 *
 * @throws UsageError for all that is not a date and time of the calendar with its zone, or lies after `now`
 */
export function parseMoment(text: string, now: number): number {
  const example = new Date(now - 24 * 3600_000).toISOString().replace(/:\d\d\.\d+/, ":00");
  const match =
    /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d{1,3})?[0-9]* ?(?:(Z)|([+-]\d\d):?(\d\d))$/i.exec(
      text.trim(),
    );
  const [, day = "", minute = "", second = ":00", fraction = "", , hours, minutes] = match ?? [];
  const local = `${day}T${minute}${second}${fraction}`;
  const moment = Date.parse(`${local}${hours === undefined ? "Z" : `${hours}:${minutes ?? ""}`}`);
  // Date.parse takes the 30th of February for the 2nd of March.
  const onCalendar = match !== null && !Number.isNaN(moment) && isCalendarDay(day);
  if (!onCalendar) {
    throw new UsageError(`--at ${JSON.stringify(text)} is not a date and time with a zone; write ${example}`);
  }
  if (moment > now) {
    throw new UsageError(`--at ${text} is in the future: give a time before the damage, such as ${example}`);
  }
  return moment;
}

function isCalendarDay(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}

/** The options as they were given. */
export interface RecoverOptions {
  client?: string;
  repository?: string;
  all?: boolean;
  at?: string;
  stack?: string;
  apply?: boolean;
}

/**
 * What these options ask for.
 *
 * @param restic arguments for restic, where there were any
 * @param now milliseconds since 1970
 * @throws UsageError that names the option and what to write
 */
export function recoverRequest(
  { client, repository, all = false, at, stack, apply = false }: RecoverOptions,
  restic: string[] | undefined,
  now: number,
): RecoverRequest | RecoverManyRequest {
  if (all && (client ?? repository) !== undefined) {
    throw new UsageError("--all means every repository of every client: leave --client and --repository out");
  }
  if (client === undefined && !all) throw new UsageError("--client is missing: name the client, or --all");
  if (restic !== undefined && repository === undefined) {
    throw new UsageError("--repository is missing: restic's commands need one client's repository");
  }
  if (at === undefined) throw new UsageError("--at is missing: give a time before the damage");
  for (const [option, name] of [
    ["--client", client],
    ["--repository", repository],
  ] as const) {
    const problem = name === undefined ? undefined : nameProblem(name);
    if (problem !== undefined) throw new UsageError(`${option} ${JSON.stringify(name)} ${problem}`);
  }
  if (restic !== undefined) {
    if (apply) throw new UsageError("--apply and arguments for restic after -- exclude each other");
    if (!READING.includes(restic[0] ?? "")) {
      throw new UsageError(
        `after -- comes a command of restic that reads, and its options after it: ${READING.join(", ")}`,
      );
    }
  }
  return {
    ...(client === undefined ? {} : { client }),
    ...(repository === undefined ? {} : { repository }),
    at: parseMoment(at, now),
    apply,
    ...(stack === undefined ? {} : { stack }),
    ...(restic === undefined ? {} : { restic }),
  };
}
