/** The bucket of the backups as a Pulumi resource: created, kept as configured, and never destroyed with data in it. */
import * as pulumi from "@pulumi/pulumi";
import type { PolicyForm } from "../../plan/bucket-policy";
import type { UnfinishedUploads } from "../settings/lifecycle";
import type { Retention } from "../settings/object-lock";
import type { Quota } from "../settings/quota";
import type { Versioning } from "../settings/versioning";
import { checkInputs, diffBucket } from "./diff";
import type { BucketInputs, BucketState } from "./state";
import {
  createBucketResource,
  deleteBucketResource,
  readBucketResource,
  updateBucketResource,
} from "./update";

/** Arguments of {@link Bucket}. */
export interface BucketArgs {
  /** URL of the S3 service, or its host name (then https). Another endpoint replaces the resource. */
  readonly endpoint: pulumi.Input<string>;
  /** Region that requests are signed for. */
  readonly region: pulumi.Input<string>;
  /** Name of the bucket. Another name replaces the resource; a bucket with data in it stays where it is. */
  readonly bucket: pulumi.Input<string>;
  /** Keys of the account that owns the bucket, or will own it. Always a secret. */
  readonly owner: pulumi.Input<CredentialsArgs>;
  /** Keys that the proxy uses; the owner's where there is no separate writer. Always a secret. */
  readonly writer: pulumi.Input<CredentialsArgs>;
  /** Keys that retention uses; the proof tries that identity too. Always a secret. @default none */
  readonly keeper?: pulumi.Input<CredentialsArgs>;
  /** The forms of the policy, the strongest first; the first that holds is kept. See `bucketPolicies`. */
  readonly policies: pulumi.Input<readonly PolicyForm[]>;
  /** Whether the bucket keeps old versions. A service without versions is no error. */
  readonly versioning: pulumi.Input<boolean>;
  /** Days after which versions that were overwritten or removed are deleted. Ignored without versioning. */
  readonly noncurrentVersionDays: pulumi.Input<number>;
  /** The retention of every new version. An existing bucket must have been created with object lock. @default none */
  readonly objectLock?: pulumi.Input<Retention | undefined>;
}

/** A key pair of S3 as an argument. */
export interface CredentialsArgs {
  readonly accessKeyId: pulumi.Input<string>;
  readonly secretAccessKey: pulumi.Input<string>;
}

/**
 * A bucket with its policy, ACL, versioning, lifecycle, object lock and PublicAccessBlock, proved with a canary object
 * after each change: the update fails if writer or keeper can do more than they must, and warns where a full bucket
 * prevents a part of the proof, which each later update repeats. An existing bucket is adopted if it is the owner's.
 * A refresh shows settings that were changed by hand, and the next update restores them. Destroying removes an empty
 * bucket, and keeps one with data and reports that.
 */
export class Bucket extends pulumi.dynamic.Resource {
  /** Name of the bucket. */
  declare readonly bucket: pulumi.Output<string>;
  /** `Enabled`, `Suspended` (also: never enabled) or `unsupported` by the service. Known after an update. */
  declare readonly versioning: pulumi.Output<Versioning>;
  /** The policy in force, as JSON. */
  declare readonly policy: pulumi.Output<string>;
  /** Name of the form of the policy that was proved to hold; empty while a full bucket prevents the proof. */
  declare readonly form: pulumi.Output<string>;
  /** The lifecycle in force as JSON, each action alone, or `unsupported` by the service. */
  declare readonly lifecycle: pulumi.Output<string>;
  /** `aborted` by the lifecycle, or `kept`: the service has no rule for them, or no lifecycle. */
  declare readonly unfinishedUploads: pulumi.Output<UnfinishedUploads>;
  /** `MODE DAYS days`, `Enabled` (a lock without a retention), `none`, or `unsupported` by the service. */
  declare readonly objectLock: pulumi.Output<string>;
  /** `private`, the grants that were set by hand, `unsupported` by the service, or `unknown`: it could not be read. */
  declare readonly acl: pulumi.Output<string>;
  /** `IgnorePublicAcls`; what was set by hand, or `none`; or `unsupported` by the service. */
  declare readonly publicAccessBlock: pulumi.Output<string>;
  /** Quota in bytes, `none`, or `unknown` where the service does not report it. Of the last update or refresh. */
  declare readonly quota: pulumi.Output<Quota>;

  constructor(name: string, args: BucketArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      endpoint: args.endpoint,
      region: args.region,
      bucket: args.bucket,
      owner: pulumi.secret(args.owner),
      writer: pulumi.secret(args.writer),
      keeper: args.keeper && pulumi.secret(args.keeper),
      policies: args.policies,
      // Not under the names of the outputs: a preview would show the input as if it were the service's answer.
      versioned: args.versioning,
      noncurrentVersionDays: args.noncurrentVersionDays,
      retention: args.objectLock,
      policy: undefined,
      form: undefined,
      versioning: undefined,
      lifecycle: undefined,
      unfinishedUploads: undefined,
      objectLock: undefined,
      acl: undefined,
      publicAccessBlock: undefined,
      quota: undefined,
    };
    const secrets = { additionalSecretOutputs: ["owner", "writer", "keeper"] };
    super(bucketProvider, name, inputs, pulumi.mergeOptions(opts, secrets), "s3", "Bucket");
  }
}

/**
 * The provider. Its functions are stored as source code in the state and run in another process: they refer to functions
 * and constants only, never to a value that holds a secret.
 */
export const bucketProvider: pulumi.dynamic.ResourceProvider<BucketInputs, BucketState> = {
  check: checkInputs,
  diff: diffBucket,
  create: createBucketResource,
  read: readBucketResource,
  update: updateBucketResource,
  delete: deleteBucketResource,
};
