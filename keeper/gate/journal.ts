/**
 * What the gate hid and put: JSON objects below `.keeper/CLIENT/REPOSITORY/journal/`, each written before what it says is
 * done. Recovering reads them to tell the keeper's deletions from an intruder's.
 */
import { randomBytes } from "node:crypto";
import { dayOf } from "../words";
import { journalFolder, nameOf, type RepositoryName } from "./names";
import { contentOf, type Store } from "./store";

/** One object that the gate was about to hide or to put. */
export interface JournalEntry {
  readonly key: string;
  readonly action: "hide" | "put";
  /** Of `hide`: the version that was the current one. */
  readonly versionId?: string;
  /** Bytes. */
  readonly size: number;
  readonly why: "forget" | "prune" | "lock";
}

/** One object of the journal. */
export interface JournalRecord {
  readonly version: 1;
  /** In milliseconds since 1970, by the gate's clock. */
  readonly at: number;
  readonly client: string;
  readonly repository: string;
  /** The session, a random name. */
  readonly run: string;
  readonly entries: readonly JournalEntry[];
}

/** Bytes of a record that are read: a group of the largest size has far less. */
const MOST_BYTES = 1024 * 1024;

/** Writes a record. */
export async function writeRecord(store: Store, record: JournalRecord): Promise<void> {
  const time = new Date(record.at).toISOString();
  const key = `${journalFolder(record)}${time}-${randomBytes(8).toString("hex")}.json`;
  await store.put(key, Buffer.from(JSON.stringify(record)));
}

const isText = (value: unknown): value is string => typeof value === "string";

/**
 * Reads one object of a journal.
 *
 * @throws Error for what no gate writes about this repository
 */
export function parseRecord(name: RepositoryName, content: Buffer): JournalRecord {
  const record = JSON.parse(content.toString()) as Partial<JournalRecord> | null;
  const ofRepository = (entry: Partial<JournalEntry> | null): boolean =>
    isText(entry?.key) &&
    entry.key.startsWith(`${nameOf(name)}/`) &&
    (entry.action === "put" || (entry.action === "hide" && isText(entry.versionId))) &&
    typeof entry.size === "number" &&
    ["forget", "prune", "lock"].includes(entry.why ?? "");
  if (
    record?.version !== 1 ||
    record.client !== name.client ||
    record.repository !== name.repository ||
    !Number.isSafeInteger(record.at) ||
    !isText(record.run) ||
    !Array.isArray(record.entries) ||
    !record.entries.every(ofRepository)
  ) {
    throw new Error(
      `the keeper's journal of ${nameOf(name)} has a record that this version does not understand`,
    );
  }
  return record as JournalRecord;
}

/**
 * The records of a repository one by one, in no order.
 *
 * @param days milliseconds since 1970 of the days (UTC) of interest. @default all
 * @throws Error where a record is not understood, or S3 fails
 */
export async function* journalRecords(
  store: Pick<Store, "versions" | "get">,
  name: RepositoryName,
  days?: readonly number[],
): AsyncGenerator<JournalRecord> {
  const folder = journalFolder(name);
  // Their names begin with the day.
  for (const day of new Set(days?.map(dayOf) ?? [""])) {
    for await (const page of store.versions(folder + day)) {
      for (const { key, latest, marker } of page) {
        const content = latest && !marker ? await contentOf(store, key, MOST_BYTES) : undefined;
        if (content !== undefined) yield parseRecord(name, content);
      }
    }
  }
}

/**
 * The records of a repository, in the order of time.
 *
 * @param days milliseconds since 1970 of the days (UTC) of interest. @default all
 * @throws Error where a record is not understood, or S3 fails
 */
export async function readJournal(
  store: Pick<Store, "versions" | "get">,
  name: RepositoryName,
  days?: readonly number[],
): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of journalRecords(store, name, days)) records.push(record);
  return records.sort((one, other) => one.at - other.at);
}

/** The keys of the locks that a gate put, by its records. */
export const locksPut = (records: readonly JournalRecord[]): string[] =>
  records
    .flatMap(({ entries }) => entries)
    .filter(({ action, why }) => action === "put" && why === "lock")
    .map(({ key }) => key);

/**
 * Writes what is submitted in groups: what is submitted while a group is being written goes into the next one.
 *
 * @param write writes a group; where it throws, all of the group fail
 * @param most entries of a group
 */
export class GroupCommit<T> {
  private waiting: { entry: T; resolve: () => void; reject: (error: unknown) => void }[] = [];
  private writing = false;

  constructor(
    private readonly write: (group: readonly T[]) => Promise<void>,
    private readonly most: number,
  ) {}

  /** Resolves when the entry is written. */
  async submit(entry: T): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.waiting.push({ entry, resolve, reject });
      void this.next();
    });
  }

  private async next(): Promise<void> {
    if (this.writing) return;
    this.writing = true;
    // What is submitted in this turn of the event loop belongs together.
    await new Promise((resolve) => setImmediate(resolve));
    const group = this.waiting.splice(0, this.most);
    try {
      await this.write(group.map(({ entry }) => entry));
      for (const { resolve } of group) resolve();
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
    this.writing = false;
    if (this.waiting.length > 0) void this.next();
  }
}
