/**
 * What the bucket resource does through S3, as functions over a client, so that tests call them on a real
 * service without an engine.
 */
import type {
  LifecycleRule,
  ObjectLockConfiguration,
  PublicAccessBlockConfiguration,
  S3,
} from "@aws-sdk/client-s3";
import {
  answerOf,
  connect,
  explained,
  isDenied,
  failure,
  isUnsupported,
  ofNoAnswer,
  patiently,
  where,
  type BucketAddress,
  type S3Credentials,
} from "./client";
import { canonicalLifecycle, foreignActions, withoutUploads } from "./lifecycle";
import { samePolicy } from "./policy";

/**
 * State of versioning: `Enabled`; `Suspended`, which here includes "never switched on"; or `unsupported` where
 * the service has no versions.
 */
export type Versioning = "Enabled" | "Suspended" | "unsupported";

/** The retention that every new version gets. */
export interface Retention {
  readonly mode: "GOVERNANCE" | "COMPLIANCE";
  readonly days: number;
}

/**
 * The object lock: `MODE DAYS days`, the retention of every new version; `Enabled`, a lock without such a retention;
 * `none`; or `unsupported` by the service.
 */
export type ObjectLock = string;

/**
 * The quota of the bucket in bytes, `none`, or `unknown` where the service does not tell. Ceph RGW tells what was set
 * for the bucket or its owner, not whether that is switched on, and not a default for all buckets.
 */
export type Quota = number | "none" | "unknown";

/**
 * The PublicAccessBlock: the names of its settings that are on, as in `BlockPublicAcls, IgnorePublicAcls`; `none`; or
 * `unsupported` by the service.
 */
export type PublicAccessBlock = string;

/**
 * Whom the bucket's ACL, which stands beside the policy, lets in: `private`, the owner alone; each other grant, as in
 * `FULL_CONTROL for ID`; or `unsupported` by the service.
 */
export type Acl = string;

/**
 * What every bucket gets. Disregarding public ACLs covers each of them: the bucket's, an object's, one that comes with
 * an upload or a copy, and those of before. (An ACL that names one other account is not public, and stands.) The other
 * settings would add harm to that and little else, as measured on Ceph RGW 16: `BlockPublicAcls` refuses every upload,
 * private ones too, and no copy; `BlockPublicPolicy` takes any grant to another project for public, and so refuses the
 * bucket's own policy; `RestrictPublicBuckets` does nothing there, and by that judgement could shut the hosts out.
 */
export const PUBLIC_ACCESS_BLOCK: PublicAccessBlock = "IgnorePublicAcls";

/** What the service says about the bucket. */
export interface Observed {
  readonly versioning: Versioning;
  /** JSON text of the policy; empty when there is none. */
  readonly policy: string;
  /** All rules, or `unsupported` by the service. */
  readonly rules: readonly LifecycleRule[] | "unsupported";
  readonly objectLock: ObjectLock;
  readonly acl: Acl;
  readonly publicAccessBlock: PublicAccessBlock;
  readonly quota: Quota;
}

/** How a removal ended: the bucket is gone, or it stays because of what it holds, or with nothing known of that. */
export type Removal = { readonly removed: true } | { readonly removed: false; readonly holds?: string };

/** Nothing below this prefix is data: there the update and the operator's tools try what must hold. */
export const CANARY_PREFIX = ".canary/";

/** Pauses between the tries of whatever a service may put in force with a delay, in milliseconds. */
export const PATIENCE: readonly number[] = [250, 500, 1_000, 2_000, 4_000];

/** Forbids nothing that matters; takes the place of a policy that forbids its own removal. */
function harmlessPolicy(bucket: string): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Lifted",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:DeleteBucketWebsite",
        Resource: `arn:aws:s3:::${bucket}`,
      },
    ],
  });
}

