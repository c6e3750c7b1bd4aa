import { S3Identity, StackConfig } from "../config";

/** A ring of defence that the configuration leaves open, and what closes it. */
export interface OpenRing {
  ring: 1 | 2 | 3;
  why: string;
  remedy: string;
}

/**
 * The rings that this configuration leaves open. Ring 3, the loss of the cloud account itself, is open as long
 * as nothing copies the bucket to another account.
 */
export function openRings({ identities, versioning }: StackConfig["s3"]): OpenRing[] {
  const rings: OpenRing[] = [];
  if (!identities.writer) {
    rings.push({
      ring: 2,
      why: "the proxy holds the bucket owner's own credentials, so whoever takes the proxy can lift the policy",
      remedy: "give s3.identities.writer a project (or credentials) of its own",
    });
  }
  if (!versioning) {
    rings.push({
      ring: 2,
      why: "without versions whoever takes the proxy can overwrite every object for good",
      remedy: "set s3.versioning to true",
    });
  }
  rings.push({
    ring: 3,
    why: "whoever takes the cloud account can remove the bucket",
    remedy: "let another account pull a copy of the bucket to another endpoint",
  });
  return rings;
}

/** Whether the stack makes this identity's credentials itself, in a given OpenStack project. */
export function madeByStack(identity: S3Identity): identity is Extract<S3Identity, { projectId: string }> {
  return "projectId" in identity;
}
