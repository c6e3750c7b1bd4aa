/** The canary's repository after a run: what the run put there is taken away again. */
import { CANARY } from "../../../files";
import { Operations } from "../../../plan";
import { connect } from "../../../providers/s3-client";
import { inParallel } from "../../lib/parallel";

/** What runs before this one left when they were interrupted is older. */
const LEFTOVER_MILLISECONDS = 3600_000;
const TIDY_AT_ONCE = 4;

/**
 * The owner takes the canary's objects of this run away, versions and all; the repository's config stays, for a run
 * beside this one needs it. Whether the owner may is a finding of the bucket's: here nothing comes of it.
 */
export async function tidy({ bucket }: Operations, id: string): Promise<void> {
  const address = { endpoint: bucket.endpoint, region: bucket.region, bucket: bucket.bucket };
  const owner = await connect(address, bucket.owner);
  const bypass = bucket.objectLock && { BypassGovernanceRetention: true };
  const repository = `${CANARY.client}/${CANARY.repository}/`;
  try {
    const { Versions = [], DeleteMarkers = [] } = await owner.listObjectVersions({
      Bucket: bucket.bucket,
      Prefix: repository,
    });
    const left = [...Versions, ...DeleteMarkers].filter(({ Key = "", LastModified }) => {
      const age = Date.now() - (LastModified?.getTime() ?? Date.now());
      return Key.includes(id) || (age > LEFTOVER_MILLISECONDS && Key !== `${repository}config`);
    });
    await inParallel(TIDY_AT_ONCE, left, async ({ Key, VersionId }) => {
      await owner.deleteObject({ Bucket: bucket.bucket, Key, VersionId, ...bypass });
    });
  } catch {
    // They are small, and the next run tries again.
  } finally {
    owner.destroy();
  }
}
