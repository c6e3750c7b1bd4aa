/** The owner keeps control: it reads what was added, restores what was removed, and removes the canaries. */
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf } from "../../../s3/answers";
import { explained, failure } from "../../../s3/client";
import { isDenied } from "../../../s3/services";
import type { Finding, Seen } from "../probe";
import { NOTE_FOLDERS } from "./folders";
import {
  bypass,
  allowed,
  DATA,
  LOCK,
  SPARE,
  NO_VERSIONS,
  open,
  place,
  PROVE,
  ring2,
  contentOf,
  type BucketProbe,
  type Canary,
} from "./target";

/** The keeper removes objects, and they must be restorable. */
export function keeperRemoves(target: BucketProbe, keeper: S3): Promise<Finding> {
  const about = {
    id: "s3.keeper-removes",
    tried: "the keeper removes a canary, the owner restores it",
    expected: "it is no longer listed, and complete again afterwards",
    remedy: target.open.versioning ?? PROVE,
  };
  if (target.open.versioning !== undefined) return open(about, target.open.versioning, NO_VERSIONS);
  return ring2(about, () =>
    allowed(target, "remove a canary as the keeper", async () => {
      const { Bucket, Key } = await place(target, `${DATA}keeper-removes`);
      await keeper.deleteObject({ Bucket, Key });
      return await restored(target, { Bucket, Key });
    }),
  );
}

/** The owner removes the delete marker of an object that was removed, which then has the content `first` again. */
async function restored(target: BucketProbe, canary: Canary): Promise<Seen> {
  const { owner, address } = target;
  return await explained(address, "restore a removed canary as the owner", async () => {
    const { DeleteMarkers = [], Versions = [] } = await owner.listObjectVersions({
      Bucket: canary.Bucket,
      Prefix: canary.Key,
    });
    if (Versions.some(({ IsLatest }) => IsLatest)) return { holds: false, happened: "it was not removed" };
    for (const { Key, VersionId, IsLatest } of DeleteMarkers) {
      if (IsLatest) await owner.deleteObject({ Bucket: canary.Bucket, Key, VersionId });
    }
    const back = await contentOf(owner, canary).catch((error: unknown) => {
      if (answerOf(error).status === 404) return undefined;
      throw error;
    });
    return back === "first"
      ? { holds: true, happened: "the owner removed the delete marker and read it" }
      : { holds: false, happened: "it is gone for good" };
  });
}

/** Whether the owner reads what the writer added. */
export function ownerReads(target: BucketProbe): Promise<Finding> {
  return ring2(
    {
      id: "s3.owner-reads",
      tried: "the owner reads a canary that the writer added",
      expected: "it can: restoring must not depend on the proxy",
      remedy: PROVE,
    },
    () =>
      allowed(target, "read a canary as the owner", async () => {
        const { VersionId, ...canary } = await place(target, `${DATA}owner-reads`);
        const right = (await contentOf(target.owner, canary, VersionId)) === "first";
        return { holds: right, happened: right ? "it can" : "what it reads is not what was written" };
      }),
  );
}

/** Whether the owner can restore what the writer removed. */
export function ownerRestores(target: BucketProbe): Promise<Finding> {
  const about = {
    id: "s3.owner-restores",
    tried: "the writer removes a lock, the owner restores it",
    expected: "it is complete again",
    remedy: target.open.versioning ?? target.open.writer ?? PROVE,
  };
  if (target.open.versioning !== undefined) return open(about, target.open.versioning, NO_VERSIONS);
  if (target.open.writer !== undefined) {
    return open(
      about,
      target.open.writer,
      "not tried: the policy binds the owner too, who must lift it first",
    );
  }
  return ring2(about, () =>
    allowed(target, "restore a lock", async () => {
      const { Bucket, Key } = await place(target, `${LOCK}restores`);
      await target.writer.deleteObject({ Bucket, Key });
      return await restored(target, { Bucket, Key });
    }),
  );
}

/** The owner removes what these probes wrote, with all versions. */
export function tidied(target: BucketProbe): Promise<Finding> {
  const { owner, address, bucket } = target;
  const about = {
    id: "s3.owner-tidies",
    tried: "the owner removes the canaries with all versions",
    expected: "it can: the owner keeps control of the bucket",
    remedy: target.open.writer ?? PROVE,
  };
  return ring2(about, async () => {
    const pages = await explained(address, "list the canaries", () =>
      Promise.all(
        [DATA, LOCK, SPARE, ...NOTE_FOLDERS].map((Prefix) =>
          owner.listObjectVersions({ Bucket: address.bucket, Prefix }),
        ),
      ),
    );
    const canaries = pages.flatMap(({ Versions = [], DeleteMarkers = [] }) => [
      ...Versions,
      ...DeleteMarkers,
    ]);
    const removals = await Promise.allSettled(
      canaries.map(({ Key, VersionId }) =>
        owner.deleteObject({ Bucket: address.bucket, Key, VersionId, ...bypass(target) }),
      ),
    );
    const failed = removals.filter((removal) => removal.status === "rejected");
    const left = `${String(failed.length)} of ${String(canaries.length)} small versions stay`;
    if (failed.length === 0) return { holds: true, happened: `${String(canaries.length)} versions removed` };
    const other = failed.find(({ reason }) => !isDenied(reason));
    if (other !== undefined) throw failure(address, "remove the canaries", other.reason);
    if (bucket.objectLock) return { holds: true, happened: `${left} until their object lock ends` };
    return target.open.writer === undefined
      ? { holds: false, happened: `refused: ${left}` }
      : {
          holds: "open",
          happened: `the policy binds the owner too: ${left} until the lifecycle removes them`,
        };
  });
}
