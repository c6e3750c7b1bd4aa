/** Shuts clients out, and lets them in again. */
import * as fs from "node:fs";
import { S3Store } from "../../keeper/gate/store";
import { inParallel } from "../../keeper/parallel";
import { withS3 } from "../../s3/with-s3";
import { configurationFile } from "../configuration-file";
import { Deployment, repositoriesOf } from "../deployment";
import { EXIT } from "../exit-status";
import { putHold, removeHold } from "../hold";
import { printableLines } from "../printable";
import { readDeployment } from "../read-deployment";
import { replaceFile } from "../replace-file";
import { Interrupted, ROOT, run } from "../transport/run";
import { SshHost } from "../transport/ssh";
import { withTemporaryFolder } from "../transport/temporary-folder";
import { ChosenClients } from "./arguments";
import { configuredClients, readSources, Source, withFrozen } from "./configuration";
import { shutOut } from "./shut-out";

/** Seconds for an update, which gives up on each unreachable host after about six minutes. */
const UPDATE_SECONDS = 4 * 3600;

/** Holds that are put or removed at once. */
const HOLDS_AT_ONCE = 8;

/** Standard output has the names alone. */
const say = (text: string): void => void process.stderr.write(`${printableLines(text)}\n`);

/** The stack and its resources, as Pulumi names them. */
interface Deployed {
  stack: string;
  urns: string[];
}

async function deployed(stack: string | undefined): Promise<Deployed> {
  const chosen = stack === undefined ? [] : ["--stack", stack];
  const { stdout } = await run("pulumi", ["stack", "--show-urns", "--non-interactive", ...chosen]);
  const urns = [...stdout.matchAll(/urn:pulumi:\S+/g)].map(([urn]) => urn);
  return { stack: stack ?? urns[0]?.split(":")[2] ?? (await selected()), urns };
}

/** The name of a stack without resources. */
async function selected(): Promise<string> {
  return (await run("pulumi", ["stack", "--show-name", "--non-interactive"])).stdout.trim();
}

/** The stack's configuration as it stands in the checkout. */
const configuration = (stack: string): Source[] => readSources(configurationFile(stack), ROOT);

/** The names of the clients that were chosen. */
const namesOf = (chosen: ChosenClients, sources: readonly Source[]): string[] =>
  chosen === "all" ? configuredClients(sources).map(({ name }) => name) : chosen;

/** Writes `frozen` into the configuration; returns the names of the clients for which that is a change. */
function edit(sources: readonly Source[], all: readonly string[], frozen: boolean): string[] {
  const clients = configuredClients(sources);
  const changed = all.filter((name) => clients.find((client) => client.name === name)?.frozen !== frozen);
  for (const { file, text } of withFrozen(sources, changed, frozen)) {
    replaceFile(file, text, fs.statSync(file).mode);
  }
  return changed;
}

/** Ends their access on the proxy; returns whether that was done, and reports why not. */
async function shutOutNow(stack: string | undefined, frozen: ReadonlySet<string>): Promise<boolean> {
  try {
    const deployment = await readDeployment(stack);
    const failure = await withTemporaryFolder((folder) =>
      shutOut(deployment, frozen, new SshHost(deployment.proxy.host, { folder })),
    );
    say(`freeze: the proxy admits none of their keys any more, and has ended their connections`);
    if (failure !== undefined)
      say(`freeze: the rest of its installation failed, the update repeats it: ${failure}`);
    return true;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    say(
      `freeze: the keys could not be removed directly, the update has to do it: ${(error as Error).message}`,
    );
    return false;
  }
}

/** Why a hold was put, see {@link hold}. */
const HOLD = "npm run freeze";

/**
 * Puts holds on these clients' repositories, which end the keeper's work on them at once, or removes them. A failure is
 * reported and stops nothing: the keeper learns from the update, too, who is frozen.
 */
async function hold(stack: string | undefined, names: readonly string[], held: boolean): Promise<void> {
  try {
    const deployment = await readDeployment(stack);
    if (deployment.keeper === undefined) return;
    const { bucket } = deployment;
    await withS3(bucket, bucket.owner, async (s3) => {
      const store = new S3Store(s3, bucket);
      const chosen = deployment.clients.filter(({ name }) => names.includes(name));
      await inParallel(HOLDS_AT_ONCE, repositoriesOf(chosen), async (name) => {
        if (held) await putHold(store, name, HOLD, Date.now());
        else await removeHold(store, name, HOLD);
      });
    });
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    say(
      `${held ? "freeze" : "thaw"}: the keeper could not be ${held ? "stopped at once" : "released"}: ${(error as Error).message}`,
    );
  }
}

