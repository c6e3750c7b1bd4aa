import { ClientConfig, isIpv6Alone, KERNEL_FOLDERS, RepositoryConfig, StackConfig } from "../config";
import { repositoryAddress } from "../hosts";
import type { KeeperSettings } from "../keeper/settings";
import { FirewallRule, firewallRules } from "./firewall";
import { OpenRing, openRings } from "./identities";
import { keeperSettings, retentionOff } from "./keeper";
import { DiskOfFlavor, disksOfFlavors } from "./machines";
import { configWarnings } from "./warnings";

export * from "./firewall";
export * from "./identities";
export * from "./keys";
export * from "./machines";
export * from "./login";

/**
 * One restic repository of one client, as the stack will build it. Where it takes in the whole system, what lies in the
 * kernel's own folders is left out, unless an exclude of the configuration takes it back in by a `!`.
 */
export interface RepositoryPlan extends RepositoryConfig {
  /** `CLIENT-REPOSITORY`: the name of the key resource and the comment of the key. */
  keyName: string;
  /** The address restic uses, `rclone:s3-resticrepo:BUCKET/CLIENT/REPOSITORY`. */
  address: string;
}

type Planned<Client extends ClientConfig> = Client extends ClientConfig
  ? Omit<Client, "repositories"> & { byIpv6: boolean; repositories: RepositoryPlan[] }
  : never;

/** A client with its repositories planned, and whether it connects to the proxy from IPv6 addresses alone. */
export type ClientPlan = Planned<ClientConfig>;

/** All that the stack will build, as plain values: no secret is created here and nothing is looked up. */
export interface Plan {
  config: StackConfig;
  /** The S3 endpoint with its scheme; `https` where the configuration names none. */
  s3Endpoint: string;
  clients: ClientPlan[];
  firewall: FirewallRule[];
  openRings: OpenRing[];
  /** The settings of the keeper's program; absent: there is no keeper. */
  keeper?: KeeperSettings;
  /** Why nothing is forgotten, with the remedy; absent: retention is on. */
  retentionOff?: string;
  /** What the operator probably did not mean. */
  warnings: string[];
  /** Flavors on whose disks hosts will start. */
  disksOfFlavors: DiskOfFlavor[];
}

/** What the stack will build for a configuration. Pure: the same configuration gives the same plan. */
export function buildPlan(config: StackConfig): Plan {
  const s3Endpoint = config.s3.endpoint.includes("://")
    ? config.s3.endpoint
    : `https://${config.s3.endpoint}`;
  const keeper = keeperSettings(config, s3Endpoint);
  const off = retentionOff(config);
  return {
    config,
    s3Endpoint,
    clients: config.clients.map((client) => ({
      ...client,
      byIpv6: client.kind !== "vm" && isIpv6Alone(client.sourceCidrs),
      repositories: client.repositories.map((repository) => ({
        ...repository,
        excludes: [
          ...(repository.paths.includes("/") ? KERNEL_FOLDERS.map((folder) => `${folder}/*`) : []),
          ...repository.excludes,
        ],
        keyName: `${client.name}-${repository.name}`,
        address: repositoryAddress(config.s3.bucket, client.name, repository.name),
      })),
    })),
    firewall: firewallRules(config, s3Endpoint),
    openRings: openRings(config.s3),
    ...(keeper && { keeper }),
    ...(off !== undefined && { retentionOff: off }),
    warnings: configWarnings(config),
    disksOfFlavors: disksOfFlavors(config),
  };
}
