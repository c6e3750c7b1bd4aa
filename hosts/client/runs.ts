/** When a client's repositories are backed up, and which commands run with them. */
import { Hook, RepositorySettings } from "../../config";
import { HostFile } from "../manifest";
import { CLIENT_SETTINGS } from "../names";
import {
  duration,
  RECORDS,
  renderBackupService,
  renderBackupTimer,
  RUN,
  SERVICE,
  timerSpec,
  UNITS,
  UNITS_SIGNATURE,
  waitSeconds,
} from "./units";

/** What a run needs to know. restic has flags and no variables for most of it: restic-backup gives the flags. */
export function runVariables(client: string, r: RepositorySettings): [string, string][] {
  const all: [string, string | number | undefined][] = [
    ["RESTIC_BACKUP_ONE_FILE_SYSTEM", r.oneFileSystem ? "yes" : undefined],
    ["RESTIC_BACKUP_STDIN_NAME", r.stdin && `/${r.stdin.filename}`],
    ["RESTIC_BACKUP_WAIT", isScheduled(r) ? waitSeconds(client, r.name, 60 * r.window) : undefined],
    ["RESTIC_BACKUP_UPLOAD", r.bandwidth?.upload],
    ["RESTIC_BACKUP_DOWNLOAD", r.bandwidth?.download],
    ["RESTIC_COMPRESSION", r.compression],
    ["RESTIC_PACK_SIZE", r.packSize],
  ];
  return all.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
}

/** Whether its client backs a repository up by itself. */
export function isScheduled({ schedule }: Pick<RepositorySettings, "schedule">): boolean {
  return schedule !== "none";
}

function hooksOf({ before, after, stdin }: RepositorySettings): [string, Hook][] {
  return Object.entries({ before, after, stdin }).flatMap(([name, hook]) => (hook ? [[name, hook]] : []));
}

/** The commands of a repository's configuration, and the time that each has. */
export function hookFiles(repository: RepositorySettings): HostFile[] {
  const access = { owner: "root:root", mode: "0600" };
  return hooksOf(repository).flatMap(([hook, { command, minutes }]) => {
    const path = `${CLIENT_SETTINGS}/${repository.name}/${hook}`;
    const limit = `${String(minutes)} min at most`;
    return [
      {
        path,
        ...access,
        content: `${command}\n`,
        concerns: [`${hook}: runs ${JSON.stringify(command)} as root, ${limit}`],
      },
      { path: `${path}.seconds`, ...access, content: `${String(60 * minutes)}\n` },
    ];
  });
}

/** The timers of the repositories that have a schedule, after the service that they start. */
export function timerFiles(client: string, repositories: readonly RepositorySettings[]): HostFile[] {
  const timers = repositories.filter(isScheduled).map(({ name, schedule, window }) => ({
    ...timerSpec(name),
    content: renderBackupTimer(name, schedule),
    concerns: [
      `backs up on the schedule ${JSON.stringify(schedule)}, ${duration(waitSeconds(client, name, 60 * window))} after it`,
    ],
  }));
  return timers.length === 0 ? [] : [{ ...SERVICE, content: renderBackupService() }, ...timers];
}

/** What timers.sh has to know. */
export function runParameters(repositories: readonly RepositorySettings[]): Record<string, string> {
  const hooks = repositories.flatMap((r) => hooksOf(r).map(([hook]) => `${r.name}/${hook}`));
  return {
    SB_UNITS: UNITS,
    SB_UNITS_SIGNATURE: UNITS_SIGNATURE,
    SB_RECORDS: RECORDS,
    SB_RUN: RUN.dir,
    SB_HOOKS: hooks.join(" "),
    SB_SCHEDULES: repositories
      .filter(isScheduled)
      .map(({ name, schedule }) => `${name}=${schedule}\n`)
      .join(""),
  };
}
