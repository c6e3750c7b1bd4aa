/** One round of looking at the bucket: all repositories, and what belongs to none. */
import { QUARANTINE } from "../../s3/history";
import { readVerifyRecord, type VerifyRecord } from "../documents";
import {
  ALARMS_TEST,
  byName,
  KEEPERS,
  nameOf,
  ownerKey,
  OWNERS,
  type RepositoryName,
  VERIFY_RECORD,
} from "../gate/names";
import { inParallel } from "../parallel";
import { messageOf, printable } from "../printable";
import { CANARY, type KeeperSettings } from "../settings";
import { STATUS_FOLDER } from "../status/keys";
import type { Status } from "../status/schema";
import { MINUTE } from "../time";
import type { WatchedStore } from "./bucket";
import type { Identities } from "./judgements";
import type { Observed, ObservedRepository } from "./observed";
import { observeRepository, type Round } from "./repository";
import { SuspectList } from "./suspects";

/** Repositories that are looked at at once: clients' backups need the service too. */
const AT_ONCE = 8;

/**
 * How long a round lasts, in milliseconds: the next one begins a quarter of an hour after it. An attacker with the
 * writer's keys can make any number of repositories long, so that the time is too short for the others.
 */
const LONGEST = 10 * MINUTE;

/**
 * Snapshots of all repositories that are remembered, about 200 bytes each. Half of them is for all evenly: one client that
 * puts any number keeps no other from being looked at.
 */
const SNAPSHOTS = 500_000;

/** Versions below the owner's folder that are read. */
const OWNERS_ENTRIES = 200_000;

/** Most bytes of verify's record. */
const RECORD_BYTES = 64 * 1024;

/** Pages of names that are read in one place, beside one for each 500 that belong there. */
const NAME_PAGES = 20;
const PAGE_NAMES = 500;

/** Folders that belong to nothing of which it is found out whether all in them is hidden. */
const LOOKED_INTO = 100;

/** Errors that are kept, and characters of each. */
const MOST_ERRORS = 20;
const MOST_WORDS = 500;

/** The folders of the bucket that are no client's. */
const NO_CLIENTS = [KEEPERS, OWNERS, STATUS_FOLDER, `${QUARANTINE}/`, `${CANARY.client}/`];

