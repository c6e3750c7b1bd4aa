/** The bucket's settings as the service has them, read by the owner. */
import type { GetBucketAclCommandOutput, S3 } from "@aws-sdk/client-s3";
import { observe, type Observed } from "../../../s3/s3-bucket";
import { answerOf, isUnsupported, where, type BucketAddress } from "../../../s3/client";

/** What is in force, as the owner reads it. */
export interface BucketSettings extends Observed {
  /** The ACL as it is put. */
  accessControl: Pick<GetBucketAclCommandOutput, "Owner" | "Grants">;
}

/** @throws Error where there is no such bucket, or something of it cannot be read */
export async function readSettings(owner: S3, address: BucketAddress): Promise<BucketSettings> {
  const observed = await observe(owner, address);
  if (observed === undefined) throw new Error(`${where(address)}: does not exist`);
  return { ...observed, accessControl: await owner.getBucketAcl({ Bucket: address.bucket }) };
}

/** What lets others in, or data out, and is set by no update: each with S3's code for "there is none". */
const SURPRISES: Record<string, (s3: S3, Bucket: string) => Promise<boolean>> = {
  "a website": async (s3, Bucket) =>
    (await unless("NoSuchWebsiteConfiguration", () => s3.getBucketWebsite({ Bucket }))) !== undefined,
  "rules for other web sites' scripts (CORS)": async (s3, Bucket) =>
    ((await unless("NoSuchCORSConfiguration", () => s3.getBucketCors({ Bucket })))?.CORSRules ?? []).length >
    0,
  "a replication to another bucket": async (s3, Bucket) => {
    const set = await unless("ReplicationConfigurationNotFoundError", () =>
      s3.getBucketReplication({ Bucket }),
    );
    return (set?.ReplicationConfiguration?.Rules ?? []).length > 0;
  },
  notifications: async (s3, Bucket) => {
    const set = await s3.getBucketNotificationConfiguration({ Bucket });
    return Object.values(set).some((list) => Array.isArray(list) && list.length > 0);
  },
};

/** Which settings there are that no update makes; a service that does not know a setting does not have it. */
export async function surprises(s3: S3, bucket: string): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(SURPRISES).map(async ([name, has]) => {
      try {
        return (await has(s3, bucket)) ? name : undefined;
      } catch (error) {
        if (isUnsupported(error) || answerOf(error).code === "MethodNotAllowed") return undefined;
        throw new Error(`cannot read whether there is ${name}: ${answerOf(error).code}`, { cause: error });
      }
    }),
  );
  return found.filter((name) => name !== undefined);
}

/** `undefined` where the service says that the setting is not set. */
async function unless<T>(code: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (answerOf(error).code === code) return undefined;
    throw error;
  }
}
