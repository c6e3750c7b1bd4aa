import type { S3 } from "@aws-sdk/client-s3";
import { QUOTA_HEADERS } from "../services";

/** The smaller quota of bucket and user in bytes, `none`, or `unknown` where the service does not report it. */
export type Quota = number | "none" | "unknown";

/** Reads the quota; the service's operator alone sets one. */
export const readQuota = async (owner: S3, bucket: string): Promise<Quota> =>
  quotaIn(await headersOf(owner, bucket));

/** The headers of the answer to a HEAD of the bucket, by their lower-case names. */
export async function headersOf(s3: S3, bucket: string): Promise<Readonly<Record<string, string>>> {
  const { HeadBucketCommand } = await import("@aws-sdk/client-s3");
  const head = new HeadBucketCommand({ Bucket: bucket });
  let headers: Record<string, string> = {};
  // The SDK does not pass these headers on.
  head.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      headers = (result.response as { headers: Record<string, string> }).headers;
      return result;
    },
    { step: "deserialize", priority: "low" },
  );
  await s3.send(head);
  return headers;
}

/** The quota that the headers of an answer report. */
export function quotaIn(headers: Readonly<Record<string, string>>): Quota {
  const reported = QUOTA_HEADERS.flatMap((name) => headers[name] ?? []);
  const limits = reported.map(Number).filter((bytes) => bytes >= 0);
  return reported.length === 0 ? "unknown" : limits.length === 0 ? "none" : Math.min(...limits);
}
