import type { S3 } from "@aws-sdk/client-s3";
import { inParallel } from "../../keeper/parallel";
import type { Entry } from "../../s3/history";
import type { DeployedBucket } from "../deployment";
import { bypass } from "./bucket/target";

const AT_ONCE = 4;

/**
 * Removes versions and delete markers that verify left.
 *
 * @param owner the bucket's
 */
export async function removeVersions(
  owner: S3,
  bucket: DeployedBucket,
  versions: readonly Pick<Entry, "key" | "versionId">[],
): Promise<void> {
  await inParallel(AT_ONCE, versions, ({ key, versionId }) =>
    owner.deleteObject({ Bucket: bucket.bucket, Key: key, VersionId: versionId, ...bypass({ bucket }) }),
  );
}
