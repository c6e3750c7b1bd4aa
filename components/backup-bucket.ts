import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import { S3Identity, StackConfig } from "../config";
import { bucketPolicies, keystonePrincipal } from "../plan/bucket-policy";
import { credentialAdvice, createdByStack } from "../plan";
import { Bucket } from "../s3/resource/bucket";
import { loginSettings } from "./login";

/** What signs S3 requests. */
export interface S3Credentials {
  accessKeyId: pulumi.Output<string>;
  /** A secret. */
  secretAccessKey: pulumi.Output<string>;
}

/** @see BackupBucket */
export interface BackupBucketArgs {
  /** The endpoint with its scheme. */
  endpoint: string;
  s3: StackConfig["s3"];
  /** Outlives the bucket. */
  rootKeyLock: pulumi.Resource;
}

/**
 * The bucket with its no-delete policy, and the credentials of the S3 identities. The owner's are used by the
 * engine alone and reach no host; the writer's are what the proxy gets.
 */
export class BackupBucket extends pulumi.ComponentResource {
  readonly bucket: Bucket;
  /** The identity that owns the bucket; on no host. */
  readonly owner: S3Credentials;
  /** The identity whose credentials the proxy holds: the writer, or the owner where there is no other. */
  readonly writer: S3Credentials;
  /** The identity that retention uses. Absent where the configuration gives none, or no separate writer. */
  readonly keeper?: S3Credentials;

  constructor(name: string, args: BackupBucketArgs, opts?: pulumi.ComponentResourceOptions) {
    const { endpoint, s3 } = args;
    const roles = Object.keys(s3.identities).sort();
    super(
      "secure-backups:index:BackupBucket",
      name,
      {
        bucket: s3.bucket,
        endpoint,
        region: s3.region,
        versioning: s3.versioning,
        noncurrentVersionDays: s3.noncurrentVersionDays,
        objectLock: s3.objectLock,
        identities: roles,
      },
      opts,
    );
    const advice = credentialAdvice(s3.identities, loginSettings());
    if (advice !== undefined) {
      void pulumi.log.warn(advice, this);
    }
    const { owner, writer, keeper } = s3.identities;
    this.owner = this.credentials(`${name}-owner`, owner);
    this.writer = writer ? this.credentials(`${name}-writer`, writer) : this.owner;
    // A policy that binds the owner would bind a keeper too, so without a separate writer there is none.
    this.keeper = writer && keeper && this.credentials(`${name}-keeper`, keeper);

    this.bucket = new Bucket(
      name,
      {
        endpoint,
        region: s3.region,
        bucket: s3.bucket,
        owner: this.owner,
        writer: this.writer,
        keeper: this.keeper,
        policies: bucketPolicies({
          bucket: s3.bucket,
          owner: principal(owner),
          writer: writer && principal(writer),
          keeper: writer && keeper && principal(keeper),
        }),
        versioning: s3.versioning,
        noncurrentVersionDays: s3.noncurrentVersionDays,
        objectLock: s3.objectLock,
      },
      { parent: this, dependsOn: [args.rootKeyLock] },
    );
    const { policy, versioning, lifecycle, objectLock, publicAccessBlock, quota } = this.bucket;
    this.registerOutputs({ policy, versioning, lifecycle, objectLock, publicAccessBlock, quota });
  }

  private credentials(name: string, identity: S3Identity): S3Credentials {
    if (!createdByStack(identity)) {
      return {
        accessKeyId: pulumi.output(identity.accessKeyId),
        secretAccessKey: pulumi.secret(identity.secretAccessKey),
      };
    }
    const credential = new openstack.identity.Ec2CredentialV3(
      name,
      { projectId: identity.projectId },
      { parent: this, additionalSecretOutputs: ["secret"] },
    );
    return { accessKeyId: credential.access, secretAccessKey: pulumi.secret(credential.secret) };
  }
}

/** The name by which a bucket policy knows an identity; the schema asks for it where it is needed. */
function principal(identity: S3Identity): string | undefined {
  return createdByStack(identity) ? keystonePrincipal(identity.projectId) : identity.principal;
}
