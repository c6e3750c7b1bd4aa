/** The lifecycle of the bucket: which rules it must have, and rules compared by what they mean. */
import type { LifecycleRule } from "@aws-sdk/client-s3";
import { canonicalJson } from "./policy";

/** For how many days the parts of an upload that was begun and never ended are kept. */
const UPLOAD_DAYS = 7;

/** What a rule may do. */
const ACTIONS = [
  "Expiration",
  "NoncurrentVersionExpiration",
  "AbortIncompleteMultipartUpload",
  "Transitions",
  "NoncurrentVersionTransitions",
] as const;

/**
 * The rules of a bucket, for all that is in it: unfinished uploads go; so do versions that were overwritten or
 * removed, after `noncurrentVersionDays`, and then the delete marker that stood before them. No rule ever removes an
 * object that nobody removed.
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

/**
 * These rules for a service that refuses or drops `AbortIncompleteMultipartUpload`, as MinIO does: a rule that does
 * nothing else is left out.
 */
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
 * One spelling for all lifecycles of one meaning, as JSON text: each action of each rule alone, without names, order,
 * and rules that are switched off. Services split, reorder and rewrite what they store.
 */
export function canonicalLifecycle(rules: readonly LifecycleRule[]): string {
  return canonicalJson(JSON.stringify(rules.flatMap(singleActions)));
}

/** The days after which old versions go, in the whole bucket; 0 where no rule says it. */
export function noncurrentDays(rules: readonly LifecycleRule[]): number {
  return (
    rules.flatMap(singleActions).find((one) => one.Prefix === "" && one.NoncurrentVersionExpiration)
      ?.NoncurrentVersionExpiration?.NoncurrentDays ?? 0
  );
}

/** What these rules do and the wanted ones do not, in words; empty where all that they do is wanted. */
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
  // Services of before the filter have the prefix in the rule itself; the SDK calls that form deprecated.
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
