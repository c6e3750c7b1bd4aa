/** The same for many repositories: what is done for each is recover.ts's. */
import { nameProblem } from "../../config/values";
import { Operations } from "../../plan";
import { printableLines } from "../lib/printable";
import { withS3 } from "../lib/with-s3";
import { RecoverManyRequest } from "./arguments";
import { recover } from "./recover";
import { listFolders, listVersions } from "./versions";

/**
 * Shows or brings back every repository that the bucket has, or every one of a client; one that fails keeps none of
 * the others. Gives 0 where all are as asked for.
 *
 * @throws Error where the bucket has none, or cannot be listed
 */
export async function recoverMany(
  operations: Operations,
  { client, ...request }: RecoverManyRequest,
  print: (text: string) => void,
): Promise<number> {
  const repositories = await repositoriesOf(operations, client);
  if (repositories.length === 0) {
    throw new Error(
      client === undefined
        ? "the bucket has no repository"
        : `--client: the bucket has no repository of ${client}; the stack's clients are ` +
            operations.clients.map(({ name }) => name).join(", "),
    );
  }
  const failed: string[] = [];
  for (const [client, repository] of repositories) {
    const name = `${client}/${repository}`;
    print(`\n==> ${name}\n`);
    try {
      if ((await recover(operations, { ...request, client, repository }, print)) !== 0) failed.push(name);
    } catch (error) {
      print(printableLines(`recover: ${error instanceof Error ? error.message : String(error)}`));
      failed.push(name);
    }
  }
  const count = `${repositories.length} ${repositories.length === 1 ? "repository" : "repositories"}`;
  const done = request.apply ? "brought back" : "read as of then";
  print(
    failed.length === 0
      ? `\n${count}: all ${done}.`
      : `\n${failed.length} of ${count} could NOT be ${done}, see above: ${failed.join(", ")}.`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** The repositories that the bucket has, or ever had as long as versions are kept, with the client of each. */
async function repositoriesOf(
  { bucket }: Operations,
  only: string | undefined,
): Promise<[client: string, repository: string][]> {
  return withS3(bucket, bucket.owner, async (s3) => {
    const namesBelow = async (prefix: string): Promise<string[]> => {
      const folders = await listFolders(s3, bucket, prefix);
      return folders
        .map((folder) => folder.slice(prefix.length, -1))
        .filter((name) => nameProblem(name) === undefined);
    };
    const found: [string, string][] = [];
    const clients = only === undefined ? await namesBelow("") : [only];
    for (const client of clients) {
      for (const repository of await namesBelow(`${client}/`)) {
        // A folder without it was never a repository: whoever may write can make any number of those.
        const [config] = await listVersions(s3, bucket, `${client}/${repository}/config`, 1);
        if (config !== undefined) found.push([client, repository]);
      }
    }
    return found;
  });
}
