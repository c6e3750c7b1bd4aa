/** Calls that the policy must deny, one for each denied action, such that their success would change nothing. */
import type { S3 } from "@aws-sdk/client-s3";
import type { DeniedAction } from "../plan/bucket-policy";
import type { Observed } from "./observe";
import { SETTINGS_CHECKSUM } from "./services";
import { retentionOf } from "./settings/object-lock";
import { asConfiguration } from "./settings/public-access-block";

/** An object to try on. */
export interface ObjectAddress {
  readonly Bucket: string;
  readonly Key: string;
}

/** How one action is tried. */
export interface Attempt<InForce> {
  /** The end of the IDs of verify's findings. */
  readonly id: string;
  /** What is tried, in words that continue "the writer could …". */
  readonly deed: string;
  /** Why its success would change nothing. */
  readonly harmless: string;
  /** `undefined` where nothing is in force that could be put again; `unsupported` where nobody can put it. */
  readonly call: (
    inForce: InForce,
    canary: ObjectAddress,
  ) => ((s3: S3) => Promise<unknown>) | undefined | "unsupported";
}

/** What is in force while the policy is proved. */
export type InForce = Pick<Observed, "policy" | "versioning" | "rules" | "publicAccessBlock" | "objectLock">;

const AS_IN_FORCE = "as it is in force";

/** What each update proves, and verify tries too. */
export const PROVED = {
  "s3:PutBucketPolicy": {
    id: "puts-policy",
    deed: "put a policy",
    harmless: AS_IN_FORCE,
    call: ({ policy: Policy }, { Bucket }) =>
      Policy === "" ? undefined : (s3) => s3.putBucketPolicy({ Bucket, Policy }),
  },
  "s3:PutBucketVersioning": {
    id: "puts-versioning",
    deed: "set versioning",
    harmless: AS_IN_FORCE,
    call: ({ versioning: Status }, { Bucket }) =>
      Status === "Enabled"
        ? (s3) => s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } })
        : undefined,
  },
  "s3:PutLifecycleConfiguration": {
    id: "puts-lifecycle",
    deed: "set the lifecycle",
    harmless: AS_IN_FORCE,
    call: ({ rules }, { Bucket }) =>
      rules === "unsupported" || rules.length === 0
        ? undefined
        : (s3) =>
            s3.putBucketLifecycleConfiguration({
              Bucket,
              ChecksumAlgorithm: SETTINGS_CHECKSUM,
              LifecycleConfiguration: { Rules: [...rules] },
            }),
  },
  "s3:PutBucketPublicAccessBlock": {
    id: "puts-public-access-block",
    deed: "set the PublicAccessBlock",
    harmless: AS_IN_FORCE,
    call: ({ publicAccessBlock }, { Bucket }) =>
      publicAccessBlock === "unsupported"
        ? publicAccessBlock
        : (s3) =>
            s3.putPublicAccessBlock({
              Bucket,
              ChecksumAlgorithm: SETTINGS_CHECKSUM,
              PublicAccessBlockConfiguration: asConfiguration(publicAccessBlock),
            }),
  },
} satisfies Partial<Record<DeniedAction, Attempt<InForce>>>;

/**
 * How verify tries each denied action, but DeleteObjectVersion, which it and the proof try by themselves. `untried`:
 * there is no call without harm, or services differ too much for it; verify reads whether the policy denies it.
 */
export const TAMPERING: Record<
  Exclude<DeniedAction, "s3:DeleteObjectVersion">,
  Attempt<Observed> | "untried"
> = {
  ...PROVED,
  "s3:PutBucketObjectLockConfiguration": {
    id: "puts-object-lock",
    deed: "set the object lock",
    harmless: AS_IN_FORCE,
    call: ({ objectLock }, { Bucket }) => {
      const retention = retentionOf(objectLock);
      if (retention === undefined) return undefined;
      const DefaultRetention = { Mode: retention.mode, Days: retention.days };
      return (s3) =>
        s3.putObjectLockConfiguration({
          Bucket,
          ChecksumAlgorithm: SETTINGS_CHECKSUM,
          ObjectLockConfiguration: { ObjectLockEnabled: "Enabled", Rule: { DefaultRetention } },
        });
    },
  },
  "s3:PutBucketAcl": {
    id: "puts-acl",
    deed: "set the bucket's ACL",
    harmless: AS_IN_FORCE,
    call: ({ acl }, { Bucket }) =>
      acl === "unsupported" ? acl : (s3) => s3.putBucketAcl({ Bucket, AccessControlPolicy: acl }),
  },
  "s3:PutObjectAcl": {
    id: "puts-object-acl",
    deed: "set an object's ACL",
    harmless: "to private, on a canary",
    call: (_, canary) => (s3) => s3.putObjectAcl({ ...canary, ACL: "private" }),
  },
  "s3:PutObjectRetention": {
    id: "puts-retention",
    deed: "set an object's retention",
    harmless: "to a minute, on a canary",
    call: (_, canary) => (s3) =>
      s3.putObjectRetention({
        ...canary,
        Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 60_000) },
      }),
  },
  "s3:PutObjectTagging": {
    id: "puts-tags",
    deed: "set an object's tags",
    harmless: "on a canary",
    call: (_, canary) => (s3) =>
      s3.putObjectTagging({ ...canary, Tagging: { TagSet: [{ Key: "verify", Value: "canary" }] } }),
  },
  "s3:DeleteBucket": "untried",
  "s3:DeleteBucketPolicy": "untried",
  "s3:DeleteBucketWebsite": "untried",
  "s3:PutReplicationConfiguration": "untried",
  "s3:BypassGovernanceRetention": "untried",
  "s3:PutObjectLegalHold": "untried",
  "s3:PutObjectVersionAcl": "untried",
  "s3:PutBucketCORS": "untried",
  "s3:PutBucketWebsite": "untried",
  "s3:PutBucketNotification": "untried",
  "s3:PutBucketLogging": "untried",
  "s3:PutBucketRequestPayment": "untried",
  "s3:PutBucketTagging": "untried",
  "s3:PutObjectVersionTagging": "untried",
  "s3:DeleteObjectTagging": "untried",
  "s3:DeleteObjectVersionTagging": "untried",
};
