/** The one key of a repository that the keeper uses. */
import { FormatError, openKey, type Key } from "../format";
import type { StoredObject } from "../objects";
import { nameOf, type Findings } from "./findings";

/** A repository's opened key and the name of its object. */
export interface OpenKey {
  readonly keyId: string;
  readonly key: Key;
}

/** Keys that are tried where none is pinned: each costs the work that its own parameters demand. */
const TRIES = 8;

/**
 * Opens the pinned key, or, where none is pinned, the earliest arrival that the password opens: the attacker's keys
 * arrived later than the one that made the repository.
 *
 * @param keys The sound key objects.
 * @returns Undefined after a finding.
 */
export async function unlock(
  keys: readonly StoredObject[],
  pinned: string | undefined,
  password: string,
  read: (key: StoredObject) => Promise<Buffer>,
  findings: Findings,
): Promise<OpenKey | undefined> {
  const tried =
    pinned === undefined
      ? keys.toSorted((a, b) => a.arrived - b.arrived).slice(0, TRIES)
      : keys.filter(({ id }) => id === pinned);
  for (const object of tried) {
    const file = await read(object);
    try {
      const key = await openKey(file, password);
      if (key !== undefined) {
        return { keyId: object.id, key };
      }
    } catch (error) {
      if (!(error instanceof FormatError)) {
        throw error;
      }
      findings.add("malformed", [object], `${nameOf(object)}: ${error.message}`);
    }
  }
  if (pinned === undefined) {
    findings.add("no-key-opens", tried, `the password opens none of the ${tried.length} earliest sound keys`);
  } else if (tried[0] === undefined) {
    findings.add("pinned-key-missing", [], `keys/${pinned}, the pinned key, does not exist or is not sound`);
  } else {
    findings.add(
      "pinned-key-closed",
      tried,
      `the password does not open ${nameOf(tried[0])}, the pinned key`,
    );
  }
  return undefined;
}
