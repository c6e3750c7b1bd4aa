/**
 * The bucket on a real Ceph RGW with Keystone: three projects as owner, writer and keeper. Runs inside the
 * local cloud's network: `scripts/dev/local-cloud/local-cloud exec -- npx jest test/host/bucket`.
 */
import { CACHE } from "../../scripts/dev/cloud";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { LifecycleRule, PublicAccessBlockConfiguration, S3 } from "@aws-sdk/client-s3";
import { bucketPolicies, keystonePrincipal, type PolicyForm } from "../../plan/bucket-policy";
import { strongestPolicy } from "../harness/strongest-policy";
import { bucketProvider } from "../../s3/resource/bucket";
import type { BucketInputs, BucketState } from "../../s3/resource/state";
import { adoptOrCreate } from "../../s3/create";
import { observe } from "../../s3/observe";
import { removeIfEmpty } from "../../s3/remove";
import { settleLifecycle } from "../../s3/settings/lifecycle";
import { POLICY } from "../../s3/settings/policy";
import { PUBLIC_ACCESS_BLOCK, WANTED_BLOCK } from "../../s3/settings/public-access-block";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import { answerOf } from "../../s3/answers";
import { connect, type BucketAddress, type S3Credentials } from "../../s3/client";
import { canonicalLifecycle, lifecycleRules } from "../../s3/settings/lifecycle";
import { samePolicy } from "../../s3/settings/policy";
import {
  CANARY_KEY,
  CANARY_LOCK_KEY,
  PROOF_PREFIX,
  prove,
  settleBestPolicy,
  type IdentityClients,
} from "../../s3/proof";
import type { InForce } from "../../s3/tampering";
import { type CloudFacts, cloudFacts } from "../../scripts/dev/local-stack";
import { run } from "../../operations/transport/run";
import { type Identity, s3Identity } from "../harness/s3-identity";

type Role = "owner" | "writer" | "keeper";

// A policy that proves wrong is tried again for some seconds before the update fails.
jest.setTimeout(240_000);
const SOON = [100, 200];

let facts: CloudFacts;
let owner: Identity, writer: Identity, keeper: Identity;
const arn = (role: Role): string => keystonePrincipal(facts.projects[role]);
const arns = (): Record<Role, string> => ({
  owner: arn("owner"),
  writer: arn("writer"),
  keeper: arn("keeper"),
});
const keys = ({ accessKeyId, secretAccessKey }: Identity): S3Credentials => ({
  accessKeyId,
  secretAccessKey,
});

let made = 0;
const buckets: string[] = [];
/** A name of a bucket that no other run uses; the bucket is cleared away at the end. */
function address(): BucketAddress {
  const bucket = `bucket-test-${process.pid}-${Date.now().toString(36)}-${made++}`;
  buckets.push(bucket);
  return { endpoint: facts.s3Endpoint, region: "eu-central-1", bucket };
}

/** What a call came to: `ok`, or the HTTP status and code of its refusal. */
async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "ok";
  } catch (error) {
    const { status, code } = answerOf(error);
    return `${status ?? "no answer"} ${code}`;
  }
}

async function text(s3: S3, Bucket: string, Key: string, VersionId?: string): Promise<string> {
  const { Body } = await s3.getObject({ Bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) });
  return (await Body?.transformToString()) ?? "";
}

beforeAll(async () => {
  facts = cloudFacts();
  [owner, writer, keeper] = await Promise.all([
    s3Identity(facts.projects.owner),
    s3Identity(facts.projects.writer),
    s3Identity(facts.projects.keeper),
  ]);
}, 120_000);

afterAll(async () => {
  const mine = (await owner.s3.listBuckets({})).Buckets ?? [];
  for (const Bucket of buckets.filter((name) => mine.some((entry) => entry.Name === name))) {
    await owner.s3.putBucketPolicy({ Bucket, Policy: harmless(Bucket) });
    const { Versions = [], DeleteMarkers = [] } = await owner.s3.listObjectVersions({ Bucket });
    for (const { Key, VersionId } of [...Versions, ...DeleteMarkers]) {
      await owner.s3.deleteObject({ Bucket, Key, VersionId, BypassGovernanceRetention: true });
    }
    await owner.s3.deleteBucket({ Bucket });
  }
  await Promise.all([owner, writer, keeper].map((one) => one.forget()));
}, 120_000);

/** Sets a quota as the service's operator does. */
async function quota(deed: string, option: string, bucket: string): Promise<void> {
  const [pid = ""] = fs.readFileSync(path.join(CACHE, "local-cloud/run/pid"), "utf8").split(" ");
  const inside = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"];
  const scope = ["--quota-scope=bucket", `--bucket=${bucket}`];
  const command = ["radosgw-admin", "quota", deed, ...scope, ...(option === "" ? [] : [option])];
  await run("nsenter", ["--target", pid, ...inside, "--", ...command], { timeout: 30 });
}

