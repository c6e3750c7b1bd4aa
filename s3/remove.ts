/** Removes an empty bucket. */
import type { S3 } from "@aws-sdk/client-s3";
import { liftedPolicy, NOTES_FOLDERS } from "../plan/bucket-policy";
import { answerOf } from "./answers";
import { failure, patiently, type BucketAddress } from "./client";
import { isDenied, isUnsupported } from "./services";
import { CANARY_PREFIX } from "./proof";
import { OBJECT_LOCK, retentionOf } from "./settings/object-lock";
import { POLICY } from "./settings/policy";
import { PATIENCE } from "./settings/setting";

/** Whether the bucket was removed. One that stays `holds` this key, or its content is unknown. */
export type Removal = { readonly removed: true } | { readonly removed: false; readonly holds?: string };

/** What is in the bucket without any backup, too. */
const isData = (key: string): boolean =>
  ![CANARY_PREFIX, ...NOTES_FOLDERS].some((folder) => key.startsWith(folder));

/**
 * Removes the bucket if it holds nothing but canaries and notes: no object, no old version, no delete marker. One with data
 * stays, with its policy. So does one whose owner's keys are revoked: a revocation ends an intrusion, and the removal of
 * the stack must not fail because of it. A bucket that does not exist counts as removed.
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
    if (
      isDenied(error) &&
      retentionOf(await OBJECT_LOCK.read(owner, address.bucket))?.mode === "COMPLIANCE"
    ) {
      return { removed: false, holds: `${CANARY_PREFIX}…, until the object lock ends` };
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
  // The policy binds the owner too and denies its own removal, but the owner may replace it.
  const policy = await POLICY.read(owner, bucket);
  await owner.putBucketPolicy({ Bucket: bucket, Policy: liftedPolicy(bucket) });
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
  const locked = retentionOf(await OBJECT_LOCK.read(owner, bucket)) !== undefined;
  let from: Page["next"];
  do {
    const page = await listEntries(owner, bucket, from);
    for (const entry of page.entries.filter(({ Key }) => !isData(Key))) {
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
 * A key that is below neither {@link CANARY_PREFIX} nor {@link NOTES_FOLDERS}, or its top folder; `undefined` when there is
 * none. Lists folders only: an attacker with the writer's keys can put any number of objects below the canary's prefix.
 */
export async function firstData(owner: S3, bucket: string): Promise<string | undefined> {
  let from: Page["next"];
  do {
    const page = await listEntries(owner, bucket, from, "/");
    const data = page.entries.find((entry) => isData(entry.Key));
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
 * One page of all versions and delete markers, or of the objects where the service has no versions.
 *
 * @param delimiter ends the name of a folder, which stands for all that is in it. @default no folders
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
