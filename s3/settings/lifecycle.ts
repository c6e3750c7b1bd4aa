/** The lifecycle of the bucket: which rules it must have, and rules compared by their meaning. */
import type { LifecycleRule, S3 } from "@aws-sdk/client-s3";
import { answerOf, ofNoAnswer } from "../answers";
import { explained, type BucketAddress } from "../client";
import { SETTINGS_CHECKSUM, isDenied } from "../services";
import { canonicalJson } from "./policy";
import { PATIENCE, putUnlessThere, unlessUnsupported, type Setting, type Unsupported } from "./setting";

/** Days for which the parts of an unfinished upload are kept. */
const UPLOAD_DAYS = 7;

/** What a rule can do. */
const ACTIONS = [
  "Expiration",
  "NoncurrentVersionExpiration",
  "AbortIncompleteMultipartUpload",
  "Transitions",
  "NoncurrentVersionTransitions",
] as const;

/**
 * The rules of a bucket, for all objects: they remove unfinished uploads, versions that were overwritten or removed
 * `noncurrentVersionDays` ago, and then the delete marker above them. No rule removes a current object.
 *
 * @param noncurrentVersionDays `undefined` where the bucket keeps no versions
 */
export function lifecycleRules(noncurrentVersionDays: number | undefined): LifecycleRule[] {
  const versions =
    noncurrentVersionDays === undefined
      ? {}
      : {
          NoncurrentVersionExpiration: { NoncurrentDays: noncurrentVersionDays },
          Expiration: { ExpiredObjectDeleteMarker: true },
        };
  return [
    {
      ID: "secure-backups",
      Status: "Enabled",
      Filter: { Prefix: "" },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: UPLOAD_DAYS },
      ...versions,
    },
  ];
}

/** These rules without `AbortIncompleteMultipartUpload`; a rule that does nothing else is left out. */
export function withoutUploads(rules: readonly LifecycleRule[]): LifecycleRule[] {
  return rules
    .map((rule) => {
      const rest = { ...rule };
      delete rest.AbortIncompleteMultipartUpload;
      return rest;
    })
    .filter((rule) => ACTIONS.some((action) => action in rule));
}

/**
 * One spelling for all lifecycles of one meaning, as JSON: each action of each rule alone, without names, order and
 * disabled rules. Services split, reorder and rewrite what they store.
 */
export function canonicalLifecycle(rules: readonly LifecycleRule[]): string {
  return canonicalJson(JSON.stringify(rules.flatMap(singleActions)));
}

/** The days after which old versions are removed in the whole bucket; 0 where no rule does it. */
export function noncurrentDays(rules: readonly LifecycleRule[]): number {
  return (
    rules.flatMap(singleActions).find((one) => one.Prefix === "" && one.NoncurrentVersionExpiration)
      ?.NoncurrentVersionExpiration?.NoncurrentDays ?? 0
  );
}

/** What these rules do and the wanted ones do not, in words. */
export function foreignActions(rules: readonly LifecycleRule[], wanted: readonly LifecycleRule[]): string[] {
  const known = new Set(wanted.flatMap(singleActions).map((one) => canonicalJson(JSON.stringify(one))));
  return rules
    .flatMap(singleActions)
    .filter((one) => !known.has(canonicalJson(JSON.stringify(one))))
    .map(inWords);
}

type SingleAction = { readonly Prefix: string; readonly Only?: unknown } & Pick<
  LifecycleRule,
  (typeof ACTIONS)[number]
>;

function singleActions(rule: LifecycleRule): SingleAction[] {
  if (rule.Status !== "Enabled") {
    return [];
  }
  const { Prefix, And: { Prefix: andPrefix, ...and } = {}, ...only } = rule.Filter ?? {};
  // Older services without `Filter` have the prefix in the rule itself; the SDK calls that deprecated.
  const { Prefix: oldPrefix } = rule as { Prefix?: string };
  const narrowed = { ...only, ...and };
  return ACTIONS.filter((action) => Object.values(rule[action] ?? {}).some(Boolean)).map((action) => ({
    Prefix: Prefix ?? andPrefix ?? oldPrefix ?? "",
    ...(Object.keys(narrowed).length === 0 ? {} : { Only: narrowed }),
    [action]: rule[action],
  }));
}

