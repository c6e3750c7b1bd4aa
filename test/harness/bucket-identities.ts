/** Set-up of the host tests of the bucket: S3 identities in three projects of the local cloud, and buckets of their own. */
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll } from "@jest/globals";
import type { S3 } from "@aws-sdk/client-s3";
import { run } from "../../operations/transport/run";
import { bucketPolicies, keystonePrincipal, liftedPolicy } from "../../plan/bucket-policy";
import { answerOf } from "../../s3/answers";
import type { BucketAddress, S3Credentials } from "../../s3/client";
import type { BucketInputs } from "../../s3/resource/state";
import { CACHE } from "../../scripts/dev/cloud";
import { type CloudFacts, cloudFacts } from "../../scripts/dev/local-stack";
import { type Identity, s3Identity } from "../../scripts/dev/s3-identity";

export type Role = "owner" | "writer" | "keeper";

/** Pauses of a proof that is expected to fail, in milliseconds. */
export const SOON = [100, 200];

export let facts: CloudFacts;
export let owner: Identity, writer: Identity, keeper: Identity;

const buckets: string[] = [];

/** Creates the identities before the tests of a file, and removes them and all buckets afterwards. */
export function useIdentities(): void {
  beforeAll(async () => {
    facts = cloudFacts();
    const { projects } = facts;
    [owner, writer, keeper] = await Promise.all([
      s3Identity(projects.owner),
      s3Identity(projects.writer),
      s3Identity(projects.keeper),
    ]);
  }, 120_000);

  afterAll(async () => {
    const own = (await owner.s3.listBuckets({})).Buckets ?? [];
    for (const Bucket of buckets.filter((name) => own.some((entry) => entry.Name === name))) {
      await owner.s3.putBucketPolicy({ Bucket, Policy: liftedPolicy(Bucket) });
      const { Versions = [], DeleteMarkers = [] } = await owner.s3.listObjectVersions({ Bucket });
      for (const { Key, VersionId } of [...Versions, ...DeleteMarkers]) {
        await owner.s3.deleteObject({ Bucket, Key, VersionId, BypassGovernanceRetention: true });
      }
      await owner.s3.deleteBucket({ Bucket });
    }
    await Promise.all([owner, writer, keeper].map((one) => one.forget()));
  }, 120_000);
}

/** The principal of a role in a policy. */
export const arn = (role: Role): string => keystonePrincipal(facts.projects[role]);
export const arns = (): Record<Role, string> => ({
  owner: arn("owner"),
  writer: arn("writer"),
  keeper: arn("keeper"),
});
export const keys = ({ accessKeyId, secretAccessKey }: Identity): S3Credentials => ({
  accessKeyId,
  secretAccessKey,
});

/** A bucket name that no other run uses. */
export function address(): BucketAddress {
  const bucket = `bucket-test-${String(process.pid)}-${Date.now().toString(36)}-${String(buckets.length)}`;
  buckets.push(bucket);
  return { endpoint: facts.s3Endpoint, region: "eu-central-1", bucket };
}

/** The inputs of the stack with owner, writer and keeper, and defaults. */
export const threeIdentities = (at: BucketAddress): BucketInputs => ({
  ...at,
  owner: keys(owner),
  writer: keys(writer),
  keeper: keys(keeper),
  policies: bucketPolicies({ bucket: at.bucket, ...arns() }),
  versioned: true,
  noncurrentVersionDays: 30,
});

/** The result of a call: `ok`, or the HTTP status and code of its refusal. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "ok";
  } catch (error) {
    const { status, code } = answerOf(error);
    return `${String(status ?? "no answer")} ${code}`;
  }
}

/** The content of an object. */
export async function contentOf(s3: S3, Bucket: string, Key: string, VersionId?: string): Promise<string> {
  const { Body } = await s3.getObject({ Bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) });
  return (await Body?.transformToString()) ?? "";
}

/** Sets a quota as the service's operator does. */
export async function quota(
  command: "set" | "enable" | "disable",
  bucket: string,
  option?: string,
): Promise<void> {
  const [pid = ""] = fs.readFileSync(path.join(CACHE, "local-cloud/run/pid"), "utf8").split(" ");
  const inside = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"];
  const scope = ["--quota-scope=bucket", `--bucket=${bucket}`];
  const admin = ["radosgw-admin", "quota", command, ...scope, ...(option === undefined ? [] : [option])];
  await run("nsenter", ["--target", pid, ...inside, "--", ...admin], { timeout: 30 });
}

/** This RGW has no websites and replication, and may have no logging or notifications: then it does not read the policy. */
export const NOT_SERVED = "405 MethodNotAllowed";
