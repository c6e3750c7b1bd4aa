/** The same for many repositories: what is done for each is recover.ts's. */
import { Deployment } from "../deployment";
import { nameProblem } from "../../config/values";
import { inParallel } from "../parallel";
import { printableLines } from "../printable";
import { Interrupted } from "../transport/run";
import { withS3 } from "../../s3/with-s3";
import { RecoverManyRequest } from "./arguments";
import { recover } from "./recover";
import { listFolders, versionPages } from "../../s3/versions";

type Name = [client: string, repository: string];

/** A repository of no client of the stack, and when the oldest version of its config was written. */
interface Other {
  name: Name;
  began: number;
}

/** Requests under way at a time, while folders are looked for. */
const AT_ONCE = 8;

/** How many repositories with which nothing can be done are named. */
const MOST_NAMED = 20;

/**
 * Shows or brings back every repository that the bucket has, or every one of a client; one that fails keeps none of
 * the others. The stack's own come first, before others are even looked for: whoever has the writer's keys can make
 * any number of those. Gives 0 where all are as asked for.
 *
 * @throws Error where the bucket has none; Interrupted after Ctrl-C
 */
export async function recoverMany(
  deployment: Deployment,
  { client: only, ...request }: RecoverManyRequest,
  print: (text: string) => void,
): Promise<number> {
  const done: string[] = [];
  const failed: string[] = [];
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      print(printableLines(`recover: ${error instanceof Error ? error.message : String(error)}`));
      failed.push(what);
    }
  };
  const recoverOne = async ([client, repository]: Name): Promise<void> => {
    const name = `${client}/${repository}`;
    print(`\n==> ${name}\n`);
    await attempt(name, async () => {
      const code = await recover(deployment, { ...request, client, repository }, print);
      (code === 0 ? done : failed).push(name);
    });
  };
  const own = deployment.clients
    .filter(({ name }) => only === undefined || name === only)
    .flatMap(({ name, repositories }) => repositories.map((one): Name => [name, one.name]));
  for (const name of own) await recoverOne(name);
  const later: string[] = [];
  await attempt("all that are of no client of the stack", async () => {
    for (const { name, began } of await otherRepositories(deployment, only, own, attempt)) {
      if (began <= request.at) await recoverOne(name);
      else later.push(name.join("/"));
    }
  });
  const count = done.length + failed.length;
  if (count + later.length === 0) {
    throw new Error(
      only === undefined
        ? "the bucket has no repository"
        : `--client: the bucket has no repository of ${only}; the stack's clients are ` +
            deployment.clients.map(({ name }) => name).join(", "),
    );
  }
  if (later.length > 0) {
    print(`\nLeft alone, for they are of no client of the stack and began later: ${named(later)}.`);
  }
  const repositories = `${count} ${count === 1 ? "repository" : "repositories"}`;
  const what = request.apply ? "brought back" : "read as of then";
  print(
    failed.length === 0
      ? `\n${repositories}: all ${what}.`
      : `\n${failed.length} of ${repositories} could NOT be ${what}, see above: ${failed.join(", ")}.`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** The names as a list, if they are not too many for one. */
function named(names: readonly string[]): string {
  const more = names.length > MOST_NAMED ? [`and ${names.length - MOST_NAMED} more`] : [];
  return [...names.slice(0, MOST_NAMED), ...more].join(", ");
}

/** A folder without it was never a repository: whoever may write can make any number of those. */
const configOf = ([client, repository]: Name): string => `${client}/${repository}/config`;

/**
 * The repositories that the bucket has, or ever had as long as versions are kept, but for those of the stack.
 *
 * @param attempt does a part of it, and takes note where that fails
 */
async function otherRepositories(
  { bucket }: Deployment,
  only: string | undefined,
  own: readonly Name[],
  attempt: (what: string, work: () => Promise<void>) => Promise<void>,
): Promise<Other[]> {
  const known = new Set(own.map((name) => name.join("/")));
  return withS3(bucket, bucket.owner, async (s3) => {
    const namesBelow = async (prefix: string): Promise<string[]> => {
      const folders = await listFolders(s3, bucket, prefix);
      return folders
        .map((folder) => folder.slice(prefix.length, -1))
        .filter((name) => nameProblem(name) === undefined);
    };
    const clients = only === undefined ? await namesBelow("") : [only];
    const others: Name[] = [];
    await inParallel(AT_ONCE, clients, (client) =>
      attempt(`those below ${client}/`, async () => {
        const names = (await namesBelow(`${client}/`)).map((repository): Name => [client, repository]);
        others.push(...names.filter((name) => !known.has(name.join("/"))));
      }),
    );
    const found: Other[] = [];
    await inParallel(AT_ONCE, others, (name) =>
      attempt(name.join("/"), async () => {
        let began = Infinity;
        for await (const page of versionPages(s3, bucket, configOf(name))) {
          for (const { key, marker, modified } of page) {
            if (key === configOf(name) && !marker) began = Math.min(began, modified);
          }
        }
        if (began !== Infinity) found.push({ name, began });
      }),
    );
    return found.sort((one, other) => (configOf(one.name) < configOf(other.name) ? -1 : 1));
  });
}
