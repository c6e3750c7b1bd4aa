/** The bucket's settings, each as a probe: what is in force is what the configuration and the last update ask for. */
import { PUBLIC_ACCESS_BLOCK } from "../../../s3/s3-bucket";
import { REFRESH, type Finding, type Seen } from "../probe";
import { ACLS_STAND, ring2, type Bench } from "./bench";
import { surprises, type BucketSettings } from "./in-force";
import {
  judgeAcl,
  judgeExpiry,
  judgeObjectLock,
  judgeOldVersions,
  judgePolicy,
  judgePrincipals,
  judgePublicAccessBlock,
  judgeQuota,
  judgeVersioning,
} from "./judgements";

/** Judges every setting as the owner reads it. */
export function settingsAsTheyAre(bench: Bench, seen: Promise<BucketSettings>): Promise<Finding>[] {
  const { bucket, owner } = bench;
  const read = (judge: (settings: BucketSettings) => Seen) => async (): Promise<Seen> => judge(await seen);
  const { objectLock } = bucket;
  return [
    ring2(
      {
        id: "s3.policy",
        tried: "the owner reads the bucket's policy",
        expected: "the policy that the last update put and proved",
        remedy: REFRESH,
      },
      read(({ policy }) => judgePolicy(policy, bucket.policy)),
    ),
    ring2(
      {
        id: "s3.policy-principals",
        tried: "every statement of the policy in force is looked at",
        expected: "each names its Principal: without one services store a statement and enforce nothing",
        remedy: REFRESH,
      },
      read(({ policy }) => judgePrincipals(policy)),
    ),
    ring2(
      {
        id: "s3.versioning",
        tried: "the owner reads whether the bucket keeps versions",
        expected: bucket.versioning ? "on" : "off, as configured",
        remedy: bench.open.versioning ?? REFRESH,
      },
      read(({ versioning }) => judgeVersioning(versioning, bucket.versioning)),
    ),
    ring2(
      {
        id: "s3.old-versions",
        tried: "the owner reads the bucket's lifecycle",
        expected: `overwritten and removed objects stay for ${String(bucket.noncurrentVersionDays)} days`,
        remedy: REFRESH,
      },
      read(({ rules }) => judgeOldVersions(rules, bucket.noncurrentVersionDays)),
    ),
    ring2(
      {
        id: "s3.expiry",
        tried: "the owner reads the bucket's lifecycle",
        expected: "no rule removes objects that nobody has removed",
        remedy: REFRESH,
      },
      read(({ rules }) => judgeExpiry(rules)),
    ),
    ...(objectLock === undefined
      ? []
      : [
          ring2(
            {
              id: "s3.object-lock",
              tried: "the owner reads the bucket's object lock",
              expected: `new objects are locked: ${objectLock.mode}, ${String(objectLock.days)} days`,
              remedy: REFRESH,
            },
            read((settings) => judgeObjectLock(settings.objectLock, objectLock)),
          ),
        ]),
    ring2(
      {
        id: "s3.acl",
        tried: "the owner reads the bucket's ACL, which admits beside the policy",
        expected: "it admits the owner alone",
        remedy: REFRESH,
      },
      read(({ acl }) => judgeAcl(acl)),
    ),
    ring2(
      {
        id: "s3.public-access-block",
        tried: "the owner reads the bucket's PublicAccessBlock",
        expected: `${PUBLIC_ACCESS_BLOCK} alone: public ACLs let nobody in, and nothing hinders backups`,
        remedy: `${REFRESH}; ${ACLS_STAND}`,
      },
      read(({ publicAccessBlock }) => judgePublicAccessBlock(publicAccessBlock)),
    ),
    ring2(
      {
        id: "s3.quota",
        tried:
          "the owner asks for the quota of the bucket and of its user; whether it is switched on no S3 call tells",
        expected: "one is set: nothing else bounds what a taken client, or the proxy, fills the bucket with",
        remedy: "ask the operator of the S3 service for a quota on the bucket; until then watch its size",
      },
      read(({ quota }) => judgeQuota(quota)),
    ),
    ring2(
      {
        id: "s3.surprises",
        tried: "the owner reads website, CORS, replication and notifications of the bucket",
        expected: "there are none, for no update sets any",
        remedy: "remove it, as the owner, unless you set it yourself and know what it lets out",
      },
      async () => {
        const found = await surprises(owner, bucket.bucket);
        return found.length === 0
          ? { holds: true, happened: "there are none" }
          : { holds: false, happened: `there is ${found.join(", ")}` };
      },
    ),
  ];
}
