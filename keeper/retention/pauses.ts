/** For which reasons retention stands still, each with what the operator can do about it. */
import type { KeeperSettings, KeptRepository } from "../settings";
import type { Pause, PutAgain, RepositoryState } from "../state";
import { counted, minute } from "../words";

/** Names in one sentence; the rest is counted. */
const MOST_NAMED = 3;

const named = (names: readonly string[]): string =>
  names.slice(0, MOST_NAMED).join(", ") +
  (names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : "");

/** The pauses that settings and state alone cause: while one stands, a run for retention's sake is not worth it. */
export function standing(
  settings: KeeperSettings,
  repository: KeptRepository,
  state: RepositoryState | undefined,
): Pause[] {
  const name = `${repository.client}/${repository.repository}`;
  const pauses: Pause[] = [];
  const pause = (kind: Pause["kind"], why: string): void => void pauses.push({ kind, why });
  if (settings.retentionOff !== undefined) pause("off", settings.retentionOff);
  if (repository.keep === undefined) {
    pause("no-keep", "nothing is ever forgotten: set keep in the configuration to change that");
  }
  if (repository.frozen) {
    pause(
      "frozen",
      `the client is frozen: when its snapshots are judged, run npm run thaw -- ${repository.client}`,
    );
  }
  const findings = state?.findings ?? [];
  if (findings.length > 0) {
    const kinds = [...new Set(findings.map(({ kind }) => kind))];
    pause(
      "findings",
      `the guard found ${counted(findings.length, "thing")} amiss (${named(kinds)}): see npm run keeper -- status ${name}, and let npm run recover put the objects aside`,
    );
  }
  if (state?.tried.check?.ok === false) {
    pause(
      "findings",
      `the last check failed (${state.tried.check.detail}): it is repeated; if it fails again, see npm run keeper -- status ${name}`,
    );
  }
  if (state?.verified !== true) {
    pause("unverified", "not every pack has been read and verified: the keeper goes on with that every day");
  }
  return pauses;
}

export const tooLarge = (parts: number, days: number): Pause => ({
  kind: "off",
  why: `reading all data takes ${parts} days and old versions live ${days}: damage could be found too late; raise the keeper's bytes a day or s3.noncurrentVersionDays`,
});

export const held = ({ client, repository }: KeptRepository): Pause => ({
  kind: "held",
  why: `the owner's hold stands: when nobody works on the repository any more, run npm run keeper -- release ${client}/${repository}`,
});

export const silent = ({ client, schedule }: KeptRepository, last: number, due: number): Pause => ({
  kind: "silent",
  why: `the last snapshot arrived ${minute(last)}, and another was due by ${minute(due)} ("${schedule}"): see why ${client} does not back up`,
});

export const putAgain = ({ client, repository }: KeptRepository, objects: readonly PutAgain[]): Pause => ({
  kind: "put-again",
  why: `${counted(objects.length, "object")} put a second time (${named(objects.map(({ type, id }) => `${type}/${id}`))}): restic never does that; if recover did, run npm run keeper -- approve ${client}/${repository}`,
});

export const waits = ({ client, repository }: KeptRepository, why: string): Pause => ({
  kind: "waits-for-approval",
  why: `${why}: run npm run keeper -- approve ${client}/${repository}`,
});

export const nothingArrived = (last: number | undefined): Pause => ({
  kind: "nothing-arrived",
  why:
    last === undefined
      ? "there is no snapshot"
      : `no snapshot has arrived since ${minute(last)}, before the last forgetting: without a new one no old one goes`,
});
