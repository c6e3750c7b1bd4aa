/**
 * What owner, writer and keeper can do in the bucket, on a real Ceph RGW with Keystone. Runs inside the local cloud's
 * network: `scripts/dev/local-cloud/local-cloud exec -- npx jest test/host/bucket`.
 */
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { LifecycleRule, PublicAccessBlockConfiguration, S3 } from "@aws-sdk/client-s3";
import { type DeniedAction, liftedPolicy } from "../../plan/bucket-policy";
import { answerOf } from "../../s3/answers";
import type { BucketAddress } from "../../s3/client";
import { adoptOrCreate } from "../../s3/create";
import { observe } from "../../s3/observe";
import { CANARY_KEY, PROOF_PREFIX, prove } from "../../s3/proof";
import { removeIfEmpty } from "../../s3/remove";
import { bucketProvider } from "../../s3/resource/bucket";
import type { BucketInputs, BucketState } from "../../s3/resource/state";
import { canonicalLifecycle, lifecycleRules } from "../../s3/settings/lifecycle";
import { POLICY, samePolicy } from "../../s3/settings/policy";
import { PUBLIC_ACCESS_BLOCK, WANTED_BLOCK } from "../../s3/settings/public-access-block";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import type { InForce } from "../../s3/tampering";
import {
  SOON,
  facts,
  owner,
  writer,
  keeper,
  useIdentities,
  arn,
  address,
  threeIdentities,
  outcome,
  contentOf,
  NOT_SERVED,
} from "../harness/bucket-identities";
import type { Identity } from "../../scripts/dev/s3-identity";

jest.setTimeout(240_000);
useIdentities();

const PACK = "web/main/data/aa/pack";
const TAGS = { TagSet: [{ Key: "a", Value: "b" }] };
type Call = (s3: S3, bucket: string, version: string) => Promise<unknown>;

