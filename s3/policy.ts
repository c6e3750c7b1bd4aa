/** Compares bucket policies by what they mean, not by how they are written. */

/**
 * Whether two policies say the same. Services reorder what they store, write one-element lists as plain text
 * and change white space; none of that is a difference.
 *
 * @param one JSON text of a policy; an empty text stands for no policy
 */
export function samePolicy(one: string, other: string): boolean {
  return one === other || canonicalJson(one) === canonicalJson(other);
}

/**
 * One spelling for all JSON texts of one meaning, where lists are sets: their order and repetitions mean nothing, nor
 * does it whether a list of one is a list. Text that is no JSON stays as it is.
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
