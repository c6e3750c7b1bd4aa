/** Whether a client backs up by itself, and what it says of its last runs: a client's word raises an alarm, and clears none. */
import { RepositorySettings } from "../../../config";
import { isScheduled, timerSpec } from "../../../hosts";
import * as path from "node:path";
import { moment, printable } from "../../printable";
import { Seen } from "../probe";
import { HostFacts, linesOf, seen } from "./facts";

type Scheduled = Pick<RepositorySettings, "name" | "schedule">;

/** Characters of a client's text in one problem. */
const LONGEST_WHY = 200;

const fieldsOf = (text: string): Map<string, string> =>
  new Map(
    linesOf(text)
      .map((line) => /^([^=]+)=(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, name = "", value = ""]) => [name, value]),
  );

const unitOf = ({ name }: Scheduled): string => path.basename(timerSpec(name).path);

/** The state of a timer that will start its next backup, also after the host has rebooted. */
const SOUND = "enabled and active";

/** The state of each of the stack's timers on a host, by its unit. */
function timerStates(facts: HostFacts): Map<string, string> {
  return new Map(
    facts("timers")
      .split(/\n{2,}/)
      .map(fieldsOf)
      .filter((fields) => fields.size > 0)
      .map((fields) => {
        const short = (field: string) => printable(fields.get(field) ?? "").slice(0, LONGEST_WHY);
        const enabled = fields.get("UnitFileState") === "enabled" ? "enabled" : "not enabled";
        const changed = short("DropInPaths") === "" ? "" : `, changed by ${short("DropInPaths")}`;
        const old = fields.get("NeedDaemonReload") === "yes" ? ", not yet read by systemd" : "";
        return [fields.get("Id") ?? "", `${enabled} and ${short("ActiveState")}${changed}${old}`];
      }),
  );
}

/** Judges the timers of a client with these repositories. */
export function timersSeen(facts: HostFacts, repositories: readonly Scheduled[]): Seen {
  const states = timerStates(facts);
  const wanted = repositories.filter(isScheduled).map(unitOf);
  return seen(
    [
      ...wanted
        .map((unit) => ({ unit, state: states.get(unit) ?? "not there" }))
        .filter(({ state }) => state !== SOUND)
        .map(({ unit, state }) => `${unit} is ${state}`),
      ...[...states.keys()]
        .filter((unit) => !wanted.includes(unit))
        .map((unit) => `there is ${printable(unit).slice(0, LONGEST_WHY)}, and no schedule for it`),
    ],
    wanted.length === 0 ? "no schedule, and no timer" : `${String(wanted.length)} timers, so they are`,
  );
}

/** Judges the last run of each repository; before the first run its timer counts. */
export function runsSeen(facts: HostFacts, repositories: readonly Scheduled[]): Seen {
  const records = new Map(
    facts("last_runs")
      .split(/^== /m)
      .slice(1)
      .map((part) => {
        const [name = "", ...lines] = part.split("\n");
        return [name, fieldsOf(lines.join("\n"))];
      }),
  );
  const waiting: string[] = [];
  const problems = repositories.flatMap((repository) => {
    const { name } = repository;
    const record = records.get(name);
    if (record === undefined) throw new Error(`the host said nothing about ${name}`);
    const result = record.get("result");
    if (result === "ok" || (result === "running" && record.get("goes-on") === "yes")) return [];
    if (record.size === 0) {
      if (isScheduled(repository) && timerStates(facts).get(unitOf(repository)) !== SOUND)
        return [`${name} has not run yet, and its timer is not ${SOUND}`];
      waiting.push(name);
      return [];
    }
    const when = `the run of ${name}${beganAt(record.get("began"))}`;
    if (result === "running") return [`${when} was killed`];
    const why = printable(record.get("why") ?? "").slice(0, LONGEST_WHY);
    if (result === "failed") return [`${when} failed: ${why}`];
    if (result === "partial") return [`${when} was partial: ${why}`];
    return [`${when} has no result that is known: ${printable(result ?? "none").slice(0, LONGEST_WHY)}`];
  });
  return seen(
    problems,
    waiting.length === 0 ? "so it was" : `no problem; not run yet: ${waiting.join(", ")}`,
  );
}

/** When a run began, as far as the host gives a time. */
function beganAt(seconds = ""): string {
  return /^\d{1,11}$/.test(seconds) ? ` of ${moment(1000 * Number(seconds))}` : "";
}
