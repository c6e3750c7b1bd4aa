import * as fs from "node:fs";
import * as path from "node:path";
import { shellQuote } from "../../../hosts";
import { Result, step } from "../../../operations/transport/run";

const TREE_SCRIPT = fs.readFileSync(path.join(__dirname, "tree.sh"), "utf8");

/** A machine on which a shell script runs as root. */
export interface RootShell {
  sh(script: string, options?: { timeout?: number; accept?: number[] | "any" }): Promise<Result>;
}

/** What a round trip of one repository showed. */
export interface RoundTrip {
  client: string;
  repository: string;
  /** Entries of the tree at the first backup. */
  files: number;
  firstSeconds: number;
  secondSeconds: number;
  /** What restic printed when it was not allowed to forget a snapshot. */
  refusal: string;
}

const isEntry = (line: string): boolean => line.startsWith("./");

/** The line of restic's output that shows why it may not forget. */
const REFUSAL = /^.*403.*$/m;

/** A call of the script that makes and describes trees; `folder` is a word of the shell that runs it. */
function tree(command: "make" | "change", folder: string, seed = ""): string {
  return `sh -c ${shellQuote(TREE_SCRIPT)} tree.sh ${command} ${folder} ${shellQuote(seed)}\n`;
}

/**
 * A script that prints a description of every entry of a tree, in base64 since a file's name may be no valid text.
 * It fails where there is no tree.
 */
export function describeTree(folder: string): string {
  return `test -d ${folder} || exit 1\nsh -c ${shellQuote(TREE_SCRIPT)} tree.sh describe ${folder} | base64 -w 0\n`;
}

async function snapshotIds(host: RootShell, repository: string): Promise<string[]> {
  const { stdout } = await host.sh(`restic-backup ${shellQuote(repository)} snapshots --json`);
  return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id);
}

/**
 * Backs a new tree up, is refused to forget the snapshot, changes the tree, backs it up again, restores both
 * snapshots into empty folders and compares them with what was there.
 * @throws Error where a restored tree differs in any byte, or where `forget` is not refused with 403
 */
export async function backupRoundTrip(
  host: RootShell,
  client: string,
  repository: string,
  show: (text: string) => void = () => undefined,
): Promise<RoundTrip> {
  const name = `${client}/${repository}`;
  const { stdout } = await host.sh(`tr '\\0' '\\n' </etc/restic-backup/${shellQuote(repository)}/paths`);
  const source = stdout.split("\n")[0] as string;
  const known = await snapshotIds(host, repository);

  const backUp = async (what: string): Promise<{ seconds: number; id: string; description: string }> => {
    const description = (await host.sh(describeTree(shellQuote(source)))).stdout;
    const result = await step(`${name}: ${what}`, () => host.sh(`restic-backup ${shellQuote(repository)}`));
    const ids = (await snapshotIds(host, repository)).filter((id) => !known.includes(id));
    if (ids.length !== 1)
      throw new Error(`${name}: one new snapshot was expected, there are ${String(ids.length)}`);
    known.push(...ids);
    return { seconds: result.seconds, id: ids[0] as string, description };
  };
  const compare = async (snapshot: { id: string; description: string }, what: string) => {
    const restored = await step(`${name}: restore ${what}`, () =>
      host.sh(
        `target=$(mktemp -d /var/tmp/restore.XXXXXX)\ntrap 'rm -rf "$target"' EXIT\n` +
          `restic-backup ${shellQuote(repository)} restore ${snapshot.id} --target "$target" >&2\n` +
          describeTree(`"$target"${shellQuote(source)}`),
      ),
    );
    if (restored.stdout !== snapshot.description) {
      throw new Error(`${name}: ${what} came back different from what was backed up`);
    }
  };

  await step(`${name}: make a tree in ${source}`, () =>
    host.sh(`rm -rf ${shellQuote(source)}\n${tree("make", shellQuote(source), name)}`),
  );
  const first = await backUp("first backup");
  show((await host.sh(`restic-backup ${shellQuote(repository)} snapshots`)).stdout);

  const refused = await step(`${name}: forget must be refused`, () =>
    host.sh(`restic-backup ${shellQuote(repository)} forget ${first.id} 2>&1`, {
      accept: "any",
      timeout: 300,
    }),
  );
  const refusal = REFUSAL.exec(refused.stdout)?.[0];
  if (refused.code === 0 || refusal === undefined) {
    throw new Error(`${name}: forget was not refused with 403:\n${refused.stdout}`);
  }
  show(refusal);

  await host.sh(tree("change", shellQuote(source)));
  const second = await backUp("second backup");
  await compare(first, "the first snapshot");
  await compare(second, "the second snapshot");
  return {
    client,
    repository,
    files: Buffer.from(first.description, "base64").toString("latin1").split("\n").filter(isEntry).length,
    firstSeconds: first.seconds,
    secondSeconds: second.seconds,
    refusal: "forget refused: 403",
  };
}
