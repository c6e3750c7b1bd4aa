/** Hosts must not change settings: each denied action is tried, or the policy in force is read for it. */
import { DENIED } from "../../../plan/bucket-policy";
import type { Observed } from "../../../s3/observe";
import { TAMPERING } from "../../../s3/tampering";
import type { Finding } from "../probe";
import { notDenied } from "./judgements";
import {
  DATA,
  NO_WRITER,
  open,
  place,
  PROVE,
  refused,
  ring2,
  type BucketProbe,
  type HostIdentity,
} from "./target";

const NOT_READ = "the owner could not read what is in force";

/** @param inForce what is in force; `undefined` where it could not be read, so that it cannot be put again either */
export function tampering(
  target: BucketProbe,
  { role, s3 }: HostIdentity,
  inForce: Observed | undefined,
): Promise<Finding>[] {
  const expected = "refused: only the owner changes settings";
  if (target.open.writer !== undefined) {
    const about = { id: `s3.${role}-settings`, tried: `the ${role} puts settings`, expected };
    return [open({ ...about, remedy: PROVE }, target.open.writer, NO_WRITER)];
  }
  return Object.entries(TAMPERING).flatMap(([action, attempt]) => {
    if (attempt === "untried") return [];
    const { id, deed, harmless } = attempt;
    const canary = { Bucket: target.address.bucket, Key: `${DATA}${role}-${id}` };
    const call = inForce && attempt.call(inForce, canary);
    if (inForce && typeof call !== "function") return [];
    const tried = `the ${role} tries to ${deed}, ${harmless}`;
    return [
      ring2({ id: `s3.${role}-${id}`, tried, expected, remedy: PROVE }, async () => {
        if (typeof call !== "function") throw new Error(NOT_READ);
        await place(target, canary.Key);
        return await refused(target, action, () => call(s3));
      }),
    ];
  });
}

/** Reads the policy for the actions that are not tried, if every form denies them. */
export function policyDenies(target: BucketProbe, inForce: Observed | undefined): Promise<Finding> {
  const canary = { Bucket: target.address.bucket, Key: DATA };
  const actions = (Object.keys(TAMPERING) as (keyof typeof TAMPERING)[]).filter((action) => {
    const attempt = TAMPERING[action];
    if (target.open.writer !== undefined) return attempt === "untried" && DENIED[action] === "destroy";
    return attempt === "untried"
      ? DENIED[action] !== "more"
      : inForce !== undefined && attempt.call(inForce, canary) === undefined;
  });
  const about = {
    id: "s3.policy-text",
    tried: `the owner reads the policy for actions whose success would do damage: ${actions.join(", ")}`,
    expected: "denied by a statement that also denies DeleteObjectVersion, which is tried",
    remedy: PROVE,
  };
  return ring2(about, () => {
    if (inForce === undefined) throw new Error(NOT_READ);
    const missing = notDenied(inForce.policy, actions);
    return Promise.resolve(
      missing.length === 0
        ? { holds: true, happened: "denied" }
        : { holds: false, happened: `no such statement denies ${missing.join(", ")}` },
    );
  });
}
