import { DeployedBucket } from "./deployment";
import { withS3 } from "../s3/with-s3";

/** Who is who in the S3 service's lists of versions. */
export interface IdentityNames {
  /** An identity in words, by what S3 calls it; one that did not answer is shown by that. */
  nameOf: (id: string) => string;
  /** What S3 calls the owner; absent: it does not tell. */
  owner?: string;
}

/** Asks S3 what it calls the stack's identities. */
export async function identityNames(bucket: DeployedBucket): Promise<IdentityNames> {
  const names = new Map<string, string>();
  let owner: string | undefined;
  for (const name of ["keeper", "writer", "owner"] as const) {
    const keys = bucket[name];
    if (keys === undefined) continue;
    try {
      const { Owner } = await withS3(bucket, keys, (s3) => s3.listBuckets({}));
      if (Owner?.ID === undefined) continue;
      names.set(Owner.ID, `the ${name}`);
      if (name === "owner") owner = Owner.ID;
    } catch {
      // Its keys may have been revoked after the break-in.
    }
  }
  return { nameOf: (id) => names.get(id) ?? id, ...(owner === undefined ? {} : { owner }) };
}
