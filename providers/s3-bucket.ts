/**
 * What the bucket resource does through S3, as functions over a client, so that tests call them on a real
 * service without an engine.
 */
import type { S3 } from "@aws-sdk/client-s3";
import {
  answerOf,
  connect,
  explained,
  isDenied,
  failure,
  isUnsupported,
  patiently,
  where,
  type BucketAddress,
  type S3Credentials,
} from "./s3-client";
import { samePolicy } from "./s3-policy";

/**
 * State of versioning: `Enabled`; `Suspended`, which here includes "never switched on"; or `unsupported` where
 * the service has no versions.
 */
export type Versioning = "Enabled" | "Suspended" | "unsupported";

/** What the service says about the bucket. */
export interface Observed {
  readonly versioning: Versioning;
  /** JSON text of the policy; empty when there is none. */
  readonly policy: string;
}

/** How a removal ended: the bucket is gone, or it stays because of what it holds. */
export type Removal = { readonly removed: true } | { readonly removed: false; readonly holds: string };

/** Everything that the proof writes lies below this prefix; it is not data. */
export const CANARY_PREFIX = ".canary/";
/** The object that the writer must not be able to delete. */
export const CANARY_KEY = ".canary/undeletable";
/** Has the form CLIENT/REPOSITORY/locks/ID of a lock, which the writer must be able to delete. */
export const CANARY_LOCK_KEY = ".canary/canary/locks/canary";

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
 * @returns whether it was made now
 * @throws Error when the bucket belongs to somebody else
 */