function inWords(action: SingleAction): string {
  const place = `${action.Prefix === "" ? "" : ` below "${action.Prefix}"`}${action.Only === undefined ? "" : " (some)"}`;
  const { Expiration, NoncurrentVersionExpiration, AbortIncompleteMultipartUpload, Transitions } = action;
  if (Expiration?.ExpiredObjectDeleteMarker === true) {
    return `remove delete markers without versions${place}`;
  }
  if (Expiration !== undefined) {
    const when =
      Expiration.Date === undefined
        ? `${Expiration.Days ?? 0} days after they were written`
        : `on ${new Date(Expiration.Date).toISOString()}`;
    return `REMOVE OBJECTS${place} ${when}`;
  }
  if (NoncurrentVersionExpiration !== undefined) {
    return `remove old versions${place} after ${NoncurrentVersionExpiration.NoncurrentDays ?? 0} days`;
  }
  if (AbortIncompleteMultipartUpload !== undefined) {
    return `abort unfinished uploads${place} after ${AbortIncompleteMultipartUpload.DaysAfterInitiation ?? 0} days`;
  }
  return `move ${Transitions === undefined ? "old versions" : "objects"}${place} to another storage class`;
}

/** What became of a lifecycle. */
export interface LifecyclePut {
  /** The rules in force: the wanted ones, or those without the removal of unfinished uploads. */
  readonly rules: readonly LifecycleRule[];
  readonly uploads: UnfinishedUploads;
  /** What the previous rules did and those in force do not, in words. */
  readonly replaced: readonly string[];
}

/** Unfinished uploads are `aborted` by the lifecycle, or `kept` because the service has no such rule. */
export type UnfinishedUploads = "aborted" | "kept";

export const LIFECYCLE: Setting<readonly LifecycleRule[], readonly LifecycleRule[]> = {
  step: "set the lifecycle",
  read: async (owner, bucket) =>
    await unlessUnsupported(
      async () => (await owner.getBucketLifecycleConfiguration({ Bucket: bucket })).Rules ?? [],
      { code: "NoSuchLifecycleConfiguration", value: [] },
    ),
  put: async (owner, bucket, rules) =>
    await unlessUnsupported<unknown>(() =>
      rules.length === 0
        ? owner.deleteBucketLifecycle({ Bucket: bucket })
        : owner.putBucketLifecycleConfiguration({
            Bucket: bucket,
            ChecksumAlgorithm: SETTINGS_CHECKSUM,
            LifecycleConfiguration: { Rules: [...rules] },
          }),
    ),
  holds: (seen, wanted) => canonicalLifecycle(seen) === canonicalLifecycle(wanted),
  inWords: () => "another one",
};

/**
 * Puts the lifecycle unless it is in force, and waits until it reads back as wanted. A service may refuse or drop the
 * removal of unfinished uploads, as MinIO does, or not know the whole call because of it: then the rest is put.
 *
 * @throws Error when the service refuses the rest too, or accepts it and reports something else
 */
export async function settleLifecycle(
  owner: S3,
  address: BucketAddress,
  wanted: readonly LifecycleRule[],
  patience = PATIENCE,
): Promise<LifecyclePut | Unsupported> {
  return await explained(address, LIFECYCLE.step, async () => {
    const before = await LIFECYCLE.read(owner, address.bucket);
    if (before === "unsupported") {
      return before;
    }
    const attempts = [
      { rules: wanted, uploads: "aborted" },
      { rules: withoutUploads(wanted), uploads: "kept" },
    ] as const;
    const refusals: unknown[] = [];
    for (const { rules, uploads } of attempts) {
      try {
        const put = await putUnlessThere(LIFECYCLE, owner, address.bucket, rules, patience);
        if (put !== "unsupported") {
          return { rules, uploads, replaced: foreignActions(before, rules) };
        }
      } catch (error) {
        const { status = 400 } = answerOf(error);
        // This would be the same for any rules.
        if (isDenied(error) || ofNoAnswer(error) || status >= 500) {
          throw error;
        }
        refusals.push(error);
      }
    }
    if (refusals.length === attempts.length) {
      throw refusals[0];
    }
    return "unsupported";
  });
}
