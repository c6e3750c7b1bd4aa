/**
 * What a compromised proxy has done already. It cannot delete old versions, but the lifecycle does: what it overwrote or
 * hid is lost after the bucket's days, unless the operator notices.
 */
import { type DeployedClient, repositoriesOf } from "../../deployment";
import { setTimeout } from "node:timers/promises";
import { hiddenByGate, withoutAccounted, type Hidden } from "../../../keeper/gate/accounted";
import { S3Store } from "../../../keeper/gate/store";
import { NOTES_FOLDERS } from "../../../plan/bucket-policy";
import { CANARY } from "../../../hosts/names";
import { answerOf } from "../../../s3/answers";
import { explained, failure } from "../../../s3/client";
import { identityNames, type IdentityNames } from "../../identity-names";
import { inParallel } from "../../../keeper/parallel";
import { historiesOf, isVersion, QUARANTINE, type Entry, type Version } from "../../../s3/history";
import { listFolders, listVersions, versionPages } from "../../../s3/versions";
import { Undecided, type Finding, type Seen } from "../probe";
import { LOCK, NO_VERSIONS, open, place, ring2, type BucketProbe } from "./target";
import { damageInWords, judgeHistory, unreadable, type Damage } from "./damage";

/** Folders without repositories of clients. */
const NO_CLIENTS = [`${CANARY.client}/`, `${QUARANTINE}/`, ...NOTES_FOLDERS];

/** The parts of a repository without packs and locks. */
const PARTS = ["config", "keys/", "index/", "snapshots/"];
/** The folders of a repository's packs. */
const PACKS = Array.from({ length: 256 }, (_, at) => `data/${at.toString(16).padStart(2, "0")}/`);

/** Seconds to find repositories or folders, and then to check objects; less than the limit of a probe in all. */
const FIND_SECONDS = 10;
const PARTS_SECONDS = 30;
const PACKS_SECONDS = 20;
/** Parallel listings: clients' backups need the service too. */
const AT_ONCE = 4;

/** The repositories, `CLIENT/REPOSITORY/`. */
interface Found {
  prefixes: string[];
  /** Whether the bucket has no others. */
  all: boolean;
}

/** What was checked so far. */
interface Tally {
  /** Prefixes that were checked completely. */
  whole: number;
  objects: number;
  damages: Damage[];
  /** Put again with the same content. */
  repeated: number;
  /** Changed, but undamaged because the owner did it. */
  excused: number;
  /** Hidden by the keeper, as its journal says. */
  accounted: number;
  /** Why something was not checked. */
  error?: Error;
}

/** Whether the versions in the bucket come from backups and from the owner's recoveries only. */
export function history(target: BucketProbe, clients: readonly DeployedClient[]): Promise<Finding>[] {
  const remedy =
    "an attacker has the proxy's keys: docs/incident.md, The proxy is compromised; to see what was done, and to restore " +
    "each repository: npm run recover -- --client CLIENT --repository REPOSITORY (or --all) --at TIME, with a time before " +
    `the first change; old versions stay for ${String(target.bucket.noncurrentVersionDays)} days`;
  const abouts = {
    parts: {
      id: "s3.history",
      tried: "the owner lists all versions of config, keys, index and snapshots of every repository",
      expected: "only the owner overwrote or hid one, and the keeper hid what its journal says",
      remedy: target.open.versioning ?? target.open.writer ?? remedy,
    },
    packs: {
      id: "s3.history-data",
      tried: `the owner lists the versions of packs, for ${String(PACKS_SECONDS)} s: folders data/00 to data/ff in random order, of each repository in turn`,
      expected: "only the owner overwrote or hid one of those, and the keeper hid what its journal says",
      remedy: target.open.versioning ?? target.open.writer ?? remedy,
    },
  };
  if (target.open.versioning !== undefined) {
    const why = target.open.versioning;
    return Object.values(abouts).map((about) => open(about, why, NO_VERSIONS));
  }
  if (target.open.writer !== undefined) {
    const why = target.open.writer;
    return Object.values(abouts).map((about) =>
      open(about, why, "not checked: the proxy holds the owner's own keys, so its changes are the owner's"),
    );
  }
  const found = findRepositories(target, clients);
  const names = identityNames(target.bucket);
  return [
    ring2(abouts.parts, async () => {
      const [{ prefixes, all }, who] = await Promise.all([found, names]);
      // In random order: an attacker who makes some of these endless hides the others from one run, not from every run.
      const places = shuffled(prefixes.flatMap((prefix) => PARTS.map((part) => prefix + part)));
      const tally = await lookAt(target, places, PARTS_SECONDS, who);
      const seen = `${String(tally.objects)} objects in ${String(prefixes.length)} repositories were checked`;
      const left = [
        ...(all ? [] : ["not all repositories could be found in time"]),
        ...(tally.whole < places.length
          ? [`${String(places.length - tally.whole)} of ${String(places.length)} listings did not finish`]
          : []),
      ];
      return await judged(target, tally, who, seen, left);
    }),
    ring2(abouts.packs, async () => {
      const [{ prefixes, all }, who] = await Promise.all([found, names]);
      const places = inTurn((await packFolders(target, prefixes)).map(shuffled));
      const tally = await lookAt(target, places, PACKS_SECONDS, who);
      const seen =
        `${String(tally.objects)} packs were checked, in ${String(tally.whole)} of the ${String(places.length)} ` +
        `folders of ${String(prefixes.length)} repositories${all ? "" : " (not all could be found in time)"}`;
      const nothing = places.length > 0 && tally.whole === 0;
      return await judged(target, tally, who, seen, nothing ? ["no folder was checked completely"] : []);
    }),
  ];
}

