/** The bucket of the backups as a Pulumi resource: made, looked after and never destroyed with data in it. */
import * as pulumi from "@pulumi/pulumi";
import type { PolicyForm } from "../plan/bucket-policy";
import {
  adoptOrCreate,
  observe,
  PUBLIC_ACCESS_BLOCK,
  removeIfEmpty,
  requireObjectLock,
  retentionOf,
  sameLock,
  settleAcl,
  settleLifecycle,
  settleObjectLock,
  settlePublicAccessBlock,
  settleVersioning,
  type Acl,
  type ObjectLock,
  type Observed,
  type PublicAccessBlock,
  type Quota,
  type Retention,
  type UnfinishedUploads,
  type Versioning,
} from "./s3-bucket";
import { connect, endpointUrl, where, type BucketAddress, type S3Credentials } from "./client";
import { canonicalLifecycle, lifecycleRules, noncurrentDays, withoutUploads } from "./lifecycle";
import { canonicalJson, samePolicy } from "./policy";
import { settleBestPolicy } from "./proof";

/** Arguments of {@link Bucket}. */
export interface BucketArgs {
  /** URL of the S3 service, or its host name (then https). Another endpoint replaces the resource. */
  readonly endpoint: pulumi.Input<string>;
  /** Region that requests are signed for. */
  readonly region: pulumi.Input<string>;
  /** Name of the bucket. Another name replaces the resource; a bucket with data in it stays where it is. */
  readonly bucket: pulumi.Input<string>;
  /** Keys of the account that owns the bucket, or shall own it. Always kept as a secret. */
  readonly owner: pulumi.Input<CredentialsArgs>;
  /** Keys that the proxy uses; the owner's where there is no separate writer. Always kept as a secret. */
  readonly writer: pulumi.Input<CredentialsArgs>;
  /** Keys that retention uses; with them the proof tries that identity too. Default: none. Always kept as a secret. */
  readonly keeper?: pulumi.Input<CredentialsArgs>;
  /** The forms of the policy, the strongest first; the first that holds stays. See `bucketPolicies`. */
  readonly policies: pulumi.Input<readonly PolicyForm[]>;
  /** Whether the bucket keeps old versions. A service that has no versions is not a mistake. */
  readonly versioning: pulumi.Input<boolean>;
  /** Days after which versions that were overwritten or removed go for good. Means nothing without versioning. */
  readonly noncurrentVersionDays: pulumi.Input<number>;
  /** The retention of every new version. A bucket that exists must have been made with object lock. Default: none. */
  readonly objectLock?: pulumi.Input<Retention | undefined>;
}

/** A key pair of S3 as an argument. */
export interface CredentialsArgs {
  readonly accessKeyId: pulumi.Input<string>;
  readonly secretAccessKey: pulumi.Input<string>;
}

/**
 * A bucket with its policy, ACL, versioning, lifecycle, object lock and PublicAccessBlock, proved with a canary object
 * after each change: the update fails if writer or keeper can do more than they must, and warns where a full bucket does not
 * let all of it be tried; then each later update tries again. A bucket that exists is adopted if it is the owner's.
 * Settings changed by hand show at a refresh, and the next update puts them right. Destroying removes an empty bucket
 * and leaves one that holds data, saying so.
 */
export class Bucket extends pulumi.dynamic.Resource {
  /** Name of the bucket. */
  declare readonly bucket: pulumi.Output<string>;
  /** `Enabled`, `Suspended` (also: never switched on) or `unsupported` by the service. Known after an update. */
  declare readonly versioning: pulumi.Output<Versioning>;
  /** JSON text of the policy in force. */
  declare readonly policy: pulumi.Output<string>;
  /** Name of the form of the policy that was seen to hold; empty while a full bucket does not let that be proved. */
  declare readonly form: pulumi.Output<string>;
  /** JSON text of the lifecycle in force, each action alone, or `unsupported` by the service. */
  declare readonly lifecycle: pulumi.Output<string>;
  /** `aborted` by the lifecycle, or `kept`: the service has no rule for them, or no lifecycle. */
  declare readonly unfinishedUploads: pulumi.Output<UnfinishedUploads>;
  /** `MODE DAYS days`, `Enabled` (a lock without a retention), `none`, or `unsupported` by the service. */
  declare readonly objectLock: pulumi.Output<ObjectLock>;
  /** `private`, who else was let in by hand, `unsupported` by the service, or `unknown` where it could not be read. */
  declare readonly acl: pulumi.Output<Acl>;
  /** `IgnorePublicAcls`, what else is on or `none` where it was changed by hand, or `unsupported` by the service. */
  declare readonly publicAccessBlock: pulumi.Output<PublicAccessBlock>;
  /** Quota in bytes, `none`, or `unknown` where the service does not tell. As the last update or refresh saw it. */
  declare readonly quota: pulumi.Output<Quota>;

