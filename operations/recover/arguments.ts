/** The command line of `npm run recover`. */
import { parseArgs } from "node:util";
import { nameProblem } from "../../config/values";
import { UsageError } from "../usage-error";

export const USAGE = `usage: npm run recover -- --client CLIENT --repository REPOSITORY --at TIME [--stack STACK]
                         [--apply | -- RESTIC-ARGUMENTS…]
       npm run recover -- --client CLIENT | --all --at TIME [--stack STACK] [--apply]

Brings a repository back to what it was at TIME, whatever was deleted, overwritten or added since.
Without --repository: all that the bucket has of the client; with --all: of every client, removed ones too.

  without --apply       shows what would be done, and the snapshots of then; changes nothing
  --apply               does it, and lets restic check the repository. Nothing is deleted by it
  -- RESTIC-ARGUMENTS   runs restic on the repository as it was at TIME, read-only, on this machine:
                          … -- snapshots
                          … -- restore ID --target DIRECTORY
  --stack STACK         the stack; default: the one that is selected

TIME has a date, a time and a zone: 2026-11-20T03:00:00Z or "2026-11-20 03:00 +01:00".
`;

/** restic's commands that only read. Any other would try for a quarter of an hour to write where nothing can be written. */
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
  /** Default: the selected one. */
  stack?: string;
  /** Whether to carry the plan out; else it is shown. */
  apply: boolean;
  /** Arguments for restic on the repository of then; with them there is no plan. */
  restic?: string[];
}

/** The same asked for many repositories, one after the other. */
export interface RecoverManyRequest extends Pick<RecoverRequest, "at" | "stack" | "apply"> {
  /** Default: every client that the bucket has something of. */
  client?: string;
}

/**
 * A moment as an operator writes it, in milliseconds since 1970.
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

/**
 * Reads the command line; `"help"` where that is asked for.
 *
 * @param now milliseconds since 1970
 * @throws UsageError that names the option and what to write
 */
export function parseRequest(args: string[], now: number): RecoverRequest | RecoverManyRequest | "help" {
  const split = args.indexOf("--");
  const restic = split === -1 ? undefined : args.slice(split + 1);
  let values;
  try {
    ({ values } = parseArgs({
      args: split === -1 ? args : args.slice(0, split),
      options: {
        client: { type: "string" },
        repository: { type: "string" },
        all: { type: "boolean" },
        at: { type: "string" },
        stack: { type: "string" },
        apply: { type: "boolean" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  if (values.help === true) return "help";
  const { client, repository, all = false, at, stack, apply = false } = values;
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
