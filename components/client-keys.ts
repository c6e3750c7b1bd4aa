import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { ClientPlan, repositoryPassword } from "../plan";

/** The key pair and the password of one repository. */
export interface RepositoryKeys {
  repository: string;
  publicKey: pulumi.Output<string>;
  /** Absent where the client's operator made the key and gave us its public half. */
  privateKey?: pulumi.Output<string>;
  /** The password of the restic repository, a secret. */
  password: pulumi.Output<string>;
}

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
  readonly client: string;
  readonly repositories: RepositoryKeys[];

  constructor(name: string, args: ClientKeysArgs, opts?: pulumi.ComponentResourceOptions) {
    const { client, rootKey } = args;
    super(
      "secure-backups:index:ClientKeys",
      name,
      { repositories: client.repositories.map(({ name }) => name) },
      opts,
    );
    this.client = client.name;
    this.repositories = client.repositories.map((repository) => {
      const password =
        repository.password === undefined
          ? rootKey.apply((key) => repositoryPassword(key, client.name, repository.name))
          : pulumi.output(repository.password);
      const common = { repository: repository.name, password: pulumi.secret(password) };
      if (repository.publicKey !== undefined) {
        return { ...common, publicKey: pulumi.output(repository.publicKey) };
      }
      const key = new tls.PrivateKey(repository.keyName, { algorithm: "ED25519" }, { parent: this });
      return {
        ...common,
        publicKey: key.publicKeyOpenssh.apply((text) => text.trim()),
        privateKey: pulumi.secret(key.privateKeyOpenssh),
      };
    });
    this.registerOutputs();
  }
}
