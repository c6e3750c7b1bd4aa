/** What one round sees of one repository, in memory that neither its size nor an attacker exceeds. */
import type { Entry } from "../../s3/history";
import { readApproval, readPlanned, readState, type StateDocument } from "../documents";
import { accountsFor, hidingsOf, keepersRecords } from "../gate/accounted";
import { idOf, nameOf, type RepositoryName } from "../gate/names";
import type { Store } from "../gate/store";
import { detached, PAGE, SHORTEST_LOCK, VERSIONS } from "../gate/view";
import { isObjectId, OBJECT_TYPES, type ObjectType } from "../objects";
import { ownValue } from "../own-value";
import { messageOf, printable } from "../printable";
import type { Planned } from "../state";
import { CALENDAR_DAYS, NO_SUSPECTS } from "../status/schema";
import { DAY, HOUR } from "../time";
import { dayOf } from "../words";
import { Histories, type ObjectHistory } from "./histories";
import { type Identities, judgeHidden, overwrittenSince } from "./judgements";
import type { ObservedRepository } from "./observed";
import { SuspectList } from "./suspects";

/** Most bytes of each document. */
const DOCUMENT_BYTES = 16 * 1024 * 1024;

/** The clocks of S3, gate and watcher are less apart, and S3 has a marker within this time after the journal. */
const MARGIN = HOUR;

/** Markers that wait until the journal is read, half a kilobyte each, of each of the repositories that are looked at. */
const WAITING = 20_000;

/** Records of a journal that are read for those, of up to 100 objects each. */
const RECORDS = 50_000;

/** Snapshots of one repository: hourly ones of more than five years. */
const SNAPSHOTS = 50_000;

/** Snapshots that are gone whose arrivals are remembered, those that arrived last: hourly ones of all days. */
const GONE = CALENDAR_DAYS * 24;

const NONE: ReadonlySet<string> = new Set();

/** Objects of a finding that are remembered. */
const NAMED = 20;

/** Characters of an error. */
const MOST_WORDS = 500;

/** What all repositories of a round share. */
export interface Round {
  readonly store: Pick<Store, "versions" | "get">;
  readonly identities: Identities;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** When it ends, whatever has not been looked at by then. */
  readonly until: number;
  /** Objects of a repository. */
  readonly objects: number;
  /** Snapshots that are remembered of each repository, however many a client puts into its own. */
  readonly ownSnapshots: number;
  /** Those beyond that of all repositories, gone ones included, that may still be remembered. */
  snapshotsLeft: number;
}

/** What is known of a repository before it is listed. */
export interface Known {
  readonly held: boolean;
  /** Whether the owner has approved anything. */
  readonly approved: boolean;
  /** As {@link ObservedRepository} has it from the round before. */
  readonly accountedUntil?: number;
}

const NOTHING: Omit<ObservedRepository, "client" | "repository" | "at" | "held"> = {
  snapshots: [],
  objects: 0,
  bytes: 0,
  versionBytes: 0,
  added: {},
  addedToday: 0,
  locks: { count: 0, forged: NO_SUSPECTS },
  unknown: NO_SUSPECTS,
  hidden: NO_SUSPECTS,
  overwritten: NO_SUSPECTS,
};

/** Looks at one repository; where that fails, the error says why. */
export async function observeRepository(
  round: Round,
  { client, repository }: RepositoryName,
  { held, approved, accountedUntil }: Known,
): Promise<ObservedRepository> {
  const at = round.now();
  // Nothing is accounted for that has not happened: another clock, or a forged status.
  const accounted = Math.min(accountedUntil ?? -Infinity, at - MARGIN);
  const about = { client, repository, at, held };
  const look = new Look(round, about, approved, accounted);
  try {
    return { ...about, ...(await look.take()) };
  } catch (error) {
    look.forget();
    return {
      ...about,
      ...NOTHING,
      ...(accountedUntil === undefined ? {} : { accountedUntil }),
      error: printable(messageOf(error), MOST_WORDS),
    };
  }
}

/**
 * What an object is by its key below the repository; `undefined`: restic gives no such name. Of locks each name.
 */
function typeOf(name: string): ObjectType | "config" | undefined {
  if (name === "config") return "config";
  const slash = name.indexOf("/");
  const type = OBJECT_TYPES.find((one) => one === name.slice(0, slash));
  if (type === undefined || type === "locks") return type;
  return isObjectId(idOf(type, name.slice(slash + 1))) ? type : undefined;
}