const harmless = (bucket: string): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Deny",
        Principal: "*",
        Action: "s3:DeleteBucketWebsite",
        Resource: `arn:aws:s3:::${bucket}`,
      },
    ],
  });

/** Websites are off in this RGW, for the owner as for anybody: then it never comes to asking the policy. */
const NO_WEBSITES = "405 MethodNotAllowed";

/** Every call that destroys, or prepares it; each must be refused before its content is looked at. */
const DESTRUCTIVE: Record<string, (s3: S3, bucket: string, version: string) => Promise<unknown>> = {
  "delete a version": (s3, Bucket, VersionId) =>
    s3.deleteObject({ Bucket, Key: "web/main/data/aa/pack", VersionId }),
  "delete the version of a lock": (s3, Bucket, VersionId) =>
    s3.deleteObject({ Bucket, Key: "web/main/locks/lock", VersionId }),
  "delete the bucket": (s3, Bucket) => s3.deleteBucket({ Bucket }),
  "delete the policy": (s3, Bucket) => s3.deleteBucketPolicy({ Bucket }),
  "delete the website": (s3, Bucket) => s3.deleteBucketWebsite({ Bucket }),
  "put a policy": (s3, Bucket) => s3.putBucketPolicy({ Bucket, Policy: harmless(Bucket) }),
  "suspend versioning": (s3, Bucket) =>
    s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: "Suspended" } }),
  "let everything expire": (s3, Bucket) =>
    s3.putBucketLifecycleConfiguration({
      Bucket,
      LifecycleConfiguration: {
        Rules: [{ ID: "gone", Status: "Enabled", Filter: { Prefix: "" }, Expiration: { Days: 1 } }],
      },
    }),
  "drop the lifecycle": (s3, Bucket) => s3.deleteBucketLifecycle({ Bucket }),
  "set the object lock": (s3, Bucket) =>
    s3.putObjectLockConfiguration({ Bucket, ObjectLockConfiguration: { ObjectLockEnabled: "Enabled" } }),
  "set a retention": (s3, Bucket) =>
    s3.putObjectRetention({
      Bucket,
      Key: "web/main/data/aa/pack",
      Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 86_400_000) },
    }),
  "set a legal hold": (s3, Bucket) =>
    s3.putObjectLegalHold({ Bucket, Key: "web/main/data/aa/pack", LegalHold: { Status: "ON" } }),
  "open the bucket by ACL": (s3, Bucket) => s3.putBucketAcl({ Bucket, ACL: "public-read-write" }),
  "open an object by ACL": (s3, Bucket) =>
    s3.putObjectAcl({ Bucket, Key: "web/main/data/aa/pack", ACL: "public-read" }),
  "open a version by ACL": (s3, Bucket, VersionId) =>
    s3.putObjectAcl({ Bucket, Key: "web/main/data/aa/pack", VersionId, ACL: "public-read" }),
  "tag an object": (s3, Bucket) =>
    s3.putObjectTagging({
      Bucket,
      Key: "web/main/data/aa/pack",
      Tagging: { TagSet: [{ Key: "a", Value: "b" }] },
    }),
  "drop an object's tags": (s3, Bucket) => s3.deleteObjectTagging({ Bucket, Key: "web/main/data/aa/pack" }),
  "tag the bucket": (s3, Bucket) =>
    s3.putBucketTagging({ Bucket, Tagging: { TagSet: [{ Key: "a", Value: "b" }] } }),
  "set CORS": (s3, Bucket) =>
    s3.putBucketCors({
      Bucket,
      CORSConfiguration: { CORSRules: [{ AllowedMethods: ["GET"], AllowedOrigins: ["*"] }] },
    }),
  "set a website": (s3, Bucket) =>
    s3.putBucketWebsite({ Bucket, WebsiteConfiguration: { IndexDocument: { Suffix: "x" } } }),
  "let public ACLs in again": (s3, Bucket) =>
    s3.putPublicAccessBlock({ Bucket, PublicAccessBlockConfiguration: {} }),
  "drop the PublicAccessBlock": (s3, Bucket) => s3.deletePublicAccessBlock({ Bucket }),
  "make the owner pay": (s3, Bucket) =>
    s3.putBucketRequestPayment({ Bucket, RequestPaymentConfiguration: { Payer: "Requester" } }),
};

