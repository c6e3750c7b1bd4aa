/** `npm run freeze` and `npm run thaw`. */
import { Deployment } from "../operations/deployment";
import * as fs from "node:fs";
import { configurationFile } from "../operations/configuration-file";
import { enterLocalCloud } from "./dev/local-stack";
import { readDeployment } from "../operations/read-deployment";
import { printableLines } from "../operations/printable";
import { Interrupted, ROOT, run } from "../operations/transport/run";
import { SshHost } from "../operations/transport/ssh";
import { withTemporaryFolder } from "../operations/transport/temporary-folder";
import { UsageError } from "../operations/usage-error";
import { FreezeRequest, parseFreeze, USAGE } from "../operations/freeze/arguments";
import { configuredClients, readSources, Source, withFrozen } from "../operations/freeze/configuration";
import { shutOut } from "../operations/freeze/shut-out";

/** Seconds for an update; one that has to wait for hosts gives up on each after about six minutes. */
const UPDATE_SECONDS = 4 * 3600;

type Command = keyof typeof USAGE;

/** Standard output is for names alone. */
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

/** A stack of which nothing was made yet. */
async function selected(): Promise<string> {
  return (await run("pulumi", ["stack", "--show-name", "--non-interactive"])).stdout.trim();
}

/** The stack's configuration as it stands in the checkout. */
const configuration = (stack: string): Source[] => readSources(configurationFile(stack), ROOT);

/** Writes it into the configuration, and gives the names of those for whom that changes something. */
function edit(
  sources: readonly Source[],
  request: FreezeRequest,
  frozen: boolean,
): { all: string[]; changed: string[] } {
  const clients = configuredClients(sources);
  const all = request.clients === "all" ? clients.map(({ name }) => name) : request.clients;
  const changed = all.filter((name) => clients.find((client) => client.name === name)?.frozen !== frozen);
  for (const { file, text } of withFrozen(sources, changed, frozen)) {
    const made = `${file}.${String(process.pid)}`;
    fs.writeFileSync(made, text, { mode: fs.statSync(file).mode });
    fs.renameSync(made, file);
  }
  return { all, changed };
}

/** Ends their access on the proxy; whether that was done. What keeps it from being done is said. */
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

/** Runs the update; its output goes to standard error. */
async function update(stack: string, args: readonly string[]): Promise<boolean> {
  const options = ["--stack", stack, "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs"];
  const { code } = await run("pulumi", ["up", ...options, "--continue-on-error", ...args], {
    accept: "any",
    timeout: UPDATE_SECONDS,
    show: "stderr",
  });
  return code === 0;
}

async function freeze(request: FreezeRequest): Promise<number> {
  const { stack, urns } = await deployed(request.stack);
  const { all, changed } = edit(configuration(stack), request, true);
  for (const name of changed) process.stdout.write(`${name}\n`);
  say(`freeze: ${all.join(", ")}: frozen in the configuration`);
  if (!urns.some((urn) => urn.includes("Proxy$command:remote:Command::"))) {
    say(
      "freeze: the stack has no proxy now, so nobody is admitted; the update that makes one keeps them out",
    );
    return 0;
  }
  const done = await shutOutNow(request.stack, new Set(all));
  // No client is contacted: one that does not answer, or holds the connection, would hold up all others.
  const clients = `urn:pulumi:${stack.split("/").at(-1) ?? ""}::**Client$command:remote:Command::**`;
  if (await update(stack, ["--exclude", clients, "--exclude-dependents"])) return 0;
  say(
    `freeze: the update FAILED, see above. ${done ? "They are shut out all the same, until an update with another configuration" : "They are NOT shut out"}: mend that, and run this again`,
  );
  return 1;
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

/** Refuses to let in keys that a client's operator brought and that are still the old ones. */
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

async function thaw(request: FreezeRequest): Promise<number> {
  const known = await deployed(request.stack);
  const sources = configuration(known.stack);
  const names =
    request.clients === "all" ? configuredClients(sources).map(({ name }) => name) : request.clients;
  let keys: string[] = [];
  if (request.newKeys) {
    const deployment = await readDeployment(request.stack);
    refuseOldKeys(deployment, sources, names);
    keys = keysOf(known, deployment, names);
  }
  const { all } = edit(sources, request, false);
  say(`thaw: ${all.join(", ")}: not frozen in the configuration`);
  if (
    await update(
      known.stack,
      keys.flatMap((urn) => ["--replace", urn]),
    )
  )
    return 0;
  say("thaw: the update FAILED, see above: mend that, and run this again");
  return 1;
}

async function main([command, ...args]: string[]): Promise<number> {
  if (command !== "freeze" && command !== "thaw") throw new UsageError("main.ts freeze|thaw …");
  const request = parseFreeze(command, args);
  if (request === "help") {
    process.stdout.write(USAGE[command]);
    return 0;
  }
  await enterLocalCloud(request.stack);
  return await (command === "freeze" ? freeze(request) : thaw(request));
}

const command = process.argv[2] as Command;
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    say(`${command}: ${error instanceof Error ? error.message : String(error)}`);
    if (error instanceof UsageError) say(`\n${USAGE[command]}`);
    process.exitCode = error instanceof UsageError ? 64 : 1;
  },
);
