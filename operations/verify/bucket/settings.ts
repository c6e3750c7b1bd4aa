/** The bucket's settings, each as a probe: what is in force is what the configuration and the last update ask for. */
import type { Observed } from "../../../s3/observe";
import { blockInWords, WANTED_BLOCK } from "../../../s3/settings/public-access-block";
import { REFRESH, type Finding, type Seen } from "../probe";
import { foreignSettings } from "./in-force";
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
import { ACLS_STAND, ring2, type BucketProbe } from "./target";

/** Judges every setting as the owner reads it. */
export function settingsAsTheyAre(target: BucketProbe, seen: Promise<Observed>): Promise<Finding>[] {
  const { bucket, owner } = target;
  const { objectLock, noncurrentVersionDays } = bucket;
  const setting = (
    id: string,
    tried: string,
    expected: string,
    judge: (settings: Observed) => Seen,
    remedy = REFRESH,
  ): Promise<Finding> => ring2({ id, tried, expected, remedy }, async () => judge(await seen));
  return [
    setting(
      "s3.policy",
      "the owner reads the bucket's policy",
      "the policy that the last update put and proved",
      ({ policy }) => judgePolicy(policy, bucket.policy),
    ),
    setting(
      "s3.policy-principals",
      "the owner reads every statement of the policy",
      "each names its Principal: some services store a statement without one and enforce nothing",
      ({ policy }) => judgePrincipals(policy),
    ),
    setting(
      "s3.versioning",
      "the owner reads whether the bucket keeps versions",
      bucket.versioning ? "on" : "off, as configured",
      ({ versioning }) => judgeVersioning(versioning, bucket.versioning),
      target.open.versioning,
    ),
    setting(
      "s3.old-versions",
      "the owner reads the bucket's lifecycle",
      `overwritten and removed objects stay for ${String(noncurrentVersionDays)} days`,
      ({ rules }) => judgeOldVersions(rules, noncurrentVersionDays),
    ),
    setting(
      "s3.expiry",
      "the owner reads the bucket's lifecycle",
      "no rule removes current objects",
      ({ rules }) => judgeExpiry(rules),
    ),
    ...(objectLock === undefined
      ? []
      : [
          setting(
            "s3.object-lock",
            "the owner reads the bucket's object lock",
            `new objects are locked: ${objectLock.mode}, ${String(objectLock.days)} days`,
            (settings) => judgeObjectLock(settings.objectLock, objectLock),
          ),
        ]),
    setting(
      "s3.acl",
      "the owner reads the bucket's ACL, which grants access besides the policy",
      "it grants access to the owner only",
      ({ acl }) => judgeAcl(acl),
    ),
    setting(
      "s3.public-access-block",
      "the owner reads the bucket's PublicAccessBlock",
      `${blockInWords(WANTED_BLOCK)} only: public ACLs grant nothing, and nothing blocks backups`,
      ({ publicAccessBlock }) => judgePublicAccessBlock(publicAccessBlock),
      `${REFRESH}; ${ACLS_STAND}`,
    ),
    setting(
      "s3.quota",
      "the owner reads the quota of the bucket and of its user; no S3 call says whether it is enabled",
      "one is set: nothing else limits how much a compromised client, or the proxy, adds to the bucket",
      ({ quota }) => judgeQuota(quota),
      "ask the operator of the S3 service for a quota on the bucket; until then watch its size",
    ),
    ring2(
      {
        id: "s3.surprises",
        tried: "the owner reads website, CORS, replication and notifications of the bucket",
        expected: "there are none, because no update sets any",
        remedy: "remove it, as the owner, unless you set it yourself and know what it exposes",
      },
      async () => {
        const found = await foreignSettings(owner, bucket.bucket);
        return found.length === 0
          ? { holds: true, happened: "there are none" }
          : { holds: false, happened: `there is ${found.join(", ")}` };
      },
    ),
  ];
}
