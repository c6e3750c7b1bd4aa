/** The bucket policy, compared by its meaning, not by its spelling. */
import { answerOf } from "../answers";
import type { Setting } from "./setting";

/** The policy as JSON; empty where there is none. No bucket is safe without one, so a service must have policies. */
export const POLICY: Setting<string, string> = {
  step: "set the bucket policy",
  read: async (owner, bucket) => {
    try {
      return (await owner.getBucketPolicy({ Bucket: bucket })).Policy ?? "";
    } catch (error) {
      if (answerOf(error).code === "NoSuchBucketPolicy") {
        return "";
      }
      throw error;
    }
  },
  put: (owner, bucket, wanted) => owner.putBucketPolicy({ Bucket: bucket, Policy: wanted }),
  holds: samePolicy,
  inWords: (seen) => (seen === "" ? "none" : "another one"),
};

/**
 * Whether two policies mean the same. Services reorder what they store, write a list of one element as that element and
 * change white space.
 *
 * @param one a policy as JSON; the empty string stands for no policy
 */
export function samePolicy(one: string, other: string): boolean {
  return one === other || canonicalJson(one) === canonicalJson(other);
}

/**
 * One spelling for all JSON of one meaning, where lists are sets: order, repetitions, and whether a list of one element
 * is a list mean nothing. What is not JSON stays as it is.
 */
export function canonicalJson(policy: string): string {
  let document: unknown;
  try {
    document = JSON.parse(policy);
  } catch {
    return policy.trim();
  }
  return JSON.stringify(canonicalNode(document, ""));
}

/** The lists of a policy are sets: their order and their repetitions mean nothing. */
function canonicalNode(node: unknown, key: string): unknown {
  if (Array.isArray(node)) {
    const items = [
      ...new Map(
        node.map((item) => {
          const one = canonicalNode(item, "");
          return [JSON.stringify(one), one] as const;
        }),
      ).entries(),
    ];
    const sorted = items.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
    return sorted.length === 1 ? sorted[0] : sorted;
  }
  if (typeof node === "object" && node !== null) {
    const members = node as Record<string, unknown>;
    return Object.fromEntries(
      Object.keys(members)
        .sort()
        .map((name) => [name, canonicalNode(members[name], name)]),
    );
  }
  return key === "Principal" && node === "*" ? { AWS: "*" } : node;
}