/** What a round needs beside the bucket. */
export interface WatchContext {
  readonly settings: Pick<KeeperSettings, "repositories" | "bounds">;
  /** The S3 IDs; the owner's is found below its folder where it is not given. */
  readonly identities: Identities;
  /** The status of the round before. @default none: the journal is read as far as it goes back */
  readonly previous?: Pick<Status, "repositories"> | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Looks at the bucket. What cannot be listed or read becomes an `error` of its repository, or one of `errors`.
 *
 * @param store with the keys of the keeper or of the owner
 */
export async function observe(store: WatchedStore, context: WatchContext): Promise<Observed> {
  const { settings, previous, now } = context;
  const at = now();
  const errors: string[] = [];
  const tried: Tried = async (what) => {
    try {
      return await what();
    } catch (error) {
      if (errors.length < MOST_ERRORS) errors.push(printable(messageOf(error), MOST_WORDS));
      return undefined;
    }
  };

  const facts = await tried(() => store.facts());
  const owners = (await tried(() => readOwners(store))) ?? { shown: new Map<string, number>() };
  if (owners.error !== undefined) errors.push(owners.error);
  const record = owners.shown.has(VERIFY_RECORD)
    ? await tried(() => readVerifyRecord(store, RECORD_BYTES))
    : undefined;
  const testAsked = owners.shown.get(ALARMS_TEST);

  const names: readonly RepositoryName[] = [...settings.repositories, CANARY];
  const round: Round = {
    store,
    identities: distinct({
      ...(owners.owner === undefined ? {} : { owner: owners.owner }),
      ...context.identities,
    }),
    now,
    until: at + LONGEST,
    objects: settings.bounds.objects,
    ownSnapshots: Math.floor(SNAPSHOTS / 2 / names.length),
    snapshotsLeft: SNAPSHOTS / 2,
  };
  const before = byName(previous?.repositories ?? []);
  const repositories: ObservedRepository[] = [];
  // In random order: what the time is too short for is another part in each round.
  await inParallel(AT_ONCE, shuffled([...names.entries()]), async ([place, name]) => {
    const accountedUntil = before.get(nameOf(name))?.accountedUntil;
    repositories[place] = await observeRepository(round, name, {
      held: owners.shown.has(ownerKey(name, "hold")),
      approved: owners.shown.has(ownerKey(name, "approval.json")),
      ...(accountedUntil === undefined ? {} : { accountedUntil }),
    });
  });

  const beside = new SuspectList();
  await tried(() => findBeside(round, store, settings.repositories, beside, tried));
  return {
    at,
    ...sayingsOf(record),
    ...facts,
    beside: beside.all,
    ...(errors.length === 0 ? {} : { errors }),
    ...(testAsked === undefined ? {} : { testAsked }),
    repositories,
  };
}

/** Does something; what it throws becomes one of the errors. */
type Tried = <T>(what: () => Promise<T>) => Promise<T | undefined>;

/** What a verify says of itself and of the bucket. */
function sayingsOf(record: VerifyRecord | undefined): Pick<Observed, "quota" | "verify"> {
  if (record === undefined) return {};
  const { quota, ...verify } = record;
  return { verify, ...(quota === undefined ? {} : { quota }) };
}

/** Where a service reports the same for both, it does not say who did something: the journal alone excuses then. */
function distinct({ owner, keeper }: Identities): Identities {
  return {
    ...(keeper === undefined ? {} : { keeper }),
    ...(owner === undefined || owner === keeper ? {} : { owner }),
  };
}

/** What stands below the owner's folder. */
interface Owners {
  /** By key, when each object that is not hidden was put. */
  readonly shown: ReadonlyMap<string, number>;
  /** The S3 ID of the only identity that may put there; absent: nothing says so. */
  readonly owner?: string;
  readonly error?: string;
}

async function readOwners(store: WatchedStore): Promise<Owners> {
  const shown = new Map<string, number>();
  const authors = new Set<string>();
  let entries = 0;
  for await (const page of store.versions(OWNERS)) {
    for (const { key, latest, marker, modified, by } of page) {
      if (latest && !marker) shown.set(key, modified);
      if (by !== undefined) authors.add(by);
    }
    entries += page.length;
    if (authors.size > 1) {
      return {
        shown,
        error: `objects below ${OWNERS} are by several identities: nobody is taken for the owner`,
      };
    }
    if (entries > OWNERS_ENTRIES) {
      return {
        shown,
        error: `below ${OWNERS} are more than ${OWNERS_ENTRIES} versions: not all were looked at`,
      };
    }
  }
  const [owner] = authors;
  return { shown, ...(owner === undefined ? {} : { owner }) };
}

/**
 * Finds names at the bucket's top, and in clients' folders, that belong to no repository. One that was removed from the
 * stack keeps its backups: what the keeper has notes about was a repository, for nobody else may put those.
 */
async function findBeside(
  { now, until }: Round,
  store: WatchedStore,
  repositories: readonly RepositoryName[],
  beside: SuspectList,
  tried: Tried,
): Promise<void> {
  const clients = new Map<string, Set<string>>();
  for (const { client, repository } of repositories) {
    const folder = `${client}/`;
    const own = clients.get(folder) ?? new Set();
    clients.set(folder, own.add(`${folder}${repository}/`));
  }
  const removed: [string, Set<string>][] = [];
  let left = LOOKED_INTO;
  const look = async (prefix: string, belongs: ReadonlySet<string>): Promise<void> => {
    let pages = NAME_PAGES + belongs.size / PAGE_NAMES;
    for await (const page of store.names(prefix)) {
      if (now() > until) return;
      for (const { name, nameless } of page) {
        if (nameless !== true && belongs.has(name)) continue;
        const folder = nameless !== true && name.endsWith("/") && name !== prefix;
        if (folder && left-- > 0) {
          // Of what the owner moved away nothing may be left but what is hidden.
          if (!(await store.shows(name))) continue;
          if (await store.shows(KEEPERS + name)) {
            if (prefix === "") removed.push([name, new Set()]);
            continue;
          }
        }
        beside.add(name);
      }
      pages -= 1;
      // Pages may be empty: an attacker can fill them with hidden objects before the names that are to stay unseen.
      if (pages <= 0) throw new Error(tooMany(prefix));
    }
  };
  await tried(() => look("", new Set([...NO_CLIENTS, ...clients.keys()])));
  await inParallel(AT_ONCE, shuffled([...clients, ...removed]), async ([folder, own]) => {
    if (now() <= until) await tried(() => look(folder, own));
  });
  if (now() > until) throw new Error("not all names beside the repositories could be looked at in time");
}

const tooMany = (prefix: string): string =>
  `${prefix === "" ? "at the bucket's top" : `below ${prefix}`} are too many names: not all were looked at`;

/** The list in random order. */
const shuffled = <T>(list: readonly T[]): T[] =>
  list
    .map((one) => [Math.random(), one] as const)
    .sort(([one], [other]) => one - other)
    .map(([, one]) => one);
