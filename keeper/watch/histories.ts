/** The entries of a listing, object by object, in bounded memory. */
import { type Entry, historyOf } from "../../s3/history";

/** Versions, and markers, of one object that are kept: an attacker can put any number. */
const KEPT = 100;

/** What happened to one object. */
export interface ObjectHistory {
  readonly key: string;
  /** Newest first; of many the newest versions and the newest markers. */
  readonly entries: readonly Entry[];
  /** Whether there are older versions than these. */
  readonly cut: boolean;
  /** When its first version arrived, in milliseconds since 1970; `Infinity`: it has none. */
  readonly arrived: number;
}

interface Draft {
  readonly versions: Entry[];
  readonly markers: Entry[];
  cut: boolean;
  arrived: number;
}

/** Gathers the entries of each key from the pages of a listing. */
export class Histories {
  private drafts = new Map<string, Draft>();

  /**
   * Takes the next page.
   *
   * @param page without entries whose keys no request can name
   * @returns the objects that are complete
   */
  take(page: readonly Entry[]): ObjectHistory[] {
    for (const entry of page) this.note(entry);
    // The entries of these may go on in the next page.
    const last = new Set([page.findLast(({ marker }) => !marker)?.key, page.at(-1)?.key]);
    const open = new Map([...this.drafts].filter(([key]) => last.has(key)));
    const complete = [...this.drafts].filter(([key]) => !last.has(key));
    this.drafts = open;
    return complete.map(historyFrom);
  }

  /** The objects that were open when the listing ended. */
  rest(): ObjectHistory[] {
    return [...this.drafts].map(historyFrom);
  }

  private note(entry: Entry): void {
    let draft = this.drafts.get(entry.key);
    if (draft === undefined) {
      draft = { versions: [], markers: [], cut: false, arrived: Infinity };
      this.drafts.set(entry.key, draft);
    }
    const list = entry.marker ? draft.markers : draft.versions;
    if (list.length < KEPT) list.push(entry);
    else draft.cut ||= !entry.marker;
    if (!entry.marker) draft.arrived = Math.min(draft.arrived, entry.modified);
  }
}

const historyFrom = ([key, { versions, markers, cut, arrived }]: [string, Draft]): ObjectHistory => ({
  key,
  entries: historyOf(versions, markers),
  cut,
  arrived,
});