/** The keeper's markers on one object. */
interface Waiting {
  /** The version below them; `undefined`: it has expired. */
  readonly below: string | undefined;
  readonly oldest: number;
}

/** One listing of one repository. */
class Look {
  private readonly prefix: string;
  private readonly snapshots: { id: string; arrived: number }[] = [];
  private created = Infinity;
  private objects = 0;
  private bytes = 0;
  private versionBytes = 0;
  private readonly added = new Map<string, number>();
  private addedToday = 0;
  private locks = 0;
  private oldestLock = Infinity;
  private readonly forged = new SuspectList();
  private readonly unknown = new SuspectList();
  private readonly hidden = new SuspectList();
  private readonly overwritten = new SuspectList();
  /** Versions that the owner approved; absent: not read yet. */
  private judged: ReadonlySet<string> | undefined;
  /** By key. */
  private readonly waiting = new Map<string, Waiting>();
  /** Days of the journal that may account for them, as times. */
  private readonly days = new Set<number>();
  private unaccounted = Infinity;

  constructor(
    private readonly round: Round,
    private readonly about: RepositoryName & { readonly at: number },
    private readonly approved: boolean,
    private readonly accountedUntil: number,
  ) {
    this.prefix = `${nameOf(about)}/`;
  }

  async take(): Promise<Omit<ObservedRepository, "client" | "repository" | "at" | "held">> {
    const { store, objects } = this.round;
    this.requireTime();
    const planned = await readPlanned(store, this.about, DOCUMENT_BYTES);
    const state = await readState(store, this.about, DOCUMENT_BYTES);

    const histories = new Histories();
    let entries = 0;
    for await (const page of store.versions(this.prefix)) {
      this.requireTime();
      entries += page.length;
      if (entries > objects * VERSIONS + PAGE) {
        throw new Error(
          `${nameOf(this.about)} has more than ${objects} objects, or ${VERSIONS} versions of each: not all were looked at`,
        );
      }
      for (const entry of page) this.note(entry);
      for (const history of histories.take(page.filter(({ nameless }) => nameless !== true))) {
        await this.judge(history, state);
      }
    }
    for (const history of histories.rest()) await this.judge(history, state);
    await this.account();

    const { snapshots, locks, oldestLock, created, unaccounted } = this;
    const { at } = this.about;
    return {
      ...(Number.isFinite(created) ? { created } : {}),
      snapshots: snapshots.sort((one, other) => one.arrived - other.arrived),
      objects: this.objects,
      bytes: this.bytes,
      versionBytes: this.versionBytes,
      added: Object.fromEntries(this.added),
      addedToday: this.addedToday,
      locks: {
        count: locks,
        ...(Number.isFinite(oldestLock) ? { oldest: oldestLock } : {}),
        forged: this.forged.all,
      },
      unknown: this.unknown.all,
      hidden: this.hidden.all,
      overwritten: this.overwritten.all,
      accountedUntil: Math.min(at - MARGIN, unaccounted - 1),
      ...(state === undefined ? {} : { state: this.remembered(state) }),
      // Its form was checked, but for the kinds of pauses, which are only shown.
      ...(planned === undefined ? {} : { planned: planned as Planned }),
    };
  }

  /** Gives back its share of what the round may remember. */
  forget(): void {
    this.round.snapshotsLeft += Math.max(0, this.snapshots.length - this.round.ownSnapshots);
  }

  private requireTime(): void {
    const { now, until } = this.round;
    if (now() > until) throw new Error(`${nameOf(this.about)} could not be looked at in time`);
  }

  /** Adds a version's bytes. */
  private note({ key, nameless, marker, latest, size, modified }: Entry): void {
    if (marker) return;
    this.versionBytes += size;
    if (latest) this.bytes += size;
    if (nameless === true && latest) {
      this.objects += 1;
      this.unknown.add(key, modified);
    }
    const { at } = this.about;
    if (key.startsWith(`${this.prefix}locks/`) || modified < at - CALENDAR_DAYS * DAY) return;
    const day = dayOf(modified);
    this.added.set(day, (this.added.get(day) ?? 0) + size);
    if (modified > at - DAY) this.addedToday += size;
  }

