import { isIPv4 } from "node:net";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { Artifact, KeyPair } from "../config";
import { clientInstall, clientPaths } from "../hosts";
import { DeployedRepository, HostAccess } from "../operations/deployment";
import { ClientKeys } from "./client-keys";
import { hostAccess, reached } from "./connection";
import { Host, HostEnvironment } from "./host";
import { install, InstallArgs } from "./install";
import { HostLookups } from "./lookup";
import { Proxy } from "./proxy";

const SSH_PORT = 22;

/** @see Client */
export interface ClientArgs {
  /** The identity of the stack, by which it knows what is its own on a server. */
  stack: pulumi.Output<string>;
  /** The client to create, with its keys. */
  keys: ClientKeys;
  proxy: Proxy;
  bucket: string;
  /** The restic to install; absent: the distribution's package. */
  restic?: Artifact;
  /** What a client of kind `vm` is created with. */
  host: HostEnvironment;
  /** The same, as far as the configuration only names it; absent for the other kinds. */
  found?: HostLookups;
  floatingIpPool?: string;
}

/**
 * A machine that backs up. Kind `vm`: an app server created here. Kind `existing`: a server reached by SSH. Kind
 * `key-only`: a machine of somebody who handed over public keys; `npm run instructions` prints what to do
 * there, and nothing of it is reached.
 */
export class Client extends pulumi.ComponentResource {
  readonly keys: ClientKeys;
  /** The machine created here; absent for clients of other kinds. */
  readonly host?: Host;
  /** How the operator reaches the client, a secret; absent for a key-only one. */
  readonly access?: pulumi.Output<HostAccess>;
  /** Where clients of the kinds `existing` and `key-only` reach the proxy. */
  readonly proxyAddress: pulumi.Output<string>;
  /** Done when the client can back up and its repositories exist; absent for key-only and frozen clients. */
  readonly installed?: remote.Command;

  constructor(name: string, args: ClientArgs, opts?: pulumi.ComponentResourceOptions) {
    const { keys, proxy } = args;
    const { client } = keys;
    const repositories = client.repositories.map(
      ({ keyName, password, publicKey, keep, pins, ...shown }) => shown,
    );
    const ssh = client.kind === "existing" ? reached(client.ssh) : undefined;
    super(
      "secure-backups:index:Client",
      name,
      { kind: client.kind, frozen: client.frozen, ssh, repositories },
      opts,
    );
    this.keys = keys;
    this.proxyAddress = client.byIpv6 ? proxy.publicAddress6 : proxy.publicAddress;
    if (client.byIpv6 && !client.frozen) {
      this.proxyAddress.apply((address) => {
        warnOfIpv4(client.name, address);
      });
    }
    const endpoint = (address: pulumi.Output<string>) =>
      pulumi
        .all([address, proxy.hostKey])
        .apply(([address, hostKey]) => ({ address, port: SSH_PORT, hostKey }));

    if (client.kind === "key-only") {
      this.registerOutputs();
      return;
    }

    const content = pulumi
      .all([
        args.stack,
        endpoint(client.kind === "vm" ? proxy.fixedAddress : this.proxyAddress),
        keys.repositories,
      ])
      .apply(([stack, proxy, repositories]) =>
        clientInstall({
          stack,
          client: client.name,
          bucket: args.bucket,
          proxy,
          restic: args.restic,
          // Only a key-only client brings public keys of its own.
          repositories: repositories as (DeployedRepository & KeyPair)[],
        }),
      );
    // An attacker on a frozen client gets nothing new from the stack, and cannot delay an update.
    const paths = clientPaths(client.name, client.repositories);
    const put = (what: Omit<InstallArgs, "content" | "paths">, after: pulumi.Resource[] = []) =>
      client.frozen
        ? undefined
        : install(
            client.name,
            { ...what, content, paths },
            { parent: this, dependsOn: [proxy.installed, ...after] },
          );
    if (client.kind === "vm") {
      const host = new Host(
        client.name,
        {
          ...args.host,
          hostName: client.name,
          machine: client,
          found: args.found as HostLookups,
          securityGroup: "appserver",
          floatingIpPool: args.floatingIpPool,
        },
        { parent: this },
      );
      this.host = host;
      this.access = host.access;
      this.installed = put(
        { access: host.access, state: "booting", triggers: [host.instanceId] },
        args.host.network.reachable,
      );
    } else {
      const { privateKey, ...target } = client.ssh;
      const access = privateKey === undefined ? args.host.access : { ...args.host.access, privateKey };
      this.access = hostAccess(target, access);
      this.installed = put({ access: this.access, state: "running" });
    }
    this.registerOutputs();
  }
}

/** A network that exists may have no IPv6, which is not known before the proxy is in it. */
function warnOfIpv4(client: string, address: string): void {
  if (!isIPv4(address)) return;
  void pulumi.log.warn(
    `client ${client} connects by IPv6 alone, and the proxy has no IPv6 address, only ${address}; give its network an ` +
      "IPv6 subnet, or a proxy.hostName that leads to the proxy by IPv6",
  );
}
