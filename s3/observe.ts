import type { LifecycleRule, S3 } from "@aws-sdk/client-s3";
import { answerOf } from "./answers";
import { failure, type BucketAddress } from "./client";
import { ACL, type AccessControl } from "./settings/acl";
import { LIFECYCLE } from "./settings/lifecycle";
import { OBJECT_LOCK, type ObjectLock } from "./settings/object-lock";
import { POLICY } from "./settings/policy";
import { PUBLIC_ACCESS_BLOCK, type PublicAccessBlock } from "./settings/public-access-block";
import { readQuota, type Quota } from "./settings/quota";
import type { Unsupported } from "./settings/setting";
import { VERSIONING, type Versioning } from "./settings/versioning";

/** A bucket's settings as the service reports them. */
export interface Observed {
  readonly versioning: Versioning;
  /** JSON; empty when there is no policy. */
  readonly policy: string;
  readonly rules: readonly LifecycleRule[] | Unsupported;
  readonly objectLock: ObjectLock;
  readonly acl: AccessControl | Unsupported;
  readonly publicAccessBlock: PublicAccessBlock;
  readonly quota: Quota;
}

/** Reads all settings; `undefined` when the bucket does not exist. */
export async function observe(owner: S3, address: BucketAddress): Promise<Observed | undefined> {
  const { bucket } = address;
  try {
    return {
      versioning: await VERSIONING.read(owner, bucket),
      policy: await POLICY.read(owner, bucket),
      rules: await LIFECYCLE.read(owner, bucket),
      objectLock: await OBJECT_LOCK.read(owner, bucket),
      acl: await ACL.read(owner, bucket),
      publicAccessBlock: await PUBLIC_ACCESS_BLOCK.read(owner, bucket),
      quota: await readQuota(owner, bucket),
    };
  } catch (error) {
    if (answerOf(error).code === "NoSuchBucket") {
      return undefined;
    }
    throw failure(address, "read the bucket's settings", error);
  }
}
