/** What all settings of a bucket have in common. */
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf } from "../answers";
import { explained, patiently, type BucketAddress } from "../client";
import { isUnsupported } from "../services";

/** The service does not have this setting. */
export type Unsupported = "unsupported";

/** One setting of a bucket, as it is seen (`Seen`) and as it is wanted (`Wanted`). */
export interface Setting<Seen, Wanted> {
  /** The step that puts it, in words that continue "cannot …". */
  readonly step: string;
  readonly read: (owner: S3, bucket: string) => Promise<Seen | Unsupported>;
  /** Puts it; may return `unsupported` where backups are safe without it. */
  readonly put: (owner: S3, bucket: string, wanted: Wanted) => Promise<unknown>;
  readonly holds: (seen: Seen, wanted: Wanted) => boolean;
  readonly inWords: (seen: Seen) => string;
}

/** Pauses between the attempts at what a service may put in force with a delay, in milliseconds. */
export const PATIENCE: readonly number[] = [250, 500, 1_000, 2_000, 4_000];

/**
 * Puts a setting unless it is in force already, and waits until it reads back as wanted.
 *
 * @returns what was in force before
 * @throws Error when the service refuses it, or accepts it and reports something else
 */
export async function settle<Seen, Wanted>(
  setting: Setting<Seen, Wanted>,
  owner: S3,
  address: BucketAddress,
  wanted: Wanted,
  patience = PATIENCE,
): Promise<Seen | Unsupported> {
  return await explained(address, setting.step, () =>
    putUnlessThere(setting, owner, address.bucket, wanted, patience),
  );
}

/** {@link settle} with the service's own errors. */
export async function putUnlessThere<Seen, Wanted>(
  setting: Setting<Seen, Wanted>,
  owner: S3,
  bucket: string,
  wanted: Wanted,
  patience: readonly number[],
): Promise<Seen | Unsupported> {
  const before = await setting.read(owner, bucket);
  if (before === "unsupported" || setting.holds(before, wanted)) {
    return before;
  }
  if ((await setting.put(owner, bucket, wanted)) === "unsupported") {
    return "unsupported";
  }
  await patiently(patience, async () => {
    const now = await setting.read(owner, bucket);
    if (now === "unsupported" || !setting.holds(now, wanted)) {
      const words = now === "unsupported" ? "unsupported" : setting.inWords(now);
      throw new Error(`the service accepted it but reports ${words}`);
    }
  });
  return before;
}

/**
 * The result of a call, `unsupported` where the service does not know the call, or `absent.value` where it answers with
 * the code `absent.code` that nothing is set.
 */
export async function unlessUnsupported<T>(
  call: () => Promise<T>,
  absent?: { readonly code: string; readonly value: T },
): Promise<T | Unsupported> {
  try {
    return await call();
  } catch (error) {
    if (absent !== undefined && answerOf(error).code === absent.code) {
      return absent.value;
    }
    if (isUnsupported(error)) {
      return "unsupported";
    }
    throw error;
  }
}
