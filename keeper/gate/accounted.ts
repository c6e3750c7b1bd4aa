/** What the gate's journal accounts for: it distinguishes the markers of honest retention from an attacker's. */
import { isVersion, type Entry } from "../../s3/history";
import { journalRecords, type JournalRecord } from "./journal";
import type { RepositoryName } from "./names";
import type { Store } from "./store";

/** A version that the gate hid. */
export interface Hiding {
  readonly key: string;
  readonly versionId: string;
}

/** The parts of a repository that the gate hides objects of; it never hides a key or the configuration. */
const HIDES = /^[^/]+\/[^/]+\/(?:snapshots|index|data)\//;

/**
 * The records of a repository's journal that the keeper put. Those of another identity do not count: before there was a
 * keeper's folder in the policy, the writer could put some.
 *
 * @param keeper the keeper's S3 identity
 * @param days milliseconds since 1970 of the days (UTC) of interest. @default all
 * @throws Error where a record is not understood, or S3 fails
 */
export function keepersRecords(
  store: Pick<Store, "versions" | "get">,
  name: RepositoryName,
  keeper: string,
  days?: readonly number[],
): AsyncIterable<JournalRecord> {
  const own = {
    get: store.get.bind(store),
    versions: async function* (folder: string) {
      for await (const page of store.versions(folder)) yield page.filter(({ by }) => by === keeper);
    },
  };
  return journalRecords(own, name, days);
}

/** What a record says that the gate hid, of what it may hide. */
export const hidingsOf = ({ entries }: JournalRecord): Hiding[] =>
  entries.flatMap(({ key, action, versionId }) =>
    action === "hide" && versionId !== undefined && HIDES.test(key) ? [{ key, versionId }] : [],
  );

/**
 * Whether a version that the gate hid explains a marker of the keeper's.
 *
 * @param below the version below the marker; `undefined`: it has expired since
 */
export const accountsFor = (hidden: string, below: string | undefined): boolean =>
  below === undefined || hidden === below;

/** By key, the versions that the gate hid. */
export type Hidden = ReadonlyMap<string, ReadonlySet<string>>;

/** All that the journal of a repository says was hidden; see {@link keepersRecords}. */
export async function hiddenByGate(
  store: Pick<Store, "versions" | "get">,
  name: RepositoryName,
  keeper: string,
): Promise<Hidden> {
  const hidden = new Map<string, Set<string>>();
  for await (const record of keepersRecords(store, name, keeper)) {
    for (const { key, versionId } of hidingsOf(record)) {
      hidden.set(key, (hidden.get(key) ?? new Set()).add(versionId));
    }
  }
  return hidden;
}

/**
 * The history without the keeper's markers that the journal accounts for: each names the version below it, or that one
 * has expired since.
 *
 * @param history of one object, newest first
 */
export function withoutAccounted(history: readonly Entry[], keeper: string, hidden: Hidden): Entry[] {
  return history.filter((entry, at) => {
    if (!entry.marker || entry.by !== keeper) return true;
    const below = history.slice(at + 1).find(isVersion)?.versionId;
    return ![...(hidden.get(entry.key) ?? [])].some((version) => accountsFor(version, below));
  });
}
