import { unlessUnsupported, type Setting, type Unsupported } from "./setting";

/** State of versioning: `Suspended` includes "never enabled"; `unsupported` where the service has no versions. */
export type Versioning = "Enabled" | "Suspended" | Unsupported;

export const VERSIONING: Setting<Exclude<Versioning, Unsupported>, boolean> = {
  step: "set versioning",
  read: async (owner, bucket) =>
    await unlessUnsupported(async () => {
      const { Status } = await owner.getBucketVersioning({ Bucket: bucket });
      return Status === "Enabled" ? "Enabled" : "Suspended";
    }),
  put: async (owner, bucket, wanted) =>
    await unlessUnsupported<unknown>(() =>
      owner.putBucketVersioning({
        Bucket: bucket,
        VersioningConfiguration: { Status: wanted ? "Enabled" : "Suspended" },
      }),
    ),
  holds: (seen, wanted) => (seen === "Enabled") === wanted,
  inWords: (seen) => seen,
};