/**
 * All repositories of which the bucket has any version, also of removed clients. Those of the stack come first, and are
 * always included: an attacker with the writer's keys can make so many folders that the time is too short for the others.
 */
async function findRepositories(
  { owner, address }: BucketProbe,
  clients: readonly DeployedClient[],
): Promise<Found> {
  const found = new Set(repositoriesOf(clients).map(({ client, repository }) => `${client}/${repository}/`));
  const until = Date.now() + FIND_SECONDS * 1000;
  const search = async (): Promise<boolean> => {
    const folders = (await listFolders(owner, address, "")).filter((one) => !NO_CLIENTS.includes(one));
    const ended = await inParallel(AT_ONCE, folders, async (folder) => {
      if (Date.now() >= until) return false;
      for (const repository of await listFolders(owner, address, folder)) found.add(repository);
      return true;
    });
    return ended.every((end) => end);
  };
  const all = await inTime(search(), FIND_SECONDS);
  return { prefixes: [...found], all: all === true };
}

/** The folders of each repository with versions of packs; without time to find them, all possible ones. */
async function packFolders(
  { owner, address }: BucketProbe,
  prefixes: readonly string[],
): Promise<string[][]> {
  const until = Date.now() + FIND_SECONDS * 1000;
  return await inParallel(AT_ONCE, prefixes, async (prefix) => {
    const seconds = (until - Date.now()) / 1000;
    const listed =
      seconds > 0 ? await inTime(listFolders(owner, address, `${prefix}data/`), seconds) : undefined;
    const all = PACKS.map((folder) => prefix + folder);
    // restic makes no others, and an attacker may have made any number.
    return listed === undefined ? all : all.filter((folder) => listed.includes(folder));
  });
}