/** What the stack asks for with an owner, a writer and a keeper, and the defaults of the rest. */
const threeIdentities = (at: BucketAddress): BucketInputs => ({
  ...at,
  owner: keys(owner),
  writer: keys(writer),
  keeper: keys(keeper),
  policies: bucketPolicies({ bucket: at.bucket, ...arns() }),
  versioned: true,
  noncurrentVersionDays: 30,
});

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
    const refusal = deed.includes("website") ? NO_WEBSITES : "403 AccessDenied";
    for (const hand of [writer, keeper]) {
      const call = DESTRUCTIVE[deed] ?? (() => Promise.resolve());
      expect(await outcome(call(hand.s3, at.bucket, version))).toBe(refusal);
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
      expect(await text(writer.s3, at.bucket, Key)).toBe(`first ${Key}`);
    }
  });

  test("the writer lists, reads, adds and removes locks; a key that is not there answers 404", async () => {
    const Key = "web/main/locks/other";
    await writer.s3.putObject({ Bucket: at.bucket, Key, Body: "lock" });
    const list = await writer.s3.listObjectsV2({ Bucket: at.bucket, Prefix: "web/main/locks/" });
    expect(list.Contents?.map((entry) => entry.Key)).toContain(Key);
    expect(await text(writer.s3, at.bucket, Key)).toBe("lock");
    await writer.s3.deleteObject({ Bucket: at.bucket, Key });
    expect(await outcome(writer.s3.headObject({ Bucket: at.bucket, Key }))).toBe("404 NotFound");
    expect((await writer.s3.getBucketLocation({ Bucket: at.bucket })).LocationConstraint).toBe(
      "eu-central-1",
    );
  });

  test("the writer adds objects in several parts, and gives such an upload up", async () => {
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
    expect(await text(writer.s3, at.bucket, where.Key)).toBe("part");
  });

  test("what the writer overwrites, the owner still reads and puts back", async () => {
    const Key = "web/main/data/aa/pack";
    await writer.s3.putObject({ Bucket: at.bucket, Key, Body: "garbage" });
    expect(await text(owner.s3, at.bucket, Key)).toBe("garbage");
    expect(await text(owner.s3, at.bucket, Key, packVersion)).toBe(`first ${Key}`);
    const CopySource = `${at.bucket}/${Key}?versionId=${packVersion}`;
    await owner.s3.copyObject({ Bucket: at.bucket, Key, CopySource });
    expect(await text(writer.s3, at.bucket, Key)).toBe(`first ${Key}`);
  });

  test("what the keeper removes, the owner brings back", async () => {
    const Key = "web/main/config";
    const { VersionId } = await keeper.s3.deleteObject({ Bucket: at.bucket, Key });
    expect(await outcome(writer.s3.headObject({ Bucket: at.bucket, Key }))).toBe("404 NotFound");
    expect(await outcome(keeper.s3.deleteObject({ Bucket: at.bucket, Key, VersionId }))).toBe(
      "403 AccessDenied",
    );
    await owner.s3.deleteObject({ Bucket: at.bucket, Key, VersionId });
    expect(await text(writer.s3, at.bucket, Key)).toBe(`first ${Key}`);
  });

  test("by the other door to the same objects, the Swift API, the writer deletes no more", async () => {
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
    expect(await text(owner.s3, at.bucket, "web/main/config")).toBe("first web/main/config");
  });

  test("nobody else reads: neither another project nor the unknown", async () => {
    const answer = await fetch(`${at.endpoint}/${at.bucket}/web/main/config`);
    expect(answer.status).toBe(403);
  });

  test("a public ACL that the writer gives lets nobody in, and a private one is no obstacle to it", async () => {
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

  // Why the bucket has the one setting alone: a service that has mended this calls for another choice.
  test("the other settings hinder what must work", async () => {
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
    await owner.s3.putBucketPolicy({ Bucket: at.bucket, Policy: harmless(at.bucket) });
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

  test("a refresh shows what was changed by hand, and the next update puts it right", async () => {
    expect(await bucketProvider.read?.(at.bucket, state)).toEqual({ id: at.bucket, props: state, inputs });

    await owner.s3.putBucketVersioning({
      Bucket: at.bucket,
      VersioningConfiguration: { Status: "Suspended" },
    });
    await owner.s3.putBucketPolicy({ Bucket: at.bucket, Policy: harmless(at.bucket) });
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
      policy: harmless(at.bucket),
      lifecycle: canonicalLifecycle(rules),
    });
    expect(drifted?.inputs).toEqual({
      ...inputs,
      versioned: false,
      policies: [{ name: "changed by hand", policy: harmless(at.bucket) }],
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

  test("destroying keeps the bucket, its data and its policy, and says so", async () => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    await bucketProvider.delete?.(at.bucket, state);
    expect(said.mock.calls.flat().join("\n")).toMatch(
      /KEPT with everything in it, because it holds data \(such as "/,
    );
    said.mockRestore();
    expect(await text(owner.s3, at.bucket, "web/main/config")).toBe("first web/main/config");
    expect(await outcome(writer.s3.deleteObject({ Bucket: at.bucket, Key: "web/main/config" }))).toBe(
      "403 AccessDenied",
    );
  });

  test("a later update adopts it again, with everything in it", async () => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    expect((await bucketProvider.create(inputs)).outs).toEqual(state);
    expect(said.mock.calls.flat().join("\n")).toMatch(/exists and belongs to the owner; it is adopted/);
    said.mockRestore();
    expect(await text(owner.s3, at.bucket, "web/main/config")).toBe("first web/main/config");
  });

  test("delete markers alone are data still", async () => {
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
    expect(await text(owner.s3, marked.bucket, "web/main/config", VersionId)).toBe("x");
  });
});

test("whom the bucket's ACL lets in besides the owner, and so delete versions, the next update shuts out", async () => {
  const at = address();
  const inputs: BucketInputs = {
    ...threeIdentities(at),
    keeper: undefined,
    policies: bucketPolicies({ bucket: at.bucket, owner: arn("owner"), writer: arn("writer") }),
  };
  const state = (await bucketProvider.create(inputs)).outs as BucketState;
  const versions: (string | undefined)[] = [];
  for (const Body of ["one", "two"])
    versions.push((await writer.s3.putObject({ Bucket: at.bucket, Key: "web/main/config", Body })).VersionId);
  // To this bucket the keeper is a stranger.
  const remove = (VersionId?: string) =>
    outcome(keeper.s3.deleteObject({ Bucket: at.bucket, Key: "web/main/config", VersionId }));
  expect(await remove(versions[0])).toBe("403 AccessDenied");
  const stranger = (await keeper.s3.listBuckets({})).Owner?.ID ?? "";
  await owner.s3.putBucketAcl({ Bucket: at.bucket, GrantFullControl: `id="${stranger}"` });
  expect(await remove(versions[0])).toBe("ok");

  const drifted = (await bucketProvider.read?.(at.bucket, state))?.props as BucketState;
  expect(drifted).toEqual({ ...state, acl: `FULL_CONTROL for ${stranger}` });
  expect((await bucketProvider.diff?.(at.bucket, drifted, inputs))?.changes).toBe(true);
  const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
  const updated = await bucketProvider.update?.(at.bucket, drifted, inputs);
  expect(said.mock.calls.flat().join("\n")).toMatch(/its ACL granted access to others than the owner/);
  said.mockRestore();
  expect(updated?.outs).toEqual(state);
  expect(await remove(versions[1])).toBe("403 AccessDenied");
  expect(await text(writer.s3, at.bucket, "web/main/config")).toBe("two");
});

describe("a bucket that is not ours", () => {
  test("is refused, even where its policy lets us in", async () => {
    const theirs = address();
    await adoptOrCreate(owner.s3, theirs, owner);
    await settle(
      POLICY,
      owner.s3,
      theirs,
      strongestPolicy({ bucket: theirs.bucket, writer: arn("writer"), keeper: arn("keeper") }),
    );
    const before = await observe(owner.s3, theirs);
    for (const stranger of [writer, keeper]) {
      const create = bucketProvider.create({
        ...theirs,
        owner: stranger,
        writer: stranger,
        policies: bucketPolicies({ bucket: theirs.bucket }),
        versioned: true,
        noncurrentVersionDays: 30,
      });
      await expect(create).rejects.toThrow(
        /cannot take over the bucket: BucketAlreadyExists.*belongs to another account/,
      );
    }
    expect(await observe(owner.s3, theirs)).toEqual(before);
  });
});

/** A bucket as it is made, before any setting. */
const BARE = { versioning: "Suspended", rules: [], publicAccessBlock: [], objectLock: "none" } as const;

describe("a policy that does not do what it should", () => {
  test.each<[string, (bucket: string) => string, RegExp]>([
    [
      "the plain one, without a principal",
      () =>
        JSON.stringify({
          Version: "2012-10-17",
          Statement: [
            {
              Sid: "nodelete1",
              Effect: "Deny",
              Action: [
                "s3:DeleteBucket",
                "s3:DeleteBucketPolicy",
                "s3:DeleteBucketWebsite",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
              ],
              Resource: ["arn:aws:s3:::*"],
            },
          ],
        }),
      /policy is NOT in force: the writer could delete/,
    ],
    [
      "one for a principal that is spelled wrong",
      (bucket) =>
        strongestPolicy({ bucket }).replaceAll(
          '"*"',
          JSON.stringify({ AWS: `arn:aws:iam:::user/${facts.projects.owner}` }),
        ),
      /policy is NOT in force: the writer could delete/,
    ],
    [
      "one without an exception for locks",
      (bucket) => strongestPolicy({ bucket }).replace("/*/*/locks/*", "/none/*"),
      /every restic command would leave a lock/,
    ],
    [
      "one with an action that the service does not know",
      (bucket) => strongestPolicy({ bucket }).replace('s3:DeleteBucket"', 's3:Destroy"'),
      /InvalidArgument \(HTTP 400\).*must know every action and principal/,
    ],
  ])("%s fails the update", async (_what, policyFor, message) => {
    const at = address();
    await adoptOrCreate(owner.s3, at, owner);
    const forms = [{ name: "the one", policy: policyFor(at.bucket) }];
    await expect(settleBestPolicy({ owner: owner.s3 }, at, forms, BARE, SOON)).rejects.toThrow(message);
  });

  test("keys of a writer that the policy does not name fail the update", async () => {
    const at = address();
    await adoptOrCreate(owner.s3, at, owner);
    const forms = bucketPolicies({ bucket: at.bucket, owner: arn("owner"), writer: arn("writer") });
    await expect(
      settleBestPolicy({ owner: owner.s3, writer: keeper.s3 }, at, forms, BARE, SOON),
    ).rejects.toThrow(/as the writer: .*The writer could not add backups either/);
  });
});

describe("the choice of the policy's form", () => {
  let at: BucketAddress;
  let hands: IdentityClients;
  const inForce = {
    versioning: "Enabled",
    rules: lifecycleRules(30),
    publicAccessBlock: [],
    objectLock: "none",
  } as const;

  beforeAll(async () => {
    at = address();
    hands = { owner: owner.s3, writer: writer.s3, keeper: keeper.s3 };
    await adoptOrCreate(owner.s3, at, owner);
    await settle(VERSIONING, owner.s3, at, true);
    await settleLifecycle(owner.s3, at, inForce.rules);
  });

  test("falls to the first that holds, past what is stored without effect and what is refused", async () => {
    const forms = bucketPolicies({ bucket: at.bucket, ...arns() });
    const weak = [
      {
        name: "binds nobody",
        policy: forms[0].policy.replaceAll(/arn:aws:iam::(\w+):root/g, "arn:aws:iam:::user/$1"),
      },
      { name: "unknown", policy: forms[0].policy.replace("s3:PutBucketTagging", "s3:PutBucketColour") },
    ];
    const { form, failed } = await settleBestPolicy(hands, at, [...weak, ...forms.slice(1)], inForce, SOON);
    expect(form.name).toBe(forms[1]?.name);
    expect(failed).toEqual([
      expect.stringMatching(/^binds nobody: cannot write .* as the writer: .*HTTP 403/),
      expect.stringMatching(/^unknown: cannot set the bucket policy: InvalidArgument/),
    ]);
  });

  test.each([0, 1, 2, 3])("form %i holds, and keeps each part of a repository", async (index) => {
    const form = bucketPolicies({ bucket: at.bucket, ...arns() })[index] as PolicyForm;
    await settleBestPolicy(hands, at, [form], inForce, SOON);
    for (const Key of ["data/aa/pack", "index/1", "keys/1", "snapshots/1", "config"].map(
      (k) => `web/main/${k}`,
    )) {
      expect(await outcome(writer.s3.deleteObject({ Bucket: at.bucket, Key }))).toBe("403 AccessDenied");
    }
    const tagging = { Bucket: at.bucket, Tagging: { TagSet: [{ Key: "a", Value: "b" }] } };
    expect(await outcome(writer.s3.putBucketTagging(tagging))).toBe("403 AccessDenied");
  });

  test("without a separate writer both forms hold", async () => {
    // A bucket of its own: what another writer wrote, the owner could not read then.
    const own = address();
    await adoptOrCreate(owner.s3, own, owner);
    for (const form of bucketPolicies({ bucket: own.bucket })) {
      await settleBestPolicy({ owner: owner.s3 }, own, [form], BARE, SOON);
      const call = owner.s3.deleteObject({ Bucket: own.bucket, Key: "web/main/data/aa/pack" });
      expect(await outcome(call)).toBe("403 AccessDenied");
    }
  });

  interface Statement {
    Sid: string;
    Action: string | string[];
  }
  /** The strongest form, but for one action: one identity may do it, or nobody may. */
  function weakened(action: string, who?: Role): string {
    const document = JSON.parse(strongestPolicy({ bucket: at.bucket, ...arns() })) as {
      Statement: Statement[];
    };
    const without = document.Statement.map((statement) => ({
      ...statement,
      Action: [statement.Action].flat().filter((one) => one !== action),
    })).filter(({ Action }) => Action.length > 0);
    const allowed = {
      Effect: "Allow",
      Principal: { AWS: who && arn(who) },
      Action: action,
      Resource: [`arn:aws:s3:::${at.bucket}`, `arn:aws:s3:::${at.bucket}/*`],
    };
    return JSON.stringify({ ...document, Statement: [...without, ...(who ? [allowed] : [])] });
  }

  test.each<[string, () => string, RegExp]>([
    [
      "lets the writer put a policy",
      () => weakened("s3:PutBucketPolicy", "writer"),
      /the writer could put a policy/,
    ],
    [
      "lets the writer set versioning",
      () => weakened("s3:PutBucketVersioning", "writer"),
      /the writer could set versioning/,
    ],
    [
      "lets the keeper set the lifecycle",
      () => weakened("s3:PutLifecycleConfiguration", "keeper"),
      /the keeper could set the lifecycle/,
    ],
    [
      "lets the writer set the PublicAccessBlock",
      () => weakened("s3:PutBucketPublicAccessBlock", "writer"),
      /the writer could set the PublicAccessBlock/,
    ],
    [
      "lets the keeper delete versions",
      () => weakened("s3:DeleteObjectVersion", "keeper"),
      /the keeper could delete a version/,
    ],
    [
      "lets nobody delete, not even locks",
      () => weakened("s3:DeleteObject"),
      /every restic command would leave a lock/,
    ],
    [
      "does not name the owner",
      () => strongestPolicy({ bucket: at.bucket, writer: arn("writer"), keeper: arn("keeper") }),
      /The owner could not repair the backups: .*give s3\.identities\.owner/,
    ],
    [
      "does not name the keeper",
      () => strongestPolicy({ bucket: at.bucket, owner: arn("owner"), writer: arn("writer") }),
      /remove ".*" as the keeper: .*Retention could not remove/,
    ],
  ])("one that %s is found out", async (what, policy, message) => {
    const forms = [{ name: what, policy: policy() }];
    await expect(settleBestPolicy(hands, at, forms, inForce, [100])).rejects.toThrow(message);
  });
});

describe("what an intruder with the keys of the hosts may leave does not stop the update", () => {
  let at: BucketAddress;
  let inputs: BucketInputs;
  let state: BucketState;
  let hands: IdentityClients;
  let said: jest.SpiedFunction<typeof console.log>;
  const words = (): string => said.mock.calls.flat().join("\n");
  const inForce = {
    versioning: "Enabled",
    rules: lifecycleRules(30),
    publicAccessBlock: WANTED_BLOCK,
    objectLock: "none",
  } as const;
  /** The strongest form, but for the writer, who may delete versions. */
  const weak = (): PolicyForm => ({
    name: "weak",
    policy: strongestPolicy({ bucket: at.bucket, ...arns() })
      .replace(/"s3:DeleteObjectVersion",/, "")
      .replace(/"s3:GetObject",/, '"s3:GetObject", "s3:DeleteObjectVersion",'),
  });

  beforeAll(async () => {
    said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    at = address();
    inputs = threeIdentities(at);
    hands = { owner: owner.s3, writer: writer.s3, keeper: keeper.s3 };
    // With an object lock, and no retention of its own.
    await adoptOrCreate(owner.s3, at, owner, true);
    state = (await bucketProvider.create(inputs)).outs as BucketState;
  });
  beforeEach(() => {
    said.mockClear();
  });
  afterAll(() => {
    said.mockRestore();
  });

  test("a full bucket: it says what is not proved, and the next update with room proves it", async () => {
    await quota("set", "--max-objects=1", at.bucket);
    await quota("enable", "", at.bucket);
    expect(await outcome(writer.s3.putObject({ Bucket: at.bucket, Key: "x", Body: "x" }))).toBe(
      "403 QuotaExceeded",
    );
    const full = (await bucketProvider.update?.(at.bucket, state, inputs))?.outs as BucketState;
    expect(words()).toMatch(
      /is FULL: .* NOT PROVED in full\. .*whether the writer can add objects; whether the owner can read .* the keeper removed\. Ask/,
    );
    expect(full.form).toBe("");
    expect(samePolicy(full.policy, state.policy)).toBe(true);
    expect((await bucketProvider.diff?.(at.bucket, full, inputs))?.changes).toBe(true);
    await expect(settleBestPolicy(hands, at, [weak()], inForce, [])).rejects.toThrow(
      /the writer could delete a version/,
    );

    await quota("disable", "", at.bucket);
    said.mockClear();
    expect((await bucketProvider.update?.(at.bucket, full, inputs))?.outs).toEqual(state);
    expect(words()).not.toMatch(/NOT PROVED/);
  });

  test("canaries that a lock keeps, hidden ones, and many; nor do they pass for the policy's work", async () => {
    const Bucket = at.bucket;
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        await writer.s3.putObject({ Bucket, Key: CANARY_KEY, Body: "x" });
        await keeper.s3.deleteObject({ Bucket, Key: CANARY_KEY });
      }),
    );
    const keep = (Key: string) =>
      writer.s3.putObject({
        Bucket,
        Key,
        Body: "x",
        ObjectLockMode: "GOVERNANCE",
        ObjectLockRetainUntilDate: new Date(Date.now() + 86_400_000),
      });
    await keep(CANARY_LOCK_KEY);
    const { VersionId } = await keep(CANARY_KEY);
    const version = { Bucket, Key: CANARY_KEY, VersionId };
    expect(await outcome(owner.s3.deleteObject(version))).toBe("403 AccessDenied");
    expect((await bucketProvider.update?.(Bucket, state, inputs))?.outs).toEqual(state);
    expect(words()).not.toMatch(/NOT PROVED/);
    const now = await writer.s3.headObject({ Bucket, Key: CANARY_KEY });
    expect(now.VersionId).not.toBe(VersionId);

    await keep(CANARY_KEY);
    await expect(settleBestPolicy(hands, at, [weak()], inForce, [])).rejects.toThrow(
      /the writer could delete a version/,
    );
  });
});

