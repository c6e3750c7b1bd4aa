import { HostAccess, Deployment } from "../operations/deployment";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { enterLocalCloud } from "./dev/local-stack";
import { readDeployment } from "../operations/read-deployment";
import { remoteCommand, SshHost } from "../operations/transport/ssh";

const USAGE = `usage: npm run --silent ssh -- [--stack STACK] [--identity FILE] HOST [COMMAND]

Logs in to the proxy or a client as the operator, with his key and the pinned host key from the stack's state.

  HOST             the proxy's name or a client's; a wrong one lists those that there are
  COMMAND          runs there in /bin/sh in place of the login shell; in quotes
  --stack STACK    the stack; default: the one that is selected
  --identity FILE  a private key to log in with; default: the one in the stack's state
`;

/**
 * How the operator reaches a host of the stack.
 * @throws Error that lists the hosts there are
 */
export function accessTo(deployment: Deployment, name: string): HostAccess {
  const proxy = deployment.network.hosts.find(({ group }) => group === "proxy")?.name ?? "";
  const hosts = new Map([
    [proxy, deployment.proxy.host],
    ...deployment.clients.flatMap((client) => (client.host ? [[client.name, client.host] as const] : [])),
  ]);
  const access = hosts.get(name);
  if (access === undefined) {
    throw new Error(`the stack reaches no host "${name}": it reaches ${[...hosts.keys()].join(", ")}`);
  }
  return access;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { stack: { type: "string" }, identity: { type: "string" }, help: { type: "boolean" } },
    allowPositionals: true,
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [name, ...command] = positionals;
  if (name === undefined) {
    process.stderr.write(USAGE);
    return 64;
  }
  await enterLocalCloud(values.stack);
  const access = accessTo(await readDeployment(values.stack), name);
  const { identity } = values;
  return await login(
    identity === undefined ? access : { ...access, privateKey: fs.readFileSync(identity, "utf8") },
    command,
  );
}

/** Runs ssh to its end. What a signal means is for ssh to say: the keys are removed when it has ended. */
async function login(access: HostAccess, command: readonly string[]): Promise<number> {
  // The terminal sends these to ssh as well; a kill of this process alone is passed on.
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGHUP", "SIGTERM"] as const) {
    process.on(signal, () => child.kill(signal));
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "secure-backups-ssh-"));
  process.on("exit", () => {
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const [ssh, ...args] = new SshHost(access, { folder }).command() as [string, ...string[]];
  // Several words are one command line, as ssh itself has it.
  const remote = command.length === 0 ? [] : [remoteCommand(command.join(" "))];
  const child = spawn(ssh, [...args, ...remote], { stdio: "inherit" });
  return await new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (status) => {
      resolve(status ?? 255);
    });
  });
}

if (require.main === module) {
  main().then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      process.stderr.write(`ssh: ${(error as Error).message}\n`);
      process.exitCode = 1;
    },
  );
}
