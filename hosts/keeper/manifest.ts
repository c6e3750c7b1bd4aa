/** Every file of the keeper but its program. */
import type { AlarmsConfig, S3Credentials } from "../../config";
import type { Keep, KeeperSettings } from "../../keeper/settings";
import { hostScript } from "../install";
import { FileSpec } from "../manifest";
import { LIBRARY, plainName } from "../names";
import { renderKeeperSshd } from "./sshd";
import {
  renderDueUnit,
  renderGateUnit,
  renderRoundTimer,
  renderRoundUnit,
  renderWatchTimer,
  renderWatchUnit,
  renderWorkerUnit,
} from "./units";

/** A repository whose password the keeper has. */
export interface KeeperRepository {
  client: string;
  repository: string;
  /** Secret. */
  password: string;
}

/** What the contents of the keeper's files are rendered from. */
export interface KeeperValues {
  settings: KeeperSettings;
  /** The keeper's own credentials. */
  s3: S3Credentials;
  alarms: AlarmsConfig;
  /** All of the settings' repositories. */
  repositories: readonly KeeperRepository[];
}

const OPEN = { owner: "root:root", mode: "0644" };
const PRIVATE = { owner: "root:root", mode: "0600" };
const ROOT_DIR = { owner: "root:root", mode: "0700" };

/** The folder of all settings. */
export const KEEPER_SETTINGS = "/etc/keeper";

/** The folder of the passwords, one file a repository: `CLIENT/REPOSITORY`. */
export const PASSWORDS = `${KEEPER_SETTINGS}/passwords`;

/** The program, which an install of its own brings. */
export const KEEPER_PROGRAM = { path: `${LIBRARY}/keeper.js`, owner: "root:root", mode: "0644" };

/** A repository as the keeper's settings and reports name it. */
export const keptName = ({ client, repository }: Pick<KeeperRepository, "client" | "repository">): string =>
  `${plainName("client", client)}/${plainName("repository", repository)}`;

/** What a repository keeps, in words for a preview. */
export function keptInWords(keep: Keep | undefined): string {
  if (keep === undefined) return "nothing is forgotten";
  const { within, days, weeks, months, years } = keep;
  return (
    `keeps all of ${within} days, and one of each of ${days} days, ${weeks} weeks, ` +
    `${months} months and ${years} years`
  );
}

/** By which ways alarms are sent, in words for a preview: of a URL and of a command only what is no secret. */
export function alarmWaysInWords({ mail, webhooks, command, ping }: AlarmsConfig): string[] {
  const origin = (url: string) => new URL(url).origin;
  return [
    ...(mail === undefined
      ? []
      : [
          `e-mail to ${mail.to.join(", ")} by ${mail.server} port ${String(mail.port)}, ${mail.security}` +
            (mail.user === undefined ? "" : `, as ${mail.user}`),
        ]),
    ...webhooks.map(({ name, url, form }) => `webhook ${name} (${form}) at ${origin(url)}`),
    ...(command === undefined ? [] : [`command ${command.path}`]),
    ...(ping === undefined ? [] : [`ping of ${origin(ping)}`]),
  ];
}

/** Sorts the fields of every object, for `JSON.stringify`: settings that were in Pulumi's state have another order. */
const sortedFields = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value;

/** What the keeper has once. */
export const KEEPER_FILES = {
  settings: {
    path: `${KEEPER_SETTINGS}/keeper.json`,
    ...OPEN,
    content: ({ settings }: Pick<KeeperValues, "settings">) =>
      `${JSON.stringify(settings, sortedFields, 2)}\n`,
    concerns: ({ settings: { s3, repositories } }) => [
      `bucket ${s3.bucket} at ${s3.endpoint}, region ${s3.region}`,
      ...repositories.map((repository) => `${keptName(repository)} ${keptInWords(repository.keep)}`),
    ],
  },
  s3: {
    path: `${KEEPER_SETTINGS}/s3.json`,
    ...PRIVATE,
    content: ({ s3: { accessKeyId, secretAccessKey } }: Pick<KeeperValues, "s3">) =>
      `${JSON.stringify({ accessKeyId, secretAccessKey })}\n`,
    digestKey: ({ s3 }) => s3.secretAccessKey,
  },
  alarms: {
    path: `${KEEPER_SETTINGS}/alarms.json`,
    ...PRIVATE,
    content: ({ alarms }: Pick<KeeperValues, "alarms">) => `${JSON.stringify(alarms, sortedFields, 2)}\n`,
    // A password for mail may be weak.
    digestKey: ({ s3 }) => s3.secretAccessKey,
    concerns: ({ alarms }) => alarmWaysInWords(alarms),
  },
  /** The names that a round starts workers for, one a line; a name that it is given and that is not here starts none. */
  instances: {
    path: `${KEEPER_SETTINGS}/instances`,
    ...OPEN,
    content: ({ settings }: Pick<KeeperValues, "settings">) =>
      settings.repositories.map((repository) => `${keptName(repository)}\n`).join(""),
  },
  round: {
    path: `${LIBRARY}/keeper-round`,
    owner: "root:root",
    mode: "0755",
    content: () => hostScript("keeper/round.sh"),
  },
  gateUnit: { path: "/etc/systemd/system/keeper-gate.service", ...OPEN, content: renderGateUnit },
  workerUnit: { path: "/etc/systemd/system/keeper-worker@.service", ...OPEN, content: renderWorkerUnit },
  dueUnit: { path: "/etc/systemd/system/keeper-due.service", ...OPEN, content: renderDueUnit },
  roundUnit: { path: "/etc/systemd/system/keeper-round.service", ...OPEN, content: renderRoundUnit },
  roundTimer: { path: "/etc/systemd/system/keeper-round.timer", ...OPEN, content: renderRoundTimer },
  watchUnit: { path: "/etc/systemd/system/keeper-watch.service", ...OPEN, content: renderWatchUnit },
  watchTimer: { path: "/etc/systemd/system/keeper-watch.timer", ...OPEN, content: renderWatchTimer },
  sshdConfig: {
    path: "/etc/ssh/sshd_config.d/00-secure-backups.conf",
    ...OPEN,
    content: renderKeeperSshd,
  },
} satisfies Record<string, FileSpec<KeeperValues>>;

/** The password of one repository. */
export function passwordFile(repository: Pick<KeeperRepository, "client" | "repository">) {
  return {
    path: `${PASSWORDS}/${keptName(repository)}`,
    ...PRIVATE,
    content: ({ password }: KeeperRepository) => password,
    digestKey: ({ password }: KeeperRepository) => password,
  } satisfies FileSpec<KeeperRepository>;
}

/** The folders of these repositories' passwords, the one above first. */
export function keeperDirs(repositories: readonly Pick<KeeperRepository, "client">[]) {
  const clients = new Set(repositories.map(({ client }) => plainName("client", client)));
  return [
    { dir: KEEPER_SETTINGS, owner: "root:root", mode: "0755" },
    { dir: PASSWORDS, ...ROOT_DIR },
    ...[...clients].map((client) => ({ dir: `${PASSWORDS}/${client}`, ...ROOT_DIR })),
  ];
}

/** The paths of all files of a keeper of these repositories. */
export function keeperPaths(
  repositories: readonly Pick<KeeperRepository, "client" | "repository">[],
): string[] {
  return [...Object.values(KEEPER_FILES), ...repositories.map(passwordFile)].map(({ path }) => path);
}