describe("the lifecycle", () => {
  test("of an adopted bucket is replaced, and what it would have destroyed is said", async () => {
    const at = address();
    await adoptOrCreate(owner.s3, at, owner);
    await owner.s3.putBucketLifecycleConfiguration({
      Bucket: at.bucket,
      LifecycleConfiguration: {
        Rules: [{ ID: "tidy", Status: "Enabled", Filter: { Prefix: "web/" }, Expiration: { Days: 1 } }],
      },
    });
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const { outs } = await bucketProvider.create({
      ...at,
      owner: keys(owner),
      writer: keys(owner),
      policies: bucketPolicies({ bucket: at.bucket }),
      versioned: true,
      noncurrentVersionDays: 90,
    });
    expect(said.mock.calls.flat().join("\n")).toMatch(
      /lifecycle rules are replaced\. The previous ones would: REMOVE OBJECTS below "web\/" 1 days after/,
    );
    said.mockRestore();
    expect((outs as BucketState).lifecycle).toBe(canonicalLifecycle(lifecycleRules(90)));
    const { Rules = [] } = await owner.s3.getBucketLifecycleConfiguration({ Bucket: at.bucket });
    expect(Rules).toMatchObject([
      {
        Status: "Enabled",
        NoncurrentVersionExpiration: { NoncurrentDays: 90 },
        Expiration: { ExpiredObjectDeleteMarker: true },
      },
    ]);
    expect(Rules[0]?.Expiration?.Days).toBeUndefined();
  });
});

