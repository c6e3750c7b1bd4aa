/**
 * What a taken proxy has done already. It cannot end an old version, but lets time do that: whatever it overwrote or
 * hid is gone for good once the bucket's days are over, unless somebody notices.
 */
import { type DeployedClient } from "../../deployment";
import { setTimeout } from "node:timers/promises";
import { CANARY } from "../../../hosts/names";
import { answerOf } from "../../../s3/answers";
import { explained, failure } from "../../../s3/client";
import { identityNames, type IdentityNames } from "../../identity-names";
import { inParallel } from "../../parallel";
import { historiesOf, isVersion, QUARANTINE, type Entry, type Version } from "../../../s3/history";
import { listFolders, listVersions, versionPages } from "../../../s3/versions";
import { Undecided, type Finding, type Seen } from "../probe";
import { LOCK, NO_VERSIONS, open, place, ring2, type BucketProbe } from "./target";
import { harmInWords, judgeHistory, unreadable, type Harm } from "./damage";

/** Folders that hold no client's repositories. */
const NO_CLIENTS = [`${CANARY.client}/`, `${QUARANTINE}/`];

/** What a repository has beside its packs and locks. */
const PARTS = ["config", "keys/", "index/", "snapshots/"];
/** The folders of a repository's packs. */
const PACKS = Array.from({ length: 256 }, (_, at) => `data/${at.toString(16).padStart(2, "0")}/`);

/** Seconds to find repositories, or folders, and then to look at objects; in all less than a probe may take. */
const FIND_SECONDS = 10;
const PARTS_SECONDS = 30;
const PACKS_SECONDS = 20;
/** Listings at one time: clients' backups need the service, too. */
const AT_ONCE = 4;

/** The repositories, `CLIENT/REPOSITORY/`. */
interface Found {
  prefixes: string[];
  /** Whether those are all that the bucket has. */
  all: boolean;
}

/** What was seen. */
interface Tally {
  /** Prefixes that were looked at to the end. */
  whole: number;
  objects: number;
  harms: Harm[];
  /** Put again with the same content. */
  repeated: number;
  /** Changed by the owner, and taken for right for that reason alone. */
  excused: number;
  /** What kept anything from being looked at. */
  error?: Error;
}

/** Whether what the bucket's versions tell of the repositories is backups, and recoveries of the owner's. */
export function history(target: BucketProbe, clients: readonly DeployedClient[]): Promise<Finding>[] {
  const remedy =
    "the proxy's keys are in other hands: docs/incident.md, The proxy is compromised; to see what was done, and to bring " +
    "each repository back: npm run recover -- --client CLIENT --repository REPOSITORY (or --all) --at TIME, with a time before " +
    `the first change; old versions stay for ${String(target.bucket.noncurrentVersionDays)} days`;
  const abouts = {
    parts: {
      id: "s3.history",
      tried: "the owner looks at all versions of config, keys, index and snapshots of every repository",
      expected: "nobody but the owner overwrote or hid one",
      remedy: target.open.versioning ?? target.open.writer ?? remedy,
    },
    packs: {
      id: "s3.history-data",
      tried: `the owner looks at the versions of packs, for ${String(PACKS_SECONDS)} s: folders data/00 to data/ff in random order, of each repository in turn`,
      expected: "nobody but the owner overwrote or hid one of those",
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
      open(about, why, "not looked at: the proxy holds the owner's own keys, so its deeds are the owner's"),
    );
  }
  const found = findRepositories(target, clients);
  const names = identityNames(target.bucket);
  return [
    ring2(abouts.parts, async () => {
      const [{ prefixes, all }, who] = await Promise.all([found, names]);
      // In random order: whoever makes some of these endless hides the others from one run, not from every one.
      const places = shuffled(prefixes.flatMap((prefix) => PARTS.map((part) => prefix + part)));
      const tally = await lookAt(target, places, PARTS_SECONDS, who.owner);
      const seen = `${String(tally.objects)} objects in ${String(prefixes.length)} repositories were looked at`;
      const left = [
        ...(all ? [] : ["repositories are left that could not be found in time"]),
        ...(tally.whole < places.length
          ? [
              `${String(places.length - tally.whole)} of ${String(places.length)} listings did not come to their end`,
            ]
          : []),
      ];
      return await judged(target, tally, who, seen, left);
    }),
    ring2(abouts.packs, async () => {
      const [{ prefixes, all }, who] = await Promise.all([found, names]);
      const places = inTurn((await packFolders(target, prefixes)).map(shuffled));
      const tally = await lookAt(target, places, PACKS_SECONDS, who.owner);
      const seen =
        `${String(tally.objects)} packs were looked at, in ${String(tally.whole)} of the ${String(places.length)} ` +
        `folders of ${String(prefixes.length)} repositories${all ? "" : " (not all could be found in time)"}`;
      const nothing = places.length > 0 && tally.whole === 0;
      return await judged(target, tally, who, seen, nothing ? ["not one folder was, to its end"] : []);
    }),
  ];
}

/**
 * All repositories of which the bucket has any version, removed clients' too. Those of the stack come first, and are
 * there in any case: whoever has the writer's keys can make so many folders that no time is enough for the others.
 */
