/** Removes what a run added to the canary's repository. */
import { Deployment } from "../../deployment";
import { CANARY } from "../../../hosts";
import { withS3 } from "../../../s3/with-s3";
import { listVersions } from "../../../s3/versions";
import { removeVersions } from "../remove-versions";
import { content, MOST_VERSIONS } from "./canary-repository";

/** Objects of earlier, interrupted runs are older. */
const LEFTOVER_MILLISECONDS = 3600_000;

/**
 * Removes the canary's objects of this run as the owner, with all versions. The repository's config stays, because a
 * concurrent run needs it, unless an attack has changed it. Errors are ignored here: the probes of the bucket find out
 * whether the owner may do this.
 */
export async function tidy({ bucket }: Deployment, id: string): Promise<void> {
  const repository = `${CANARY.client}/${CANARY.repository}/`;
  const config = `${repository}config`;
  try {
    await withS3(bucket, bucket.owner, async (owner) => {
      // A write that left the repository is beside it.
      const all = await listVersions(owner, bucket, `${CANARY.client}/`, MOST_VERSIONS);
      // By its size: the owner may not be able to read what the writer put.
      const changed = all.some(
        ({ key, latest, size }) => key === config && latest && size !== Buffer.byteLength(content("config")),
      );
      const left = all.filter(({ key, modified }) => {
        if (key === config) return changed;
        const leftover = key.startsWith(repository) && Date.now() - modified > LEFTOVER_MILLISECONDS;
        return leftover || key.includes(id);
      });
      await removeVersions(owner, bucket, left);
    });
  } catch {
    // The objects are small, and the next run tries again.
  }
}