  constructor(name: string, args: BucketArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      endpoint: args.endpoint,
      region: args.region,
      bucket: args.bucket,
      owner: pulumi.secret(args.owner),
      writer: pulumi.secret(args.writer),
      keeper: args.keeper && pulumi.secret(args.keeper),
      policies: args.policies,
      // Not under the names of the outputs: a preview would show the wish as if it were the service's answer.
      versioned: args.versioning,
      noncurrentVersionDays: args.noncurrentVersionDays,
      retention: args.objectLock,
      policy: undefined,
      form: undefined,
      versioning: undefined,
      lifecycle: undefined,
      unfinishedUploads: undefined,
      objectLock: undefined,
      acl: undefined,
      publicAccessBlock: undefined,
      quota: undefined,
    };
    const secrets = { additionalSecretOutputs: ["owner", "writer", "keeper"] };
    super(bucketProvider, name, inputs, pulumi.mergeOptions(opts, secrets), "s3", "Bucket");
  }
}

/** What the engine hands to the provider. In a preview any of it may be the engine's mark for "unknown". */
export interface BucketInputs extends BucketAddress {
  readonly owner: S3Credentials;
  readonly writer: S3Credentials;
  readonly keeper?: S3Credentials;
  readonly policies: readonly PolicyForm[];
  readonly versioned: boolean;
  readonly noncurrentVersionDays: number;
  readonly retention?: Retention;
}

/** What the state keeps; the keys stay in it, as secrets, because a removal is given nothing else. */
export interface BucketState extends BucketInputs {
  readonly policy: string;
  /** Name of the form that was seen to hold; empty while none was. */
  readonly form: string;
  readonly versioning: Versioning;
  readonly lifecycle: string;
  /** Absent in a state of an older version, which knew no service that keeps them. */
  readonly unfinishedUploads?: UnfinishedUploads;
  readonly objectLock: ObjectLock;
  readonly acl: Acl;
  readonly publicAccessBlock: PublicAccessBlock;
  readonly quota: Quota;
}

/**
 * The provider. Its functions are stored as text in the state and run in another process: they refer to
 * functions and constants alone, never to a value that holds a secret.
 */
export const bucketProvider: pulumi.dynamic.ResourceProvider<BucketInputs, BucketState> = {
  check: checkInputs,
  diff: diffBucket,
  create: createBucketResource,
  read: readBucketResource,
  update: updateBucketResource,
  delete: deleteBucketResource,
};

