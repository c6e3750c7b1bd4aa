/** What of the bucket is valid, and what would change: reads nothing but inputs and state. */
import type * as pulumi from "@pulumi/pulumi";
import type { PolicyForm } from "../../plan/bucket-policy";
import { endpointUrl, type S3Credentials } from "../client";
import { canonicalLifecycle } from "../settings/lifecycle";
import { lockInWords } from "../settings/object-lock";
import { canonicalJson, samePolicy } from "../settings/policy";
import { blockInWords, WANTED_BLOCK } from "../settings/public-access-block";
import { wantedRules, type BucketInputs, type BucketState } from "./state";

export async function checkInputs(
  _olds: BucketInputs,
  news: BucketInputs,
): Promise<pulumi.dynamic.CheckResult> {
  const { unknownValue } = await import("@pulumi/pulumi/runtime");
  const failures: pulumi.dynamic.CheckFailure[] = [];
  const check = (property: string, value: unknown, test: (value: string) => void): void => {
    try {
      if (value !== unknownValue) {
        test(value as string);
      }
    } catch (error) {
      failures.push({ property, reason: (error as Error).message });
    }
  };
  check("endpoint", news.endpoint, (value) => void endpointUrl(value));
  const forms = (news.policies as unknown) === unknownValue ? [] : news.policies;
  forms.forEach(({ policy }, index) => {
    check(`policies[${index}].policy`, policy, (value) => void JSON.parse(value));
  });
  check("bucket", news.bucket, (value) => {
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value)) {
      throw new Error(`"${value}" is no bucket name: use 3 to 63 lower-case letters, digits and hyphens`);
    }
  });
  return { inputs: news, failures };
}

export async function diffBucket(
  _id: string,
  olds: BucketState,
  news: BucketInputs,
): Promise<pulumi.dynamic.DiffResult> {
  const { unknownValue } = await import("@pulumi/pulumi/runtime");
  const replaces: string[] = [];
  if (news.bucket !== unknownValue && news.bucket !== olds.bucket) {
    replaces.push("bucket");
  }
  if (news.endpoint !== unknownValue && endpointUrl(news.endpoint) !== endpointUrl(olds.endpoint)) {
    replaces.push("endpoint");
  }
  const changes =
    replaces.length > 0 ||
    news.bucket === unknownValue ||
    news.endpoint === unknownValue ||
    news.region !== olds.region ||
    !sameCredentials(news.owner, olds.owner) ||
    !sameCredentials(news.writer, olds.writer) ||
    !sameCredentials(news.keeper, olds.keeper) ||
    !sameForms(news.policies, olds.policies) ||
    news.versioned !== olds.versioned ||
    !isAsWanted(olds, news);
  return { changes, replaces, deleteBeforeReplace: false };
}

/** Whether the service reported what is wanted. */
function isAsWanted(seen: BucketState, wanted: BucketInputs): boolean {
  const form = wanted.policies.find(({ name }) => name === seen.form);
  const isOneOf = (value: string, ...accepted: string[]): boolean => accepted.includes(value);
  return (
    form !== undefined &&
    samePolicy(form.policy, seen.policy) &&
    isOneOf(seen.versioning, wanted.versioned ? "Enabled" : "Suspended", "unsupported") &&
    isOneOf(
      seen.lifecycle,
      canonicalLifecycle(wantedRules(wanted, seen.versioning, seen.unfinishedUploads)),
      "unsupported",
    ) &&
    (wanted.retention === undefined
      ? isOneOf(seen.objectLock, "Enabled", "none", "unsupported")
      : isOneOf(seen.objectLock, lockInWords(wanted.retention))) &&
    isOneOf(seen.acl, "private", "unsupported") &&
    isOneOf(seen.publicAccessBlock, blockInWords(WANTED_BLOCK), "unsupported")
  );
}

export function sameCredentials(one: S3Credentials | undefined, other: S3Credentials | undefined): boolean {
  return one?.accessKeyId === other?.accessKeyId && one?.secretAccessKey === other?.secretAccessKey;
}

/** The state of an older version of this resource has no forms, and a preview may not know them. */
export function sameForms(one: unknown, other: unknown): boolean {
  const spelled = (forms: unknown): unknown =>
    Array.isArray(forms)
      ? (forms as PolicyForm[]).map(({ name, policy }) => [name, canonicalJson(policy)])
      : forms;
  return JSON.stringify(spelled(one)) === JSON.stringify(spelled(other));
}