/**
 * Makes the bucket, or finds that it is the owner's already.
 *
 * @param locked whether a bucket that is made now gets object lock; it cannot get it later
 * @returns whether it was made now
 * @throws Error when the bucket belongs to somebody else
 */
export async function adoptOrCreate(
  owner: S3,
  address: BucketAddress,
  credentials: S3Credentials,
  locked = false,
): Promise<boolean> {
  const mine = await explained(address, "list the owner's buckets", () => ownBuckets(owner));
  if (mine.includes(address.bucket)) {
    return false;
  }
  try {
    await createBucket(owner, address, credentials, locked);
    return true;
  } catch (error) {
    const { code } = answerOf(error);
    if (code === "BucketAlreadyOwnedByYou") {
      return false;
    }
    throw code === "BucketAlreadyExists" || isDenied(error)
      ? failure(address, "take the bucket over", error, FOREIGN_REMEDY)
      : failure(address, "create the bucket", error);
  }
}

const FOREIGN_REMEDY =
  "The bucket belongs to another account, or the owner's keys may not create one: " +
  "choose another bucket name, or give the keys of the account that owns it as the owner.";

async function createBucket(
  owner: S3,
  address: BucketAddress,
  credentials: S3Credentials,
  locked: boolean,
): Promise<void> {
  const wanted = { Bucket: address.bucket, ...(locked ? { ObjectLockEnabledForBucket: true } : {}) };
  try {
    // A copy, for the SDK writes the place that it asks for into what it is given.
    await owner.createBucket({ ...wanted });
  } catch (error) {
    if (answerOf(error).code !== "InvalidLocationConstraint") {
      throw error;
    }
    // The SDK asks for the region as the bucket's place. Where the service calls its places otherwise it
    // refuses; only for this one region does the SDK leave the place to the service.
    const placeless = await connect({ ...address, region: "us-east-1" }, credentials);
    try {
      await placeless.createBucket(wanted);
    } finally {
      placeless.destroy();
    }
  }
}

async function ownBuckets(owner: S3): Promise<string[]> {
  const names: string[] = [];
  let token: string | undefined;
  do {
    const page = await owner.listBuckets(token === undefined ? {} : { ContinuationToken: token });
    names.push(...(page.Buckets ?? []).map((bucket) => bucket.Name ?? ""));
    token = page.ContinuationToken;
  } while (token !== undefined && token !== "");
  return names;
}

/** Reads what the service says; `undefined` when the bucket does not exist. */
export async function observe(owner: S3, address: BucketAddress): Promise<Observed | undefined> {
  try {
    const { bucket } = address;
    return {
      versioning: await readVersioning(owner, bucket),
      policy: await readPolicy(owner, bucket),
      rules: await readRules(owner, bucket),
      objectLock: await readObjectLock(owner, bucket),
      acl: await readAcl(owner, bucket),
      publicAccessBlock: await readPublicAccessBlock(owner, bucket),
      quota: await readQuota(owner, bucket),
    };
  } catch (error) {
    if (answerOf(error).code === "NoSuchBucket") {
      return undefined;
    }
    throw failure(address, "read the bucket's settings", error);
  }
}

/**
 * What a call comes to: its answer, `unsupported` where the service does not know the call, or `absent.value` where it
 * says by the code `absent.code` that nothing is set.
 */
async function unlessUnsupported<T>(
  call: () => Promise<T>,
  absent?: { readonly code: string; readonly value: T },
): Promise<T | "unsupported"> {
  try {
    return await call();
  } catch (error) {
    if (absent !== undefined && answerOf(error).code === absent.code) {
      return absent.value;
    }
    if (isUnsupported(error)) {
      return "unsupported";
    }
    throw error;
  }
}

async function readVersioning(owner: S3, bucket: string): Promise<Versioning> {
  return await unlessUnsupported(async () => {
    const answer = await owner.getBucketVersioning({ Bucket: bucket });
    return answer.Status === "Enabled" ? "Enabled" : "Suspended";
  });
}

