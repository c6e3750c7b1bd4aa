import { S3Identity, StackConfig } from "../config";
import type { Quota } from "../s3/settings/quota";
import type { Versioning } from "../s3/settings/versioning";

/** A ring of defence that the configuration leaves open, and what closes it. */
export interface OpenRing {
  ring: 1 | 2 | 3;
  why: string;
  remedy: string;
}

/** Shortest useful detection window, in days: an intrusion that is found later cannot be undone from old versions. */
const LEAST_DAYS = 7;

/**
 * The rings that this configuration leaves open. Ring 3, the loss of the cloud account itself, is open as long
 * as nothing copies the bucket to another account.
 */
export function openRings({ identities, versioning, noncurrentVersionDays }: StackConfig["s3"]): OpenRing[] {
  const rings: OpenRing[] = [];
  if (!identities.writer) {
    rings.push({
      ring: 2,
      why: "the proxy holds the bucket owner's own credentials, so an attacker on the proxy can lift the policy",
      remedy: "give s3.identities.writer a project (or credentials) of its own",
    });
  }
  if (identities.writer && !identities.keeper) {
    rings.push({
      ring: 2,
      why: "the keeper has no identity of its own, so a machine that forgets snapshots by hand needs the bucket owner's credentials, and an attacker on it can lift the policy",
      remedy: "give s3.identities.keeper a project (or credentials) of its own",
    });
  }
  if (!versioning) {
    rings.push({
      ring: 2,
      why: "without versions an attacker on the proxy can overwrite every object permanently",
      remedy: "set s3.versioning to true",
    });
  } else if (noncurrentVersionDays < LEAST_DAYS) {
    rings.push({
      ring: 2,
      why: `what an attacker on the proxy overwrites can be restored for ${noncurrentVersionDays} days only`,
      remedy: `set s3.noncurrentVersionDays to ${LEAST_DAYS} or more`,
    });
  }
  rings.push({
    ring: 3,
    why: "an attacker with the cloud account can remove the bucket",
    remedy: "let another account pull a copy of the bucket to another endpoint",
  });
  return rings;
}

/** What the S3 service was seen to do, by the bucket's outputs. */
export interface SeenBucket {
  versioning: Versioning;
  quota: Quota;
}

/** The rings that the S3 service leaves open, whatever the configuration asks for; known after an update. */
export function ringsOpenByService({ versioning, quota }: SeenBucket): OpenRing[] {
  const rings: OpenRing[] = [];
  if (versioning === "unsupported") {
    rings.push({
      ring: 2,
      why: "the S3 service has no versions, so an attacker on the proxy can overwrite every object permanently",
      remedy: "use a service that has them, such as Ceph RGW",
    });
  }
  if (typeof quota !== "number") {
    rings.push({
      ring: 1,
      why: `the S3 service ${quota === "none" ? "reports that the bucket has no quota" : "does not report a bucket quota"}, so an attacker on a client can fill it without limit`,
      remedy: "ask the operator of the service for a quota, as the last update said",
    });
  }
  return rings;
}

/** Whether the stack creates this identity's credentials itself, in a given OpenStack project. */
export function createdByStack(identity: S3Identity): identity is Extract<S3Identity, { projectId: string }> {
  return "projectId" in identity;
}
