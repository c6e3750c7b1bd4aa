import type { S3 } from "@aws-sdk/client-s3";
import { QUOTA_HEADERS } from "../services";

/** The smaller quota of bucket and user in bytes, `none`, or `unknown` where the service does not report it. */
export type Quota = number | "none" | "unknown";

/** Reads the quota; the service's operator alone sets one. */
export async function readQuota(owner: S3, bucket: string): Promise<Quota> {
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
  await owner.send(head);
  const reported = QUOTA_HEADERS.flatMap((name) => headers[name] ?? []);
  const limits = reported.map(Number).filter((bytes) => bytes >= 0);
  return reported.length === 0 ? "unknown" : limits.length === 0 ? "none" : Math.min(...limits);
}