async function readPolicy(owner: S3, bucket: string): Promise<string> {
  try {
    return (await owner.getBucketPolicy({ Bucket: bucket })).Policy ?? "";
  } catch (error) {
    if (answerOf(error).code === "NoSuchBucketPolicy") {
      return "";
    }
    throw error;
  }
}

async function readRules(owner: S3, bucket: string): Promise<Observed["rules"]> {
  return await unlessUnsupported(
    async () => (await owner.getBucketLifecycleConfiguration({ Bucket: bucket })).Rules ?? [],
    { code: "NoSuchLifecycleConfiguration", value: [] },
  );
}

async function readObjectLock(owner: S3, bucket: string): Promise<ObjectLock> {
  return await unlessUnsupported<ObjectLock>(
    async () =>
      lockInWords((await owner.getObjectLockConfiguration({ Bucket: bucket })).ObjectLockConfiguration),
    { code: "ObjectLockConfigurationNotFoundError", value: "none" },
  );
}

function lockInWords(lock: ObjectLockConfiguration | undefined): ObjectLock {
  const { Mode, Days, Years } = lock?.Rule?.DefaultRetention ?? {};
  const days = Days ?? (Years ?? 0) * 365;
  if (Mode !== undefined && days > 0) {
    return `${Mode} ${days} days`;
  }
  return lock?.ObjectLockEnabled === "Enabled" ? "Enabled" : "none";
}

async function readAcl(owner: S3, bucket: string): Promise<Acl> {
  return await unlessUnsupported<Acl>(async () => {
    const { Owner, Grants = [] } = await owner.getBucketAcl({ Bucket: bucket });
    const words = Grants.flatMap(({ Grantee, Permission = "?" }) => {
      // MinIO, which has no ACLs, answers with a grant that names nobody.
      const whom = Grantee?.URI ?? Grantee?.ID ?? Grantee?.EmailAddress ?? "";
      return whom === "" || whom === Owner?.ID ? [] : [`${Permission} for ${whom}`];
    });
    return words.length === 0 ? "private" : words.sort().join(", ");
  });
}

async function readPublicAccessBlock(owner: S3, bucket: string): Promise<PublicAccessBlock> {
  return await unlessUnsupported<PublicAccessBlock>(
    async () => {
      const { PublicAccessBlockConfiguration = {} } = await owner.getPublicAccessBlock({ Bucket: bucket });
      const settings = Object.entries(PublicAccessBlockConfiguration).filter(([, on]) => on !== undefined);
      const names = settings.flatMap(([name, on]) => (on ? [name] : [])).sort();
      // A service that overlooks what it is asked for answers with something else, in which no setting stands.
      return settings.length === 0 ? "unsupported" : names.length === 0 ? "none" : names.join(", ");
    },
    { code: "NoSuchPublicAccessBlockConfiguration", value: "none" },
  );
}

/** Ceph RGW tells the owner the quotas of the bucket and of its user with a HEAD; the SDK does not pass that on. */
async function readQuota(owner: S3, bucket: string): Promise<Quota> {
  const { HeadBucketCommand } = await import("@aws-sdk/client-s3");
  const head = new HeadBucketCommand({ Bucket: bucket });
  let headers: Record<string, string> = {};
  head.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      headers = (result.response as { headers: Record<string, string> }).headers;
      return result;
    },
    { step: "deserialize", priority: "low" },
  );
  await owner.send(head);
  const told = ["x-rgw-quota-bucket-size", "x-rgw-quota-user-size"].flatMap((name) => headers[name] ?? []);
  const set = told.map(Number).filter((bytes) => bytes >= 0);
  return told.length === 0 ? "unknown" : set.length === 0 ? "none" : Math.min(...set);
}

/**
 * Switches versioning on or off and waits until the service says so too.
 *
 * @throws Error when the service accepts the setting and does not take it up
 */
