/** Creates a bucket, or finds that it is the owner's. */
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf } from "./answers";
import { explained, failure, type BucketAddress, type S3Credentials } from "./client";
import { PLACELESS_REGION, isDenied } from "./services";
import { withS3 } from "./with-s3";

/**
 * Creates the bucket, unless the owner has it already.
 *
 * @param locked whether a new bucket gets object lock; it cannot be enabled later. @default false
 * @returns whether it was created now
 * @throws Error when the bucket belongs to another account
 */
export async function adoptOrCreate(
  owner: S3,
  address: BucketAddress,
  credentials: S3Credentials,
  locked = false,
): Promise<boolean> {
  const own = await explained(address, "list the owner's buckets", () => ownBuckets(owner));
  if (own.includes(address.bucket)) {
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
      ? failure(address, "take over the bucket", error, FOREIGN_REMEDY)
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
    // A copy, because the SDK adds the place that it asks for.
    await owner.createBucket({ ...wanted });
  } catch (error) {
    if (answerOf(error).code !== "InvalidLocationConstraint") {
      throw error;
    }
    await withS3({ ...address, region: PLACELESS_REGION }, credentials, (placeless) =>
      placeless.createBucket(wanted),
    );
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
