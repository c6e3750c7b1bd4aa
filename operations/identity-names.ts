import { DeployedBucket } from "./deployment";
import { withS3 } from "../s3/with-s3";

/** Names for the S3 identities in lists of versions. */
export interface IdentityNames {
  /** The role of an identity by its S3 ID; an unknown one keeps its ID. */
  nameOf: (id: string) => string;
  /** The owner's S3 ID; absent where the service does not report it. */
  owner?: string;
  /** The keeper's S3 ID; absent where there is none, or its keys do not work. */
  keeper?: string;
}

/** Reads the S3 IDs of the stack's identities. */
export async function identityNames(bucket: DeployedBucket): Promise<IdentityNames> {
  const names = new Map<string, string>();
  const ids: Pick<IdentityNames, "owner" | "keeper"> = {};
  for (const name of ["keeper", "writer", "owner"] as const) {
    const keys = bucket[name];
    if (keys === undefined) continue;
    try {
      const { Owner } = await withS3(bucket, keys, (s3) => s3.listBuckets({}));
      if (Owner?.ID === undefined) continue;
      names.set(Owner.ID, `the ${name}`);
      if (name !== "writer") ids[name] = Owner.ID;
    } catch {
      // Its keys may have been revoked after an intrusion.
    }
  }
  return { nameOf: (id) => names.get(id) ?? id, ...ids };
}
