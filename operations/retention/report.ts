/** What the keeper decided and knows, in words. Strings in it are the keeper's: print them as such. */
import { ACTIONS } from "../../keeper/job";
import { ownValue } from "../../keeper/own-value";
import { claimFits } from "../../keeper/retention";
import { DAY } from "../../keeper/time";
import { counted } from "../../keeper/words";
import { moment } from "../printable";
import type { PlannedDocument, StateDocument } from "../../keeper/documents";

/** How many objects of a finding, and dates that do not fit, are shown. */
const MOST_SHOWN = 20;

/** The first ones, one a line, and how many more there are. */
function some(lines: readonly string[]): string[] {
  const rest = lines.length - MOST_SHOWN;
  return [...lines.slice(0, MOST_SHOWN), ...(rest > 0 ? [`… and ${String(rest)} more`] : [])];
}

/** When a snapshot arrived, and what it says of itself. */
function snapshotLine(id: string, state: StateDocument | undefined): string {
  const arrived = ownValue(state?.arrivals, id);
  const claim = ownValue(state?.claims, id);
  const when = arrived === undefined ? "arrived at an unknown time" : `arrived ${moment(arrived)}`;
  const report = claim?.report === undefined ? "" : `, reports that a run was ${claim.report}`;
  return `${id} ${when}${claim === undefined ? "" : `, claims ${claim.time} on ${claim.hostname}`}${report}`;
}

function pauseLines({ pauses }: PlannedDocument): string[] {
  if (pauses.length === 0) return ["  nothing stands still"];
  return ["  stands still:", ...pauses.map(({ kind, why }) => `    ${kind}: ${why}`)];
}

/** All that an approval would cover: every snapshot that goes by its full ID, and every object that was put again. */
export function describePlan(planned: PlannedDocument, state: StateDocument | undefined): string {
  const { plan, putAgain, at } = planned;
  const lines = [`  decided ${moment(at)}`];
  if (plan === undefined) {
    lines.push("  nothing is forgotten: it has no keep");
  } else {
    const waits = plan.waits === undefined ? "" : `; this waits for approval: ${plan.waits}`;
    lines.push(
      `  ${counted(plan.forget.length, "snapshot")} to forget, ${String(plan.kept.length)} stay${waits}`,
    );
    for (const id of plan.forget) lines.push(`    ${snapshotLine(id, state)}`);
  }
  if (putAgain.length > 0) {
    lines.push(`  ${counted(putAgain.length, "object")} put a second time, by recover or by an intruder:`);
    for (const { type, id, versionIds } of putAgain) {
      lines.push(`    ${type}/${id}, versions ${versionIds.join(", ")}`);
    }
  }
  return [...lines, ...pauseLines(planned)].join("\n");
}

function actionLines({ tried }: StateDocument): string[] {
  return ACTIONS.map((action) => {
    const last = tried[action];
    if (last === undefined) return `  ${action}: never`;
    const before =
      last.ok || last.succeeded === undefined ? "" : `; last succeeded ${moment(last.succeeded)}`;
    return `  ${action}: ${last.ok ? "done" : "FAILED"} ${moment(last.at)}: ${last.detail}${before}`;
  });
}

function dataLines(state: StateDocument): string[] {
  const { allDataRead, cycleBegan, nextPart, verified } = state;
  const read = allDataRead === undefined ? "not yet" : `by ${moment(allDataRead)}`;
  const cycle =
    nextPart === undefined || cycleBegan === undefined
      ? ""
      : `; this time since ${moment(cycleBegan)}, part ${String(nextPart.part)} of ${String(nextPart.of)} is next`;
  return [
    `  packs: ${verified ? "every one is verified" : "not every one is verified yet"}`,
    `  all data read by a check: ${read}${cycle}`,
  ];
}

/** Dates that snapshots claim and that do not fit their arrivals: they decide nothing, but somebody may have forged them. */
function forgedDates({ arrivals, claims }: StateDocument): string[] {
  const odd = Object.entries(claims).flatMap(([id, { time }]) => {
    const arrived = ownValue(arrivals, id);
    return arrived === undefined || claimFits(arrived, time)
      ? []
      : [`${id} arrived ${moment(arrived)} and claims ${time}`];
  });
  if (odd.length === 0) return [];
  return [
    `  ${counted(odd.length, "snapshot")} with a date that does not fit (copied, or forged); it decides nothing:`,
    ...some(odd).map((line) => `    ${line}`),
  ];
}

/** Until when the last deletes can be undone. */
function undoing({ tried }: StateDocument, noncurrentVersionDays: number): string[] {
  const last = Math.max(tried.forget?.at ?? 0, tried.prune?.at ?? 0);
  return last === 0
    ? []
    : [
        `  what the last run removed can be brought back until ${moment(last + noncurrentVersionDays * DAY)}, by npm run recover`,
      ];
}

/** How a repository is doing. */
export function describeState(
  state: StateDocument,
  planned: PlannedDocument | undefined,
  noncurrentVersionDays: number,
): string {
  const findings = state.findings.flatMap(({ kind, why, objects }) => [
    `  FOUND ${kind}: ${why}`,
    ...some(objects).map((object) => `    ${object}`),
  ]);
  return [
    ...actionLines(state),
    ...dataLines(state),
    ...undoing(state, noncurrentVersionDays),
    ...findings,
    ...forgedDates(state),
    ...(planned === undefined ? [] : pauseLines(planned)),
  ].join("\n");
}

/** Whether the operator has to look: something was found, or the last try of an action failed. */
export function isAmiss({ findings, tried }: StateDocument): boolean {
  return findings.length > 0 || Object.values(tried).some(({ ok }) => !ok);
}