export async function settleVersioning(
  owner: S3,
  address: BucketAddress,
  wanted: boolean,
  patience = PATIENCE,
): Promise<Versioning> {
  const aim: Versioning = wanted ? "Enabled" : "Suspended";
  return await explained(address, `set versioning to ${aim}`, async () => {
    const before = await readVersioning(owner, address.bucket);
    if (before === aim || before === "unsupported") {
      return before;
    }
    const put = await unlessUnsupported(() =>
      owner.putBucketVersioning({ Bucket: address.bucket, VersioningConfiguration: { Status: aim } }),
    );
    if (put === "unsupported") {
      return put;
    }
    return await patiently(patience, async () => {
      const now = await readVersioning(owner, address.bucket);
      if (now !== aim) {
        throw new Error(`the service accepted the setting but still says ${now}`);
      }
      return now;
    });
  });
}

/**
 * Puts the policy unless it is there already, and waits until it reads back as the same.
 *
 * @throws Error when the service refuses it, or accepts it and shows another
 */
export async function settlePolicy(
  owner: S3,
  address: BucketAddress,
  policy: string,
  patience = PATIENCE,
): Promise<void> {
  await explained(address, "set the bucket policy", async () => {
    if (samePolicy(await readPolicy(owner, address.bucket), policy)) {
      return;
    }
    await owner.putBucketPolicy({ Bucket: address.bucket, Policy: policy });
    await patiently(patience, async () => {
      const now = await readPolicy(owner, address.bucket);
      if (!samePolicy(now, policy)) {
        throw new Error(`the service accepted the policy but shows ${now === "" ? "none" : "another one"}`);
      }
    });
  });
}

/** What came of a lifecycle. */
export interface LifecyclePut {
  /** The rules in force: the wanted ones, or those without the end of unfinished uploads. */
  readonly rules: readonly LifecycleRule[];
  /** Whether the service ends unfinished uploads, or has no such rule: then they stay. */
  readonly uploads: UnfinishedUploads;
  /** What the rules that were there did and those in force do not, in words. */
  readonly replaced: readonly string[];
}

/** Whether uploads that were begun and never ended are `aborted` by the lifecycle, or `kept` for want of such a rule. */
export type UnfinishedUploads = "aborted" | "kept";

/**
 * Puts the lifecycle unless it is there already, and waits until it reads back as the same. Where the service refuses or
 * drops the end of unfinished uploads, the rest of the lifecycle is put.
 *
 * @returns what came of it; `unsupported` by the service
 * @throws Error when the service refuses the rest too, or accepts it and shows another
 */
export async function settleLifecycle(
  owner: S3,
  address: BucketAddress,
  wanted: readonly LifecycleRule[],
  patience = PATIENCE,
): Promise<LifecyclePut | "unsupported"> {
  return await explained(address, "set the lifecycle", async () => {
    const before = await readRules(owner, address.bucket);
    if (before === "unsupported") {
      return before;
    }
    const settled = (rules: readonly LifecycleRule[], uploads: UnfinishedUploads): LifecyclePut => ({
      rules,
      uploads,
      replaced: foreignActions(before, rules),
    });
    try {
      if ((await putRules(owner, address.bucket, wanted, before, patience)) !== "unsupported") {
        return settled(wanted, "aborted");
      }
    } catch (error) {
      const rest = withoutUploads(wanted);
      const same = canonicalLifecycle(rest) === canonicalLifecycle(wanted);
      const put =
        same || saysNothingOfRules(error) ? undefined : await putRest(owner, address.bucket, rest, patience);
      if (put === undefined) {
        throw error;
      }
      return put === "unsupported" ? put : settled(rest, "kept");
    }
    // Some answer to one unknown action as to an unknown call.
    const put = await putRest(owner, address.bucket, withoutUploads(wanted), patience);
    return put === "put" ? settled(withoutUploads(wanted), "kept") : "unsupported";
  });
}

