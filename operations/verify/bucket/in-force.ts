/** The bucket's settings as the owner reads them. */
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf } from "../../../s3/answers";
import { where, type BucketAddress } from "../../../s3/client";
import { observe, type Observed } from "../../../s3/observe";
import { unlessUnsupported } from "../../../s3/settings/setting";

/** @throws Error where there is no such bucket, or a setting cannot be read */
export async function readSettings(owner: S3, address: BucketAddress): Promise<Observed> {
  const observed = await observe(owner, address);
  if (observed === undefined) throw new Error(`${where(address)}: does not exist`);
  return observed;
}

/** Settings that grant access or send data out, and that no update makes: each with S3's code for "none". */
const FOREIGN: readonly {
  name: string;
  none?: string;
  /** Whether the answer has any. */
  read: (s3: S3, Bucket: string) => Promise<boolean>;
}[] = [
  {
    name: "a website",
    none: "NoSuchWebsiteConfiguration",
    read: async (s3, Bucket) => {
      await s3.getBucketWebsite({ Bucket });
      return true;
    },
  },
  {
    name: "rules for scripts of other websites (CORS)",
    none: "NoSuchCORSConfiguration",
    read: async (s3, Bucket) => ((await s3.getBucketCors({ Bucket })).CORSRules ?? []).length > 0,
  },
  {
    name: "a replication to another bucket",
    none: "ReplicationConfigurationNotFoundError",
    read: async (s3, Bucket) => {
      const { ReplicationConfiguration } = await s3.getBucketReplication({ Bucket });
      return (ReplicationConfiguration?.Rules ?? []).length > 0;
    },
  },
  {
    name: "notifications",
    read: async (s3, Bucket) => {
      const notifications = await s3.getBucketNotificationConfiguration({ Bucket });
      return Object.values(notifications).some((list) => Array.isArray(list) && list.length > 0);
    },
  },
];

/** The settings that no update makes. A service that does not know a setting does not have it. */
export async function foreignSettings(s3: S3, bucket: string): Promise<string[]> {
  const found = await Promise.all(
    FOREIGN.map(async ({ name, none, read }) => {
      try {
        const has = await unlessUnsupported(() => read(s3, bucket), { code: none ?? "", value: false });
        return has === true ? [name] : [];
      } catch (error) {
        throw new Error(`cannot read whether there is ${name}: ${answerOf(error).code}`, { cause: error });
      }
    }),
  );
  return found.flat();
}
