/** What hosts' identities must be refused: to delete objects and versions, one by one or many at once. */
import { failure, isDenied } from "../../../s3/client";
import type { Finding } from "../probe";
import { bypass, DATA, LOCK, place, PROVE, refused, ring2, type Bench, type Hand } from "./bench";

/** Whether an identity is refused to delete a version. */
export function deletesVersion(bench: Bench, { role, s3 }: Hand): Promise<Finding> {
  return ring2(
    {
      id: `s3.${role}-deletes-version`,
      tried: `the ${role} deletes a version of a canary`,
      expected: "refused: a version is what everything can be brought back from",
      remedy: PROVE,
    },
    async () => {
      const { VersionId = "null", ...canary } = await place(bench, `${DATA}${role}-version`);
      return await refused(bench, "delete a version", () =>
        s3.deleteObject({ ...canary, VersionId, ...bypass(bench) }),
      );
    },
  );
}

/** All that the writer must be refused to delete. */
export function destruction(bench: Bench): Promise<Finding>[] {
  const { writer: s3 } = bench;
  return [
    deletesVersion(bench, { role: "writer", s3 }),
    ring2(
      {
        id: "s3.writer-deletes",
        tried: "the writer deletes a canary",
        expected: "refused: restic's locks alone may be removed by the proxy",
        remedy: PROVE,
      },
      async () => {
        const { Bucket, Key } = await place(bench, `${DATA}deletes`);
        return await refused(bench, "delete an object", () => s3.deleteObject({ Bucket, Key }));
      },
    ),
    ring2(
      {
        id: "s3.writer-deletes-lock-version",
        tried: "the writer deletes a version of a lock",
        expected: "refused: it may remove locks, not their versions",
        remedy: PROVE,
      },
      async () => {
        const { VersionId = "null", ...lock } = await place(bench, `${LOCK}version`);
        return await refused(bench, "delete a lock's version", () =>
          s3.deleteObject({ ...lock, VersionId, ...bypass(bench) }),
        );
      },
    ),
    deletesMany(bench, { role: "writer", s3 }, "a canary and its version"),
  ];
}

/** The call for many objects has checks of its own in some services, and answers 200 with an error for each. */
export function deletesMany(bench: Bench, { role, s3 }: Hand, what: string): Promise<Finding> {
  return ring2(
    {
      id: `s3.${role}-deletes-many`,
      tried: `the ${role} deletes ${what} by the call for many objects`,
      expected: "refused",
      remedy: PROVE,
    },
    async () => {
      const { Bucket, Key, VersionId = "null" } = await place(bench, `${DATA}${role}-deletes-many`);
      // Removing an object softly is what the keeper is for.
      const Objects = [{ Key, VersionId }, ...(role === "writer" ? [{ Key }] : [])];
      try {
        const { Deleted = [], Errors = [] } = await s3.deleteObjects({
          Bucket,
          Delete: { Objects },
          ...bypass(bench),
        });
        if (Deleted.length > 0) return { holds: false, happened: "the service did it" };
        if (Errors.length !== Objects.length || Errors.some(({ Code }) => Code !== "AccessDenied")) {
          throw new Error(`neither done nor refused: ${Errors.map(({ Code }) => Code).join(", ")}`);
        }
        return { holds: true, happened: "refused for each" };
      } catch (error) {
        if (isDenied(error)) return { holds: true, happened: "refused as a whole" };
        throw failure(bench.address, "find out whether it is refused to delete many objects", error);
      }
    },
  );
}
