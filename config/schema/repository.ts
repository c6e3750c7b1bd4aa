import { z } from "zod";
import { fileNameProblem, minutesBetweenRuns, scheduleProblem, snapshotIdProblem } from "../values/backups";
import { publicKeyProblem } from "../values/keys";
import { nameProblem } from "../values/names";
import { excludeProblem, pathProblem } from "../values/paths";
import { flag, mapping, missingOrWrong, script, secret, text, textList, within } from "./fields";
import { keep } from "./keeper";
import type { Keep } from "./keeper";

/** A command on a client, run by `/bin/sh` as root in a unit of its own. */
export interface Hook {
  /** One line or several. Shown in previews: passwords belong into files of the client. Required. */
  command: string;
  /**
   * Minutes after which it is ended and has failed.
   * @default 60
   */
  minutes: number;
}

/** A command whose output is backed up. */
export interface Dump extends Hook {
  /** The name of the file in the snapshot, for example `shop.sql`. Required. */
  filename: string;
  /** @default 720 */
  minutes: number;
}

/** How much of the line a backup or a restore may take. */
export interface Bandwidth {
  /** KiB a second. @default no limit */
  upload?: number;
  /** KiB a second. @default no limit */
  download?: number;
}

/**
 * The settings of a repository that its client's machine needs. Every later form of a repository extends this type and
 * is built by a spread: a field that is added here reaches the plan, the deployment record and the host's renderers.
 */
export interface RepositorySettings {
  /** Last part of its address: as strict as a client's name. Required. */
  name: string;
  /**
   * What is backed up: absolute, normalized paths without duplicates, at least one, each taken as it stands: no pattern,
   * no `~`, no variable. Not below `/proc`, `/sys`, `/dev` and `/run`; what lies there is left out of `/`, too. Required
   * where there is no `stdin`, and empty where there is one.
   */
  paths: string[];
  /**
   * restic's exclude patterns; `~` and variables are refused, for restic does not expand them.
   * @default none
   */
  excludes: string[];
  /**
   * Whether a backup stays on the file systems that `paths` lie on, and leaves out what is mounted below them.
   * @default false
   */
  oneFileSystem: boolean;
  /**
   * When the client backs up by itself: a calendar expression of systemd, in the client's own time zone where it names
   * none; `none`: never.
   * @default "daily"
   * @example "Mon..Fri 22:30"
   */
  schedule: string;
  /**
   * Minutes over which the backups of all repositories with one schedule are spread: each waits its own share of them,
   * the same every time. Less than the shortest time between two runs of a day, at most 1439.
   * @default 60, or half of that time where that is less
   */
  window: number;
  /** Runs before a backup. Where it fails nothing is backed up. @default none */
  before?: Hook;
  /** Runs after a backup, also after one that failed; `$RESTIC_BACKUP_RESULT` is ok, partial or failed. @default none */
  after?: Hook;
  /** Whose output is backed up in place of `paths`. Where it fails there is no snapshot. @default none */
  stdin?: Dump;
  /** @default no limit */
  bandwidth?: Bandwidth;
  /** How hard restic compresses: `auto`, `off` or `max`; from restic 0.14 on. @default restic's, which is auto */
  compression?: "auto" | "off" | "max";
  /** MiB of the files that restic writes to the bucket, 4 to 128; from restic 0.14 on. @default restic's, which is 16 */
  packSize?: number;
}

/** One restic repository of one client, at `BUCKET/CLIENT/REPOSITORY`. */
export interface RepositoryConfig extends RepositorySettings {
  /**
   * Secret. The password of a repository that exists already.
   * @default derived from the stack's root key
   */
  password?: string;
  /**
   * The public key with which the client's operator connects, `ssh-ed25519 BASE64 [comment]`; ed25519 only, each
   * repository its own. Required for clients of kind `key-only`, refused for the others (the stack creates theirs).
   */
  publicKey?: string;
  /**
   * What the keeper keeps of this repository.
   * @default `keeper.keep`
   */
  keep?: Keep;
  /**
   * Snapshots that the keeper never forgets, by their full IDs of 64 hexadecimal digits, as `restic snapshots --json`
   * names them.
   * @default none
   */
  pins: string[];
}

export const password = secret("give the password of the existing repository, or leave it out");
const hookMinutes = (standard: number) => within("a number of minutes", 1, 10_080).default(standard);
const hookShape = {
  command: script("give a command for /bin/sh"),
  minutes: hookMinutes(60),
};
const HOOK = 'give a command, for example { command: "systemctl stop shop", minutes: 5 }';
const rate = () => within("a number of KiB a second", 1, 100_000_000).optional();
const repositoryShape = {
  name: text("give the repository's name", nameProblem),
  paths: textList(
    text('give an absolute path, for example "/srv/data"', pathProblem),
    'list the paths to back up, for example ["/srv/data"]',
  ).default([]),
  excludes: textList(
    text('give a pattern, for example "*.tmp"', excludeProblem),
    'list restic\'s patterns, for example ["*.tmp"]',
  ).default([]),
  oneFileSystem: flag().default(false),
  schedule: text(
    'give a calendar expression of systemd, for example "daily", or "none"',
    scheduleProblem,
  ).default("daily"),
  window: within("a number of minutes", 0, 10_080).optional(),
  before: mapping(hookShape, HOOK).optional(),
  after: mapping(hookShape, HOOK).optional(),
  stdin: mapping(
    {
      ...hookShape,
      minutes: hookMinutes(720),
      filename: text('give the name of the file in the snapshot, for example "shop.sql"', fileNameProblem),
    },
    'give command and filename, for example { command: "pg_dump shop", filename: "shop.sql" }',
  ).optional(),
  bandwidth: mapping({ upload: rate(), download: rate() }, "give upload, download or both").optional(),
  compression: z
    .enum(["auto", "off", "max"], {
      error: ({ input }) => missingOrWrong(input, "a compression", 'write "auto", "off" or "max"'),
    })
    .optional(),
  packSize: within("a number of MiB", 4, 128).optional(),
  password: password.optional(),
  keep: keep.optional(),
  pins: textList(
    text("give the full ID of a snapshot, see `restic snapshots --json`", snapshotIdProblem),
    "list the full IDs of snapshots, see `restic snapshots --json`",
  ).default([]),
};

/** The window of a repository that names none depends on its schedule. */
function withWindow<T extends z.ZodType<{ schedule: string; window?: number }>>(form: T) {
  return form.transform((repository) => ({
    ...repository,
    window: repository.window ?? Math.min(60, Math.floor(minutesBetweenRuns(repository.schedule) / 2)),
  }));
}

const ownKeys = {
  publicKey: 'is for clients of kind "key-only"; leave it out, the stack creates this client\'s key',
};
export const repository = withWindow(mapping(repositoryShape, "give name and paths", ownKeys));
export const keyOnlyRepository = withWindow(
  mapping(
    {
      ...repositoryShape,
      publicKey: text('give the public key that its operator sent, "ssh-ed25519 AAAA…"', publicKeyProblem),
    },
    "give name, paths and publicKey",
  ),
);
