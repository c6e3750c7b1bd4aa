/** What all probes of the bucket stand on: its identities, the canaries, and how an answer becomes a finding. */
import { type DeployedBucket } from "../../deployment";
import type { S3 } from "@aws-sdk/client-s3";
import { CANARY } from "../../../hosts/names";
import { answerOf, explained, failure, isDenied, putAsProxy, type BucketAddress } from "../../../s3/client";
import { runProbe, type Finding, type ProbeAbout, type Seen } from "../probe";

/** The canary's repository. */
const REPOSITORY = `${CANARY.client}/${CANARY.repository}/`;
/**
 * Where the objects of these probes lie: in a repository's form, for the policy goes by that, and under names
 * that restic takes for none of its own. Always the same ones: where the policy binds the owner too, nobody can
 * remove their versions before the lifecycle does.
 */
export const DATA = `${REPOSITORY}data/00/s3-`;
export const LOCK = `${REPOSITORY}locks/s3-`;

/** The remedy where a service does not enforce the policy. */
export const PROVE =
  'run "pulumi up --refresh": it chooses and proves a policy that this service enforces; until then whoever takes the proxy can do this';

/** What is at stake where a public ACL lets somebody in. */
export const ACLS_STAND =
  "where the service has no PublicAccessBlock nothing is at stake that whoever holds the writer's keys could not " +
  "read, encrypted, and publish elsewhere";

/** Findings of ring 2 need no more than what a probe says beside its ring. */
type About = Omit<ProbeAbout, "ring">;
/** Runs one probe of ring 2. */
export const ring2 = (about: About, attempt: () => Promise<Seen>): Promise<Finding> =>
  runProbe({ ring: 2, ...about, attempt });

/** The bucket and the hands that reach for it. */
export interface Bench {
  address: BucketAddress;
  bucket: DeployedBucket;
  owner: S3;
  /** What the proxy holds: the owner's client where there is no writer. */
  writer: S3;
  keeper?: S3;
  /** What the configuration leaves open, with the remedy. */
  open: { writer?: string; versioning?: string };
}

/** An identity that hosts hold. */
export interface Hand {
  role: "writer" | "keeper";
  s3: S3;
}

/** A small object that a probe writes. */
export interface Canary {
  Bucket: string;
  Key: string;
}

/** What the configuration leaves open on purpose. */
export function open(about: About, remedy: string, why: string): Promise<Finding> {
  return ring2({ ...about, remedy }, () => Promise.resolve({ holds: "open", happened: why }));
}

/** What a probe says where the writer is the owner. */
export const NO_WRITER = "not tried: the proxy holds the owner's own keys, and the owner may";
/** What a probe says where no versions are kept. */
export const NO_VERSIONS = "not tried: the configuration switches versions off";

/** An object of the writer's, of which the owner knows that it is there: without it a refusal would say nothing. */
export async function place(bench: Bench, Key: string): Promise<Canary & { VersionId?: string }> {
  const canary = { Bucket: bench.address.bucket, Key };
  const { VersionId } = await explained(
    bench.address,
    "write a canary as the writer, without which a refusal of anything else says nothing",
    () => putAsProxy(bench.writer, { ...canary, Body: "first" }),
  );
  return { ...canary, VersionId };
}

/**
 * What lets the deletion of a version past an object lock: where the policy is to refuse it, the lock alone, which ends,
 * must not.
 */
export const bypass = ({ bucket }: Bench) =>
  bucket.objectLock === undefined ? {} : { BypassGovernanceRetention: true };

/** What an object, or one version of it, holds. */
export async function textOf(s3: S3, canary: Canary, VersionId?: string): Promise<string> {
  const { Body } = await s3.getObject({ ...canary, VersionId });
  return (await Body?.transformToString()) ?? "";
}

/** Only a refusal of a known identity is a proof; neither success nor any other failure is. */
export async function refused(bench: Bench, deed: string, call: () => Promise<unknown>): Promise<Seen> {
  try {
    await call();
  } catch (error) {
    if (isDenied(error)) return { holds: true, happened: "refused" };
    throw failure(bench.address, `find out whether it is refused to ${deed}`, error);
  }
  return { holds: false, happened: "the service did it" };
}

/** What must work, and a refusal of which is a finding. */
export async function allowed(bench: Bench, doing: string, work: () => Promise<Seen>): Promise<Seen> {
  try {
    return await work();
  } catch (error) {
    if (isDenied(error)) return { holds: false, happened: `refused: ${answerOf(error).code}` };
    throw error instanceof Error && error.message.startsWith("S3 bucket")
      ? error
      : failure(bench.address, doing, error);
  }
}
