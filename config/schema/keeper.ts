import { z } from "zod";
import { nameProblem } from "../values/names";
import { keeperResticProblem, nodeVersionProblem } from "../values/programs";
import { flag, mapping, missingOrWrong, text, within } from "./fields";
import { machine } from "./machine";
import { artifact } from "./program";
import type { MachineConfig } from "./machine";
import type { Artifact } from "./program";

/** What retention keeps of a repository. All counts are of arrivals, never of the dates that snapshots claim. */
export interface Keep {
  /** Days within which every snapshot is kept, a whole number from 1 to 3650. Required. */
  readonly within: number;
  /**
   * Of so many days with an arrival, the newest being the first: the earliest snapshot that arrived on each.
   * @default 0
   */
  readonly days: number;
  /** The same for weeks, from Monday on. @default 0 */
  readonly weeks: number;
  /** @default 0 */
  readonly months: number;
  /** @default 0 */
  readonly years: number;
}

/** How much one plan may forget by itself; one that forgets more waits for the operator's approval. */
export interface ApprovalLimits {
  /**
   * Most snapshots that one plan forgets without approval. A repository that is backed up every hour has 24 to forget a
   * day.
   * @default 50
   */
  readonly snapshots: number;
  /**
   * Largest share of a repository's snapshots that one plan forgets without approval, 0 to 1.
   * @default 0.2
   */
  readonly share: number;
}

/**
 * The host that runs retention: it forgets, prunes and checks. It serves nobody; it alone holds the keeper's S3 keys and
 * the passwords of the repositories.
 */
export interface KeeperConfig extends MachineConfig {
  /**
   * Host name: a lower-case DNS label.
   * @default `keepersrv`
   */
  name: string;
  /**
   * Whether the keeper gets a floating IP.
   * @default true with `access.via: floating-ip`, else false
   */
  floatingIp: boolean;
  /** Node.js, version 24.0.0 or newer: a raw binary, or an official `.tar.gz` release file for Linux. Required. */
  node: Artifact;
  /**
   * The keeper's own restic, version 0.17.0 or newer, the first that speaks to a unix socket: a raw binary, or an official
   * `.bz2` release file. Required.
   */
  restic: Artifact;
  /**
   * What is kept of every repository that has no `keep` of its own.
   * @default everything: nothing is forgotten
   */
  keep?: Keep;
  /** @default the default of each field */
  approval: ApprovalLimits;
  /**
   * GiB of data that the keeper reads a day of each repository, to verify what was uploaded and to check the rest in turn.
   * @default 50
   */
  readGibPerDay: number;
}

const count = (what: string, most: number) => within(`a number of ${what}`, 0, most).default(0);

export const keep = mapping(
  {
    within: within("a number of days", 1, 3650),
    days: count("days", 3650),
    weeks: count("weeks", 520),
    months: count("months", 120),
    years: count("years", 100),
  },
  "give within, the days within which every snapshot is kept, and how many days, weeks, months and years are kept after that",
);

const SHARE = "write a number from 0 to 1 without quotes, for example 0.2";
const share = z
  .number({ error: ({ input }) => missingOrWrong(input, "a share", SHARE) })
  .refine((value) => value >= 0 && value <= 1, {
    error: ({ input }) => missingOrWrong(input, "a share", SHARE),
  });

export const keeper = mapping(
  {
    name: text("give the keeper's host name", nameProblem).default("keepersrv"),
    ...machine,
    floatingIp: flag().optional(),
    node: artifact(
      "Node.js",
      ".tar.gz",
      nodeVersionProblem,
      "https://nodejs.org/dist/vVERSION/SHASUMS256.txt",
    ),
    restic: artifact(
      "restic",
      ".bz2",
      keeperResticProblem,
      "https://github.com/restic/restic/releases/download/vVERSION/SHA256SUMS",
    ),
    keep: keep.optional(),
    approval: mapping(
      { snapshots: within("a number of snapshots", 0, 1_000_000).default(50), share: share.default(0.2) },
      "give snapshots, share or both",
    ).prefault({}),
    readGibPerDay: within("a number of GiB", 1, 1_000_000).default(50),
  },
  "give image, flavor, node and restic",
);
