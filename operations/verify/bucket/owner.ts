/** The owner keeps control: it reads what was added, brings back what was removed, and removes the canaries. */
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf, explained, failure, isDenied } from "../../../s3/client";
import type { Finding, Seen } from "../probe";
import {
  bypass,
  allowed,
  DATA,
  LOCK,
  NO_VERSIONS,
  open,
  place,
  PROVE,
  ring2,
  textOf,
  type Bench,
  type Canary,
} from "./bench";

/** Soft deletion is what the keeper is for; and what it removes must be there to be brought back. */
export function keeperRemoves(bench: Bench, keeper: S3): Promise<Finding> {
  const about = {
    id: "s3.keeper-removes",
    tried: "the keeper removes a canary, the owner brings it back",
    expected: "it is gone from the lists, and whole again afterwards",
    remedy: bench.open.versioning ?? PROVE,
  };
  if (bench.open.versioning !== undefined) return open(about, bench.open.versioning, NO_VERSIONS);
  return ring2(about, () =>
    allowed(bench, "remove a canary as the keeper", async () => {
      const { Bucket, Key } = await place(bench, `${DATA}keeper-removes`);
      await keeper.deleteObject({ Bucket, Key });
      return await restored(bench, { Bucket, Key });
    }),
  );
}

/** The owner removes the delete marker of an object that was removed; whole again, it holds `first`. */
async function restored(bench: Bench, canary: Canary): Promise<Seen> {
  const { owner, address } = bench;
  return await explained(address, "bring a removed canary back as the owner", async () => {
    const { DeleteMarkers = [], Versions = [] } = await owner.listObjectVersions({
      Bucket: canary.Bucket,
      Prefix: canary.Key,
    });
    if (Versions.some(({ IsLatest }) => IsLatest)) return { holds: false, happened: "it was not removed" };
    for (const { Key, VersionId, IsLatest } of DeleteMarkers) {
      if (IsLatest) await owner.deleteObject({ Bucket: canary.Bucket, Key, VersionId });
    }
    const back = await textOf(owner, canary).catch((error: unknown) => {
      if (answerOf(error).status === 404) return undefined;
      throw error;
    });
    return back === "first"
      ? { holds: true, happened: "the owner removed the delete marker and read it" }
      : { holds: false, happened: "it is gone for good" };
  });
}

/** Whether the owner reads what the writer added. */
export function ownerReads(bench: Bench): Promise<Finding> {
  return ring2(
    {
      id: "s3.owner-reads",
      tried: "the owner reads a canary that the writer added",
      expected: "it can, for what the proxy writes must be restored without it",
      remedy: PROVE,
    },
    () =>
      allowed(bench, "read a canary as the owner", async () => {
        const { VersionId, ...canary } = await place(bench, `${DATA}owner-reads`);
        const right = (await textOf(bench.owner, canary, VersionId)) === "first";
        return { holds: right, happened: right ? "it can" : "what it reads is not what was written" };
      }),
  );
}

/** Whether the owner brings back what the writer removed. */
export function ownerRestores(bench: Bench): Promise<Finding> {
  const about = {
    id: "s3.owner-restores",
    tried: "the writer removes a lock, the owner brings it back",
    expected: "it is whole again",
    remedy: bench.open.versioning ?? bench.open.writer ?? PROVE,
  };
  if (bench.open.versioning !== undefined) return open(about, bench.open.versioning, NO_VERSIONS);
  if (bench.open.writer !== undefined) {
    return open(
      about,
      bench.open.writer,
      "not tried: the policy binds the owner too, who must lift it first",
    );
  }
  return ring2(about, () =>
    allowed(bench, "bring a lock back", async () => {
      const { Bucket, Key } = await place(bench, `${LOCK}restores`);
      await bench.writer.deleteObject({ Bucket, Key });
      return await restored(bench, { Bucket, Key });
    }),
  );
}

/** The owner removes what these probes wrote, with all versions. */
export function tidied(bench: Bench): Promise<Finding> {
  const { owner, address, bucket } = bench;
  const about = {
    id: "s3.owner-tidies",
    tried: "the owner removes the canaries, versions and all",
    expected: "it can: the owner keeps control of the bucket",
    remedy: bench.open.writer ?? PROVE,
  };
  return ring2(about, async () => {
    const pages = await explained(address, "list the canaries", () =>
      Promise.all([DATA, LOCK].map((Prefix) => owner.listObjectVersions({ Bucket: address.bucket, Prefix }))),
    );
    const mine = pages.flatMap(({ Versions = [], DeleteMarkers = [] }) => [...Versions, ...DeleteMarkers]);
    const removals = await Promise.allSettled(
      mine.map(({ Key, VersionId }) =>
        owner.deleteObject({ Bucket: address.bucket, Key, VersionId, ...bypass(bench) }),
      ),
    );
    const failed = removals.filter((removal) => removal.status === "rejected");
    const left = `${String(failed.length)} of ${String(mine.length)} small versions stay`;
    if (failed.length === 0) return { holds: true, happened: `${String(mine.length)} versions removed` };
    const other = failed.find(({ reason }) => !isDenied(reason));
    if (other !== undefined) throw failure(address, "remove the canaries", other.reason);
    if (bucket.objectLock) return { holds: true, happened: `${left} until their object lock ends` };
    return bench.open.writer === undefined
      ? { holds: false, happened: `refused: ${left}` }
      : {
          holds: "open",
          happened: `the policy binds the owner too: ${left} until the lifecycle removes them`,
        };
  });
}
