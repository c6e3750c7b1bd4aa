import type { S3 } from "@aws-sdk/client-s3";
import { BucketAddress, connect, S3Credentials } from "./client";

/** Works with the S3 service as one identity, and ends its connections afterwards, whatever came of it. */
export async function withS3<T>(
  address: BucketAddress,
  credentials: S3Credentials,
  work: (s3: S3) => Promise<T>,
): Promise<T> {
  const s3 = await connect(address, credentials);
  try {
    return await work(s3);
  } finally {
    s3.destroy();
  }
}