export async function adoptOrCreate(
  owner: S3,
  address: BucketAddress,
  credentials: S3Credentials,
): Promise<boolean> {
  const mine = await explained(address, "list the owner's buckets", () => ownBuckets(owner));
  if (mine.includes(address.bucket)) {
    return false;
  }
  try {
    await createBucket(owner, address, credentials);
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

async function createBucket(owner: S3, address: BucketAddress, credentials: S3Credentials): Promise<void> {
  try {
    await owner.createBucket({ Bucket: address.bucket });
  } catch (error) {
    if (answerOf(error).code !== "InvalidLocationConstraint") {
      throw error;
    }
    // The SDK asks for the region as the bucket's place. Where the service calls its places otherwise it
    // refuses; only for this one region does the SDK leave the place to the service.
    const placeless = await connect({ ...address, region: "us-east-1" }, credentials);
    try {
      await placeless.createBucket({ Bucket: address.bucket });
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
    const versioning = await readVersioning(owner, address.bucket);
    return { versioning, policy: await readPolicy(owner, address.bucket) };
  } catch (error) {
    if (answerOf(error).code === "NoSuchBucket") {
      return undefined;
    }
    throw failure(address, "read the bucket's settings", error);
  }
}

async function readVersioning(owner: S3, bucket: string): Promise<Versioning> {
  try {
    const answer = await owner.getBucketVersioning({ Bucket: bucket });
    return answer.Status === "Enabled" ? "Enabled" : "Suspended";
  } catch (error) {
    if (isUnsupported(error)) {
      return "unsupported";
    }
    throw error;
  }
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
    try {
      await owner.putBucketVersioning({ Bucket: address.bucket, VersioningConfiguration: { Status: aim } });
    } catch (error) {
      if (isUnsupported(error)) {
        return "unsupported";
      }
      throw error;
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

/**
 * Proves with a canary, as the writer, that the policy is in force: the writer can add an object, cannot
 * delete it nor a version of it, and can delete a lock. A policy may be stored and yet bind nobody.
 *
 * Leaves one object behind, always the same. What else it writes the owner removes again; where the policy
 * binds the owner too, a versioned bucket keeps one hidden version of the lock per proof.
 *
 * @throws Error that says which of these does not hold
 */
export async function proveNoDelete(
  owner: S3,
  writer: S3,
  address: BucketAddress,
  patience = PATIENCE,
): Promise<void> {
  try {
    await patiently(patience, () => proveOnce(writer, address));
  } finally {
    await tidyCanary(owner, address.bucket);
  }
}

async function proveOnce(writer: S3, address: BucketAddress): Promise<void> {
  const canary = { Bucket: address.bucket, Key: CANARY_KEY };
  const version = await explained(
    address,
    `write "${CANARY_KEY}" as the writer`,
    async () => (await headOrPut(writer, canary)).VersionId,
    "The writer could not add backups either: check that its keys belong to the project or principal in the policy.",
  );
  await mustBeDenied(address, `delete "${CANARY_KEY}"`, () => writer.deleteObject(canary));
  if (version !== undefined && version !== "null") {
    await mustBeDenied(address, `delete a version of "${CANARY_KEY}"`, () =>
      writer.deleteObject({ ...canary, VersionId: version }),
    );
  }
  const lock = { Bucket: address.bucket, Key: CANARY_LOCK_KEY };
  await explained(
    address,
    `write and delete the lock "${CANARY_LOCK_KEY}" as the writer`,
    async () => {
      await writer.putObject({ ...lock, Body: "restic must be able to delete this\n" });
      await writer.deleteObject(lock);
    },
    "With such a policy every restic command would leave a lock that blocks the next.",
  );
}

async function headOrPut(
  writer: S3,
  canary: { Bucket: string; Key: string },
): Promise<{ VersionId?: string }> {
  try {
    return await writer.headObject(canary);
  } catch (error) {
    if (answerOf(error).status !== 404) {
      throw error;
    }
    return await writer.putObject({ ...canary, Body: "nobody but the bucket's owner may delete this\n" });
  }
}

/** Only a refusal of a known identity is a proof; neither success nor any other failure is. */
async function mustBeDenied(
  address: BucketAddress,
  deed: string,
  call: () => Promise<unknown>,
): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (isDenied(error)) {
      return;
    }
    throw failure(address, `find out whether the writer could ${deed}`, error);
  }
  throw new Error(
    `${where(address)}: the policy is NOT in force: the writer could ${deed}. The service stored the policy ` +
      "and does not enforce it, so the backups are not protected. Check that the writer's principal in the " +
      "policy is spelled as this service spells it, and that the service enforces bucket policies at all.",
  );
}

/** Removes what a proof left but the canary itself. The owner may be bound by the policy: then it stays. */
async function tidyCanary(owner: S3, bucket: string): Promise<void> {
  try {
    const page = await owner.listObjectVersions({ Bucket: bucket, Prefix: CANARY_PREFIX });
    const rest = [
      ...(page.Versions ?? []).filter((entry) => entry.Key !== CANARY_KEY || entry.IsLatest !== true),
      ...(page.DeleteMarkers ?? []),
    ];
    for (const entry of rest) {
      await owner.deleteObject({ Bucket: bucket, Key: entry.Key, VersionId: entry.VersionId });
    }
  } catch {
    // The outcome of the proof matters, not the cleaning; a real fault of the service showed there already.
  }
}

/**
 * Removes the bucket if it holds nothing but the canary: no object, no old version, no delete marker. One that
 * holds data stays as it is, with its policy. A bucket that is gone already counts as removed.
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
    if (code === "BucketNotEmpty") {
      return { removed: false, holds: "something written just now" };
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
  for (const entry of (await listEntries(owner, bucket)).entries) {
    if (entry.Key.startsWith(CANARY_PREFIX)) {
      await owner.deleteObject({ Bucket: bucket, ...entry });
    }
  }
  await owner.deleteBucket({ Bucket: bucket });
  return { removed: true };
}

/** The key of some entry that is not the canary's; `undefined` when there is none. */
async function firstData(owner: S3, bucket: string): Promise<string | undefined> {
  let from: Page["next"];
  do {
    const page = await listEntries(owner, bucket, from);
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

/** One page of all versions and delete markers; of the objects, where the service has no versions. */
async function listEntries(owner: S3, bucket: string, from: Page["next"] = {}): Promise<Page> {
  try {
    const page = await owner.listObjectVersions({ Bucket: bucket, ...from });
    const entries = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({
      Key: Key ?? "",
      ...(VersionId === undefined ? {} : { VersionId }),
    }));
    return page.IsTruncated === true
      ? { entries, next: { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker } }
      : { entries };
  } catch (error) {
    if (!isUnsupported(error)) {
      throw error;
    }
    const page = await owner.listObjectsV2({ Bucket: bucket });
    return { entries: (page.Contents ?? []).map(({ Key }) => ({ Key: Key ?? "" })) };
  }
}
