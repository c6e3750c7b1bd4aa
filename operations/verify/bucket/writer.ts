/** What the writer needs: it adds objects and removes locks. It must not see the owner's buckets. */
import { putAsProxy } from "../../../s3/client";
import type { Finding } from "../probe";
import { allowed, DATA, LOCK, NO_WRITER, place, PROVE, ring2, contentOf, type BucketProbe } from "./target";

/** What backups need; without it no refusal of anything else proves anything. */
export function workOfTheWriter(target: BucketProbe): Promise<Finding>[] {
  const { writer, address } = target;
  return [
    ring2(
      {
        id: "s3.writer-adds",
        tried: "the writer adds a canary, reads it and lists it",
        expected: "it can",
        remedy: PROVE,
      },
      () =>
        allowed(target, "add, read and list a canary as the writer", async () => {
          const canary = { Bucket: address.bucket, Key: `${DATA}adds` };
          await putAsProxy(writer, { ...canary, Body: "first" });
          const listed = await writer.listObjectsV2({ Bucket: canary.Bucket, Prefix: canary.Key });
          const right =
            (await contentOf(writer, canary)) === "first" &&
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
        allowed(target, "add and remove a lock as the writer", async () => {
          const lock = await place(target, `${LOCK}unlocks`);
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
        remedy: target.open.writer ?? "give s3.identities.writer a project (or credentials) of its own",
      },
      async () => {
        if (target.open.writer !== undefined) return { holds: "open", happened: NO_WRITER };
        const [own, seen] = await Promise.all(
          [target.owner, writer].map(async (s3) =>
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
