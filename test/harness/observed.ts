/** What a round of the watcher saw, of a stack that nobody has: all is well, but for what a test changes. */
import { NEW_STATE } from "../../keeper/retention";
import type { KeeperSettings, KeptRepository } from "../../keeper/settings";
import type { RepositoryState, Tried } from "../../keeper/state";
import { NO_SUSPECTS } from "../../keeper/status/schema";
import { DAY, HOUR } from "../../keeper/time";
import type { Observed, ObservedRepository } from "../../keeper/watch/observed";

export const GIB = 1024 ** 3;

/** A Sunday, nine hours after the last backup. */
export const NOW = Date.parse("2026-11-29T12:00:00Z");

/** An ID as restic gives them. */
export const idOf = (n: number): string => n.toString(16).padStart(64, "0");

export const KEPT: KeptRepository = {
  client: "web",
  repository: "main",
  pins: [],
  schedule: "*-*-* 03:00 UTC",
  window: 30,
  frozen: false,
};

export const settingsOf = (
  repositories: readonly KeptRepository[] = [KEPT],
  change: Partial<KeeperSettings> = {},
): KeeperSettings => ({
  s3: { endpoint: "https://s3.example.org", region: "r", bucket: "b" },
  repositories,
  approval: { snapshots: 50, share: 0.25 },
  bounds: { objects: 1e6, metadataBytes: 1e8, packBytes: 1e8, readBytes: 1e9, lateObjects: 100 },
  noncurrentVersionDays: 30,
  ...change,
});

export const tried = (at: number, change: Partial<Tried> = {}): Tried => ({
  at,
  ok: true,
  detail: "done",
  succeeded: at,
  ...change,
});

/** Guarded and checked today. */
export const stateOf = (change: Partial<RepositoryState> = {}): RepositoryState => ({
  ...NEW_STATE,
  verified: true,
  tried: { guard: tried(NOW - HOUR), check: tried(NOW - HOUR) },
  allDataRead: NOW - HOUR,
  ...change,
});

/** A repository with a snapshot of each of the last three days, at 03:10. */
export const seenOf = (change: Partial<ObservedRepository> = {}): ObservedRepository => ({
  client: KEPT.client,
  repository: KEPT.repository,
  at: NOW,
  created: NOW - 60 * DAY,
  snapshots: [2, 1, 0].map((day) => ({ id: idOf(day), arrived: NOW - 8 * HOUR - 50 * 60_000 - day * DAY })),
  objects: 100,
  bytes: 10 * GIB,
  versionBytes: 11 * GIB,
  added: {},
  addedToday: 0,
  locks: { count: 0, forged: NO_SUSPECTS },
  unknown: NO_SUSPECTS,
  hidden: NO_SUSPECTS,
  overwritten: NO_SUSPECTS,
  state: stateOf(),
  held: false,
  ...change,
});

export const observedOf = (
  repositories: readonly ObservedRepository[] = [seenOf()],
  change: Partial<Observed> = {},
): Observed => ({ at: NOW, beside: NO_SUSPECTS, repositories, ...change });
