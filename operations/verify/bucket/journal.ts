/** What the keeper's journal accounts for: the markers of honest retention, told from an intruder's. */
import { readJournal } from "../../../keeper/gate/journal";
import { S3Store } from "../../../keeper/gate/store";
import { isVersion, type Entry } from "../../../s3/history";
import type { BucketProbe } from "./target";

/** By key, the versions that the gate hid. */
export type Hidden = ReadonlyMap<string, ReadonlySet<string>>;

/** The parts of a repository that the gate hides objects of; it never hides a key or the configuration. */
const HIDES = /^[^/]+\/[^/]+\/(?:snapshots|index|data)\//;

/**
 * Reads the journal of a repository. Records that another identity put do not count: before there was a keeper's folder
 * in the policy, the writer could put some.
 *
 * @param prefix `CLIENT/REPOSITORY/`
 * @param keeper the keeper's S3 identity
 * @throws Error where a record is not understood
 */
export async function hiddenByGate(
  { owner, address }: BucketProbe,
  prefix: string,
  keeper: string,
): Promise<Hidden> {
  const [client = "", repository = ""] = prefix.split("/");
  const bucket = new S3Store(owner, address);
  const store = {
    get: bucket.get.bind(bucket),
    versions: async function* (folder: string) {
      for await (const page of bucket.versions(folder)) yield page.filter(({ by }) => by === keeper);
    },
  };
  const hidden = new Map<string, Set<string>>();
  for (const { entries } of await readJournal(store, { client, repository })) {
    for (const { key, action, versionId } of entries) {
      if (action !== "hide" || versionId === undefined || !HIDES.test(key)) continue;
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
    const versions = hidden.get(entry.key);
    if (!entry.marker || entry.by !== keeper || versions === undefined) return true;
    const below = history.slice(at + 1).find(isVersion);
    return below !== undefined && !versions.has(below.versionId);
  });
}