/** Whether a failure would be the same for any rules. */
function saysNothingOfRules(error: unknown): boolean {
  const { status = 400 } = answerOf(error);
  return isDenied(error) || ofNoAnswer(error) || status >= 500;
}

/** Puts what is left of a lifecycle that was not taken; `undefined` where that is not taken either. */
async function putRest(
  owner: S3,
  bucket: string,
  rest: readonly LifecycleRule[],
  patience: readonly number[],
): Promise<"put" | "unsupported" | undefined> {
  try {
    return await putRules(owner, bucket, rest, await readRules(owner, bucket), patience);
  } catch (error) {
    if (saysNothingOfRules(error)) {
      throw error;
    }
    return undefined;
  }
}

/** Puts the rules unless they are there, and waits until they read back as the same. */
async function putRules(
  owner: S3,
  bucket: string,
  rules: readonly LifecycleRule[],
  before: Observed["rules"],
  patience: readonly number[],
): Promise<"put" | "unsupported"> {
  const wanted = canonicalLifecycle(rules);
  if (before !== "unsupported" && canonicalLifecycle(before) === wanted) {
    return "put";
  }
  const put = await unlessUnsupported<unknown>(() =>
    rules.length === 0
      ? owner.deleteBucketLifecycle({ Bucket: bucket })
      : owner.putBucketLifecycleConfiguration({
          Bucket: bucket,
          // The one checksum that every service knows here; some refuse the call without it.
          ChecksumAlgorithm: "MD5",
          LifecycleConfiguration: { Rules: [...rules] },
        }),
  );
  if (put === "unsupported") {
    return "unsupported";
  }
  await patiently(patience, async () => {
    const now = await readRules(owner, bucket);
    if (now === "unsupported" || canonicalLifecycle(now) !== wanted) {
      throw new Error("the service accepted the lifecycle but shows another one");
    }
  });
  return "put";
}

/**
 * Fails where the bucket cannot have the wanted retention, before anything is changed: a bucket gets object lock
 * only when it is made.
 */
export async function requireObjectLock(owner: S3, address: BucketAddress): Promise<void> {
  const lock = await explained(address, "read the object lock", () => readObjectLock(owner, address.bucket));
  if (lock === "none" || lock === "unsupported") {
    throw new Error(
      `${where(address)}: ${lock === "none" ? "exists without object lock, which a bucket gets only when it is made" : "this service has no object lock"}. ` +
        "Nothing was changed. Choose another bucket name, or leave s3.objectLock out of the configuration.",
    );
  }
}

/**
 * Puts the retention of new versions, or takes one away that is not wanted, and waits until it reads back as that.
 * Versions that were written before keep theirs.
 */
export async function settleObjectLock(
  owner: S3,
  address: BucketAddress,
  wanted: Retention | undefined,
  patience = PATIENCE,
): Promise<void> {
  await explained(address, "set the object lock", async () => {
    if (sameLock(await readObjectLock(owner, address.bucket), wanted)) {
      return;
    }
    const rule = wanted && { Rule: { DefaultRetention: { Mode: wanted.mode, Days: wanted.days } } };
    await owner.putObjectLockConfiguration({
      Bucket: address.bucket,
      ChecksumAlgorithm: "MD5",
      ObjectLockConfiguration: { ObjectLockEnabled: "Enabled", ...rule },
    });
    await patiently(patience, async () => {
      const now = await readObjectLock(owner, address.bucket);
      if (!sameLock(now, wanted)) {
        throw new Error(`the service accepted the retention but says ${now}`);
      }
    });
  });
}

/** Whether this object lock is the wanted one; any lock without a retention is, where none is wanted. */
export function sameLock(lock: ObjectLock, wanted: Retention | undefined): boolean {
  return wanted === undefined
    ? retentionOf(lock) === undefined
    : lock === `${wanted.mode} ${wanted.days} days`;
}

