/** Recovers many repositories, one after the other. */
import { nameProblem } from "../../config/values/names";
import { inParallel } from "../../keeper/parallel";
import { messageOf } from "../../keeper/printable";
import { listFolders, versionPages } from "../../s3/versions";
import { withS3 } from "../../s3/with-s3";
import { type Deployment, repositoriesOf } from "../deployment";
import { printableLines } from "../printable";
import { Interrupted } from "../transport/run";
import type { RecoverManyRequest, RecoverRequest } from "./arguments";
import { recover } from "./recover";
import { nameOf } from "./recovery";

type Repository = Pick<RecoverRequest, "client" | "repository">;

/** A repository that belongs to no client of the stack. */
interface Other extends Repository {
  /** When the oldest version of its config was written, in milliseconds since 1970. */
  began: number;
}

/** Does a part of the work; a failure is printed and counted. */
type Attempt = (what: string, work: () => Promise<void>) => Promise<void>;

/** Requests under way at once, while folders are listed. */
const AT_ONCE = 8;

/** How many names of repositories that are not touched are printed. */
const MOST_NAMED = 20;

/**
 * Shows or recovers every repository of the bucket, or of one client; a failure does not stop the others. The stack's
 * own come first, before others are even listed: a holder of the writer's keys can create any number of those.
 *
 * @returns the exit status: 0 where all are as requested
 * @throws Error where the bucket has none; Interrupted after Ctrl-C
 */
export async function recoverMany(
  deployment: Deployment,
  { client: only, ...request }: RecoverManyRequest,
  print: (text: string) => void,
): Promise<number> {
  let done = 0;
  const failed: string[] = [];
  const attempt: Attempt = async (what, work) => {
    try {
      await work();
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      print(printableLines(`recover: ${messageOf(error)}`));
      failed.push(what);
    }
  };
  const recoverOne = async ({ client, repository }: Repository): Promise<void> => {
    const name = nameOf({ client, repository });
    print(`\n==> ${name}\n`);
    await attempt(name, async () => {
      const code = await recover(deployment, { ...request, client, repository }, print);
      if (code === 0) done += 1;
      else failed.push(name);
    });
  };
  const own: Repository[] = repositoriesOf(
    deployment.clients.filter(({ name }) => only === undefined || name === only),
  );
  for (const repository of own) await recoverOne(repository);
  const later: string[] = [];
  await attempt("the repositories of no client of the stack", async () => {
    for (const other of await otherRepositories(deployment, only, own, attempt)) {
      if (other.began <= request.at) await recoverOne(other);
      else later.push(nameOf(other));
    }
  });
  const count = done + failed.length;
  if (count + later.length === 0) {
    throw new Error(
      only === undefined
        ? "the bucket has no repository"
        : `--client: the bucket has no repository of ${only}; the stack's clients are ` +
            deployment.clients.map(({ name }) => name).join(", "),
    );
  }
  if (later.length > 0) {
    print(
      `\nNot touched, because they belong to no client of the stack and began later: ${firstNames(later)}.`,
    );
  }
  const repositories = `${count} ${count === 1 ? "repository" : "repositories"}`;
  const what = request.apply ? "recovered" : "read at that time";
  print(
    failed.length === 0
      ? `\n${repositories}: all ${what}.`
      : `\n${failed.length} of ${repositories} could NOT be ${what}, see above: ${failed.join(", ")}.`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** The first names, and the number of the others. */
function firstNames(names: readonly string[]): string {
  const more = names.length > MOST_NAMED ? [`and ${names.length - MOST_NAMED} more`] : [];
  return [...names.slice(0, MOST_NAMED), ...more].join(", ");
}

/** The repositories in the bucket's versions that the stack does not have, sorted by their configs' keys. */
async function otherRepositories(
  { bucket }: Deployment,
  only: string | undefined,
  own: readonly Repository[],
  attempt: Attempt,
): Promise<Other[]> {
  const known = new Set(own.map(nameOf));
  // A folder without a config was never a repository: the writer can create any number of those.
  const configOf = (repository: Repository): string => `${nameOf(repository)}/config`;
  return withS3(bucket, bucket.owner, async (s3) => {
    const namesBelow = async (prefix: string): Promise<string[]> => {
      const folders = await listFolders(s3, bucket, prefix);
      return folders
        .map((folder) => folder.slice(prefix.length, -1))
        .filter((name) => nameProblem(name) === undefined);
    };
    const clients = only === undefined ? await namesBelow("") : [only];
    const others: Repository[] = [];
    await inParallel(AT_ONCE, clients, (client) =>
      attempt(`those below ${client}/`, async () => {
        const found = (await namesBelow(`${client}/`)).map((repository) => ({ client, repository }));
        others.push(...found.filter((one) => !known.has(nameOf(one))));
      }),
    );
    const found: Other[] = [];
    await inParallel(AT_ONCE, others, (other) =>
      attempt(nameOf(other), async () => {
        let began = Infinity;
        for await (const page of versionPages(s3, bucket, configOf(other))) {
          for (const { key, marker, modified } of page) {
            if (key === configOf(other) && !marker) began = Math.min(began, modified);
          }
        }
        if (began !== Infinity) found.push({ ...other, began });
      }),
    );
    return found.sort((one, other) => (configOf(one) < configOf(other) ? -1 : 1));
  });
}
