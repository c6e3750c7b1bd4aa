/** What all probes of the bucket share: its identities, the canaries, and how an answer becomes a finding. */
import { type DeployedBucket } from "../../deployment";
import type { S3 } from "@aws-sdk/client-s3";
import { CANARY } from "../../../hosts/names";
import { answerOf } from "../../../s3/answers";
import { explained, failure, putAsProxy, type BucketAddress } from "../../../s3/client";
import { isDenied } from "../../../s3/services";
import { runProbe, type Finding, type ProbeAbout, type Seen } from "../probe";

/** The canary's repository. */
const REPOSITORY = `${CANARY.client}/${CANARY.repository}/`;
/**
 * Where the objects of these probes lie: in the form of a repository, which the policy depends on, with names that restic
 * does not use. Always the same ones: where the policy binds the owner too, only the lifecycle removes their versions.
 */
export const DATA = `${REPOSITORY}data/00/s3-`;
export const LOCK = `${REPOSITORY}locks/s3-`;
/** A repository that is none, for the parts that the canary's own must keep. */
export const SPARE = `${CANARY.client}/s3/`;

/** The remedy where a service does not enforce the policy. */
export const PROVE =
  'run "pulumi up --refresh": it chooses and proves a policy that this service enforces; until then an attacker on the proxy can do this';

/** What a public ACL exposes. */
export const ACLS_STAND =
  "where the service has no PublicAccessBlock, this exposes nothing that an attacker with the writer's keys could not " +
  "read, encrypted, and publish elsewhere";

/** What a probe of ring 2 is about. */
type About = Omit<ProbeAbout, "ring">;
/** Runs one probe of ring 2. */
export const ring2 = (about: About, attempt: () => Promise<Seen>): Promise<Finding> =>
  runProbe({ ring: 2, ...about, attempt });

/** The bucket that is probed, and its identities. */
export interface BucketProbe {
  address: BucketAddress;
  bucket: DeployedBucket;
  owner: S3;
  /** The identity on the proxy: the owner where there is no writer. */
  writer: S3;
  keeper?: S3;
  /** Remedies of what the configuration leaves open. */
  open: { writer?: string; versioning?: string };
}

/** An identity whose keys a host holds. */
export interface HostIdentity {
  role: "writer" | "keeper";
  s3: S3;
}

/** A small object that a probe writes. */
export interface Canary {
  Bucket: string;
  Key: string;
}

/** A finding of what the configuration leaves open on purpose. */
export function open(about: About, remedy: string, why: string): Promise<Finding> {
  return ring2({ ...about, remedy }, () => Promise.resolve({ holds: "open", happened: why }));
}

/** What happened where the writer is the owner. */
export const NO_WRITER = "not tried: the proxy holds the owner's own keys, and the owner may do this";
/** What happened where no versions are kept. */
export const NO_VERSIONS = "not tried: the configuration disables versions";

/** Puts an object as the writer. A refusal proves something only where the object exists. */
export async function place(target: BucketProbe, Key: string): Promise<Canary & { VersionId?: string }> {
  const canary = { Bucket: target.address.bucket, Key };
  const { VersionId } = await explained(
    target.address,
    "write a canary as the writer, without which no other refusal proves anything",
    () => putAsProxy(target.writer, { ...canary, Body: "first" }),
  );
  return { ...canary, VersionId };
}

/** Deletes a version in spite of an object lock, which ends: the policy has to refuse it. */
export const bypass = ({ bucket }: Pick<BucketProbe, "bucket">) =>
  bucket.objectLock === undefined ? {} : { BypassGovernanceRetention: true };

/** The content of an object, or of one version of it. */
export async function contentOf(s3: S3, canary: Canary, VersionId?: string): Promise<string> {
  const { Body } = await s3.getObject({ ...canary, VersionId });
  return (await Body?.transformToString()) ?? "";
}

/** Only the refusal of a known identity is a proof. */
export async function refused(
  target: BucketProbe,
  deed: string,
  call: () => Promise<unknown>,
): Promise<Seen> {
  try {
    await call();
  } catch (error) {
    if (isDenied(error)) return { holds: true, happened: "refused" };
    throw failure(target.address, `find out whether it is refused to ${deed}`, error);
  }
  return { holds: false, happened: "the service did it" };
}

/** What must work: a refusal is a finding. */
export async function allowed(target: BucketProbe, doing: string, work: () => Promise<Seen>): Promise<Seen> {
  try {
    return await work();
  } catch (error) {
    if (isDenied(error)) return { holds: false, happened: `refused: ${answerOf(error).code}` };
    throw error instanceof Error && error.message.startsWith("S3 bucket")
      ? error
      : failure(target.address, doing, error);
  }
}
