/** The operator's login on the hosts of a stack. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Deployment, HostAccess } from "./deployment";
import { readDeployment } from "./read-deployment";
import { attach } from "./transport/run";
import { remoteCommand, SshHost } from "./transport/ssh";

/** @see login */
export interface Login {
  /** Name of the host. */
  host: string;
  /** A command line for its /bin/sh, joined by spaces as ssh itself does. @default a login shell */
  words?: readonly string[];
  /** @default the selected one */
  stack?: string;
  /** A file with a private key. @default the key in the stack's state */
  identity?: string;
}

/**
 * How the operator reaches a host of the stack.
 * @throws Error that lists the hosts that there are
 */
export function accessTo(deployment: Deployment, name: string): HostAccess {
  const proxy = deployment.network.hosts.find(({ group }) => group === "proxy")?.name ?? "";
  const hosts = new Map([
    [proxy, deployment.proxy.host],
    ...(deployment.keeper ? [[deployment.keeper.name, deployment.keeper.host] as const] : []),
    ...deployment.clients.flatMap((client) => (client.host ? [[client.name, client.host] as const] : [])),
  ]);
  const access = hosts.get(name);
  if (access === undefined) {
    throw new Error(`the stack reaches no host "${name}": it reaches ${[...hosts.keys()].join(", ")}`);
  }
  return access;
}

/**
 * Logs in with the pinned host key. The operator's key is removed when ssh has ended.
 *
 * @returns the exit status of ssh
 */
export async function login({ host, words = [], stack, identity }: Login): Promise<number> {
  const known = accessTo(await readDeployment(stack), host);
  const access = identity === undefined ? known : { ...known, privateKey: fs.readFileSync(identity, "utf8") };
  const remote = words.length === 0 ? [] : [remoteCommand(words.join(" "))];
  return await attach(() => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "secure-backups-ssh-"));
    process.on("exit", () => {
      fs.rmSync(folder, { recursive: true, force: true });
    });
    return [...new SshHost(access, { folder }).command(), ...remote];
  });
}
