import {
  AlarmsConfig,
  Artifact,
  ClientConfig,
  KeyPair,
  ObjectLockConfig,
  RepositorySettings,
  S3Credentials,
} from "../config";
import type { RepositoryName } from "../keeper/gate/names";
import type { KeeperSettings } from "../keeper/settings";
import { version } from "../package.json";
import { FirewallRule, Group, PerGroup } from "../plan/firewall";
import { OpenRing } from "../plan/identities";

/** The version of this project. */
export const PROJECT_VERSION = version;

/** An SSH server as an operator's tool reaches it; the fields of a connection of `@pulumi/command`. */
export interface SshEndpoint {
  host: string;
  port: number;
  user: string;
  /** The one host key that is accepted, `TYPE BASE64`. */
  hostKey: string;
  /** Secret. */
  privateKey: string;
}

/** A host of the stack as the operator reaches it, through a jump host where there is one. */
export interface HostAccess extends SshEndpoint {
  proxy?: SshEndpoint;
}

/** What the bucket must look like, as the last update left it. */
export interface DeployedBucket {
  /** With its scheme. */
  endpoint: string;
  region: string;
  bucket: string;
  owner: S3Credentials;
  /** Absent: the proxy holds the owner's keys. */
  writer?: S3Credentials;
  keeper?: S3Credentials;
  /** JSON text of the policy that the update put and proved. */
  policy: string;
  /** What the configuration asks for. */
  versioning: boolean;
  /** Days for which old versions are kept. */
  noncurrentVersionDays: number;
  /** The retention of new objects; absent: no object lock. */
  objectLock?: ObjectLockConfig;
}

/** A repository of a client; the private key is absent where the client's operator made the key. */
export interface DeployedRepository
  extends RepositorySettings, Pick<KeyPair, "publicKey">, Partial<Pick<KeyPair, "privateKey">> {
  /** Secret. */
  password: string;
}

/** A client. */
export interface DeployedClient {
  name: string;
  kind: ClientConfig["kind"];
  frozen: boolean;
  /** Absent for a key-only client. A frozen one is not to be contacted. */
  host?: HostAccess;
  /** Where it reaches the proxy, port 22. @default `proxy.address` */
  proxyAddress?: string;
  repositories: DeployedRepository[];
}

/** The host that runs retention. Its S3 keys are those of the bucket's keeper. */
export interface DeployedKeeper {
  name: string;
  host: HostAccess;
  node: Artifact;
  restic: Artifact;
  /** SHA-256 of its program. */
  program: string;
  settings: KeeperSettings;
}

/** A host that the stack made, as OpenStack has it. */
export interface MadeHost {
  name: string;
  group: Group;
  instanceId: string;
  portId: string;
  /** All security groups of the port. */
  securityGroupIds: string[];
}

/** The repositories of these clients, in their order. */
export const repositoriesOf = (clients: readonly DeployedClient[]): RepositoryName[] =>
  clients.flatMap(({ name: client, repositories }) =>
    repositories.map(({ name: repository }) => ({ client, repository })),
  );

/** The version of {@link Deployment}: another one whenever a field is added that tools rely on, or changes its meaning. */
export const DEPLOYMENT_VERSION = 6;

/**
 * All that the operator's tools need to know of a deployed stack, so that they need no configuration of their own:
 * the stack's secret output `deployment`.
 */
export interface Deployment {
  version: typeof DEPLOYMENT_VERSION;
  /** The version of this project that did the last update. */
  project: string;
  /** The identity by which the stack knows what is its own on a server; it survives a renaming. */
  stack: string;
  bucket: DeployedBucket;
  proxy: {
    host: HostAccess;
    /** The address at which clients from elsewhere reach it, port 22. */
    address: string;
    /** Its IPv6 address; absent: it has none. */
    address6?: string;
    rclone: Artifact;
  };
  /** Absent: there is none, and nothing is forgotten. */
  keeper?: DeployedKeeper;
  /** From when on something is amiss, and who gets a message then; it holds secrets. */
  alarms: AlarmsConfig;
  /** The restic of the clients; absent: their distribution's. */
  restic?: Artifact;
  clients: DeployedClient[];
  /** The key of the canary client, which opens the repository `.canary/verify` and is on no host. */
  canary: KeyPair;
  network: {
    groups: PerGroup<string>;
    rules: FirewallRule[];
    hosts: MadeHost[];
  };
  openRings: OpenRing[];
  /** Why nothing is forgotten, with the remedy; absent: retention is on. */
  retentionOff?: string;
  /** Secret. No host may have it. */
  repositoryRootKey: string;
}