/** Runs the update, with its output on standard error; returns whether it succeeded. */
async function update(stack: string, args: readonly string[]): Promise<boolean> {
  const options = ["--stack", stack, "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs"];
  const { code } = await run("pulumi", ["up", ...options, "--continue-on-error", ...args], {
    accept: "any",
    timeout: UPDATE_SECONDS,
    show: "stderr",
  });
  return code === 0;
}

/**
 * Shuts clients out: in the configuration, on the proxy at once, and by an update that contacts no client.
 *
 * @param name of the stack; default: the selected one
 * @returns the exit status
 */
export async function freeze(chosen: ChosenClients, name?: string): Promise<number> {
  const { stack, urns } = await deployed(name);
  const sources = configuration(stack);
  const all = namesOf(chosen, sources);
  const changed = edit(sources, all, true);
  for (const name of changed) process.stdout.write(`${name}\n`);
  say(`freeze: ${all.join(", ")}: frozen in the configuration`);
  if (!urns.some((urn) => urn.includes("Proxy$command:remote:Command::"))) {
    say(
      "freeze: the stack has no proxy now, so nobody is admitted; the update that creates one keeps them out",
    );
    return EXIT.done;
  }
  const done = await shutOutNow(name, new Set(all));
  await hold(name, all, true);
  // No client is contacted: one that does not answer, or holds the connection, would hold up all others.
  const clients = `urn:pulumi:${stack.split("/").at(-1) ?? ""}::**Client$command:remote:Command::**`;
  if (await update(stack, ["--exclude", clients, "--exclude-dependents"])) return EXIT.done;
  say(
    `freeze: the update FAILED, see above. ${done ? "They are shut out all the same, until an update with another configuration" : "They are NOT shut out"}: fix that, and run this again`,
  );
  return EXIT.failed;
}

/** The keys of these clients' repositories. */
function keysOf({ urns }: Deployed, deployment: Deployment, names: readonly string[]): string[] {
  const ends = deployment.clients
    .filter(({ name }) => names.includes(name))
    .flatMap(({ name, repositories }) =>
      repositories.map(
        (repository) => `ClientKeys$tls:index/privateKey:PrivateKey::${name}-${repository.name}`,
      ),
    );
  return urns.filter((urn) => ends.some((end) => urn.endsWith(end)));
}

/** @throws Error where the configuration still has the old public key of a client whose operator made it */
function refuseOldKeys(deployment: Deployment, sources: readonly Source[], names: readonly string[]): void {
  const configured = new Map(configuredClients(sources).map((client) => [client.name, client.publicKeys]));
  const old = deployment.clients
    .filter(({ name, kind }) => kind === "key-only" && names.includes(name))
    .flatMap(({ name, repositories }) =>
      repositories
        .filter(
          (repository) =>
            configured.get(name)?.[repository.name]?.split(" ")[1] === repository.publicKey.split(" ")[1],
        )
        .map((repository) => `${name}/${repository.name}`),
    );
  if (old.length > 0) {
    throw new Error(
      `the configuration still has the old publicKey of ${old.join(", ")}: put in the new ones that their operators sent, and run this again`,
    );
  }
}

/**
 * Lets clients in again: in the configuration, and by an update.
 *
 * @param newKeys whether the update replaces the keys of all their repositories
 * @param name of the stack; default: the selected one
 * @returns the exit status
 */
export async function thaw(chosen: ChosenClients, newKeys: boolean, name?: string): Promise<number> {
  const known = await deployed(name);
  const sources = configuration(known.stack);
  const all = namesOf(chosen, sources);
  let keys: string[] = [];
  if (newKeys) {
    const deployment = await readDeployment(name);
    refuseOldKeys(deployment, sources, all);
    keys = keysOf(known, deployment, all);
  }
  edit(sources, all, false);
  say(`thaw: ${all.join(", ")}: not frozen in the configuration`);
  const replaced = keys.flatMap((urn) => ["--replace", urn]);
  if (await update(known.stack, replaced)) {
    await hold(name, all, false);
    return EXIT.done;
  }
  say("thaw: the update FAILED, see above: fix that, and run this again");
  return EXIT.failed;
}