/** The result, or `undefined` after that time: a service that hangs must not hide what was found before. */
async function inTime<T>(work: Promise<T>, seconds: number): Promise<T | undefined> {
  const over = new AbortController();
  const late = setTimeout(seconds * 1000, undefined, { signal: over.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}

/** Judges all objects below the prefixes, in their order, until the time is up. */
async function lookAt(
  target: BucketProbe,
  prefixes: readonly string[],
  seconds: number,
  { owner, keeper }: IdentityNames,
): Promise<Tally> {
  if (owner === undefined) throw new Error("the service does not report the owner's identity");
  const tally: Tally = { whole: 0, objects: 0, damages: [], repeated: 0, excused: 0, accounted: 0 };
  const judge = judgeIn(target, tally, owner, keeper);
  const until = Date.now() + seconds * 1000;
  const isLate = (): boolean => Date.now() >= until;
  const work = inParallel(AT_ONCE, prefixes, async (prefix) => {
    if (isLate()) return;
    try {
      if (await lookBelow(target, prefix, judge, isLate)) tally.whole += 1;
    } catch (error) {
      tally.error ??= error instanceof Error ? error : new Error(String(error));
    }
  });
  await inTime(work, seconds);
  // A copy: listings that are still running must not change it.
  return { ...tally, damages: [...tally.damages] };
}

/** A function that judges objects into a tally. It reads the journal of a repository once, where its keeper hid some. */
function judgeIn(
  target: BucketProbe,
  tally: Tally,
  owner: string,
  keeper: string | undefined,
): (history: readonly Entry[]) => Promise<void> {
  const store = new S3Store(target.owner, target.address);
  const journals = new Map<string, Promise<Hidden>>();
  const journalOf = (key: string, id: string): Promise<Hidden> => {
    const [client = "", repository = ""] = key.split("/", 2);
    const prefix = `${client}/${repository}/`;
    const journal = journals.get(prefix) ?? hiddenByGate(store, { client, repository }, id);
    journals.set(prefix, journal);
    return journal;
  };
  return async (whole) => {
    const [{ key } = { key: "" }] = whole;
    const history =
      keeper !== undefined && whole.some(({ marker, by }) => marker && by === keeper)
        ? withoutAccounted(whole, keeper, await journalOf(key, keeper))
        : whole;
    if (history.length < whole.length) tally.accounted += 1;
    const fate = judgeHistory(history, owner);
    tally.objects += 1;
    if (fate.is === "repeated") {
      tally.repeated += 1;
      if (!(await readable(target, fate.version))) tally.damages.push(unreadable(fate));
    } else if (fate.is !== "whole") {
      tally.damages.push(fate);
    }
    if ((fate.is === "whole" || fate.is === "repeated") && judgeHistory(history).is !== fate.is) {
      tally.excused += 1;
    }
  };
}

/** Judges all objects below a prefix; returns whether it finished. */
async function lookBelow(
  target: BucketProbe,
  prefix: string,
  judge: (history: readonly Entry[]) => Promise<void>,
  isLate: () => boolean,
): Promise<boolean> {
  let rest: Entry[] = [];
  for await (const all of versionPages(target.owner, target.address, prefix)) {
    // restic has no file whose name is not UTF-8.
    const page = all.filter(({ nameless }) => !nameless);
    const histories = historiesOf([...rest, ...page]);
    // These may go on in the next page.
    const last = new Set([page.findLast(isVersion)?.key, page.at(-1)?.key]);
    rest = [];
    for (const [key, history] of histories) {
      if (last.has(key)) for (const entry of history) rest.push(entry);
      else await judge(history);
    }
    if (isLate()) break;
  }
  // The versions seen so far prove a change too, even of an object with endless versions.
  for (const [, history] of historiesOf(rest)) await judge(history);
  return !isLate();
}

/** Whether the owner can read a version. */
async function readable(
  { owner, address }: BucketProbe,
  { key, versionId, size }: Version,
): Promise<boolean> {
  if (size === 0) return true;
  const one = { Bucket: address.bucket, Key: key, VersionId: versionId };
  try {
    const { Body } = await owner.getObject({ ...one, Range: "bytes=0-0" });
    await Body?.transformToByteArray();
    return true;
  } catch (error) {
    if ([400, 403, 404].includes(answerOf(error).status ?? 0)) return false;
    throw failure(address, "read a version that was put again", error);
  }
}

/**
 * The finding. Damage is always reported; its absence only where everything was checked, and where the service
 * distinguishes changes of the owner from those of the writer.
 *
 * @param seen what was checked, in words
 * @param left what was not checked, in words
 */
async function judged(
  target: BucketProbe,
  tally: Tally,
  { nameOf }: IdentityNames,
  seen: string,
  left: readonly string[],
): Promise<Seen> {
  const { damages, repeated, excused, accounted, error } = tally;
  if (damages.some(({ by }) => by !== undefined)) {
    return { holds: false, happened: [damageInWords(damages, nameOf), seen, ...left].join("; ") };
  }
  if (damages.length > 0) {
    throw new Undecided(
      `${damageInWords(damages, nameOf)}: the service does not report whether that was the owner`,
    );
  }
  if (error !== undefined) throw error;
  if (left.length > 0) throw new Error(`${seen}, undamaged, but ${left.join(", and ")}`);
  if (excused > 0) await requireTelling(target);
  return {
    holds: true,
    happened: [
      `${seen}: all are unchanged`,
      ...(excused > 0 ? [`${String(excused)} of them restored or moved away by the owner`] : []),
      ...(accounted > 0 ? [`${String(accounted)} of them hidden by the keeper, as its journal says`] : []),
      ...(repeated > 0 ? [`${String(repeated)} put again with the same content`] : []),
    ].join(", "),
  };
}

/** Some services report the owner for everything in a bucket. Then that proves nothing. */
async function requireTelling(target: BucketProbe): Promise<void> {
  const { address, owner, writer } = target;
  const lock = await place(target, `${LOCK}history`);
  const { Owner } = await explained(address, "remove a lock as the writer, and read its name", async () => {
    await writer.deleteObject({ Bucket: lock.Bucket, Key: lock.Key });
    return await writer.listBuckets({});
  });
  const entries = await listVersions(owner, address, lock.Key);
  const ofWriter = entries.filter(({ by }) => by !== undefined && by === Owner?.ID);
  if (!ofWriter.some(isVersion) || !ofWriter.some(({ marker }) => marker)) {
    throw new Error(
      "the service reports that the owner changed objects, but does not say that a lock was put and removed by the writer, which it was",
    );
  }
}

/** The first of each list, then the second of each, and so on. */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1))).flat();
}

/** The list in random order. */
function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((one) => [Math.random(), one] as const)
    .sort(([one], [other]) => one - other)
    .map(([, one]) => one);
}
