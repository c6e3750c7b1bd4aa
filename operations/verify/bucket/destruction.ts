/** Hosts must not delete objects and versions, one by one or many at once. */
import { failure } from "../../../s3/client";
import { isDenied } from "../../../s3/services";
import type { Finding } from "../probe";
import {
  bypass,
  DATA,
  LOCK,
  place,
  PROVE,
  refused,
  ring2,
  type BucketProbe,
  type HostIdentity,
} from "./target";

/** Whether an identity cannot delete a version. */
export function deletesVersion(target: BucketProbe, { role, s3 }: HostIdentity): Promise<Finding> {
  return ring2(
    {
      id: `s3.${role}-deletes-version`,
      tried: `the ${role} deletes a version of a canary`,
      expected: "refused: everything is restored from versions",
      remedy: PROVE,
    },
    async () => {
      const { VersionId = "null", ...canary } = await place(target, `${DATA}${role}-version`);
      return await refused(target, "delete a version", () =>
        s3.deleteObject({ ...canary, VersionId, ...bypass(target) }),
      );
    },
  );
}

/** Whether the writer cannot delete anything but locks. */
export function destruction(target: BucketProbe): Promise<Finding>[] {
  const { writer: s3 } = target;
  return [
    deletesVersion(target, { role: "writer", s3 }),
    ring2(
      {
        id: "s3.writer-deletes",
        tried: "the writer deletes a canary",
        expected: "refused: the proxy may delete restic's locks only",
        remedy: PROVE,
      },
      async () => {
        const { Bucket, Key } = await place(target, `${DATA}deletes`);
        return await refused(target, "delete an object", () => s3.deleteObject({ Bucket, Key }));
      },
    ),
    ring2(
      {
        id: "s3.writer-deletes-lock-version",
        tried: "the writer deletes a version of a lock",
        expected: "refused: it may delete locks, not their versions",
        remedy: PROVE,
      },
      async () => {
        const { VersionId = "null", ...lock } = await place(target, `${LOCK}version`);
        return await refused(target, "delete a lock's version", () =>
          s3.deleteObject({ ...lock, VersionId, ...bypass(target) }),
        );
      },
    ),
    deletesMany(target, { role: "writer", s3 }, "a canary and its version"),
  ];
}

/** Some services check the call for many objects separately, and answer 200 with an error for each. */
export function deletesMany(target: BucketProbe, { role, s3 }: HostIdentity, what: string): Promise<Finding> {
  return ring2(
    {
      id: `s3.${role}-deletes-many`,
      tried: `the ${role} deletes ${what} by the call for many objects`,
      expected: "refused",
      remedy: PROVE,
    },
    async () => {
      const { Bucket, Key, VersionId = "null" } = await place(target, `${DATA}${role}-deletes-many`);
      // The keeper may delete objects, which leaves a delete marker.
      const Objects = [{ Key, VersionId }, ...(role === "writer" ? [{ Key }] : [])];
      try {
        const { Deleted = [], Errors = [] } = await s3.deleteObjects({
          Bucket,
          Delete: { Objects },
          ...bypass(target),
        });
        if (Deleted.length > 0) return { holds: false, happened: "the service did it" };
        if (Errors.length !== Objects.length || Errors.some(({ Code }) => Code !== "AccessDenied")) {
          throw new Error(`neither done nor refused: ${Errors.map(({ Code }) => Code).join(", ")}`);
        }
        return { holds: true, happened: "refused for each" };
      } catch (error) {
        if (isDenied(error)) return { holds: true, happened: "refused as a whole" };
        throw failure(target.address, "find out whether it is refused to delete many objects", error);
      }
    },
  );
}
