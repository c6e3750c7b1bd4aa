/** What a repository holds, from the versions that S3 lists. */
import { isObjectId, type ObjectType, type StoredObject } from "../objects";
import type { Entry } from "../../s3/history";
import { idOf, type RepositoryName, typeFolder } from "./names";
import type { Store } from "./store";

/** An object of which S3 has any version. */
export interface Seen extends StoredObject {
  /** All versions that were put, where that are several. */
  readonly again?: readonly string[];
}

/** The order in which a view is listed: an honest backup writes packs before indexes, and those before its snapshot. */
export const LISTED = ["snapshots", "index", "data", "keys"] as const satisfies readonly ObjectType[];

/** Versions of an object, on average, that a listing reads before it gives up. */
const VERSIONS = 4;

/** Entries of any listing that are read, however few objects it may have. */
const PAGE = 1000;

/** A repository with more objects than the bounds allow. */
export class TooMany extends Error {}

/** `TYPE/ID`. */
export const labelOf = ({ type, id }: Pick<StoredObject, "type" | "id">): string => `${type}/${id}`;

interface Draft {
  id: string;
  size: number;
  /** Empty: what S3 shows is a marker. */
  versionId: string;
  arrived: number;
  versions: string | string[];
}

/** Adds a version or marker of the object with this ID. */
function note(drafts: Map<string, Draft>, id: string, entry: Entry): void {
  if (entry.marker) return;
  const known = drafts.get(id);
  const current = entry.latest;
  if (known === undefined) {
    const { size, versionId, modified } = entry;
    drafts.set(id, {
      id,
      size,
      versionId: current ? versionId : "",
      arrived: modified,
      versions: versionId,
    });
    return;
  }
  known.arrived = Math.min(known.arrived, entry.modified);
  if (current) [known.versionId, known.size] = [entry.versionId, entry.size];
  if (typeof known.versions === "string") known.versions = [known.versions];
  known.versions.push(entry.versionId);
}

/**
 * Lists the objects of one type that S3 shows.
 *
 * @param limit most objects
 * @param recorded earlier arrivals by ID, in milliseconds since 1970
 * @throws TooMany
 */
export async function listType(
  store: Store,
  name: RepositoryName,
  type: ObjectType,
  limit: number,
  recorded: Readonly<Record<string, number>> = {},
): Promise<Seen[]> {
  const folder = typeFolder(name, type);
  const drafts = new Map<string, Draft>();
  let entries = 0;
  for await (const page of store.versions(folder)) {
    for (const entry of page) note(drafts, idOf(type, entry.key.slice(folder.length)), entry);
    entries += page.length;
    if (drafts.size > limit || entries > limit * VERSIONS + PAGE) {
      throw new TooMany(`${folder} has more than ${limit} objects, or ${VERSIONS} versions of each`);
    }
  }
  const shown: Seen[] = [];
  for (const { id, size, versionId, arrived, versions } of drafts.values()) {
    if (versionId === "") continue;
    const earlier = Object.hasOwn(recorded, id) ? (recorded[id] ?? arrived) : arrived;
    const seen = { type, id, size, versionId, arrived: Math.min(arrived, earlier) };
    shown.push(typeof versions === "string" ? seen : { ...seen, again: versions });
  }
  return shown;
}

/** All objects of a repository but its locks. */
export interface RepositoryView {
  readonly objects: readonly Seen[];
}

/**
 * Lists a repository.
 *
 * @throws TooMany
 */
export async function listRepository(
  store: Store,
  name: RepositoryName,
  limit: number,
  recorded: Readonly<Record<string, number>>,
): Promise<RepositoryView> {
  const objects: Seen[] = [];
  for (const type of LISTED) {
    const arrivals = type === "snapshots" ? recorded : {};
    for (const one of await listType(store, name, type, limit - objects.length, arrivals)) objects.push(one);
  }
  return { objects };
}

/** A lock that is shorter makes restic's unlock and prune panic. */
const SHORTEST_LOCK = 16;

/** Locks, by what becomes of them. */
export interface Locks {
  /** restic sees them. */
  readonly live: readonly Seen[];
  /** Older than any run may last, by arrival: to be hidden. */
  readonly expired: readonly Seen[];
}

/**
 * Sorts locks.
 *
 * @param oldest the earliest arrival of a lock that counts, in milliseconds since 1970
 */
export function sortLocks(shown: readonly Seen[], oldest: number): Locks {
  const named = shown.filter(({ id }) => isObjectId(id));
  return {
    live: named.filter(({ arrived, size }) => arrived >= oldest && size >= SHORTEST_LOCK),
    expired: named.filter(({ arrived }) => arrived < oldest),
  };
}