/** A call or more for each action that the policy denies; each must be refused before its content is checked. */
const DENIED_CALLS: Record<DeniedAction, Record<string, Call>> = {
  "s3:DeleteObjectVersion": {
    "delete a version": (s3, Bucket, VersionId) => s3.deleteObject({ Bucket, Key: PACK, VersionId }),
    "delete the version of a lock": (s3, Bucket, VersionId) =>
      s3.deleteObject({ Bucket, Key: "web/main/locks/lock", VersionId }),
  },
  "s3:BypassGovernanceRetention": {
    "delete a version in spite of a retention": (s3, Bucket, VersionId) =>
      s3.deleteObject({ Bucket, Key: PACK, VersionId, BypassGovernanceRetention: true }),
  },
  "s3:DeleteBucket": { "delete the bucket": (s3, Bucket) => s3.deleteBucket({ Bucket }) },
  "s3:DeleteBucketPolicy": { "delete the policy": (s3, Bucket) => s3.deleteBucketPolicy({ Bucket }) },
  "s3:DeleteBucketWebsite": { "delete the website": (s3, Bucket) => s3.deleteBucketWebsite({ Bucket }) },
  "s3:PutBucketPolicy": {
    "put a policy": (s3, Bucket) => s3.putBucketPolicy({ Bucket, Policy: liftedPolicy(Bucket) }),
  },
  "s3:PutBucketVersioning": {
    "suspend versioning": (s3, Bucket) =>
      s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: "Suspended" } }),
  },
  "s3:PutLifecycleConfiguration": {
    "let everything expire": (s3, Bucket) =>
      s3.putBucketLifecycleConfiguration({
        Bucket,
        LifecycleConfiguration: {
          Rules: [{ ID: "gone", Status: "Enabled", Filter: { Prefix: "" }, Expiration: { Days: 1 } }],
        },
      }),
    "drop the lifecycle": (s3, Bucket) => s3.deleteBucketLifecycle({ Bucket }),
  },
  "s3:PutBucketObjectLockConfiguration": {
    "set the object lock": (s3, Bucket) =>
      s3.putObjectLockConfiguration({ Bucket, ObjectLockConfiguration: { ObjectLockEnabled: "Enabled" } }),
  },
  "s3:PutReplicationConfiguration": {
    "replicate the bucket": (s3, Bucket) =>
      s3.putBucketReplication({
        Bucket,
        ReplicationConfiguration: {
          Role: "",
          Rules: [{ ID: "out", Status: "Enabled", Destination: { Bucket: "arn:aws:s3:::elsewhere" } }],
        },
      }),
  },
  "s3:PutObjectRetention": {
    "set a retention": (s3, Bucket) =>
      s3.putObjectRetention({
        Bucket,
        Key: PACK,
        Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 86_400_000) },
      }),
  },
  "s3:PutObjectLegalHold": {
    "set a legal hold": (s3, Bucket) =>
      s3.putObjectLegalHold({ Bucket, Key: PACK, LegalHold: { Status: "ON" } }),
  },
  "s3:PutBucketAcl": {
    "open the bucket by ACL": (s3, Bucket) => s3.putBucketAcl({ Bucket, ACL: "public-read-write" }),
  },
  "s3:PutObjectAcl": {
    "open an object by ACL": (s3, Bucket) => s3.putObjectAcl({ Bucket, Key: PACK, ACL: "public-read" }),
  },
  "s3:PutObjectVersionAcl": {
    "open a version by ACL": (s3, Bucket, VersionId) =>
      s3.putObjectAcl({ Bucket, Key: PACK, VersionId, ACL: "public-read" }),
  },
  "s3:PutObjectTagging": {
    "tag an object": (s3, Bucket) => s3.putObjectTagging({ Bucket, Key: PACK, Tagging: TAGS }),
  },
  "s3:PutObjectVersionTagging": {
    "tag a version": (s3, Bucket, VersionId) =>
      s3.putObjectTagging({ Bucket, Key: PACK, VersionId, Tagging: TAGS }),
  },
  "s3:DeleteObjectTagging": {
    "drop an object's tags": (s3, Bucket) => s3.deleteObjectTagging({ Bucket, Key: PACK }),
  },
  "s3:DeleteObjectVersionTagging": {
    "drop a version's tags": (s3, Bucket, VersionId) =>
      s3.deleteObjectTagging({ Bucket, Key: PACK, VersionId }),
  },
  "s3:PutBucketTagging": { "tag the bucket": (s3, Bucket) => s3.putBucketTagging({ Bucket, Tagging: TAGS }) },
  "s3:PutBucketCORS": {
    "set CORS": (s3, Bucket) =>
      s3.putBucketCors({
        Bucket,
        CORSConfiguration: { CORSRules: [{ AllowedMethods: ["GET"], AllowedOrigins: ["*"] }] },
      }),
  },
  "s3:PutBucketWebsite": {
    "set a website": (s3, Bucket) =>
      s3.putBucketWebsite({ Bucket, WebsiteConfiguration: { IndexDocument: { Suffix: "x" } } }),
  },
  "s3:PutBucketNotification": {
    "set notifications": (s3, Bucket) =>
      s3.putBucketNotificationConfiguration({ Bucket, NotificationConfiguration: {} }),
  },
  "s3:PutBucketLogging": {
    "set logging": (s3, Bucket) => s3.putBucketLogging({ Bucket, BucketLoggingStatus: {} }),
  },
  "s3:PutBucketPublicAccessBlock": {
    "accept public ACLs again": (s3, Bucket) =>
      s3.putPublicAccessBlock({ Bucket, PublicAccessBlockConfiguration: {} }),
    "drop the PublicAccessBlock": (s3, Bucket) => s3.deletePublicAccessBlock({ Bucket }),
  },
  "s3:PutBucketRequestPayment": {
    "make the requester pay": (s3, Bucket) =>
      s3.putBucketRequestPayment({ Bucket, RequestPaymentConfiguration: { Payer: "Requester" } }),
  },
};
const DESTRUCTIVE = Object.fromEntries(Object.values(DENIED_CALLS).flatMap((calls) => Object.entries(calls)));