async function checkInputs(_olds: BucketInputs, news: BucketInputs): Promise<pulumi.dynamic.CheckResult> {
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

async function diffBucket(
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
    !inOrder(olds, news);
  return { changes, replaces, deleteBeforeReplace: false };
}

/** Whether the service has what is wanted, by what it was seen to say. */
function inOrder(seen: BucketState, wanted: BucketInputs): boolean {
  const form = wanted.policies.find(({ name }) => name === seen.form);
  const versioning = wanted.versioned ? "Enabled" : "Suspended";
  return (
    form !== undefined &&
    samePolicy(form.policy, seen.policy) &&
    (seen.versioning === versioning || seen.versioning === "unsupported") &&
    (seen.lifecycle === "unsupported" ||
      seen.lifecycle === canonicalLifecycle(wantedRules(wanted, seen.versioning, seen.unfinishedUploads))) &&
    sameLock(seen.objectLock, wanted.retention) &&
    (seen.acl === "private" || seen.acl === "unsupported") &&
    (seen.publicAccessBlock === PUBLIC_ACCESS_BLOCK || seen.publicAccessBlock === "unsupported")
  );
}

function wantedRules(
  inputs: BucketInputs,
  versioning: Versioning,
  uploads: UnfinishedUploads = "aborted",
): ReturnType<typeof lifecycleRules> {
  const rules = lifecycleRules(versioning === "Enabled" ? inputs.noncurrentVersionDays : undefined);
  return uploads === "kept" ? withoutUploads(rules) : rules;
}

function sameCredentials(one: S3Credentials | undefined, other: S3Credentials | undefined): boolean {
  return one?.accessKeyId === other?.accessKeyId && one?.secretAccessKey === other?.secretAccessKey;
}

/** A state of an older version of this resource has no forms, and a preview may not know them. */
function sameForms(one: unknown, other: unknown): boolean {
  const spelled = (forms: unknown): unknown =>
    Array.isArray(forms)
      ? (forms as PolicyForm[]).map(({ name, policy }) => [name, canonicalJson(policy)])
      : forms;
  return JSON.stringify(spelled(one)) === JSON.stringify(spelled(other));
}

async function createBucketResource(inputs: BucketInputs): Promise<pulumi.dynamic.CreateResult<BucketState>> {
  return await withoutSecrets(inputs, async () => {
    const owner = await connect(inputs, inputs.owner);
    try {
      if (!(await adoptOrCreate(owner, inputs, inputs.owner, inputs.retention !== undefined))) {
        console.log(
          `${where(inputs)}: exists and belongs to the owner; it is adopted, with all that it holds.`,
        );
      }
    } finally {
      owner.destroy();
    }
    return { id: inputs.bucket, outs: await settle(inputs) };
  });
}

async function updateBucketResource(
  _id: string,
  olds: BucketState,
  news: BucketInputs,
): Promise<pulumi.dynamic.UpdateResult<BucketState>> {
  // A form that holds is not left for another as long as the forms are the same.
  const kept = sameForms(news.policies, olds.policies) ? olds.form : undefined;
  return await withoutSecrets(news, async () => ({ outs: await settle(news, kept) }));
}

/** Brings the settings of a bucket that exists to what is wanted, and proves them; `kept` is the form to begin with. */
async function settle(inputs: BucketInputs, kept?: string): Promise<BucketState> {
  const owner = await connect(inputs, inputs.owner);
  const writer = sameCredentials(inputs.writer, inputs.owner)
    ? undefined
    : await connect(inputs, inputs.writer);
  const keeper = inputs.keeper && (await connect(inputs, inputs.keeper));
  const say = (words: string): void => {
    console.log(`${where(inputs)}: ${words}`);
  };
  try {
    if (inputs.retention !== undefined) {
      await requireObjectLock(owner, inputs);
    }
    // First, for by it others may do anything meanwhile.
    const admitted = await settleAcl(owner, inputs);
    if (admitted !== "private" && admitted !== "unsupported") {
      say(
        `its ACL let in others than the owner, and does not any more: ${admitted}. Find out who put that there, and ` +
          "what they did: by an ACL they could delete versions.",
      );
    }
    const versioning = await settleVersioning(owner, inputs, inputs.versioned);
    if (inputs.versioned && versioning === "unsupported") {
      say(
        "this service has no versioning. Whoever holds the writer's keys can overwrite " +
          "objects for good; only the proxy's append-only mode stands before that.",
      );
    }
    await settleObjectLock(owner, inputs, inputs.retention);
    const lifecycle = await settleLifecycle(owner, inputs, wantedRules(inputs, versioning));
    if (lifecycle === "unsupported") {
      say(
        "this service has no lifecycle. Old versions and unfinished uploads stay until somebody removes them.",
      );
    } else {
      if (lifecycle.uploads === "kept") {
        say(
          "this service refuses or drops the lifecycle rule that ends unfinished uploads; the rest is in force. Their " +
            "parts stay until somebody removes them, unless the service does that by itself, as MinIO after a day.",
        );
      }
      if (lifecycle.replaced.length > 0) {
        say(`lifecycle rules are replaced. Those of before would: ${lifecycle.replaced.join("; ")}.`);
      }
    }
    const opened = await settlePublicAccessBlock(owner, inputs);
    if (opened === "unsupported") {
      say(
        "this service has no PublicAccessBlock. Whoever holds the writer's keys can put objects that everybody may " +
          "read, encrypted as they are.",
      );
    } else if (opened.length > 0) {
      say(
        `of its PublicAccessBlock ${opened.join(", ")} was not the stack's and is off: services differ in what they ` +
          "take for public, and refuse uploads or the policy by it.",
      );
    }
    const forms = [...inputs.policies].sort((a, b) => Number(b.name === kept) - Number(a.name === kept));
    const { form, failed, untried } = await settleBestPolicy({ owner, writer, keeper }, inputs, forms, {
      versioning,
      rules: lifecycle === "unsupported" ? lifecycle : lifecycle.rules,
      publicAccessBlock: opened === "unsupported" ? opened : PUBLIC_ACCESS_BLOCK,
      locked: inputs.retention !== undefined,
    });
    if (failed.length > 0) {
      say(`the policy in force is: ${form.name}. Stronger forms do not hold here:\n- ${failed.join("\n- ")}`);
    }
    if (untried.length > 0) {
      say(
        "is FULL: nothing can be backed up, and the policy is put but NOT PROVED in all. What can be tried without " +
          `writing holds; not tried is whether ${untried.join("; whether ")}. Ask the operator of the S3 service for a ` +
          "higher quota, and run the update again: it repeats the proof.",
      );
    }
    const seen = await observe(owner, inputs);
    if (seen?.quota === "none") {
      say(
        "the service tells NO QUOTA: whoever takes a client or the proxy can fill it. Ask its operator for one; on Ceph " +
          `RGW: radosgw-admin quota set --quota-scope=bucket --bucket=${inputs.bucket} --max-size=SIZE, and quota ` +
          "enable likewise.",
      );
    } else if (seen?.quota === "unknown") {
      say(
        "this service does not tell the bucket's quota. Ask its operator for one, or watch how the bucket grows.",
      );
    }
    // Without a form the state is not in order, so that the next update makes the proof.
    const uploads = lifecycle === "unsupported" ? "kept" : lifecycle.uploads;
    return stateOf(inputs, untried.length === 0 ? form : undefined, seen, uploads);
  } catch (error) {
    // The engine records the bucket all the same, as not yet in order, and repeats the step at the next update.
    const seen = await observe(owner, inputs).catch(() => undefined);
    const message = (error as Error).message;
    throw Object.assign(new Error(message), {
      id: inputs.bucket,
      reasons: [message],
      properties: stateOf(inputs, undefined, seen),
    });
  } finally {
    owner.destroy();
    writer?.destroy();
    keeper?.destroy();
  }
}

/** The state with what the service says; a policy that says the same as the form that was put keeps its spelling. */
function stateOf(
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
    objectLock: seen?.objectLock ?? "none",
    acl: seen?.acl ?? "unknown",
    publicAccessBlock: seen?.publicAccessBlock ?? "none",
    quota: seen?.quota ?? "unknown",
  };
}