/** The retention of an object lock. */
export function retentionOf(lock: ObjectLock): Retention | undefined {
  const [, mode, days] = /^(GOVERNANCE|COMPLIANCE) (\d+) days$/.exec(lock) ?? [];
  return mode === undefined ? undefined : { mode: mode as Retention["mode"], days: Number(days) };
}

/**
 * Takes from the bucket's ACL whom it lets in besides the owner, and waits until it reads back so. Whoever once had the
 * owner's keys could let another account in by it, which then deletes versions as long as no policy names it.
 *
 * @returns what was there; `unsupported` by the service
 * @throws Error when the service refuses it, or accepts it and shows another
 */
export async function settleAcl(owner: S3, address: BucketAddress, patience = PATIENCE): Promise<Acl> {
  return await explained(address, "make the bucket's ACL private", async () => {
    const before = await readAcl(owner, address.bucket);
    if (before === "private" || before === "unsupported") {
      return before;
    }
    await owner.putBucketAcl({ Bucket: address.bucket, ACL: "private" });
    return await patiently(patience, async () => {
      const now = await readAcl(owner, address.bucket);
      if (now !== "private") {
        throw new Error(`the service accepted the ACL but shows ${now}`);
      }
      return before;
    });
  });
}

/**
 * Puts {@link PUBLIC_ACCESS_BLOCK} unless it is there already, and waits until it reads back as the same.
 *
 * @returns the settings that were on and are off now; `unsupported` by the service
 * @throws Error when the service refuses it, or accepts it and shows another
 */
export async function settlePublicAccessBlock(
  owner: S3,
  address: BucketAddress,
  patience = PATIENCE,
): Promise<readonly string[] | "unsupported"> {
  return await explained(address, "set the PublicAccessBlock", async () => {
    const before = await readPublicAccessBlock(owner, address.bucket);
    if (before === "unsupported" || before === PUBLIC_ACCESS_BLOCK) {
      return before === "unsupported" ? before : [];
    }
    const put = await unlessUnsupported(() =>
      owner.putPublicAccessBlock({
        Bucket: address.bucket,
        ChecksumAlgorithm: "MD5",
        PublicAccessBlockConfiguration: settingsOf(PUBLIC_ACCESS_BLOCK),
      }),
    );
    if (put === "unsupported") {
      return put;
    }
    await patiently(patience, async () => {
      const now = await readPublicAccessBlock(owner, address.bucket);
      if (now !== PUBLIC_ACCESS_BLOCK) {
        throw new Error(`the service accepted the setting but says ${now}`);
      }
    });
    return Object.keys(settingsOf(before)).filter((name) => name !== PUBLIC_ACCESS_BLOCK);
  });
}

/** A PublicAccessBlock as S3 takes it. */
export function settingsOf(block: PublicAccessBlock): PublicAccessBlockConfiguration {
  return Object.fromEntries(block === "none" ? [] : block.split(", ").map((name) => [name, true]));
}

/**
 * Removes the bucket if it holds nothing but the canary: no object, no old version, no delete marker. One that
 * holds data stays as it is, with its policy; so does one whose owner's keys are revoked, since that is done to shut
 * somebody out and must not wait for them. A bucket that is gone already counts as removed.
 */
export async function removeIfEmpty(
  owner: S3,
  address: BucketAddress,
  patience = PATIENCE,
): Promise<Removal> {
  try {
    const data = await firstData(owner, address.bucket);
    return data === undefined
      ? await removeCanaryAndBucket(owner, address.bucket, patience)
      : { removed: false, holds: data };
  } catch (error) {
    const { code } = answerOf(error);
    if (code === "NoSuchBucket") {
      return { removed: true };
    }
    if (code === "InvalidAccessKeyId") {
      return { removed: false };
    }
    if (code === "BucketNotEmpty") {
      return { removed: false, holds: "something written just now" };
    }
    if (isDenied(error) && retentionOf(await readObjectLock(owner, address.bucket))?.mode === "COMPLIANCE") {
      return { removed: false, holds: `${CANARY_PREFIX}…, until the object lock's time is over` };
    }
    throw failure(address, "remove the bucket", error);
  }
}

