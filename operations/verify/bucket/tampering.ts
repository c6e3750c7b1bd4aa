/** Settings are the owner's: every call by which a host's identity could change one is tried, or the policy is read. */
import type { S3 } from "@aws-sdk/client-s3";
import { retentionOf, settingsOf } from "../../../s3/s3-bucket";
import type { Finding } from "../probe";
import {
  DATA,
  NO_WRITER,
  open,
  place,
  PROVE,
  refused,
  ring2,
  type Bench,
  type Canary,
  type Hand,
} from "./bench";
import type { BucketSettings } from "./in-force";
import { notDenied } from "./judgements";

/** A call that changes a setting, made so that its success changes nothing. */
interface Tampering {
  /** The action that the policy denies. */
  action: string;
  /** As the sentence "the writer …" goes on. */
  deed: string;
  /** `undefined` where nothing is in force that could be put again; `unsupported` where nobody can put it. */
  call: (
    inForce: BucketSettings,
    canary: Canary,
  ) => ((s3: S3) => Promise<unknown>) | undefined | "unsupported";
}

/** The one checksum that every service knows for settings; some refuse the call without it. */
const ChecksumAlgorithm = "MD5";

/** By the ends of their findings' ids. */
const TAMPERINGS: Record<string, Tampering> = {
  "puts-policy": {
    action: "s3:PutBucketPolicy",
    deed: "puts the policy that is in force already",
    call: ({ policy: Policy }, { Bucket }) =>
      Policy === "" ? undefined : (s3) => s3.putBucketPolicy({ Bucket, Policy }),
  },
  "puts-versioning": {
    action: "s3:PutBucketVersioning",
    deed: "switches versioning on, which it is already",
    call: ({ versioning: Status }, { Bucket }) =>
      Status === "Enabled"
        ? (s3) => s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } })
        : undefined,
  },
  "puts-lifecycle": {
    action: "s3:PutLifecycleConfiguration",
    deed: "puts the lifecycle that is in force already",
    call: ({ rules }, { Bucket }) =>
      rules === "unsupported" || rules.length === 0
        ? undefined
        : (s3) =>
            s3.putBucketLifecycleConfiguration({
              Bucket,
              ChecksumAlgorithm,
              LifecycleConfiguration: { Rules: [...rules] },
            }),
  },
  "puts-object-lock": {
    action: "s3:PutBucketObjectLockConfiguration",
    deed: "puts the object lock that is in force already",
    call: ({ objectLock }, { Bucket }) => {
      const retention = retentionOf(objectLock);
      if (retention === undefined) return undefined;
      const DefaultRetention = { Mode: retention.mode, Days: retention.days };
      const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled" as const, Rule: { DefaultRetention } };
      return (s3) => s3.putObjectLockConfiguration({ Bucket, ChecksumAlgorithm, ObjectLockConfiguration });
    },
  },
  "puts-public-access-block": {
    action: "s3:PutBucketPublicAccessBlock",
    deed: "puts the PublicAccessBlock that is in force already",
    call: ({ publicAccessBlock }, { Bucket }) =>
      publicAccessBlock === "unsupported"
        ? publicAccessBlock
        : (s3) =>
            s3.putPublicAccessBlock({
              Bucket,
              ChecksumAlgorithm,
              PublicAccessBlockConfiguration: settingsOf(publicAccessBlock),
            }),
  },
  "puts-acl": {
    action: "s3:PutBucketAcl",
    deed: "puts the bucket's ACL as it is already",
    call: ({ accessControl }, { Bucket }) => {
      const { Owner, Grants } = accessControl;
      return (s3) => s3.putBucketAcl({ Bucket, AccessControlPolicy: { Owner, Grants } });
    },
  },
  "puts-object-acl": {
    action: "s3:PutObjectAcl",
    deed: "makes a canary private, which it is already",
    call: (_, canary) => (s3) => s3.putObjectAcl({ ...canary, ACL: "private" }),
  },
  "puts-retention": {
    action: "s3:PutObjectRetention",
    deed: "locks a canary for a minute",
    call: (_, canary) => (s3) =>
      s3.putObjectRetention({
        ...canary,
        Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 60_000) },
      }),
  },
  "puts-tags": {
    action: "s3:PutObjectTagging",
    deed: "tags a canary",
    call: (_, canary) => (s3) =>
      s3.putObjectTagging({ ...canary, Tagging: { TagSet: [{ Key: "verify", Value: "canary" }] } }),
  },
};

/** What no call could try without harm if it came about; the first two every form of the policy denies. */
const UNTRIED = [
  "s3:DeleteBucket",
  "s3:DeleteBucketPolicy",
  "s3:PutReplicationConfiguration",
  "s3:BypassGovernanceRetention",
];

/** @param inForce what is in force; `undefined`: it could not be read, so that it cannot be put again either */
export function tampering(
  bench: Bench,
  { role, s3 }: Hand,
  inForce: BucketSettings | undefined,
): Promise<Finding>[] {
  const expected = "refused: settings are the owner's";
  if (bench.open.writer !== undefined) {
    const about = { id: `s3.${role}-settings`, tried: `the ${role} puts settings`, expected };
    return [open({ ...about, remedy: PROVE }, bench.open.writer, NO_WRITER)];
  }
  return Object.entries(TAMPERINGS).flatMap(([end, { action, deed, call }]) => {
    const canary = { Bucket: bench.address.bucket, Key: `${DATA}${role}-${end}` };
    const again = inForce && call(inForce, canary);
    if (inForce && typeof again !== "function") return [];
    const about = { id: `s3.${role}-${end}`, tried: `the ${role} ${deed}`, expected, remedy: PROVE };
    return [
      ring2(about, async () => {
        if (typeof again !== "function") throw new Error("the owner could not read what is in force");
        await place(bench, canary.Key);
        return await refused(bench, action, () => again(s3));
      }),
    ];
  });
}

/** What is not tried is judged by the policy's text. */
export function policyText(bench: Bench, inForce: BucketSettings | undefined): Promise<Finding> {
  const canary = { Bucket: bench.address.bucket, Key: DATA };
  const nothingToPut = Object.values(TAMPERINGS).flatMap(({ action, call }) =>
    inForce && call(inForce, canary) === undefined ? [action] : [],
  );
  const actions = bench.open.writer === undefined ? [...UNTRIED, ...nothingToPut] : UNTRIED.slice(0, 2);
  const about = {
    id: "s3.policy-text",
    tried: `not tried, for it could do harm: the policy's text is looked at for ${actions.join(", ")}`,
    expected: "denied by a statement that denies DeleteObjectVersion too, which is tried",
    remedy: PROVE,
  };
  return ring2(about, () => {
    if (inForce === undefined) throw new Error("the owner could not read what is in force");
    const missing = notDenied(inForce.policy, actions);
    return Promise.resolve(
      missing.length === 0
        ? { holds: true, happened: "so it says" }
        : { holds: false, happened: `no such statement denies ${missing.join(", ")}` },
    );
  });
}
