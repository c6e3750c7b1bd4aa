import type { PublicAccessBlockConfiguration } from "@aws-sdk/client-s3";
import { HARMLESS_BLOCK, SETTINGS_CHECKSUM } from "../services";
import { unlessUnsupported, type Setting, type Unsupported } from "./setting";

/** The names of the PublicAccessBlock's settings that are on, sorted. */
export type PublicAccessBlock = readonly string[] | Unsupported;

/** What every bucket gets; see {@link HARMLESS_BLOCK}. */
export const WANTED_BLOCK: readonly string[] = [HARMLESS_BLOCK];

export const PUBLIC_ACCESS_BLOCK: Setting<readonly string[], readonly string[]> = {
  step: "set the PublicAccessBlock",
  read: async (owner, bucket) =>
    await unlessUnsupported<readonly string[] | Unsupported>(
      async () => {
        const { PublicAccessBlockConfiguration = {} } = await owner.getPublicAccessBlock({ Bucket: bucket });
        const settings = Object.entries(PublicAccessBlockConfiguration).filter(([, on]) => on !== undefined);
        // A service that ignores the query answers with something else, which has none of these settings.
        return settings.length === 0
          ? "unsupported"
          : settings.flatMap(([name, on]) => (on ? [name] : [])).sort();
      },
      { code: "NoSuchPublicAccessBlockConfiguration", value: [] },
    ),
  put: async (owner, bucket, wanted) =>
    await unlessUnsupported<unknown>(() =>
      owner.putPublicAccessBlock({
        Bucket: bucket,
        ChecksumAlgorithm: SETTINGS_CHECKSUM,
        PublicAccessBlockConfiguration: asConfiguration(wanted),
      }),
    ),
  holds: (seen, wanted) => blockInWords(seen) === blockInWords(wanted),
  inWords: blockInWords,
};

/** The settings as S3 takes them. */
export function asConfiguration(settings: readonly string[]): PublicAccessBlockConfiguration {
  return Object.fromEntries(settings.map((name) => [name, true]));
}

/** The settings that are on, as in `BlockPublicAcls, IgnorePublicAcls`; `none`; or `unsupported`. */
export function blockInWords(block: PublicAccessBlock): string {
  return typeof block === "string" ? block : block.join(", ") || "none";
}