describe("three identities", () => {
  let at: BucketAddress;
  let inputs: BucketInputs;
  let state: BucketState;
  let packVersion = "";
  let lockVersion = "";

  beforeAll(async () => {
    at = address();
    inputs = threeIdentities(at);
    const created = await bucketProvider.create(inputs);
    expect(created.id).toBe(at.bucket);
    state = created.outs as BucketState;
    const put = (Key: string) => writer.s3.putObject({ Bucket: at.bucket, Key, Body: `first ${Key}` });
    packVersion = (await put("web/main/data/aa/pack")).VersionId ?? "";
    lockVersion = (await put("web/main/locks/lock")).VersionId ?? "";
    for (const key of ["web/main/config", "web/main/data/locks/x", "web/locks/x", "locks/x"]) {
      await put(key);
    }
  }, 60_000);

  test("the update reports versioning and the policy as they are", async () => {
    expect(state).toMatchObject({
      versioning: "Enabled",
      form: inputs.policies[0]?.name,
      policy: inputs.policies[0]?.policy,
      lifecycle: canonicalLifecycle(lifecycleRules(30)),
      objectLock: "none",
      publicAccessBlock: "IgnorePublicAcls",
      quota: 8 * 1024 ** 3,
    });
    const seen = await observe(owner.s3, at);
    expect(seen?.versioning).toBe("Enabled");
    expect(samePolicy(seen?.policy ?? "", state.policy)).toBe(true);
    expect(canonicalLifecycle(seen?.rules as LifecycleRule[])).toBe(state.lifecycle);
  });

  test.each(Object.keys(DESTRUCTIVE))("neither writer nor keeper may %s", async (deed) => {
    const version = deed.includes("lock") && deed.includes("version") ? lockVersion : packVersion;
    expect(version).not.toBe("");
    const refusal = /website|replicate/.test(deed)
      ? [NOT_SERVED]
      : ["403 AccessDenied", ...(/logging|notifications/.test(deed) ? [NOT_SERVED] : [])];
    for (const hand of [writer, keeper]) {
      const call = DESTRUCTIVE[deed] ?? (() => Promise.resolve());
      expect(refusal).toContain(await outcome(call(hand.s3, at.bucket, version)));
    }
  });

  test.each([
    "web/main/data/aa/pack",
    "web/main/config",
    "web/main/data/locks/x",
    "web/locks/x",
    "locks/x",
    CANARY_KEY,
    "web/main/never/written",
  ])("the writer may not delete %s", async (Key) => {
    expect(await outcome(writer.s3.deleteObject({ Bucket: at.bucket, Key }))).toBe("403 AccessDenied");
  });

  test("the writer may not delete by the batch call, which answers 200 with an error for each key", async () => {
    const keys = ["web/main/config", "web/main/data/aa/pack"];
    const answer = writer.s3.deleteObjects({
      Bucket: at.bucket,
      Delete: { Objects: keys.map((Key) => ({ Key })) },
    });
    const said = await answer.catch((error: unknown) => ({
      Deleted: [],
      Errors: [{ Code: answerOf(error).code }],
    }));
    expect(said.Deleted ?? []).toEqual([]);
    for (const Key of keys) {
      expect(await contentOf(writer.s3, at.bucket, Key)).toBe(`first ${Key}`);
    }
  });

  test("the writer lists, reads, adds and removes locks; a key that is not there answers 404", async () => {
    const Key = "web/main/locks/other";
    await writer.s3.putObject({ Bucket: at.bucket, Key, Body: "lock" });
    const list = await writer.s3.listObjectsV2({ Bucket: at.bucket, Prefix: "web/main/locks/" });
    expect(list.Contents?.map((entry) => entry.Key)).toContain(Key);
    expect(await contentOf(writer.s3, at.bucket, Key)).toBe("lock");
    await writer.s3.deleteObject({ Bucket: at.bucket, Key });
    expect(await outcome(writer.s3.headObject({ Bucket: at.bucket, Key }))).toBe("404 NotFound");
    expect((await writer.s3.getBucketLocation({ Bucket: at.bucket })).LocationConstraint).toBe(
      "eu-central-1",
    );
  });

  test("the writer adds objects in several parts, and aborts such an upload", async () => {
    const where = { Bucket: at.bucket, Key: "web/main/data/bb/large" };
    for (const finish of [true, false]) {
      const { UploadId } = await writer.s3.createMultipartUpload(where);
      const part = { ...where, UploadId, PartNumber: 1, Body: "part" };
      const { ETag } = await writer.s3.uploadPart(part);
      expect((await writer.s3.listParts({ ...where, UploadId })).Parts).toHaveLength(1);
      await (finish
        ? writer.s3.completeMultipartUpload({
            ...where,
            UploadId,
            MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] },
          })
        : writer.s3.abortMultipartUpload({ ...where, UploadId }));
    }
    expect(await contentOf(writer.s3, at.bucket, where.Key)).toBe("part");
  });

  test("the owner reads and restores what the writer overwrote", async () => {
    const Key = "web/main/data/aa/pack";
    await writer.s3.putObject({ Bucket: at.bucket, Key, Body: "garbage" });
    expect(await contentOf(owner.s3, at.bucket, Key)).toBe("garbage");
    expect(await contentOf(owner.s3, at.bucket, Key, packVersion)).toBe(`first ${Key}`);
    const CopySource = `${at.bucket}/${Key}?versionId=${packVersion}`;
    await owner.s3.copyObject({ Bucket: at.bucket, Key, CopySource });
    expect(await contentOf(writer.s3, at.bucket, Key)).toBe(`first ${Key}`);
  });

  test("the owner restores what the keeper removed", async () => {
    const Key = "web/main/config";
    const { VersionId } = await keeper.s3.deleteObject({ Bucket: at.bucket, Key });
    expect(await outcome(writer.s3.headObject({ Bucket: at.bucket, Key }))).toBe("404 NotFound");
    expect(await outcome(keeper.s3.deleteObject({ Bucket: at.bucket, Key, VersionId }))).toBe(
      "403 AccessDenied",
    );
    await owner.s3.deleteObject({ Bucket: at.bucket, Key, VersionId });
    expect(await contentOf(writer.s3, at.bucket, Key)).toBe(`first ${Key}`);
  });

  test("the Swift API, which reaches the same objects, does not let the writer delete either", async () => {
    const url = `${at.endpoint}/swift/v1/${at.bucket}`;
    const object = `${url}/web/main/config`;
    const ask = async (hand: Identity, method: string, target: string, headers = {}): Promise<number> =>
      (await fetch(target, { method, headers: { "x-auth-token": hand.token, ...headers } })).status;
    expect(await ask(owner, "GET", object)).toBe(200);
    for (const hand of [writer, keeper]) {
      expect(await ask(hand, "DELETE", url)).toBe(403);
      expect(await ask(hand, "POST", url, { "x-container-write": "*:*" })).toBe(403);
    }
    expect(await ask(writer, "DELETE", object)).toBe(403);
    expect(await contentOf(owner.s3, at.bucket, "web/main/config")).toBe("first web/main/config");
  });

  test("refuses to read without credentials", async () => {
    const answer = await fetch(`${at.endpoint}/${at.bucket}/web/main/config`);
    expect(answer.status).toBe(403);
  });

  test("a public ACL of the writer gives nobody access, and a private one is accepted", async () => {
    const to = { Bucket: at.bucket, Key: "web/main/data/dd/open" };
    const anybody = async (): Promise<number> =>
      (await fetch(`${at.endpoint}/${to.Bucket}/${to.Key}`)).status;
    // rclone sends an ACL with each upload where its configuration names one.
    expect(await outcome(writer.s3.putObject({ ...to, ACL: "private", Body: "x" }))).toBe("ok");
    expect(await outcome(writer.s3.putObject({ ...to, ACL: "public-read", Body: "x" }))).toBe("ok");
    expect(await anybody()).toBe(403);
    await owner.s3.deletePublicAccessBlock({ Bucket: to.Bucket });
    expect(await anybody()).toBe(200);
    await settle(PUBLIC_ACCESS_BLOCK, owner.s3, at, WANTED_BLOCK);
    expect(await anybody()).toBe(403);
  });

  // Why the bucket has one setting only: a service that fixes this calls for another choice.
  test("the other settings of the PublicAccessBlock block backups", async () => {
    const { bucket: Bucket } = at;
    const set = (PublicAccessBlockConfiguration: PublicAccessBlockConfiguration): Promise<unknown> =>
      owner.s3.putPublicAccessBlock({ Bucket, PublicAccessBlockConfiguration });
    try {
      await set({ BlockPublicAcls: true });
      expect(await outcome(writer.s3.putObject({ Bucket, Key: "web/main/data/dd/x", Body: "x" }))).toBe(
        "403 AccessDenied",
      );
      await set({ BlockPublicPolicy: true });
      expect(await outcome(owner.s3.putBucketPolicy({ Bucket, Policy: state.policy }))).toBe(
        "403 AccessDenied",
      );
    } finally {
      expect(await settle(PUBLIC_ACCESS_BLOCK, owner.s3, at, WANTED_BLOCK)).toEqual(["BlockPublicPolicy"]);
    }
  });

  test("the owner administers: policy, versioning, deletes", async () => {
    const Key = "web/main/data/cc/late";
    const { VersionId } = await writer.s3.putObject({ Bucket: at.bucket, Key, Body: "x" });
    await owner.s3.deleteObject({ Bucket: at.bucket, Key, VersionId });
    expect((await owner.s3.getBucketAcl({ Bucket: at.bucket })).Owner?.ID).toContain(facts.projects.owner);
    await owner.s3.putBucketPolicy({ Bucket: at.bucket, Policy: liftedPolicy(at.bucket) });
    await owner.s3.deleteBucketPolicy({ Bucket: at.bucket });
    await settle(POLICY, owner.s3, at, state.policy);
  });

  test("proofs leave one canary and nothing else, however often they run", async () => {
    const hands = { owner: owner.s3, writer: writer.s3, keeper: keeper.s3 };
    const inForce: InForce = {
      policy: state.policy,
      versioning: "Enabled",
      rules: lifecycleRules(30),
      publicAccessBlock: WANTED_BLOCK,
      objectLock: "none",
    };
    await prove(hands, at, inForce);
    await prove(hands, at, inForce);
    const left = await owner.s3.listObjectVersions({ Bucket: at.bucket, Prefix: PROOF_PREFIX });
    expect([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])].map((entry) => entry.Key)).toEqual([
      CANARY_KEY,
    ]);
  });

  test("a refresh shows what was changed by hand, and the next update restores it", async () => {
    expect(await bucketProvider.read?.(at.bucket, state)).toEqual({ id: at.bucket, props: state, inputs });

    await owner.s3.putBucketVersioning({
      Bucket: at.bucket,
      VersioningConfiguration: { Status: "Suspended" },
    });
    await owner.s3.putBucketPolicy({ Bucket: at.bucket, Policy: liftedPolicy(at.bucket) });
    const days = { NoncurrentVersionExpiration: { NoncurrentDays: 1 } };
    const rules: LifecycleRule[] = [{ ID: "x", Status: "Enabled", Filter: { Prefix: "" }, ...days }];
    await owner.s3.putBucketLifecycleConfiguration({
      Bucket: at.bucket,
      LifecycleConfiguration: { Rules: rules },
    });
    const BlockPublicAcls = true;
    await owner.s3.putPublicAccessBlock({
      Bucket: at.bucket,
      PublicAccessBlockConfiguration: { BlockPublicAcls },
    });
    const drifted = await bucketProvider.read?.(at.bucket, state);
    expect(drifted?.props).toEqual({
      ...state,
      versioning: "Suspended",
      publicAccessBlock: "BlockPublicAcls",
      policy: liftedPolicy(at.bucket),
      lifecycle: canonicalLifecycle(rules),
    });
    expect(drifted?.inputs).toEqual({
      ...inputs,
      versioned: false,
      policies: [{ name: "changed by hand", policy: liftedPolicy(at.bucket) }],
      noncurrentVersionDays: 1,
    });
    expect((await bucketProvider.diff?.(at.bucket, drifted?.props as BucketState, inputs))?.changes).toBe(
      true,
    );

    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const updated = await bucketProvider.update?.(at.bucket, drifted?.props as BucketState, inputs);
    const words = said.mock.calls.flat().join("\n");
    expect(words).toMatch(/The previous ones would: remove old versions after 1 days\.$/m);
    expect(words).toMatch(
      /its PublicAccessBlock had BlockPublicAcls, which the stack does not set; this is off now/,
    );
    said.mockRestore();
    expect(updated?.outs).toEqual(state);
    expect(await bucketProvider.read?.(at.bucket, state)).toEqual({ id: at.bucket, props: state, inputs });
    expect(await outcome(writer.s3.deleteObject({ Bucket: at.bucket, Key: "web/main/config" }))).toBe(
      "403 AccessDenied",
    );
  });

  test("every action in the policy is one that the service knows, and it refuses one that it does not", async () => {
    const put = (Action: string): Promise<string> => {
      const Statement = [
        { Effect: "Deny", Principal: { AWS: arn("writer") }, Action, Resource: `arn:aws:s3:::${at.bucket}` },
      ];
      return outcome(
        owner.s3.putBucketPolicy({
          Bucket: at.bucket,
          Policy: JSON.stringify({ Version: "2012-10-17", Statement }),
        }),
      );
    };
    try {
      expect(await put("s3:NoSuchAction")).toBe("400 InvalidArgument");
      const { Statement } = JSON.parse(state.policy) as { Statement: { Action: string | string[] }[] };
      for (const action of new Set(Statement.flatMap((statement) => statement.Action))) {
        expect([action, await put(action)]).toEqual([action, "ok"]);
      }
    } finally {
      await settle(POLICY, owner.s3, at, state.policy);
    }
  });

  test("destroying keeps the bucket, its data and its policy, and reports that", async () => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    await bucketProvider.delete?.(at.bucket, state);
    expect(said.mock.calls.flat().join("\n")).toMatch(
      /KEPT with everything in it, because it holds data \(such as "/,
    );
    said.mockRestore();
    expect(await contentOf(owner.s3, at.bucket, "web/main/config")).toBe("first web/main/config");
    expect(await outcome(writer.s3.deleteObject({ Bucket: at.bucket, Key: "web/main/config" }))).toBe(
      "403 AccessDenied",
    );
  });

  test("a later update adopts it again, with everything in it", async () => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    expect((await bucketProvider.create(inputs)).outs).toEqual(state);
    expect(said.mock.calls.flat().join("\n")).toMatch(/exists and belongs to the owner; it is adopted/);
    said.mockRestore();
    expect(await contentOf(owner.s3, at.bucket, "web/main/config")).toBe("first web/main/config");
  });

  test("delete markers alone count as data", async () => {
    const marked = address();
    await adoptOrCreate(owner.s3, marked, owner);
    await settle(VERSIONING, owner.s3, marked, true);
    const { VersionId } = await owner.s3.putObject({
      Bucket: marked.bucket,
      Key: "web/main/config",
      Body: "x",
    });
    await owner.s3.deleteObject({ Bucket: marked.bucket, Key: "web/main/config" });
    expect(await removeIfEmpty(owner.s3, marked, SOON)).toEqual({ removed: false, holds: "web/" });
    expect(await contentOf(owner.s3, marked.bucket, "web/main/config", VersionId)).toBe("x");
  });
});
