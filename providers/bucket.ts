/** The bucket of the backups as a Pulumi resource: made, looked after and never destroyed with data in it. */
import * as pulumi from "@pulumi/pulumi";
import {
  adoptOrCreate,
  observe,
  proveNoDelete,
  removeIfEmpty,
  settlePolicy,
  settleVersioning,
  type Observed,
  type Versioning,
} from "./s3-bucket";
import { connect, endpointUrl, where, type BucketAddress, type S3Credentials } from "./s3-client";
import { samePolicy } from "./s3-policy";

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
  /** JSON text of the policy that the bucket must have; see `bucketPolicy`. */
  readonly policy: pulumi.Input<string>;
  /** Whether the bucket keeps old versions. A service that has no versions is not a mistake. */
  readonly versioning: pulumi.Input<boolean>;
}

/** A key pair of S3 as an argument. */
export interface CredentialsArgs {
  readonly accessKeyId: pulumi.Input<string>;
  readonly secretAccessKey: pulumi.Input<string>;
}

/**
 * A bucket with its policy and versioning, proved with a canary object after each change: the update fails if
 * the writer can delete. A bucket that exists is adopted if it is the owner's. Settings changed by hand show at
 * a refresh, and the next update puts them right. Destroying removes an empty bucket and leaves one that holds
 * data, saying so.
 */
export class Bucket extends pulumi.dynamic.Resource {
  /** Name of the bucket. */
  declare readonly bucket: pulumi.Output<string>;
  /** `Enabled`, `Suspended` (also: never switched on) or `unsupported` by the service. Known after an update. */
  declare readonly versioning: pulumi.Output<Versioning>;
  /** JSON text of the policy in force. */
  declare readonly policy: pulumi.Output<string>;

  constructor(name: string, args: BucketArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      endpoint: args.endpoint,
      region: args.region,
      bucket: args.bucket,
      owner: pulumi.secret(args.owner),
      writer: pulumi.secret(args.writer),
      policy: args.policy,
      // Not under the name of the output: a preview would show the wish as if it were the service's answer.
      versioned: args.versioning,
      versioning: undefined,
    };
    const secrets = { additionalSecretOutputs: ["owner", "writer"] };
    super(bucketProvider, name, inputs, pulumi.mergeOptions(opts, secrets), "s3", "Bucket");
  }
}

/** What the engine hands to the provider. In a preview any of it may be the engine's mark for "unknown". */
export interface BucketInputs extends BucketAddress {
  readonly owner: S3Credentials;
  readonly writer: S3Credentials;
  readonly policy: string;
  readonly versioned: boolean;
}

/** What the state keeps; the keys stay in it, as secrets, because a removal is given nothing else. */
export interface BucketState extends BucketInputs {
  readonly versioning: Versioning;
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
  const check = (property: "endpoint" | "bucket" | "policy", test: (value: string) => void): void => {
    try {
      if (news[property] !== unknownValue) {
        test(news[property]);
      }
    } catch (error) {
      failures.push({ property, reason: (error as Error).message });
    }
  };
  check("endpoint", (value) => void endpointUrl(value));
  check("policy", (value) => void JSON.parse(value));
  check("bucket", (value) => {
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
  const versioning = news.versioned ? "Enabled" : "Suspended";
  const changes =
    replaces.length > 0 ||
    news.bucket === unknownValue ||
    news.endpoint === unknownValue ||
    news.region !== olds.region ||
    !sameCredentials(news.owner, olds.owner) ||
    !sameCredentials(news.writer, olds.writer) ||
    !samePolicy(news.policy, olds.policy) ||
    news.versioned !== olds.versioned ||
    (olds.versioning !== versioning && olds.versioning !== "unsupported");
  return { changes, replaces, deleteBeforeReplace: false };
}

function sameCredentials(one: S3Credentials, other: S3Credentials): boolean {
  return one.accessKeyId === other.accessKeyId && one.secretAccessKey === other.secretAccessKey;
}

async function createBucketResource(inputs: BucketInputs): Promise<pulumi.dynamic.CreateResult<BucketState>> {
  return await withoutSecrets(inputs, async () => {
    const owner = await connect(inputs, inputs.owner);
    try {
      if (!(await adoptOrCreate(owner, inputs, inputs.owner))) {
        console.log(`${where(inputs)}: exists and belongs to the owner; it is adopted as it is.`);
      }
    } finally {
      owner.destroy();
    }
    return { id: inputs.bucket, outs: await settle(inputs) };
  });
}

async function updateBucketResource(
  _id: string,
  _olds: BucketState,
  news: BucketInputs,
): Promise<pulumi.dynamic.UpdateResult<BucketState>> {
  return await withoutSecrets(news, async () => ({ outs: await settle(news) }));
}

/** Brings the settings of a bucket that exists to what is wanted, and proves them. */
async function settle(inputs: BucketInputs): Promise<BucketState> {
  const owner = await connect(inputs, inputs.owner);
  const writer = await connect(inputs, inputs.writer);
  try {
    const versioning = await settleVersioning(owner, inputs, inputs.versioned);
    if (inputs.versioned && versioning === "unsupported") {
      console.log(
        `${where(inputs)}: this service has no versioning. Whoever holds the writer's keys can overwrite ` +
          "objects for good; only the proxy's append-only mode stands before that.",
      );
    }
    await settlePolicy(owner, inputs, inputs.policy);
    await proveNoDelete(owner, writer, inputs);
    return { ...inputs, versioning };
  } catch (error) {
    // The engine records the bucket all the same, as not yet in order, and repeats the step at the next update.
    const seen = await observe(owner, inputs).catch(() => undefined);
    const message = (error as Error).message;
    throw Object.assign(new Error(message), {
      id: inputs.bucket,
      reasons: [message],
      properties: { ...inputs, ...(seen ?? { versioning: "Suspended", policy: "" }) },
    });
  } finally {
    owner.destroy();
    writer.destroy();
  }
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
      return { id, props: asRead(state, seen), inputs: readAsInputs(state, seen) };
    } finally {
      owner.destroy();
    }
  });
}

/** The state with what the service says; a policy that says the same keeps the spelling it was given. */
function asRead(state: BucketState, seen: Observed): BucketState {
  const policy = samePolicy(state.policy, seen.policy) ? state.policy : seen.policy;
  return { ...state, policy, versioning: seen.versioning };
}

/** The inputs that would have led to what the service says, so that a preview shows what was changed by hand. */
function readAsInputs(state: BucketState, seen: Observed): BucketInputs {
  const { versioning, ...inputs } = asRead(state, seen);
  return { ...inputs, versioned: versioning === "unsupported" ? state.versioned : versioning === "Enabled" };
}

async function deleteBucketResource(_id: string, state: BucketState): Promise<void> {
  await withoutSecrets(state, async () => {
    const owner = await connect(state, state.owner);
    try {
      const removal = await removeIfEmpty(owner, state);
      console.log(
        removal.removed
          ? `${where(state)}: was empty and is removed.`
          : `${where(state)}: KEPT with everything in it, because it holds data (such as "${removal.holds}"). ` +
              "Its policy stays in force. It no longer belongs to the stack; a later update adopts it again.",
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
      [identities.owner.secretAccessKey, identities.writer.secretAccessKey].reduce(
        (rest, secret) => (secret === "" ? rest : rest.replaceAll(secret, "[secret]")),
        text,
      );
    const clean = new Error(hide(message));
    throw id === undefined ? clean : Object.assign(clean, { id, reasons: reasons?.map(hide), properties });
  }
}
