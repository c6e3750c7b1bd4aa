import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { KeyPair } from "../config";
import { KeeperRepository } from "../hosts";
import { DeployedRepository } from "../operations/deployment";
import { ClientPlan, repositoryPassword } from "../plan";

/** @see ClientKeys */
export interface ClientKeysArgs {
  client: ClientPlan;
  /** The stack's root key, from which passwords are derived. */
  rootKey: pulumi.Output<string>;
}

/**
 * The secrets of one client: an ed25519 key for each repository (`CLIENT-REPOSITORY`), so that a key opens one
 * repository and nothing else, and each repository's password. Rotate a key by replacing its one resource.
 */
export class ClientKeys extends pulumi.ComponentResource {
  readonly client: ClientPlan;
  /** Its repositories with their keys and passwords; a secret. */
  readonly repositories: pulumi.Output<DeployedRepository[]>;
  /** The passwords alone, which a new key does not change; a secret. */
  readonly passwords: pulumi.Output<KeeperRepository[]>;

  constructor(name: string, args: ClientKeysArgs, opts?: pulumi.ComponentResourceOptions) {
    const { client, rootKey } = args;
    super(
      "secure-backups:index:ClientKeys",
      name,
      { repositories: client.repositories.map(({ name }) => name) },
      opts,
    );
    this.client = client;
    const made = client.repositories.map(({ keyName, address, keep, pins, ...repository }) => {
      const { name, password, publicKey } = repository;
      const kept = pulumi
        .output(password ?? rootKey.apply((key) => repositoryPassword(key, client.name, name)))
        .apply((password): KeeperRepository => ({ client: client.name, repository: name, password }));
      const keys: { publicKey: pulumi.Input<string>; privateKey?: pulumi.Output<string> } =
        publicKey === undefined ? this.keyPair(keyName) : { publicKey };
      const deployed = pulumi
        .all([keys, kept])
        .apply(([keys, { password }]): DeployedRepository => ({ ...repository, ...keys, password }));
      return { kept, deployed };
    });
    this.repositories = pulumi.secret(pulumi.all(made.map(({ deployed }) => deployed)));
    this.passwords = pulumi.secret(pulumi.all(made.map(({ kept }) => kept)));
    this.registerOutputs();
  }

  private keyPair(name: string): Record<keyof KeyPair, pulumi.Output<string>> {
    const key = new tls.PrivateKey(name, { algorithm: "ED25519" }, { parent: this });
    return {
      publicKey: key.publicKeyOpenssh.apply((line) => line.trim()),
      privateKey: key.privateKeyOpenssh,
    };
  }
}