async function readBucketResource(id: string, state?: BucketState): Promise<pulumi.dynamic.ReadResult> {
  if (state?.owner === undefined) {
    throw new Error(`cannot import bucket "${id}": declare it in the program, the update adopts it`);
  }
  return await withoutSecrets(state, async () => {
    const owner = await connect(state, state.owner);
    try {
      const seen = await observe(owner, state);
      if (seen === undefined) {
        console.log(`${where(state)}: does not exist any more; the next update makes a new, empty one.`);
        // Without an ID the engine drops the bucket from the state.
        return {};
      }
      const form = state.policies.find(({ name }) => name === state.form);
      const now = stateOf(state, form, seen, state.unfinishedUploads);
      return { id, props: definedOnly(now), inputs: definedOnly(readAsInputs(now, seen)) };
    } finally {
      owner.destroy();
    }
  });
}

/** Without the fields that are not there: the engine's protocol has no `undefined`, and a refresh would fail on it. */
function definedOnly<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** The inputs that would have led to what the service says, so that a preview shows what was changed by hand. */
function readAsInputs(state: BucketState, seen: Observed): BucketInputs {
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
    retention: retentionOf(state.objectLock),
  };
}

async function deleteBucketResource(_id: string, state: BucketState): Promise<void> {
  await withoutSecrets(state, async () => {
    const owner = await connect(state, state.owner);
    try {
      const removal = await removeIfEmpty(owner, state);
      if (removal.removed) {
        console.log(`${where(state)}: was empty and is removed.`);
        return;
      }
      const why =
        removal.holds === undefined
          ? "nobody can look into it with the owner's keys: they are revoked"
          : `it holds data (such as "${removal.holds}")`;
      console.log(
        `${where(state)}: KEPT with everything in it, because ${why}. Its policy stays in force. It no longer ` +
          "belongs to the stack; a later update adopts it again.",
      );
    } finally {
      owner.destroy();
    }
  });
}

/** The last line before the operator's screen: whatever a service puts into a message, no key leaves here. */
async function withoutSecrets<T>(identities: BucketInputs, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { id, reasons, properties, message } = error as Error & {
      id?: string;
      reasons?: string[];
      properties?: object;
    };
    const hide = (text: string): string =>
      [identities.owner, identities.writer, identities.keeper].reduce(
        (rest, keys) =>
          keys === undefined || keys.secretAccessKey === ""
            ? rest
            : rest.replaceAll(keys.secretAccessKey, "[secret]"),
        text,
      );
    const clean = new Error(hide(message));
    throw id === undefined ? clean : Object.assign(clean, { id, reasons: reasons?.map(hide), properties });
  }
}
