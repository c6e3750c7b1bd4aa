/** How an update adopts, changes and removes a bucket with its settings, on a real Ceph RGW. Runs as bucket.test.ts. */
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { bucketPolicies, liftedPolicy } from "../../plan/bucket-policy";
import { connect, type BucketAddress } from "../../s3/client";
import { adoptOrCreate } from "../../s3/create";
import { observe } from "../../s3/observe";
import { CANARY_KEY, PROOF_PREFIX, prove } from "../../s3/proof";
import { removeIfEmpty } from "../../s3/remove";
import { bucketProvider } from "../../s3/resource/bucket";
import type { BucketInputs, BucketState } from "../../s3/resource/state";
import { canonicalLifecycle, lifecycleRules } from "../../s3/settings/lifecycle";
import { POLICY } from "../../s3/settings/policy";
import { WANTED_BLOCK } from "../../s3/settings/public-access-block";
import { settle } from "../../s3/settings/setting";
import {
  SOON,
  owner,
  writer,
  keeper,
  useIdentities,
  arn,
  arns,
  keys,
  address,
  outcome,
  contentOf,
  NOT_SERVED,
  threeIdentities,
} from "../harness/bucket-identities";
import { strongestPolicy } from "../harness/strongest-policy";

jest.setTimeout(240_000);
useIdentities();

test("an update revokes ACL grants to other accounts, which let them delete versions", async () => {
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
  // For this bucket the keeper is another account.
  const remove = (VersionId?: string) =>
    outcome(keeper.s3.deleteObject({ Bucket: at.bucket, Key: "web/main/config", VersionId }));
  expect(await remove(versions[0])).toBe("403 AccessDenied");
  const other = (await keeper.s3.listBuckets({})).Owner?.ID ?? "";
  await owner.s3.putBucketAcl({ Bucket: at.bucket, GrantFullControl: `id="${other}"` });
  expect(await remove(versions[0])).toBe("ok");

  const drifted = (await bucketProvider.read?.(at.bucket, state))?.props as BucketState;
  expect(drifted).toEqual({ ...state, acl: `FULL_CONTROL for ${other}` });
  expect((await bucketProvider.diff?.(at.bucket, drifted, inputs))?.changes).toBe(true);
  const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
  const updated = await bucketProvider.update?.(at.bucket, drifted, inputs);
  expect(said.mock.calls.flat().join("\n")).toMatch(/its ACL granted access to others than the owner/);
  said.mockRestore();
  expect(updated?.outs).toEqual(state);
  expect(await remove(versions[1])).toBe("403 AccessDenied");
  expect(await contentOf(writer.s3, at.bucket, "web/main/config")).toBe("two");
});

describe("a bucket of another account", () => {
  test("is refused, even where its policy grants access", async () => {
    const theirs = address();
    await adoptOrCreate(owner.s3, theirs, owner);
    await settle(
      POLICY,
      owner.s3,
      theirs,
      strongestPolicy({ bucket: theirs.bucket, writer: arn("writer"), keeper: arn("keeper") }),
    );
    const before = await observe(owner.s3, theirs);
    for (const other of [writer, keeper]) {
      const create = bucketProvider.create({
        ...theirs,
        owner: other,
        writer: other,
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

describe("the lifecycle", () => {
  test("of an adopted bucket is replaced, and what it would have destroyed is reported", async () => {
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

  test("denies the owner too to delete a version, and lets the writer delete its locks", async () => {
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

  test("of an empty bucket does not prevent its removal", async () => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const at = address();
    const { outs } = await bucketProvider.create(inputsAt(at));
    await bucketProvider.delete?.(at.bucket, outs as BucketState);
    expect(said.mock.calls.flat().join("\n")).toMatch(/was empty and is removed/);
    said.mockRestore();
  });

  test("is refused for a bucket that was created without it, before anything changes", async () => {
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
    expect(await outcome(owner.s3.deleteBucketWebsite({ Bucket }))).toBe(NOT_SERVED);
    const lock = { Bucket, Key: "web/main/locks/0123abcd" };
    await owner.s3.putObject({ ...lock, Body: "lock" });
    expect(await outcome(owner.s3.deleteObject(lock))).toBe("ok");
    expect(await outcome(owner.s3.headObject(lock))).toBe("404 NotFound");
  });

  test("the owner can still change the policy, so it is not locked out", async () => {
    await owner.s3.putBucketPolicy({ Bucket: at.bucket, Policy: liftedPolicy(at.bucket) });
    const drifted = (await bucketProvider.read?.(at.bucket, state))?.props as BucketState;
    expect(drifted.policy).toBe(liftedPolicy(at.bucket));
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
    expect(await contentOf(writer.s3, at.bucket, "web/main/config")).toBe("first");
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

test("a bucket without versions is possible", async () => {
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