describe("object lock", () => {
  const retention = { mode: "GOVERNANCE", days: 1 } as const;
  const inputsAt = (at: BucketAddress): BucketInputs => ({
    ...threeIdentities(at),
    retention,
  });

  test("keeps a version from the owner too, and lets the writer remove its locks", async () => {
    const at = address();
    const Bucket = at.bucket;
    const inputs = inputsAt(at);
    const state = (await bucketProvider.create(inputs)).outs as BucketState;
    expect(state).toMatchObject({ objectLock: "GOVERNANCE 1 days", versioning: "Enabled" });
    const pack = { Bucket, Key: "web/main/data/aa/pack" };
    const { VersionId } = await writer.s3.putObject({ ...pack, Body: "x" });
    expect(await outcome(owner.s3.deleteObject({ ...pack, VersionId }))).toBe("403 AccessDenied");
    const lock = { Bucket, Key: "web/main/locks/1" };
    await writer.s3.putObject({ ...lock, Body: "x" });
    await writer.s3.deleteObject(lock);
    expect(await outcome(writer.s3.headObject(lock))).toBe("404 NotFound");

    await owner.s3.putObjectLockConfiguration({
      Bucket,
      ObjectLockConfiguration: { ObjectLockEnabled: "Enabled" },
    });
    const drifted = await bucketProvider.read?.(Bucket, state);
    expect(drifted?.props).toEqual({ ...state, objectLock: "Enabled" });
    expect(drifted?.inputs).toEqual({ ...inputs, retention: undefined });
    expect((await bucketProvider.diff?.(Bucket, drifted?.props as BucketState, inputs))?.changes).toBe(true);
    const updated = await bucketProvider.update?.(Bucket, drifted?.props as BucketState, inputs);
    expect(updated?.outs).toEqual(state);
    expect((await bucketProvider.diff?.(Bucket, state, inputs))?.changes).toBe(false);
    const left = await owner.s3.listObjectVersions({ Bucket, Prefix: PROOF_PREFIX });
    expect([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])].map(({ Key }) => Key)).toEqual([
      CANARY_KEY,
    ]);
  });

  test("of an empty bucket does not keep it from being removed", async () => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const at = address();
    const { outs } = await bucketProvider.create(inputsAt(at));
    await bucketProvider.delete?.(at.bucket, outs as BucketState);
    expect(said.mock.calls.flat().join("\n")).toMatch(/was empty and is removed/);
    said.mockRestore();
  });

  test("is refused for a bucket that was made without it, before anything changes", async () => {
    const at = address();
    await adoptOrCreate(owner.s3, at, owner);
    const before = await observe(owner.s3, at);
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    await expect(bucketProvider.create(inputsAt(at))).rejects.toThrow(
      /exists without object lock, which can be enabled only when a bucket is created\. Nothing was changed\./,
    );
    said.mockRestore();
    expect(await observe(owner.s3, at)).toEqual(before);
  });
});

