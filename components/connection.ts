import * as pulumi from "@pulumi/pulumi";
import { types } from "@pulumi/command";
import { SshTarget } from "../config";
import { HostAccess } from "../plan";

/**
 * How many failed dials a remote command bears before it gives up. A host that boots refuses connections for
 * minutes, and each refusal counts: this many last for more than five.
 */
const DIAL_ERROR_LIMIT = 90;
const PER_DIAL_TIMEOUT_SECONDS = 15;

/** A host as a remote command reaches it. The host key is never optional: nothing here trusts on first use. */
export interface Target {
  address: pulumi.Input<string>;
  port: number;
  user: string;
  hostKey: pulumi.Input<string>;
}

/** How the operator reaches hosts: his key, and a jump host where there is one. */
export interface Access {
  privateKey: pulumi.Input<string>;
  jumpHost?: SshTarget;
}

/** What of an SSH target is no secret, for previews: whoever changes it sends keys and passwords elsewhere. */
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

/** The same for a remote command, which has to bear that a host boots. */
export function connection(
  access: pulumi.Output<HostAccess>,
): pulumi.Output<types.input.remote.ConnectionArgs> {
  const patience = { dialErrorLimit: DIAL_ERROR_LIMIT, perDialTimeout: PER_DIAL_TIMEOUT_SECONDS };
  return access.apply(({ proxy, ...host }) => ({
    ...patience,
    ...host,
    ...(proxy && { proxy: { ...patience, ...proxy } }),
  }));
}