  private async judge(history: ObjectHistory, state: StateDocument | undefined): Promise<void> {
    const { key, entries, arrived } = history;
    const name = key.slice(this.prefix.length);
    const type = typeOf(name);
    if (type === "config") this.created = arrived;
    const latest = entries.find((entry) => entry.latest);
    if (latest === undefined || latest.marker) {
      if (type !== undefined && type !== "locks") await this.judgeHidden(history);
      return;
    }
    if (type === "locks") {
      if (!isObjectId(name.slice("locks/".length)) || latest.size < SHORTEST_LOCK) {
        this.forged.add(key, arrived);
      } else {
        this.locks += 1;
        this.oldestLock = Math.min(this.oldestLock, arrived);
      }
      return;
    }
    this.objects += 1;
    if (type === undefined) this.unknown.add(key, arrived);
    const since = await this.overwrittenSince(history);
    if (since !== undefined) this.overwritten.add(key, since);
    if (type === "snapshots") this.addSnapshot(name.slice("snapshots/".length), arrived, state);
  }

  private addSnapshot(name: string, arrived: number, state: StateDocument | undefined): void {
    const isOwn = this.snapshots.length < this.round.ownSnapshots;
    if (this.snapshots.length >= SNAPSHOTS || (!isOwn && this.round.snapshotsLeft <= 0)) {
      throw new Error(
        `${nameOf(this.about)} has more than ${SNAPSHOTS} snapshots, or all repositories together have too many`,
      );
    }
    if (!isOwn) this.round.snapshotsLeft -= 1;
    const id = detached(name);
    const recorded = ownValue(state?.arrivals, id);
    this.snapshots.push({ id, arrived: Math.min(arrived, recorded ?? arrived) });
  }

  /** When an object was put again; the approval is read where one was. */
  private async overwrittenSince(history: ObjectHistory): Promise<number | undefined> {
    const { store, identities } = this.round;
    const since = overwrittenSince(history, identities, this.judged ?? NONE);
    if (since === undefined || this.judged !== undefined) return since;
    const approval = this.approved ? await readApproval(store, this.about, DOCUMENT_BYTES) : undefined;
    this.judged = new Set(approval?.versions);
    return overwrittenSince(history, identities, this.judged);
  }

  private async judgeHidden(history: ObjectHistory): Promise<void> {
    const hidden = judgeHidden(history, this.round.identities, this.accountedUntil);
    if (hidden.is === "suspect") this.hidden.add(history.key, hidden.since);
    if (hidden.is !== "keepers") return;
    for (const time of hidden.times) {
      for (const one of [time - MARGIN, time + MARGIN]) this.days.add(Math.floor(one / DAY) * DAY);
    }
    const below = hidden.below === undefined ? undefined : detached(hidden.below);
    this.waiting.set(detached(history.key), { below, oldest: Math.min(...hidden.times) });
    if (this.waiting.size >= WAITING) await this.account();
  }

  /** Reads the journal for the markers that wait; what it does not account for is suspect. */
  private async account(): Promise<void> {
    const { store, identities } = this.round;
    let records = 0;
    if (this.waiting.size > 0 && identities.keeper !== undefined) {
      for await (const record of keepersRecords(store, this.about, identities.keeper, [...this.days])) {
        this.requireTime();
        records += 1;
        if (records > RECORDS) throw new Error(`the journal of ${nameOf(this.about)} is too long`);
        for (const { key, versionId } of hidingsOf(record)) {
          const waiting = this.waiting.get(key);
          if (waiting !== undefined && accountsFor(versionId, waiting.below)) this.waiting.delete(key);
        }
      }
    }
    for (const [key, { oldest }] of this.waiting) {
      this.hidden.add(key, oldest);
      this.unaccounted = Math.min(this.unaccounted, oldest);
    }
    this.waiting.clear();
    this.days.clear();
  }

  /** A state without what nobody asks for: an attacker's may be large. */
  private remembered(state: StateDocument): StateDocument {
    const { snapshots, round } = this;
    const there = new Set(snapshots.map(({ id }) => id));
    const gone = Object.entries(state.arrivals)
      .filter(([id, arrived]) => !there.has(id) && arrived >= this.about.at - CALENDAR_DAYS * DAY)
      .sort(([, one], [, other]) => other - one)
      .slice(0, Math.min(GONE, Math.max(0, round.snapshotsLeft)))
      .map(([id]) => id);
    round.snapshotsLeft -= gone.length;
    const ids = [...there, ...gone];
    const of = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
      Object.fromEntries(
        ids.flatMap((id) => {
          const value = ownValue(record, id);
          return value === undefined ? [] : [[id, value]];
        }),
      );
    return {
      ...state,
      arrivals: of(state.arrivals),
      claims: of(state.claims),
      findings: state.findings.map((finding) => ({ ...finding, objects: finding.objects.slice(0, NAMED) })),
    };
  }
}
