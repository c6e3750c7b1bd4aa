import type { AccessConfig } from "./schema/access";
import type { AlarmsConfig } from "./schema/alarms";
import type { ClientConfig } from "./schema/clients";
import type { EgressConfig } from "./schema/egress";
import type { KeeperConfig } from "./schema/keeper";
import type { NetworkConfig } from "./schema/network";
import type { Artifact } from "./schema/program";
import type { ProxyConfig } from "./schema/proxy";
import type { S3Config } from "./schema/s3";

export type * from "./schema/access";
export type * from "./schema/alarms";
export type * from "./schema/clients";
export type * from "./schema/repository";
export type * from "./schema/egress";
export type * from "./schema/keeper";
export type * from "./schema/machine";
export type * from "./schema/network";
export type * from "./schema/program";
export type * from "./schema/proxy";
export type * from "./schema/s3";
export type * from "./schema/ssh-target";

/**
 * The configuration of a stack, `Pulumi.STACK.yaml`, after validation with every default filled in.
 * Each field is the key `secure-backups:FIELD` of that file. Fields marked "secret" must be encrypted there
 * (`pulumi config set --secret --path …`); they are never shown in an error.
 *
 * Every string refuses control characters, line breaks and NUL among them: it ends up in a file of a host.
 */
export interface StackConfig {
  /**
   * Whether the hosts and the root key of the repository passwords are protected: no update and no destroy removes
   * them before `pulumi state unprotect`.
   * @default true
   */
  protect: boolean;
  /** The network in which the proxy and the clients of kind `vm` stand. Required. */
  network: NetworkConfig;
  /** How the machine that runs Pulumi reaches the hosts. Required. */
  access: AccessConfig;
  /**
   * Where the hosts of the stack may connect to. Everything else is closed.
   * @default the default of each field
   */
  egress: EgressConfig;
  /** The proxy, the only host that holds the writer's S3 credentials. Required. */
  proxy: ProxyConfig;
  /**
   * The host that runs retention.
   * @default none, and nothing is ever forgotten
   */
  keeper?: KeeperConfig;
  /**
   * Who gets a message when something is amiss. The keeper sends.
   * @default the default of each field, and nothing is sent
   */
  alarms: AlarmsConfig;
  /**
   * The restic program for clients of the kinds `vm` and `existing`: a raw binary, or an official `.bz2` release
   * file.
   * @default the package of the host's distribution
   */
  restic?: Artifact;
  /** The S3 service, the bucket and the identities that use it. Required. */
  s3: S3Config;
  /**
   * The machines that back up: those that the field `clients` lists, then those of the files `NAME.yaml` in the folder that
   * the field `clientsFolder` names (relative to Pulumi.yaml's), each with a client's fields but `name`. Names must differ
   * from each other and those of proxy and keeper. Without `clientsFolder` the list is required; it may be empty.
   *
   * Pulumi takes 128 KiB of configuration at most, so a long list belongs into files. They hold no secrets: those are
   * encrypted fields, `clientSecrets.CLIENT.repositories.REPOSITORY.password` and `clientSecrets.CLIENT.ssh.privateKey`.
   */
  clients: ClientConfig[];
}

/** An SSH key pair. */
export interface KeyPair {
  /** `TYPE BASE64`, with or without a comment. */
  publicKey: string;
  /** Secret. PEM or OpenSSH. */
  privateKey: string;
}
