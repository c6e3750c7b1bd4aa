/** The canary's repository after a run: what the run put there is taken away again. */
import { Deployment } from "../../deployment";
import { CANARY } from "../../../hosts";
import { inParallel } from "../../parallel";
import { withS3 } from "../../../s3/with-s3";
import { listVersions } from "../../../s3/versions";
import { content, MOST_VERSIONS } from "./canary-repository";

/** What runs before this one left when they were interrupted is older. */
const LEFTOVER_MILLISECONDS = 3600_000;
const TIDY_AT_ONCE = 4;

/**
 * The owner takes the canary's objects of this run away, versions and all; the repository's config stays, for a run
 * beside this one needs it, unless an attack has changed it. Whether the owner may is a finding of the bucket's: here
 * nothing comes of it.
 */
export async function tidy({ bucket }: Deployment, id: string): Promise<void> {
  const Bucket = bucket.bucket;
  const bypass = bucket.objectLock && { BypassGovernanceRetention: true };
  const repository = `${CANARY.client}/${CANARY.repository}/`;
  const config = `${repository}config`;
  try {
    await withS3(bucket, bucket.owner, async (owner) => {
      // A write that left the repository is beside it.
      const all = await listVersions(owner, bucket, `${CANARY.client}/`, MOST_VERSIONS);
      // By its size: what the writer put, the owner may not be able to read.
      const spoilt = all.some(
        ({ key, latest, size }) => key === config && latest && size !== Buffer.byteLength(content("config")),
      );
      const left = all.filter(({ key, modified }) => {
        if (key === config) return spoilt;
        const leftover = key.startsWith(repository) && Date.now() - modified > LEFTOVER_MILLISECONDS;
        return leftover || key.includes(id);
      });
      await inParallel(TIDY_AT_ONCE, left, async ({ key, versionId }) => {
        await owner.deleteObject({ Bucket, Key: key, VersionId: versionId, ...bypass });
      });
    });
  } catch {
    // They are small, and the next run tries again.
  }
}
