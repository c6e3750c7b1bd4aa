import type { Removal } from "../remove";
import type { LifecyclePut } from "../settings/lifecycle";
import { WANTED_BLOCK, type PublicAccessBlock } from "../settings/public-access-block";
import type { Quota } from "../settings/quota";
import type { Unsupported } from "../settings/setting";

/** What an update reports about the bucket and its service; `undefined` where there is nothing to report. */
export const NOTES = {
  adopted: "exists and belongs to the owner; it is adopted with everything in it.",
  gone: "does not exist any more; the next update creates a new, empty one.",
  noVersioning:
    "this service has no versioning. An attacker with the writer's keys can overwrite objects for good; only the proxy's " +
    "append-only mode prevents that.",

  /** @param before the ACL that the update found */
  acl: (before: string): string | undefined => {
    return before === "private" || before === "unsupported"
      ? undefined
      : `its ACL granted access to others than the owner: ${before}. These grants are revoked. Find out who set them, and ` +
          "what was done with them: by such a grant versions can be deleted.";
  },

  lifecycle: (lifecycle: LifecyclePut | Unsupported): string[] => {
    if (lifecycle === "unsupported") {
      return [
        "this service has no lifecycle. Old versions and unfinished uploads stay until an operator removes them.",
      ];
    }
    const { uploads, replaced } = lifecycle;
    return [
      ...(uploads === "kept"
        ? [
            "this service refuses or drops the lifecycle rule that removes unfinished uploads; the others are in force. Their " +
              "parts stay until an operator removes them, unless the service does that by itself, as MinIO after a day.",
          ]
        : []),
      ...(replaced.length > 0
        ? [`lifecycle rules are replaced. The previous ones would: ${replaced.join("; ")}.`]
        : []),
    ];
  },

  /** @param before the PublicAccessBlock that the update found */
  publicAccessBlock: (before: PublicAccessBlock): string | undefined => {
    if (before === "unsupported") {
      return (
        "this service has no PublicAccessBlock. An attacker with the writer's keys can put objects that everybody may " +
        "read, encrypted as they are."
      );
    }
    const foreign = before.filter((name) => !WANTED_BLOCK.includes(name));
    return foreign.length === 0
      ? undefined
      : `its PublicAccessBlock had ${foreign.join(", ")}, which the stack does not set; this is off now: services differ ` +
          "in what they consider public, and refuse uploads or the policy because of it.";
  },

  /** @param failed why each stronger form does not hold */
  form: (name: string, failed: readonly string[]): string | undefined => {
    return failed.length === 0
      ? undefined
      : `the policy in force is: ${name}. Stronger forms do not hold here:\n- ${failed.join("\n- ")}`;
  },

  /** @param untried what a full bucket does not let be tried */
  untried: (untried: readonly string[]): string | undefined => {
    return untried.length === 0
      ? undefined
      : "is FULL: no backup can be added, and the policy is put but NOT PROVED in full. What can be tried without writing " +
          `holds; not tried is whether ${untried.join("; whether ")}. Ask the operator of the S3 service for a higher ` +
          "quota, and run the update again: it repeats the proof.";
  },

  quota: (quota: Quota | undefined, bucket: string): string | undefined => {
    if (quota === "none") {
      return (
        "the service reports NO QUOTA: an attacker on a client or the proxy can fill it. Ask its operator for one; on Ceph " +
        `RGW: radosgw-admin quota set --quota-scope=bucket --bucket=${bucket} --max-size=SIZE, and quota enable likewise.`
      );
    }
    return quota === "unknown"
      ? "this service does not report the bucket's quota. Ask its operator for one, or watch how the bucket grows."
      : undefined;
  },

  removal: (removal: Removal): string => {
    if (removal.removed) {
      return "was empty and is removed.";
    }
    const why =
      removal.holds === undefined
        ? "the owner's keys are revoked, so that its content cannot be read"
        : `it holds data (such as "${removal.holds}")`;
    return (
      `KEPT with everything in it, because ${why}. Its policy stays in force. It no longer belongs to the stack; a later ` +
      "update adopts it again."
    );
  },
};
