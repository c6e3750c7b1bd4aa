import type { GetBucketAclCommandOutput } from "@aws-sdk/client-s3";
import { NO_GRANTEE } from "../services";
import { unlessUnsupported, type Setting, type Unsupported } from "./setting";

/** The bucket's ACL as S3 reports it and takes it. It grants access besides the policy. */
export type AccessControl = Pick<GetBucketAclCommandOutput, "Owner" | "Grants">;

/**
 * The ACL is always wanted private. Someone who once had the owner's keys could have granted another account access
 * by it, and that account could delete versions as long as no policy names it.
 */
export const ACL: Setting<AccessControl, undefined> = {
  step: "make the bucket's ACL private",
  read: async (owner, bucket) =>
    await unlessUnsupported(async () => {
      const { Owner, Grants = [] } = await owner.getBucketAcl({ Bucket: bucket });
      return { Owner, Grants };
    }),
  put: (owner, bucket) => owner.putBucketAcl({ Bucket: bucket, ACL: "private" }),
  holds: (seen) => aclInWords(seen) === "private",
  inWords: aclInWords,
};

/** `private` where the owner alone has access; else each other grant, as in `FULL_CONTROL for ID`; or `unsupported`. */
export function aclInWords(acl: AccessControl | Unsupported): string {
  if (acl === "unsupported") {
    return acl;
  }
  const grants = (acl.Grants ?? []).flatMap(({ Grantee, Permission = "?" }) => {
    const grantee = Grantee?.URI ?? Grantee?.ID ?? Grantee?.EmailAddress ?? NO_GRANTEE;
    return grantee === NO_GRANTEE || grantee === acl.Owner?.ID ? [] : [`${Permission} for ${grantee}`];
  });
  return grants.sort().join(", ") || "private";
}
