import { HostAccess } from "../operations/deployment";
import { spawnSync } from "node:child_process";
import * as pulumi from "@pulumi/pulumi";
import { types } from "@pulumi/command";
import { shown, SshTarget } from "../config";

/**
 * Maximum number of failed dial attempts. A host that boots refuses connections for minutes, and each refusal counts:
 * 90 attempts last for more than five. A server that already runs gets ten, which last for eleven seconds: what it
 * refuses then, such as a wrong host key, it always refuses.
 */
export const DIAL_ERROR_LIMIT = { booting: 90, running: 10 };
const PER_DIAL_TIMEOUT_SECONDS = 15;

/** A host as a remote command reaches it. The host key is never optional: nothing here trusts on first use. */
export interface Target {
  address: pulumi.Input<string>;
  port: number;
  user: string;
  hostKey: pulumi.Input<string>;
}

/** How the operator reaches hosts: the private key, and a jump host where there is one. */
export interface Access {
  privateKey: pulumi.Input<string>;
  jumpHost?: SshTarget;
}

/** What of an SSH target is no secret, for previews: a change of it sends keys and passwords elsewhere. */
export function reached({ address, port, user, hostKey }: SshTarget): Omit<SshTarget, "privateKey"> {
  return { address, port, user, hostKey };
}

/** The one place where an SSH connection of the stack is described; a secret. */
export function hostAccess(target: Target, access: Access): pulumi.Output<HostAccess> {
  const jump = access.jumpHost;
  return pulumi.secret({
    host: target.address,
    port: target.port,
    user: target.user,
    hostKey: target.hostKey,
    privateKey: access.privateKey,
    ...(jump && {
      proxy: {
        host: jump.address,
        port: jump.port,
        user: jump.user,
        hostKey: jump.hostKey,
        privateKey: jump.privateKey ?? access.privateKey,
      },
    }),
  });
}

/** The same for a remote command, which retries while the host boots. A jump host is always one that runs. */
export function connection(
  access: pulumi.Output<HostAccess>,
  state: keyof typeof DIAL_ERROR_LIMIT,
): pulumi.Output<types.input.remote.ConnectionArgs> {
  const patience = (of: keyof typeof DIAL_ERROR_LIMIT) => ({
    dialErrorLimit: DIAL_ERROR_LIMIT[of],
    perDialTimeout: PER_DIAL_TIMEOUT_SECONDS,
  });
  return access.apply(({ proxy, ...host }) => ({
    ...patience(state),
    ...host,
    ...(proxy && { proxy: { ...patience("running"), ...proxy } }),
  }));
}

/** Connects to a unix socket; exit status 0: an agent listens there. */
const PROBE = `require("net").connect(process.env.SSH_AUTH_SOCK)
  .on("connect", () => process.exit(0)).on("error", () => process.exit(1))`;
const PROBE_TIMEOUT_MS = 10_000;

/**
 * `@pulumi/command` asks the SSH agent that SSH_AUTH_SOCK names, whatever key it is given, and fails where none answers.
 * No setting of a connection prevents that, so the operator has to.
 *
 * @throws pulumi.RunError where the variable names an agent that is gone.
 */
export function refuseDeadAgent(environment: NodeJS.ProcessEnv): void {
  const { SSH_AUTH_SOCK: socket } = environment;
  if (socket === undefined || socket === "") return;
  const env = { ...environment, NODE_OPTIONS: "" };
  const { status } = spawnSync(process.execPath, ["-e", PROBE], { env, timeout: PROBE_TIMEOUT_MS });
  if (status === 0) return;
  throw new pulumi.RunError(
    `SSH_AUTH_SOCK names ${shown(socket)}, where no SSH agent answers: Pulumi's SSH connections would fail on that, ` +
      "though they need no agent; run `unset SSH_AUTH_SOCK`, then this command again",
  );
}
