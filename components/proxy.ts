import { isIPv4 } from "node:net";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { KeyPair, StackConfig } from "../config";
import { CANARY, grantsOf, PROXY_PATHS, proxyInstall } from "../hosts";
import { BackupBucket } from "./backup-bucket";
import { ClientKeys } from "./client-keys";
import { Host, HostEnvironment } from "./host";
import { install } from "./install";
import { HostLookups } from "./lookup";

/** @see Proxy */
export interface ProxyArgs {
  host: HostEnvironment;
  proxy: StackConfig["proxy"];
  /** What the host is created with, as far as the configuration only names it. */
  found: HostLookups;
  s3: StackConfig["s3"];
  /** The S3 endpoint with its scheme. */
  endpoint: string;
  bucket: BackupBucket;
  /** Every client; a frozen one may not use the proxy. */
  clients: ClientKeys[];
  floatingIpPool?: string;
}

/**
 * `rclonesrv`: the one host that holds S3 credentials. It answers each client's key with one forced command,
 * `rclone serve restic --stdio --append-only` on that client's repository, and runs nothing else.
 */
export class Proxy extends pulumi.ComponentResource {
  readonly hostKey: pulumi.Output<string>;
  /** The address for clients in the same network. */
  readonly fixedAddress: pulumi.Output<string>;
  /** The address for clients elsewhere: the configured host name, else the floating IP. */
  readonly publicAddress: pulumi.Output<string>;
  /**
   * The same for clients that connect by IPv6 alone, which no floating IP serves: the configured host name, else the
   * machine's own IPv6 address.
   */
  readonly publicAddress6: pulumi.Output<string>;
  /** The machine itself. */
  readonly host: Host;
  /** The key of the canary client, created here and put on no host; a secret. */
  readonly canary: pulumi.Output<KeyPair>;
  /** Done when the proxy serves every client it is to serve. */
  readonly installed: remote.Command;

  constructor(name: string, args: ProxyArgs, opts?: pulumi.ComponentResourceOptions) {
    const { proxy, s3, bucket } = args;
    super(
      "secure-backups:index:Proxy",
      name,
      {
        name: proxy.name,
        hostName: proxy.hostName,
        rclone: `${proxy.rclone.version} (sha256 ${proxy.rclone.sha256}) from ${proxy.rclone.url}`,
        repositories: [
          `${CANARY.client}/${CANARY.repository}`,
          ...args.clients
            .filter(({ client }) => !client.frozen)
            .flatMap(({ client }) => client.repositories.map(({ name }) => `${client.name}/${name}`)),
        ],
      },
      opts,
    );
    const host = new Host(
      proxy.name,
      {
        ...args.host,
        hostName: proxy.name,
        machine: proxy,
        found: args.found,
        securityGroup: "proxy",
        floatingIpPool: args.floatingIpPool,
      },
      { parent: this },
    );
    this.hostKey = host.hostKey;
    this.fixedAddress = host.fixedAddress;
    const { hostName } = proxy;
    this.publicAddress = hostName === undefined ? host.address : pulumi.output(hostName);
    this.publicAddress6 =
      hostName === undefined || isIPv4(hostName)
        ? pulumi.all([host.address6, this.publicAddress]).apply(([own, other]) => own ?? other)
        : this.publicAddress;

    this.host = host;

    const canary = new tls.PrivateKey("canary", { algorithm: "ED25519" }, { parent: this });
    const canaryPublicKey = canary.publicKeyOpenssh.apply((text) => text.trim());
    this.canary = pulumi.output({
      publicKey: canaryPublicKey,
      privateKey: pulumi.secret(canary.privateKeyOpenssh),
    });

    const content = pulumi
      .all([
        args.clients.map(({ client, repositories }) => ({ ...client, repositories })),
        canaryPublicKey,
        bucket.writer,
      ])
      .apply(([clients, publicKey, writer]) =>
        proxyInstall({
          host: proxy.name,
          bucket: s3.bucket,
          rclone: proxy.rclone,
          s3: { endpoint: args.endpoint, region: s3.region, ...writer },
          grants: grantsOf(clients, { publicKey }),
        }),
      );
    this.installed = install(
      proxy.name,
      { access: host.access, state: "booting", content, paths: PROXY_PATHS, triggers: [host.instanceId] },
      { parent: this, dependsOn: [bucket.bucket, ...args.host.network.reachable] },
    );
    this.registerOutputs({ address: this.publicAddress });
  }
}
