/** What a run leaves in the state. */
import type { Action, Job, Result } from "../job";
import type { RepositoryState, Tried } from "../state";

/** Snapshots whose claims are remembered, those that arrived last: an attacker can add any number, with long names. */
const MOST_CLAIMS = 10_000;

/** The state of a repository on which nothing has been done. */
export const NEW_STATE: RepositoryState = {
  version: 1,
  arrivals: {},
  tried: {},
  findings: [],
  verified: false,
  claims: {},
};

/**
 * The state after a run.
 *
 * @param now when it ended, in milliseconds since 1970
 * @param state before it, with the arrivals of its decision
 * @param result `undefined`: the run ended without one, so each of its actions counts as failed
 */
export function afterRun(
  now: number,
  state: RepositoryState,
  job: Pick<Job, "actions" | "readData">,
  result: Result | undefined,
): RepositoryState {
  const done: Result["done"] =
    result?.done ??
    Object.fromEntries(job.actions.map((action) => [action, { ok: false, detail: "the run was ended" }]));
  const tried: Partial<Record<Action, Tried>> = { ...state.tried };
  for (const action of job.actions) {
    const outcome = done[action];
    if (outcome !== undefined) tried[action] = triedAgain(now, state.tried[action], outcome);
  }
  const found = result?.findings ?? [];
  const claims = { ...state.claims, ...result?.claims };
  const keyId = state.keyId ?? result?.keyId;
  const { nextPart, cycleBegan, ...rest } = state;
  const cycle =
    done.check?.ok === true && job.readData !== undefined
      ? afterPart(now, cycleBegan, job.readData)
      : { ...(nextPart && { nextPart }), ...(cycleBegan !== undefined && { cycleBegan }) };
  return {
    ...rest,
    ...(keyId === undefined ? {} : { keyId }),
    tried,
    // A run that found something but did not come to its guard's end shows nothing of what was found before.
    findings: done.guard?.ok === true || found.length > 0 ? found : state.findings,
    verified: done.guard === undefined ? state.verified : done.guard.ok && result?.verified === true,
    claims: latest(claims, state.arrivals),
    ...cycle,
  };
}

/** The claims of the snapshots that arrived last. */
function latest(
  claims: RepositoryState["claims"],
  arrivals: RepositoryState["arrivals"],
): RepositoryState["claims"] {
  const known = Object.entries(claims).filter(([id]) => Object.hasOwn(arrivals, id));
  return Object.fromEntries(
    known.sort(([one], [other]) => (arrivals[other] ?? 0) - (arrivals[one] ?? 0)).slice(0, MOST_CLAIMS),
  );
}

function triedAgain(
  now: number,
  before: Tried | undefined,
  { ok, detail }: { readonly ok: boolean; readonly detail: string },
): Tried {
  const succeeded = ok ? now : before?.succeeded;
  return {
    at: now,
    ok,
    detail,
    ...(succeeded === undefined ? {} : { succeeded }),
    ...(ok ? {} : { failingSince: before?.failingSince ?? now }),
  };
}

/** After a part was read without a fault: the next one, and after the last one the cycle's end. */
function afterPart(
  now: number,
  cycleBegan: number | undefined,
  { part, of }: NonNullable<Job["readData"]>,
): Partial<RepositoryState> {
  return part < of
    ? { nextPart: { part: part + 1, of }, cycleBegan: part === 1 ? now : (cycleBegan ?? now) }
    : { nextPart: { part: 1, of }, allDataRead: now };
}
