import type { S3 } from "@aws-sdk/client-s3";
import type { ObjectLockConfig } from "../../config";
import { explained, where, type BucketAddress } from "../client";
import { SETTINGS_CHECKSUM } from "../services";
import { unlessUnsupported, type Setting, type Unsupported } from "./setting";

/** The retention of every new version. */
export type Retention = Readonly<ObjectLockConfig>;

/** The retention of every new version; `Enabled`: an object lock without one; `none`: no object lock. */
export type ObjectLock = Retention | "Enabled" | "none" | Unsupported;

/** `undefined` stands for no retention, with or without an object lock. Versions that were put before keep theirs. */
export const OBJECT_LOCK: Setting<Exclude<ObjectLock, Unsupported>, Retention | undefined> = {
  step: "set the object lock",
  read: async (owner, bucket) =>
    await unlessUnsupported<Exclude<ObjectLock, Unsupported>>(
      async () => {
        const { ObjectLockConfiguration } = await owner.getObjectLockConfiguration({ Bucket: bucket });
        const { Mode, Days, Years } = ObjectLockConfiguration?.Rule?.DefaultRetention ?? {};
        const days = Days ?? (Years ?? 0) * 365;
        if (Mode !== undefined && days > 0) {
          return { mode: Mode, days };
        }
        return ObjectLockConfiguration?.ObjectLockEnabled === "Enabled" ? "Enabled" : "none";
      },
      { code: "ObjectLockConfigurationNotFoundError", value: "none" },
    ),
  put: async (owner, bucket, wanted) =>
    await owner.putObjectLockConfiguration({
      Bucket: bucket,
      ChecksumAlgorithm: SETTINGS_CHECKSUM,
      ObjectLockConfiguration: {
        ObjectLockEnabled: "Enabled",
        ...(wanted && { Rule: { DefaultRetention: { Mode: wanted.mode, Days: wanted.days } } }),
      },
    }),
  holds: (seen, wanted) => {
    const retention = retentionOf(seen);
    return retention?.mode === wanted?.mode && retention?.days === wanted?.days;
  },
  inWords: lockInWords,
};

/** The retention of an object lock, if it has one. */
export function retentionOf(lock: ObjectLock): Retention | undefined {
  return typeof lock === "string" ? undefined : lock;
}

/** `MODE DAYS days`, or the lock's own word. */
export function lockInWords(lock: ObjectLock): string {
  return typeof lock === "string" ? lock : `${lock.mode} ${String(lock.days)} days`;
}

/**
 * Checks that the bucket can have a retention: object lock can be enabled only when a bucket is created.
 *
 * @throws Error where it cannot
 */
export async function requireObjectLock(owner: S3, address: BucketAddress): Promise<void> {
  const lock = await explained(address, "read the object lock", () =>
    OBJECT_LOCK.read(owner, address.bucket),
  );
  if (lock === "none" || lock === "unsupported") {
    const why =
      lock === "none"
        ? "exists without object lock, which can be enabled only when a bucket is created"
        : "this service has no object lock";
    throw new Error(
      `${where(address)}: ${why}. Nothing was changed. Choose another bucket name, or remove s3.objectLock from the configuration.`,
    );
  }
}
