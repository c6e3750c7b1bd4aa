/** The writer at its work: it adds and unlocks, and sees no bucket of the owner's. */
import { putAsProxy } from "../../../s3/client";
import type { Finding } from "../probe";
import { allowed, DATA, LOCK, NO_WRITER, place, PROVE, ring2, textOf, type Bench } from "./bench";

/** What must work for backups to work; the refusals beside it mean nothing without it. */
export function workOfTheWriter(bench: Bench): Promise<Finding>[] {
  const { writer, address } = bench;
  return [
    ring2(
      {
        id: "s3.writer-adds",
        tried: "the writer adds a canary, reads it and lists it",
        expected: "it can",
        remedy: PROVE,
      },
      () =>
        allowed(bench, "add, read and list a canary as the writer", async () => {
          const canary = { Bucket: address.bucket, Key: `${DATA}adds` };
          await putAsProxy(writer, { ...canary, Body: "first" });
          const listed = await writer.listObjectsV2({ Bucket: canary.Bucket, Prefix: canary.Key });
          const right =
            (await textOf(writer, canary)) === "first" &&
            (listed.Contents ?? []).some(({ Key }) => Key === canary.Key);
          return { holds: right, happened: right ? "it can" : "what it reads is not what it wrote" };
        }),
    ),
    ring2(
      {
        id: "s3.writer-unlocks",
        tried: "the writer adds a lock and removes it",
        expected: "it can, or every restic command would leave a lock that blocks the next",
        remedy: PROVE,
      },
      () =>
        allowed(bench, "add and remove a lock as the writer", async () => {
          const lock = await place(bench, `${LOCK}unlocks`);
          await writer.deleteObject({ Bucket: lock.Bucket, Key: lock.Key });
          const left = await writer.listObjectsV2({ Bucket: lock.Bucket, Prefix: lock.Key });
          const gone = (left.Contents ?? []).length === 0;
          return { holds: gone, happened: gone ? "it can" : "the lock is still listed" };
        }),
    ),
    ring2(
      {
        id: "s3.writer-buckets",
        tried: "the writer lists its buckets",
        expected: "none of the owner's is among them",
        remedy: bench.open.writer ?? "give s3.identities.writer a project (or credentials) of its own",
      },
      async () => {
        if (bench.open.writer !== undefined) return { holds: "open", happened: NO_WRITER };
        const [own, seen] = await Promise.all(
          [bench.owner, writer].map(async (s3) =>
            ((await s3.listBuckets({})).Buckets ?? []).map(({ Name }) => Name),
          ),
        );
        const shared = (seen ?? []).filter((name) => own?.includes(name));
        return shared.length === 0
          ? { holds: true, happened: "none is" }
          : { holds: false, happened: `${String(shared.length)} of them are` };
      },
    ),
  ];
}
