/** What a repository holds, from the versions that S3 lists. */
import { isObjectId, type ObjectType, type StoredObject } from "../objects";
import { ownValue } from "../own-value";
import type { Entry } from "../../s3/history";
import { idOf, type RepositoryName, typeFolder } from "./names";
import type { Store } from "./store";

/** An object of which S3 has any version. */
export interface Seen extends StoredObject {
  /** All versions that were put, where that are several. */
  readonly again?: readonly string[] | undefined;
}

/** The order in which a view is listed: an honest backup writes packs before indexes, and those before its snapshot. */
export const LISTED = ["snapshots", "index", "data", "keys"] as const satisfies readonly ObjectType[];

/** Versions of an object, on average, that a listing reads before it gives up. */
export const VERSIONS = 4;

/** Entries of any listing that are read, however few objects it may have. */
export const PAGE = 1000;

/** A repository with more objects than the bounds allow. */
export class TooMany extends Error {}

/** `TYPE/ID`. */
export const labelOf = ({ type, id }: Pick<StoredObject, "type" | "id">): string => `${type}/${id}`;

/** The same text in memory of its own: a part of an answer of S3's would keep all of the answer in memory. */
export const detached = (text: string): string => Buffer.from(text).toString();

/** An object that is being listed; without a version S3 shows a marker. */
type Draft = { -readonly [Field in keyof Seen]: Seen[Field] };

/** Adds a version of the object with this ID. */
function note(drafts: Map<string, Draft>, type: ObjectType, name: string, entry: Entry): void {
  if (entry.marker) return;
  const { latest, modified } = entry;
  const versionId = detached(entry.versionId);
  const known = drafts.get(name);
  if (known === undefined) {
    const id = detached(name);
    const again = latest ? undefined : [versionId];
    drafts.set(id, {
      type,
      id,
      size: entry.size,
      versionId: latest ? versionId : "",
      arrived: modified,
      again,
    });
    return;
  }
  known.again = [...(known.again ?? [known.versionId]), versionId];
  known.arrived = Math.min(known.arrived, modified);
  if (latest) [known.versionId, known.size] = [versionId, entry.size];
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
    for (const entry of page) note(drafts, type, idOf(type, entry.key.slice(folder.length)), entry);
    entries += page.length;
    if (drafts.size > limit || entries > limit * VERSIONS + PAGE) {
      throw new TooMany(`${folder} has more than ${limit} objects, or ${VERSIONS} versions of each`);
    }
  }
  const shown = [...drafts.values()].filter(({ versionId }) => versionId !== "");
  for (const draft of shown) {
    const earlier = ownValue(recorded, draft.id);
    draft.arrived = Math.min(draft.arrived, earlier ?? draft.arrived);
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

/** Bytes: a lock that is shorter makes restic's unlock and prune panic. */
export const SHORTEST_LOCK = 16;

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
