/** The versions and delete markers of objects, and the order in which they came about. */

/** The top folder to which recoveries move objects; client names cannot begin with a dot. */
export const QUARANTINE = ".quarantine";

/** One version of an object, or one delete marker. */
export interface Entry {
  key: string;
  /** Whether the key is not valid UTF-8, so that no request can name it; `key` has U+FFFD in place of invalid bytes. */
  nameless?: true;
  versionId: string;
  /** Whether it is a delete marker. */
  marker: boolean;
  /** Whether a GET without a version ID returns it. */
  latest: boolean;
  /** When it was put, in milliseconds since 1970 by the service's clock. */
  modified: number;
  /** Bytes; 0 for a marker. */
  size: number;
  /** Without quotes; empty for a marker. */
  etag: string;
  /** The S3 identity that put it, where the service reports it. */
  by?: string;
}

/** A version of an object: an entry that is no delete marker. */
export type Version = Entry & { marker: false };

/**
 * All entries of one key, newest first. S3 lists versions and delete markers each newest first, but only their times
 * relate the two lists, and those may have a resolution of one second. At equal times the version counts as the newer
 * one, because restoring too much is safer than too little. `latest` is always exact.
 */
export function historyOf(versions: readonly Entry[], markers: readonly Entry[]): Entry[] {
  const history: Entry[] = [];
  let v = 0;
  let m = 0;
  for (;;) {
    const version = versions[v];
    const marker = markers[m];
    if (marker === undefined) return [...history, ...versions.slice(v)];
    if (version === undefined) return [...history, ...markers.slice(m)];
    if (marker.latest || (!version.latest && marker.modified > version.modified)) {
      history.push(marker);
      m += 1;
    } else {
      history.push(version);
      v += 1;
    }
  }
}

/**
 * The history of each key; see {@link historyOf}.
 *
 * @param entries the versions of each key newest first, and its markers newest first
 */
export function historiesOf(entries: readonly Entry[]): Map<string, Entry[]> {
  const keys = new Map<string, { versions: Entry[]; markers: Entry[] }>();
  for (const entry of entries) {
    let lists = keys.get(entry.key);
    if (lists === undefined) keys.set(entry.key, (lists = { versions: [], markers: [] }));
    (entry.marker ? lists.markers : lists.versions).push(entry);
  }
  return new Map([...keys].map(([key, { versions, markers }]) => [key, historyOf(versions, markers)]));
}

/** Whether it is a version of an object, not a delete marker. */
export const isVersion = (entry: Entry | undefined): entry is Version => entry !== undefined && !entry.marker;
