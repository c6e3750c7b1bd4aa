/** The result of a whole verify, which the status shows and alarms come from. */
import { VERIFY_RECORD } from "../../keeper/gate/names";
import { S3Store, type Store } from "../../keeper/gate/store";
import type { VerifyRecord } from "../../keeper/documents";
import { readQuota } from "../../s3/settings/quota";
import { withS3 } from "../../s3/with-s3";
import type { DeployedBucket } from "../deployment";
import type { Finding, Verdict } from "./probe";

/**
 * Puts what a verify of all rings found; what the configuration leaves open on purpose is no finding of these.
 *
 * @param store the bucket, as its owner: nobody else may put it
 * @param now milliseconds since 1970
 * @param quota bytes that the bucket may have, as its owner sees it. @default none, or unknown
 */
export async function leaveRecord(
  store: Pick<Store, "put">,
  findings: readonly Pick<Finding, "verdict">[],
  now: number,
  quota?: number,
): Promise<void> {
  const count = (verdict: Verdict): number => findings.filter((one) => one.verdict === verdict).length;
  const record: VerifyRecord = {
    at: now,
    passed: count("pass"),
    failed: count("FAIL"),
    unknown: count("unknown"),
    ...(quota === undefined ? {} : { quota }),
  };
  await store.put(VERIFY_RECORD, Buffer.from(JSON.stringify(record)));
}

/** The same in the stack's bucket, with the owner's keys. */
export const leaveRecordIn = (bucket: DeployedBucket, findings: readonly Finding[]): Promise<void> =>
  withS3(bucket, bucket.owner, async (s3) => {
    const quota = await readQuota(s3, bucket.bucket);
    const bytes = typeof quota === "number" ? quota : undefined;
    await leaveRecord(new S3Store(s3, bucket), findings, Date.now(), bytes);
  });