describe("the owner as its own writer", () => {
  let at: BucketAddress;
  let state: BucketState;

  beforeAll(async () => {
    at = address();
    const inputs = {
      ...at,
      owner: keys(owner),
      writer: keys(owner),
      policies: bucketPolicies({ bucket: at.bucket }),
      versioned: true,
      noncurrentVersionDays: 30,
    };
    state = (await bucketProvider.create(inputs)).outs as BucketState;
    await owner.s3.putObject({ Bucket: at.bucket, Key: "web/main/config", Body: "first" });
  }, 60_000);

  test("the five destroying actions are refused, locks excepted", async () => {
    const Bucket = at.bucket;
    const Key = "web/main/config";
    const { VersionId } = await owner.s3.headObject({ Bucket, Key });
    expect(await outcome(owner.s3.deleteObject({ Bucket, Key }))).toBe("403 AccessDenied");
    expect(await outcome(owner.s3.deleteObject({ Bucket, Key, VersionId }))).toBe("403 AccessDenied");
    expect(await outcome(owner.s3.deleteBucket({ Bucket }))).toBe("403 AccessDenied");
    expect(await outcome(owner.s3.deleteBucketPolicy({ Bucket }))).toBe("403 AccessDenied");
    expect(await outcome(owner.s3.deleteBucketWebsite({ Bucket }))).toBe(NO_WEBSITES);
    const lock = { Bucket, Key: "web/main/locks/0123abcd" };
    await owner.s3.putObject({ ...lock, Body: "lock" });
    expect(await outcome(owner.s3.deleteObject(lock))).toBe("ok");
    expect(await outcome(owner.s3.headObject(lock))).toBe("404 NotFound");
  });

  test("the owner can still change the policy, so it is not locked out", async () => {
    await owner.s3.putBucketPolicy({ Bucket: at.bucket, Policy: harmless(at.bucket) });
    const drifted = (await bucketProvider.read?.(at.bucket, state))?.props as BucketState;
    expect(drifted.policy).toBe(harmless(at.bucket));
    expect((await bucketProvider.update?.(at.bucket, drifted, state))?.outs).toMatchObject({
      policy: state.policy,
    });
    expect(await outcome(owner.s3.deleteBucketPolicy({ Bucket: at.bucket }))).toBe("403 AccessDenied");
  });

  test("the canary is one object after any number of proofs", async () => {
    await prove({ owner: owner.s3 }, at, {
      policy: state.policy,
      versioning: "Enabled",
      rules: lifecycleRules(30),
      publicAccessBlock: WANTED_BLOCK,
      objectLock: "none",
    });
    const listed = await owner.s3.listObjectsV2({ Bucket: at.bucket, Prefix: PROOF_PREFIX });
    expect(listed.Contents?.map((entry) => entry.Key)).toEqual([CANARY_KEY]);
  });

  test("a writer of its own later takes the place of the owner in the same bucket", async () => {
    const policies = bucketPolicies({ bucket: at.bucket, owner: arn("owner"), writer: arn("writer") });
    const news = { ...state, writer: keys(writer), policies };
    const { policy } = policies[0];
    expect((await bucketProvider.update?.(at.bucket, state, news))?.outs).toMatchObject({ policy });
    expect(await text(writer.s3, at.bucket, "web/main/config")).toBe("first");
    expect((await bucketProvider.update?.(at.bucket, news, state))?.outs).toMatchObject({
      policy: state.policy,
    });
  });
});

