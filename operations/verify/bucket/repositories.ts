/**
 * Whether every client's repository is there, where it belongs, and when something was last backed up to it; and what
 * lies beside the repositories. Seen with the owner's keys, which only list here.
 */
import { type DeployedClient, type Deployment } from "../../deployment";
import { setTimeout } from "node:timers/promises";
import type { S3 } from "@aws-sdk/client-s3";
import { connect, explained, type BucketAddress } from "../../../s3/client";
import { inParallel } from "../../../keeper/parallel";
import { printable } from "../../printable";
import { moment } from "../../printable";
import { serviceClock } from "../clock";
import { runProbe, type Finding, type Seen } from "../probe";

/** The parts of a restic repository. */
const PARTS = ["config", "data/", "index/", "keys/", "locks/", "snapshots/"];

/** Days without a backup after which a client has stopped backing up. */
const SILENT_DAYS = 7;
const DAY = 24 * 3600 * 1000;

/** Parallel listings: clients' backups need the service too. */
const AT_ONCE = 8;
/** Seconds for all repositories, in which a thousand are looked at; less than a probe may take. */
const SECONDS = 120;
/** Names in one finding. */
const NAMED = 5;

const MOVE_IT = 'docs/handbook.md, "A repository in the wrong place"';

/** What the bucket has of one repository. */
export interface SeenRepository {
  /** Whether its config exists. */
  there: boolean;
  /** Whether there is one at `CLIENT/`, where none belongs. */
  above: boolean;
  /** Its snapshots, by the service's clock: how many, and when the newest arrived. */
  snapshots: { count: number; newest?: number };
}

/**
 * Judges one repository at a time `now`, in milliseconds since 1970. A frozen client does not back up on purpose, and a
 * key-only client's operator may not have begun yet: both are open.
 */
export function judgeRepository(
  { name, kind, frozen }: Pick<DeployedClient, "name" | "kind" | "frozen">,
  repository: string,
  { there, above, snapshots }: SeenRepository,
  now: number,
): Seen {
  if (!there && above) {
    const happened = `it is NOT there, and there is one right below ${name}/`;
    return { holds: false, happened, remedy: `move it: ${MOVE_IT}` };
  }
  const excused = frozen || kind === "key-only" ? "open" : false;
  if (!there) {
    const remedy =
      excused === false
        ? `let the stack create it: pulumi up --replace URN, with the URN of ${name}'s Command from pulumi stack ` +
          "--show-urns; where there were backups, find out first who removed them: npm run recover -- --help"
        : `nothing, or let the operator of ${name} create it by the instructions`;
    return { holds: excused, happened: "it is NOT there", remedy };
  }
  const remedy = `find out on ${name} why nothing arrives: restic-backup --status ${repository}`;
  const { count, newest } = snapshots;
  if (newest === undefined) {
    return { holds: excused, happened: "it is there, and NOTHING was ever backed up to it", remedy };
  }
  const days = Math.floor((now - newest) / DAY);
  const happened = `it is there, with ${String(count)} snapshots, the last one of ${moment(newest)}`;
  if (frozen) return { holds: true, happened: `${happened}; ${name} is frozen` };
  return days < SILENT_DAYS
    ? { holds: true, happened }
    : { holds: false, happened: `${happened}: NOTHING for ${String(days)} days`, remedy };
}

/** The names in a folder that do not belong there, by the kind of the folder. */
export function strays(folder: "bucket" | "client" | "repository", names: readonly string[]): string[] {
  const belongs = {
    // Folders are clients, removed ones too.
    bucket: (name: string) => name.endsWith("/"),
    // Folders are repositories; none has a name that restic uses.
    client: (name: string) => name.endsWith("/") && !PARTS.includes(name),
    repository: (name: string) => PARTS.includes(name),
  }[folder];
  return names.filter((name) => !belongs(name));
}

