/** Destroys a stack, and the root key last. */
import * as fs from "node:fs";
import { homedir } from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline/promises";
import { parseDocument } from "yaml";
import { firstData } from "../s3/remove";
import { withS3 } from "../s3/with-s3";
import { configurationFile } from "./configuration-file";
import { Deployment } from "./deployment";
import { EXIT } from "./exit-status";
import { readDeployment } from "./read-deployment";
import { run } from "./transport/run";

/** Seconds for the hosts to go. */
const DESTROY_SECONDS = 3600;

/** A resource as `pulumi stack export` shows it. */
export interface StateResource {
  urn: string;
  type: string;
  protect?: boolean;
}

const LOCK = "pulumi-nodejs:dynamic/s3:RootKeyLock";
const INSTANCE = "openstack:compute/instance:Instance";

const nameOf = ({ urn }: StateResource): string => urn.split("::").at(-1) ?? "";

/** Why the stack cannot be destroyed now, in one sentence; `undefined`: nothing is protected. */
export function protection(resources: readonly StateResource[]): string | undefined {
  const kept = resources.filter(({ protect }) => protect === true);
  if (kept.length === 0) return undefined;
  const names = kept.map((resource) => `${resource.type.split(":").at(-1) ?? ""} ${nameOf(resource)}`).sort();
  return `protected are ${names.join(", ")}: set secure-backups:protect to false in the configuration, run pulumi up, and repeat this`;
}

/** What the bucket holds: the name of something in it, `"unknown"` (the owner's keys are revoked), or nothing. */
export type Held = { name: string } | "unknown" | "nothing";

/** Why the root key cannot be destroyed now, in one sentence; `undefined`: no backup needs it, or all are given up. */
export function needOfRootKey(bucket: string, held: Held, givenUp: boolean): string | undefined {
  if (held === "nothing" || givenUp) return undefined;
  const what =
    held === "unknown"
      ? "may hold backups (its owner's keys are revoked)"
      : `holds backups (such as "${held.name}")`;
  return (
    `the bucket ${bucket} ${what}, which cannot be read without the root key: set secure-backups:s3.givenUp to true ` +
    "in the configuration and repeat this, or empty the bucket"
  );
}

/** What goes and what stays, for the operator to decide. */
export function explanation(resources: readonly StateResource[], { bucket }: Deployment, held: Held): string {
  const hosts = resources.filter(({ type }) => type === INSTANCE).map(nameOf);
  return [
    `Destroyed: ${String(resources.length)} resources, among them the hosts ${hosts.join(", ") || "(none)"} with their disks,`,
    "the keys of all clients, the operator's key where the stack created it, and, last, the root key.",
    held === "nothing"
      ? `The bucket ${bucket.bucket} holds no backups, and goes too.`
      : `The bucket ${bucket.bucket} stays with all that it holds and with its policy. Its backups can be read by the passwords in\n` +
        "the exported file alone.",
    "Existing servers and key-only clients keep their files, with keys that open nothing.",
  ].join("\n");
}

/** What opens the backups once the stack is gone. */
export function exported({ bucket, clients, repositoryRootKey }: Deployment): object {
  const { endpoint, region, bucket: name } = bucket;
  const passwords = clients.flatMap((client) =>
    client.repositories.map((repository) => [`${client.name}/${repository.name}`, repository.password]),
  );
  return {
    bucket: { endpoint, region, name },
    repositoryRootKey,
    passwords: Object.fromEntries(passwords) as object,
  };
}

async function pulumi(args: string[], stack: string[]): Promise<string> {
  return (await run("pulumi", [...args, "--non-interactive", ...stack])).stdout;
}

/** What the owner's keys show of the bucket. */
async function look({ bucket }: Deployment): Promise<Held> {
  try {
    const name = await withS3(bucket, bucket.owner, (s3) => firstData(s3, bucket.bucket));
    return name === undefined ? "nothing" : { name };
  } catch (error) {
    if ((error as Error).name === "NoSuchBucket") return "nothing";
    if ((error as Error).name === "InvalidAccessKeyId") return "unknown";
    throw error;
  }
}

/** Whether the configuration gives the backups up. */
function givenUp(stack: string): boolean {
  const document = parseDocument(fs.readFileSync(configurationFile(stack), "utf8"));
  return document.getIn(["config", "secure-backups:s3", "givenUp"]) === true;
}

/**
 * Destroys a stack: reports what goes and what stays, writes the keys of the backups to a file, asks, and does it.
 *
 * @param stack its name; default: the selected one
 * @param yes does not ask
 * @returns the exit status
 * @throws Error where something is protected, or backups need the root key
 */
export async function destroy(stack: string | undefined, yes: boolean): Promise<number> {
  const chosen = stack === undefined ? [] : ["--stack", stack];
  const exportedStack = JSON.parse(await pulumi(["stack", "export"], chosen)) as {
    deployment: { resources?: StateResource[] };
  };
  const { resources = [] } = exportedStack.deployment;
  if (resources.length === 0) {
    console.log("The stack has nothing that could be destroyed.");
    return EXIT.done;
  }
  const refusal = protection(resources);
  if (refusal !== undefined) throw new Error(refusal);
  const deployment = await readDeployment(stack);
  const name = resources[0]?.urn.split(":")[2] ?? "";
  const held = await look(deployment);
  const need = needOfRootKey(deployment.bucket.bucket, held, givenUp(name));
  if (need !== undefined) throw new Error(need);

  console.log(`${explanation(resources, deployment, held)}\n`);
  const when = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const folder = path.join(
    process.env.XDG_STATE_HOME ?? path.join(homedir(), ".local/state"),
    "secure-backups",
  );
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, `${name}-${when}.json`);
  fs.writeFileSync(file, `${JSON.stringify(exported(deployment), null, 2)}\n`, { mode: 0o600, flag: "wx" });
  console.log(`The root key and all passwords are in ${file}: move it to where you keep such things.\n`);
  if (!yes) {
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await terminal.question(`Type ${name} to destroy the stack: `);
    terminal.close();
    if (answer.trim() !== name) throw new Error("nothing was destroyed");
  }

  const options = ["destroy", "--yes", "--non-interactive", "--suppress-progress", ...chosen];
  const show = { show: true, timeout: DESTROY_SECONDS };
  const locks = resources.filter(({ type }) => type === LOCK).map(({ urn }) => urn);
  // The lock refuses a bucket that is not empty, or not given up: this was checked above. Its dependents go first.
  await run("pulumi", [...options, ...locks.flatMap((urn) => ["--exclude", urn])], show);
  for (const urn of locks) await pulumi(["state", "delete", urn, "--yes"], chosen);
  await run("pulumi", options, show);
  return EXIT.done;
}
