/** What the engine passes to the bucket's provider, and what it keeps in its state. */
import type { LifecycleRule } from "@aws-sdk/client-s3";
import type { PolicyForm } from "../../plan/bucket-policy";
import type { BucketAddress, S3Credentials } from "../client";
import type { Observed } from "../observe";
import { aclInWords } from "../settings/acl";
import {
  canonicalLifecycle,
  lifecycleRules,
  noncurrentDays,
  withoutUploads,
  type UnfinishedUploads,
} from "../settings/lifecycle";
import { lockInWords, retentionOf, type Retention } from "../settings/object-lock";
import { samePolicy } from "../settings/policy";
import { blockInWords } from "../settings/public-access-block";
import type { Quota } from "../settings/quota";
import type { Versioning } from "../settings/versioning";

/** What the engine passes to the provider. In a preview any of it may be the engine's mark for "unknown". */
export interface BucketInputs extends BucketAddress {
  readonly owner: S3Credentials;
  readonly writer: S3Credentials;
  readonly keeper?: S3Credentials;
  readonly policies: readonly PolicyForm[];
  readonly versioned: boolean;
  readonly noncurrentVersionDays: number;
  readonly retention?: Retention;
}

/**
 * What the state keeps: the inputs, with the keys as secrets because a removal gets nothing else, and the settings as
 * the operator reads them. Nothing parses these words: they are compared with the words of what is wanted.
 */
export interface BucketState extends BucketInputs {
  readonly policy: string;
  /** Name of the form that was proved to hold; empty where none was. */
  readonly form: string;
  readonly versioning: Versioning;
  readonly lifecycle: string;
  /** Absent in the state of an older version, which always put this rule. */
  readonly unfinishedUploads?: UnfinishedUploads;
  readonly objectLock: string;
  readonly acl: string;
  readonly publicAccessBlock: string;
  readonly quota: Quota;
}

/** The lifecycle that a bucket with these inputs must have. */
export function wantedRules(
  inputs: BucketInputs,
  versioning: Versioning,
  uploads: UnfinishedUploads = "aborted",
): LifecycleRule[] {
  const rules = lifecycleRules(versioning === "Enabled" ? inputs.noncurrentVersionDays : undefined);
  return uploads === "kept" ? withoutUploads(rules) : rules;
}

/**
 * The state with what the service reports; a policy that means the same as the form that was put keeps its spelling.
 *
 * @param form the form that was proved to hold
 */
export function stateOf(
  inputs: BucketInputs,
  form: PolicyForm | undefined,
  seen: Observed | undefined,
  uploads: UnfinishedUploads = "aborted",
): BucketState {
  const policy = seen?.policy ?? "";
  const rules = seen?.rules ?? [];
  return {
    ...inputs,
    form: form?.name ?? "",
    policy: form !== undefined && samePolicy(form.policy, policy) ? form.policy : policy,
    versioning: seen?.versioning ?? "Suspended",
    lifecycle: rules === "unsupported" ? rules : canonicalLifecycle(rules),
    unfinishedUploads: uploads,
    objectLock: lockInWords(seen?.objectLock ?? "none"),
    acl: seen === undefined ? "unknown" : aclInWords(seen.acl),
    publicAccessBlock: blockInWords(seen?.publicAccessBlock ?? []),
    quota: seen?.quota ?? "unknown",
  };
}

/** The inputs that would have led to what the service reports, so that a preview shows manual changes. */
export function inputsSeen(state: BucketState, seen: Observed): BucketInputs {
  const { endpoint, region, bucket, owner, writer, keeper, policies, policy, form, versioning } = state;
  const put = policies.find(({ name }) => name === form);
  const rulesHold =
    state.lifecycle === canonicalLifecycle(wantedRules(state, versioning, state.unfinishedUploads));
  return {
    ...{ endpoint, region, bucket, owner, writer, keeper },
    policies:
      put !== undefined && samePolicy(put.policy, policy) ? policies : [{ name: "changed by hand", policy }],
    versioned: versioning === "unsupported" ? state.versioned : versioning === "Enabled",
    noncurrentVersionDays:
      seen.rules === "unsupported" || rulesHold ? state.noncurrentVersionDays : noncurrentDays(seen.rules),
    retention: retentionOf(seen.objectLock),
  };
}