async function findRepositories(
  { owner, address }: BucketProbe,
  clients: readonly DeployedClient[],
): Promise<Found> {
  const found = new Set(
    clients.flatMap(({ name, repositories }) => repositories.map((one) => `${name}/${one.name}/`)),
  );
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

/** The folders of each repository that hold packs, or did; where there is no time to find them, all that may. */
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
    // Others are none of restic's, and somebody may have made any number of them.
    return listed === undefined ? all : all.filter((folder) => listed.includes(folder));
  });
}

/** What work comes to, or `undefined` once the time is up: a service that hangs must not hide what was seen before. */
async function inTime<T>(work: Promise<T>, seconds: number): Promise<T | undefined> {
  const over = new AbortController();
  const late = setTimeout(seconds * 1000, undefined, { signal: over.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}

/** Judges all objects below the prefixes, in their order, for as long as there is time. */
async function lookAt(
  target: BucketProbe,
  prefixes: readonly string[],
  seconds: number,
  owner: string | undefined,
): Promise<Tally> {
  if (owner === undefined) throw new Error("the service does not say who the owner is");
  const tally: Tally = { whole: 0, objects: 0, harms: [], repeated: 0, excused: 0 };
  const until = Date.now() + seconds * 1000;
  const isLate = (): boolean => Date.now() >= until;
  const work = inParallel(AT_ONCE, prefixes, async (prefix) => {
    if (isLate()) return;
    try {
      if (await lookBelow(target, prefix, owner, tally, isLate)) tally.whole += 1;
    } catch (error) {
      tally.error ??= error instanceof Error ? error : new Error(String(error));
    }
  });
  await inTime(work, seconds);
  // What is under way yet is seen too late to be told.
  return { ...tally, harms: [...tally.harms] };
}

/** Judges all objects below a prefix; whether it came to their end. */
async function lookBelow(
  target: BucketProbe,
  prefix: string,
  owner: string,
  tally: Tally,
  isLate: () => boolean,
): Promise<boolean> {
  let rest: Entry[] = [];
  const judge = async (history: readonly Entry[]): Promise<void> => {
    const fate = judgeHistory(history, owner);
    tally.objects += 1;
    if (fate.is === "repeated") {
      tally.repeated += 1;
      if (!(await readable(target, fate.version))) tally.harms.push(unreadable(fate));
    } else if (fate.is !== "whole") {
      tally.harms.push(fate);
    }
    if ((fate.is === "whole" || fate.is === "repeated") && judgeHistory(history).is !== fate.is) {
      tally.excused += 1;
    }
  };
  for await (const all of versionPages(target.owner, target.address, prefix)) {
    // What has a name that is no text was never a file of restic's.
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
  // Of an object with versions without end those that were seen tell, too, that it was changed.
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
 * What was seen, as a finding. Harm counts for itself; that there is none counts only where everything was looked at,
 * and where the service tells the owner's deeds from the writer's.
 *
 * @param seen what was looked at, in words
 * @param left what was not, in words, of all that the finding speaks of
 */
async function judged(
  target: BucketProbe,
  tally: Tally,
  { nameOf }: IdentityNames,
  seen: string,
  left: readonly string[],
): Promise<Seen> {
  const { harms, repeated, excused, error } = tally;
  if (harms.some(({ by }) => by !== undefined)) {
    return { holds: false, happened: [harmInWords(harms, nameOf), seen, ...left].join("; ") };
  }
  if (harms.length > 0) {
    throw new Undecided(
      `${harmInWords(harms, nameOf)}: the service does not tell whether that was the owner`,
    );
  }
  if (error !== undefined) throw error;
  if (left.length > 0) throw new Error(`${seen}, and nothing is wrong with them, but ${left.join(", and ")}`);
  if (excused > 0) await requireTelling(target);
  return {
    holds: true,
    happened: [
      `${seen}: all are as they were put`,
      ...(excused > 0 ? [`${String(excused)} of them brought back or moved away by the owner`] : []),
      ...(repeated > 0 ? [`${String(repeated)} put again with the same content`] : []),
    ].join(", "),
  };
}

/** Some services call whatever is in a bucket the owner's. Then that somebody's deed is the owner's says nothing. */
async function requireTelling(target: BucketProbe): Promise<void> {
  const { address, owner, writer } = target;
  const lock = await place(target, `${LOCK}history`);
  const { Owner } = await explained(address, "remove a lock as the writer, and ask who it is", async () => {
    await writer.deleteObject({ Bucket: lock.Bucket, Key: lock.Key });
    return await writer.listBuckets({});
  });
  const entries = await listVersions(owner, address, lock.Key);
  const told = entries.filter(({ by }) => by !== undefined && by === Owner?.ID);
  if (!told.some(isVersion) || !told.some(({ marker }) => marker)) {
    throw new Error(
      "objects were changed, as the service says by the owner; but it does not say that a lock was put and removed by the writer, which it was",
    );
  }
}

/** The first of each list, then the second of each, and so on: none waits for another's end. */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1))).flat();
}

/** The same in an order that nobody foresees. */
function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((one) => [Math.random(), one] as const)
    .sort(([one], [other]) => one - other)
    .map(([, one]) => one);
}
