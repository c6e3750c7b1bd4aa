/** What happened to objects, judged by their versions only: which identity overwrote or hid what another had put. */
import { isVersion, type Entry, type Version } from "../../../s3/history";
import { moment, printable } from "../../printable";

/** Damage to an object. */
export interface Damage {
  is: "overwritten" | "hidden" | "unreadable";
  key: string;
  /** The S3 identity that put the newest entry; absent where the service does not report it. */
  by?: string;
  /** Time of the first change, in milliseconds since 1970 by the service's clock. */
  first: number;
  /** Whether only delete markers are left. */
  gone: boolean;
}

/** What happened to one object. */
export type Fate =
  | { is: "whole" }
  /**
   * The same content was put again: a repeated upload, or an attacker encrypted it with a customer key, which keeps
   * size and ETag. Only a read distinguishes them.
   */
  | { is: "repeated"; version: Version; first: number }
  | Damage;

/**
 * Judges one object by its history. The names of restic's files are hashes of their content, so a version that differs
 * from an older one is no such file, and append-only clients remove none. Only the owner restores and moves away, so what
 * is older than the owner's newest entry does not count. An ETag of another form, as an upload in parts has, differs too:
 * a repeated upload has the same form.
 *
 * @param history newest first
 * @param owner the owner's S3 identity. @default unknown, so that the owner's changes count as well
 */
export function judgeHistory(history: readonly Entry[], owner?: string): Fate {
  const own = owner === undefined ? -1 : history.findIndex(({ by }) => by === owner);
  const since = own === -1 ? history : history.slice(0, own + 1);
  const [now] = since;
  if (now === undefined || own === 0) return { is: "whole" };
  const oldest = since.findLast(isVersion);
  const damage = (is: Damage["is"], change: Entry | undefined): Damage => ({
    is,
    key: now.key,
    ...(now.by !== undefined && { by: now.by }),
    first: (change ?? now).modified,
    gone: !history.some(isVersion),
  });
  const others = own === -1 ? history : history.slice(0, own);
  const changed = others.findLast((entry) => entry.marker || (oldest !== undefined && differ(entry, oldest)));
  if (!isVersion(now)) {
    // What the owner moved away is hidden already.
    return own !== -1 && since[own]?.marker === true ? { is: "whole" } : damage("hidden", changed);
  }
  const versions = since.filter(isVersion);
  if (versions.some((version) => differ(version, now))) return damage("overwritten", changed);
  const again = versions.at(-2);
  return again === undefined ? { is: "whole" } : { is: "repeated", version: now, first: again.modified };
}

const differ = (one: Entry, other: Entry): boolean => one.size !== other.size || one.etag !== other.etag;

/** The damage to an object whose repetition cannot be read. */
export function unreadable({ version, first }: Fate & { is: "repeated" }): Damage {
  const { key, by } = version;
  return { is: "unreadable", key, ...(by !== undefined && { by }), first, gone: false };
}

/** Repositories named in a finding. */
const NAMED = 3;

const DEEDS: [is: Damage["is"], words: string][] = [
  ["overwritten", "overwritten"],
  ["hidden", "hidden by delete markers"],
  ["unreadable", "put again so that the owner cannot read them"],
];

/**
 * The kinds of damage with their numbers, the identities, the first time and the repositories, on one line.
 *
 * @param nameOf an S3 identity in words
 */
export function damageInWords(damages: readonly Damage[], nameOf: (id: string) => string): string {
  const deeds = DEEDS.flatMap(([is, words]) => {
    const count = damages.filter((damage) => damage.is === is).length;
    return count === 0 ? [] : [`${String(count)} ${words}`];
  });
  const gone = damages.filter((damage) => damage.gone).length;
  const first = damages.reduce((least, damage) => Math.min(least, damage.first), Infinity);
  const doers = counted(damages.map(({ by }) => (by === undefined ? "an unknown identity" : nameOf(by))));
  const places = counted(damages.map(({ key }) => key.split("/", 2).join("/")));
  const more = places.length - NAMED;
  return [
    deeds.join(", ") + (gone > 0 ? ` (of ${String(gone)} no version is left)` : ""),
    `by ${doers.join(", ")}`,
    `first at ${moment(first)}`,
    `in ${places.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${String(more)} more repositories` : ""}`,
  ].join(", ");
}

/** Each string once, with its number, the most frequent first. */
function counted(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([text, count]) => `${printable(text)} (${String(count)})`);
}