async function removeCanaryAndBucket(
  owner: S3,
  bucket: string,
  patience: readonly number[],
): Promise<Removal> {
  try {
    return await emptyAndRemove(owner, bucket);
  } catch (error) {
    if (!isDenied(error)) {
      throw error;
    }
  }
  // The policy binds the owner too, even against removing the policy; but it may put another in its place.
  const policy = await readPolicy(owner, bucket);
  await owner.putBucketPolicy({ Bucket: bucket, Policy: harmlessPolicy(bucket) });
  try {
    return await patiently(patience, () => emptyAndRemove(owner, bucket));
  } catch (error) {
    if (policy !== "" && answerOf(error).code !== "NoSuchBucket") {
      await owner.putBucketPolicy({ Bucket: bucket, Policy: policy });
    }
    throw error;
  }
}

async function emptyAndRemove(owner: S3, bucket: string): Promise<Removal> {
  const locked = retentionOf(await readObjectLock(owner, bucket)) !== undefined;
  let from: Page["next"];
  do {
    const page = await listEntries(owner, bucket, from);
    for (const entry of page.entries.filter(({ Key }) => Key.startsWith(CANARY_PREFIX))) {
      await owner.deleteObject({
        Bucket: bucket,
        ...entry,
        ...(locked ? { BypassGovernanceRetention: true } : {}),
      });
    }
    from = page.next;
  } while (from !== undefined);
  await owner.deleteBucket({ Bucket: bucket });
  return { removed: true };
}

/**
 * The key of some entry that is not the canary's, or its folder; `undefined` when there is none. Only folders are
 * listed: whoever has the writer's keys can make any number of objects in the canary's.
 */
export async function firstData(owner: S3, bucket: string): Promise<string | undefined> {
  let from: Page["next"];
  do {
    const page = await listEntries(owner, bucket, from, "/");
    const data = page.entries.find((entry) => !entry.Key.startsWith(CANARY_PREFIX));
    if (data !== undefined) {
      return data.Key;
    }
    from = page.next;
  } while (from !== undefined);
  return undefined;
}

interface Page {
  readonly entries: readonly { readonly Key: string; readonly VersionId?: string }[];
  readonly next?: { readonly KeyMarker?: string; readonly VersionIdMarker?: string };
}

/**
 * One page of all versions and delete markers; of the objects, where the service has no versions.
 *
 * @param delimiter ends the name of a folder, which stands for all that is in it; default: no folders
 */
async function listEntries(
  owner: S3,
  bucket: string,
  from: Page["next"] = {},
  delimiter?: string,
): Promise<Page> {
  const request = { Bucket: bucket, ...(delimiter === undefined ? {} : { Delimiter: delimiter }) };
  const folders = (prefixes: readonly { Prefix?: string }[] = []) =>
    prefixes.map(({ Prefix }) => ({ Key: Prefix ?? "" }));
  try {
    const page = await owner.listObjectVersions({ ...request, ...from });
    const objects = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({
      Key: Key ?? "",
      ...(VersionId === undefined ? {} : { VersionId }),
    }));
    const entries = [...objects, ...folders(page.CommonPrefixes)];
    return page.IsTruncated === true
      ? { entries, next: { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker } }
      : { entries };
  } catch (error) {
    if (!isUnsupported(error)) {
      throw error;
    }
    const page = await owner.listObjectsV2(request);
    const objects = (page.Contents ?? []).map(({ Key }) => ({ Key: Key ?? "" }));
    return { entries: [...objects, ...folders(page.CommonPrefixes)] };
  }
}