describe("an empty bucket is really removed", () => {
  test.each([
    ["with three identities", true],
    ["with the owner as its own writer, whose policy forbids it", false],
  ])("%s", async (_form, separate) => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const at = address();
    const inputs = {
      ...at,
      owner: keys(owner),
      writer: keys(separate ? writer : owner),
      policies: bucketPolicies({ bucket: at.bucket, ...(separate ? arns() : {}) }),
      versioned: true,
      noncurrentVersionDays: 30,
    };
    const { outs } = await bucketProvider.create(inputs);
    await bucketProvider.delete?.(at.bucket, outs as BucketState);
    expect(said.mock.calls.flat().join("\n")).toMatch(/was empty and is removed/);
    expect(await observe(owner.s3, at)).toBeUndefined();
    expect(await bucketProvider.read?.(at.bucket, outs as BucketState)).toEqual({});
    await bucketProvider.delete?.(at.bucket, outs as BucketState);
    said.mockRestore();
  });
});

test("a bucket without versions can be had", async () => {
  const at = address();
  const inputs = {
    ...at,
    owner: keys(owner),
    writer: keys(owner),
    policies: bucketPolicies({ bucket: at.bucket }),
    versioned: false,
    noncurrentVersionDays: 30,
  };
  expect((await bucketProvider.create(inputs)).outs).toMatchObject({
    versioning: "Suspended",
    lifecycle: canonicalLifecycle(lifecycleRules(undefined)),
  });
});

test("a region that the service does not know is no obstacle", async () => {
  const at = { ...address(), region: "elsewhere-1" };
  const s3 = await connect(at, owner);
  expect(await adoptOrCreate(s3, at, owner)).toBe(true);
  expect(await removeIfEmpty(s3, at, SOON)).toEqual({ removed: true });
  s3.destroy();
});
