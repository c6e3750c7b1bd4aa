import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { StackConfig } from "../config";
import { stackIdentity } from "../hosts";
import { RootKeyLock } from "./root-key-lock";
import { reached } from "./connection";

/** @see Operator */
export interface OperatorArgs {
  /** The `access` section of the configuration. */
  access: StackConfig["access"];
  /** Whether the root key must be unprotected by hand before it can be destroyed. */
  protect: boolean;
  /** The bucket whose backups need the root key, and whether they were given up. */
  s3: Pick<StackConfig["s3"], "bucket" | "givenUp">;
}

/** The keys of the people who run the stack: the SSH key that reaches its hosts, and the root of all passwords. */
export class Operator extends pulumi.ComponentResource {
  /** The operator's SSH key, given or created here; a secret. */
  readonly privateKey: pulumi.Output<string>;
  readonly publicKey: pulumi.Output<string>;
  /** The OpenStack keypair that hands the public key to new hosts. */
  readonly keyPair: pulumi.Output<string>;
  /**
   * The key from which every repository password is derived; a secret. Lose it and every backup is lost: keep
   * a copy of `pulumi stack output repositoryRootKey --show-secrets` where a fire does not reach both.
   */
  readonly rootKey: pulumi.Output<string>;
  /** Identifies this stack. A renaming does not change it, for it is computed from the root key's public half. */
  readonly stack: pulumi.Output<string>;
  /** Destroyed before the root key, and after all that needs it. */
  readonly rootKeyLock: pulumi.Resource;

  constructor(name: string, args: OperatorArgs, opts?: pulumi.ComponentResourceOptions) {
    const jumpHost = args.access.jumpHost && reached(args.access.jumpHost);
    super("secure-backups:index:Operator", name, { jumpHost }, opts);
    const parent = { parent: this };
    const kept = { ...parent, protect: args.protect };

    if (args.access.privateKey === undefined) {
      const key = new tls.PrivateKey(name, { algorithm: "ED25519" }, kept);
      this.privateKey = pulumi.secret(key.privateKeyOpenssh);
      this.publicKey = key.publicKeyOpenssh.apply((text) => text.trim());
    } else {
      this.privateKey = pulumi.secret(args.access.privateKey);
      this.publicKey = pulumi.unsecret(
        tls
          .getPublicKeyOutput({ privateKeyOpenssh: this.privateKey }, parent)
          .publicKeyOpenssh.apply((text) => text.trim()),
      );
    }
    this.keyPair = new openstack.compute.Keypair(name, { publicKey: this.publicKey }, parent).name;
    const rootKey = new tls.PrivateKey("repository-root", { algorithm: "ED25519" }, kept);
    this.rootKey = pulumi.secret(rootKey.privateKeyPem);
    this.stack = rootKey.publicKeyOpenssh.apply(stackIdentity);
    const { bucket, givenUp } = args.s3;
    this.rootKeyLock = new RootKeyLock(name, { bucket, givenUp }, { ...parent, dependsOn: [rootKey] });
    this.registerOutputs();
  }
}