/** Looks at every repository of the stack, and at what lies beside them. */
export async function probeRepositories(deployment: Deployment): Promise<Finding[]> {
  const { bucket, clients } = deployment;
  const address = { endpoint: bucket.endpoint, region: bucket.region, bucket: bucket.bucket };
  const owner = await connect(address, bucket.owner);
  const look = new Look(owner, address);
  const over = new AbortController();
  const late = setTimeout(SECONDS * 1000, undefined, { signal: over.signal }).then(() => {
    throw new Error(`not all repositories could be looked at within ${String(SECONDS)} s`);
  });
  late.catch(() => undefined);
  const inTime = <T>(work: Promise<T>): Promise<T> => Promise.race([work, late]);
  const all = clients.flatMap((client) => client.repositories.map(({ name }) => ({ client, name })));
  try {
    const repositories = await inParallel(AT_ONCE, all, ({ client, name }) => {
      const place = `${client.name}/${name}/`;
      return runProbe({
        ring: 1,
        id: `repository.${client.name}.${name}`,
        tried: `the owner looks for ${place}config, and for the newest snapshot there`,
        expected: `it is where it belongs, and something was backed up in the last ${String(SILENT_DAYS)} days`,
        remedy: "see what happened: nothing was found out about it",
        attempt: async () => {
          const seen = await inTime(look.repository(client.name, place));
          return judgeRepository(client, name, seen, Date.now());
        },
      });
    });
    return [
      ...repositories,
      await runProbe({
        ring: 1,
        id: "repository.beside",
        tried: "the owner lists the bucket, each client and each repository, but not the folders in these",
        expected: "clients, repositories and what restic keeps in them, and nothing else",
        remedy:
          "find out who put it there; in a repository npm run recover moves it away, and a repository right below a " +
          `client is moved as in ${MOVE_IT}`,
        attempt: () => besides(look, clients, inTime),
      }),
      await serviceClock(bucket.endpoint),
    ];
  } finally {
    over.abort();
    owner.destroy();
  }
}

/** What lies beside the repositories; what was found counts, though the rest could not be looked at. */
async function besides(
  look: Look,
  clients: readonly DeployedClient[],
  inTime: <T>(work: Promise<T>) => Promise<T>,
): Promise<Seen> {
  const found: string[] = [];
  const list = async (): Promise<void> => {
    found.push(...(await look.at("bucket", "")));
    await inParallel(AT_ONCE, clients, async ({ name, repositories }) => {
      found.push(...(await look.at("client", `${name}/`)));
      for (const one of repositories) found.push(...(await look.at("repository", `${name}/${one.name}/`)));
    });
  };
  const error = await inTime(list()).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  if (found.length > 0) {
    const names = found.slice(0, NAMED).map(printable).join(", ");
    const more = found.length - NAMED;
    return { holds: false, happened: `there is ${names}${more > 0 ? ` and ${String(more)} more` : ""}` };
  }
  if (error !== undefined) throw error;
  return { holds: true, happened: "nothing else" };
}

/** Listings of the bucket. */
class Look {
  constructor(
    private readonly owner: S3,
    private readonly address: BucketAddress,
  ) {}

  /** What lies in a folder and does not belong there, in full; of a folder with more than a page of names, of the first. */
  async at(kind: "bucket" | "client" | "repository", prefix: string): Promise<string[]> {
    const page = await this.page({ Prefix: prefix, Delimiter: "/" });
    const names = [
      ...(page.Contents ?? []).map(({ Key }) => Key),
      ...(page.CommonPrefixes ?? []).map((one) => one.Prefix),
    ];
    const within = names.map((name) => plain(name).slice(prefix.length)).filter((name) => name !== "");
    return strays(kind, within).map((name) => prefix + name);
  }

  /** What there is of a repository. */
  async repository(client: string, place: string): Promise<SeenRepository> {
    const there = await this.exists(`${place}config`);
    const above = !there && (await this.exists(`${client}/config`));
    return { there, above, snapshots: await this.snapshots(`${place}snapshots/`) };
  }

  private async exists(key: string): Promise<boolean> {
    const { Contents = [] } = await this.page({ Prefix: key, MaxKeys: 1 });
    return Contents.some(({ Key }) => plain(Key) === key);
  }

  private async snapshots(prefix: string): Promise<SeenRepository["snapshots"]> {
    let count = 0;
    let newest = -Infinity;
    let from: string | undefined;
    do {
      const page = await this.page({ Prefix: prefix, ContinuationToken: from });
      for (const { LastModified } of page.Contents ?? []) {
        count += 1;
        newest = Math.max(newest, LastModified?.getTime() ?? -Infinity);
      }
      from = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (from !== undefined);
    return newest === -Infinity ? { count } : { count, newest };
  }

  private page(request: {
    Prefix: string;
    Delimiter?: string;
    MaxKeys?: number;
    ContinuationToken?: string;
  }) {
    return explained(
      this.address,
      `list ${request.Prefix === "" ? "the bucket" : printable(request.Prefix)}`,
      () =>
        // An attacker's names may hold what XML cannot.
        this.owner.listObjectsV2({ Bucket: this.address.bucket, EncodingType: "url", ...request }),
    );
  }
}

/** A name that is encoded for a URL, decoded as far as it can be. */
function plain(name = ""): string {
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}
