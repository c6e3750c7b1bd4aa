/** What happened to one object, by its versions alone: who hid it, and who put it again. */
import { isVersion } from "../../s3/history";
import type { ObjectHistory } from "./histories";

/** The S3 IDs by which a service reports who put a version or marker. */
export interface Identities {
  /** @default unknown: what it hides is not accounted for */
  readonly keeper?: string;
  /** @default unknown: what it hides and restores is not excused */
  readonly owner?: string;
}

/** Whether an object is hidden, and by whose word. */
export type Hiddenness =
  /** It is shown, the owner hid it, or the journal has accounted for it before. */
  | { readonly is: "fine" }
  /** Somebody else than keeper and owner hid it. */
  | { readonly is: "suspect"; readonly since: number }
  /** The keeper hid it: the journal has to say so. */
  | {
      readonly is: "keepers";
      /** The version below the markers; absent: it has expired. */
      readonly below?: string;
      /** Times of the markers, the newest first. */
      readonly times: readonly number[];
    };

/** The place of the owner's newest entry; -1: there is none. */
const ownersPlace = ({ entries }: ObjectHistory, { owner }: Identities): number =>
  owner === undefined ? -1 : entries.findIndex(({ by }) => by === owner);

/**
 * Judges whether an object is hidden. What the owner moved away is hidden already, whatever came after it.
 *
 * @param accountedUntil the journal accounts for the keeper's markers up to then
 */
export function judgeHidden(
  history: ObjectHistory,
  identities: Identities,
  accountedUntil: number,
): Hiddenness {
  const { entries } = history;
  const end = entries.findIndex(isVersion);
  const markers = end === -1 ? entries : entries.slice(0, end);
  if (entries[ownersPlace(history, identities)]?.marker === true) return { is: "fine" };
  const { keeper } = identities;
  const foreign = markers.findLast(({ by }) => keeper === undefined || by !== keeper);
  if (foreign !== undefined) return { is: "suspect", since: foreign.modified };
  const times = markers.map(({ modified }) => modified).filter((time) => time > accountedUntil);
  if (times.length === 0) return { is: "fine" };
  const below = entries[end]?.versionId;
  return { is: "keepers", ...(below === undefined ? {} : { below }), times };
}

/**
 * When an object was put again, and neither by the owner nor with its approval; `undefined`: it was not. Only the owner
 * restores and moves away, so what is older than its newest entry does not count.
 *
 * @param approved versions that the owner approved
 */
export function overwrittenSince(
  history: ObjectHistory,
  identities: Identities,
  approved: ReadonlySet<string>,
): number | undefined {
  const own = ownersPlace(history, identities);
  const counting = own === -1 ? history.entries : history.entries.slice(0, own + 1);
  const versions = counting.filter(isVersion);
  const later = own === -1 && history.cut ? versions : versions.slice(0, -1);
  return later.findLast(({ versionId }) => !approved.has(versionId))?.modified;
}
