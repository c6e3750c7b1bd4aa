/** What became of objects, judged by their versions alone: who overwrote or hid what somebody else had put. */
import { isVersion, type Entry, type Version } from "../../../s3/history";
import { moment, printable } from "../../printable";

/** How somebody harmed an object. */
export interface Harm {
  is: "overwritten" | "hidden" | "unreadable";
  key: string;
  /** Who put what is on top now, by the service's name; absent where it does not tell. */
  by?: string;
  /** When the object was first changed, in milliseconds since 1970 by the service's clock. */
  first: number;
  /** Whether delete markers alone are left of it. */
  gone: boolean;
}

/** What became of one object. */
export type Fate =
  | { is: "whole" }
  /**
   * Somebody put the same again: a repeated upload, or an intruder who encrypted it with a key of his own, which
   * leaves size and ETag as they were. Only reading it tells.
   */
  | { is: "repeated"; version: Version; first: number }
  | Harm;

/**
 * Judges one object by its history. The names of restic's files are hashes of their content, so whatever differs
 * from an older version is no such file, and append-only clients remove none. The owner alone brings back and moves
 * away, so what is older than the owner's newest entry no longer counts. An ETag of another form, as an upload in
 * parts has, differs too: a repeated upload has the same form.
 *
 * @param history newest first
 * @param owner what the service calls the owner; default: nobody's word is taken
 */
export function judgeHistory(history: readonly Entry[], owner?: string): Fate {
  const own = owner === undefined ? -1 : history.findIndex(({ by }) => by === owner);
  const since = own === -1 ? history : history.slice(0, own + 1);
  const [now] = since;
  if (now === undefined || own === 0) return { is: "whole" };
  const oldest = since.findLast(isVersion);
  const harm = (is: Harm["is"], change: Entry | undefined): Harm => ({
    is,
    key: now.key,
    ...(now.by !== undefined && { by: now.by }),
    first: (change ?? now).modified,
    gone: !history.some(isVersion),
  });
  const others = own === -1 ? history : history.slice(0, own);
  const changed = others.findLast((entry) => entry.marker || (oldest !== undefined && differ(entry, oldest)));
  if (!isVersion(now)) {
    // What the owner has moved away is hidden already.
    return own !== -1 && since[own]?.marker === true ? { is: "whole" } : harm("hidden", changed);
  }
  const versions = since.filter(isVersion);
  if (versions.some((version) => differ(version, now))) return harm("overwritten", changed);
  const again = versions.at(-2);
  return again === undefined ? { is: "whole" } : { is: "repeated", version: now, first: again.modified };
}

const differ = (one: Entry, other: Entry): boolean => one.size !== other.size || one.etag !== other.etag;

/** The harm that an object has come to whose repetition cannot be read. */
export function unreadable({ version, first }: Fate & { is: "repeated" }): Harm {
  const { key, by } = version;
  return { is: "unreadable", key, ...(by !== undefined && { by }), first, gone: false };
}

/** Repositories that are named for each finding. */
const NAMED = 3;

const DEEDS: [is: Harm["is"], words: string][] = [
  ["overwritten", "overwritten"],
  ["hidden", "hidden by delete markers"],
  ["unreadable", "put again so that the owner cannot read them"],
];

/**
 * What was done to how many objects, by whom, when first and in which repositories, on one line.
 *
 * @param nameOf an S3 identity in words
 */
export function harmInWords(harms: readonly Harm[], nameOf: (id: string) => string): string {
  const deeds = DEEDS.flatMap(([is, words]) => {
    const count = harms.filter((harm) => harm.is === is).length;
    return count === 0 ? [] : [`${String(count)} ${words}`];
  });
  const gone = harms.filter((harm) => harm.gone).length;
  const first = harms.reduce((least, harm) => Math.min(least, harm.first), Infinity);
  const doers = counted(harms.map(({ by }) => (by === undefined ? "nobody knows whom" : nameOf(by))));
  const places = counted(harms.map(({ key }) => key.split("/", 2).join("/")));
  const more = places.length - NAMED;
  return [
    deeds.join(", ") + (gone > 0 ? ` (of ${String(gone)} no version is left)` : ""),
    `by ${doers.join(", ")}`,
    `first at ${moment(first)}`,
    `in ${places.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${String(more)} more repositories` : ""}`,
  ].join(", ");
}

/** Each text once, with its number, the most frequent first. */
function counted(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([text, count]) => `${printable(text)} (${String(count)})`);
}
