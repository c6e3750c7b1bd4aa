/** What the writer overwrites stays as an old version, which the owner can read. */
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf } from "../../../s3/answers";
import { failure } from "../../../s3/client";
import { isDenied } from "../../../s3/services";
import { REFRESH, type Finding } from "../probe";
import { DATA, NO_VERSIONS, open, place, ring2, contentOf, type BucketProbe, type Canary } from "./target";

/** The three calls that put an object, also under a key that exists. */
export const PUTS: Record<string, { call: string; by: (s3: S3, canary: Canary) => Promise<unknown> }> = {
  "s3.writer-overwrites": {
    call: "PutObject",
    by: (s3, canary) => s3.putObject({ ...canary, Body: "garbage" }),
  },
  "s3.writer-copies-over": {
    call: "CopyObject",
    by: async (s3, canary) => {
      const source = { Bucket: canary.Bucket, Key: `${DATA}copy-source` };
      await s3.putObject({ ...source, Body: "garbage" });
      await s3.copyObject({ ...canary, CopySource: `${source.Bucket}/${source.Key}` });
    },
  },
  "s3.writer-uploads-over": {
    call: "a multipart upload",
    by: async (s3, canary) => {
      const { UploadId } = await s3.createMultipartUpload(canary);
      try {
        const { ETag } = await s3.uploadPart({ ...canary, UploadId, PartNumber: 1, Body: "garbage" });
        const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] };
        await s3.completeMultipartUpload({ ...canary, UploadId, MultipartUpload });
      } catch (error) {
        await s3.abortMultipartUpload({ ...canary, UploadId }).catch(() => undefined);
        throw error;
      }
    },
  },
};

/** Overwrites a canary by each of these calls. */
export function overwrites(target: BucketProbe): Promise<Finding>[] {
  return Object.entries(PUTS).map(([id, { call, by }]) => {
    const about = {
      id,
      tried: `the writer overwrites a canary by ${call}`,
      expected: "the owner can still read the old content",
      remedy: target.open.versioning ?? REFRESH,
    };
    if (target.open.versioning !== undefined) return open(about, target.open.versioning, NO_VERSIONS);
    return ring2(about, async () => {
      const { VersionId, ...canary } = await place(target, `${DATA}${id.replace("s3.writer-", "")}`);
      try {
        await by(target.writer, canary);
      } catch (error) {
        if (isDenied(error)) return { holds: true, happened: "refused, so nothing is overwritten" };
        throw failure(target.address, `overwrite a canary by ${call}`, error);
      }
      const old = await contentOf(target.owner, canary, VersionId ?? "null").catch((error: unknown) => {
        if (answerOf(error).status === 404) return undefined;
        throw failure(target.address, "read the old version as the owner", error);
      });
      return old === "first"
        ? { holds: true, happened: "the old version exists" }
        : { holds: false, happened: "the old content is gone" };
    });
  });
}
