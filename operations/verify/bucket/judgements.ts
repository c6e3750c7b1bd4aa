/** Whether the bucket's settings protect the backups: pure judgements over what the service reports. */
import { type DeployedBucket } from "../../deployment";
import type { LifecycleRule } from "@aws-sdk/client-s3";
import type { Observed } from "../../../s3/observe";
import { CANARY_PREFIX } from "../../../s3/proof";
import { aclInWords } from "../../../s3/settings/acl";
import { lockInWords, retentionOf } from "../../../s3/settings/object-lock";
import { samePolicy } from "../../../s3/settings/policy";
import { blockInWords, WANTED_BLOCK } from "../../../s3/settings/public-access-block";
import type { Seen } from "../probe";

interface Statement {
  Sid?: string;
  Effect?: string;
  Principal?: unknown;
  Action?: string | string[];
}

function statementsOf(policy: string): Statement[] {
  if (policy === "") return [];
  const { Statement } = JSON.parse(policy) as { Statement?: Statement | Statement[] };
  return Statement === undefined ? [] : [Statement].flat();
}

/** Whether the policy in force means the same as the one that the last update put. */
export function judgePolicy(inForce: string, wanted: string): Seen {
  if (samePolicy(inForce, wanted)) return { holds: true, happened: "the same policy" };
  return { holds: false, happened: inForce === "" ? "the bucket has no policy" : "another policy" };
}

/** Some services store a statement without a principal, which then binds nobody. */
export function judgePrincipals(policy: string): Seen {
  const statements = statementsOf(policy);
  const without = statements.flatMap(({ Sid, Principal }, at) =>
    Principal === undefined ? [Sid ?? `number ${String(at + 1)}`] : [],
  );
  if (statements.length === 0) return { holds: false, happened: "the policy has no statement" };
  return without.length === 0
    ? { holds: true, happened: `all ${String(statements.length)} statements have a Principal` }
    : { holds: false, happened: `no Principal in statement ${without.join(", ")}` };
}

/**
 * The actions that the policy does not deny to the hosts' identities. A statement counts as binding them if it denies
 * DeleteObjectVersion too, whose refusal is tried: how the service spells a principal cannot be read from the policy.
 */
export function notDenied(policy: string, actions: readonly string[]): string[] {
  const binding = statementsOf(policy).filter(
    (statement) => statement.Effect === "Deny" && names(statement, "s3:DeleteObjectVersion"),
  );
  return actions.filter((action) => !binding.some((statement) => names(statement, action)));
}

function names({ Action = [] }: Statement, action: string): boolean {
  return [Action].flat().some((pattern) => {
    const expression = pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    return new RegExp(`^${expression}$`, "i").test(action);
  });
}

/** Whether old versions are kept. */
export function judgeVersioning(versioning: Observed["versioning"], wanted: boolean): Seen {
  if (versioning === "Enabled") return { holds: true, happened: "on" };
  return {
    holds: wanted ? false : "open",
    happened: versioning === "unsupported" ? "this service keeps no versions" : "off",
  };
}

/** Whether a quota limits how much an attacker on a client or the proxy can add. */
export function judgeQuota(quota: Observed["quota"]): Seen {
  if (typeof quota === "number") return { holds: true, happened: `${String(quota)} bytes` };
  return { holds: "open", happened: quota === "none" ? "there is none" : "the service does not report any" };
}

/** A rule; older services have `Prefix` in place of the filter. */
type Rule = Omit<LifecycleRule, "Prefix"> & { Prefix?: string };

/** Whether it is in force for more than canaries. */
function concernsData({ Status, Filter, Prefix }: Rule): boolean {
  const prefix = Prefix ?? Filter?.Prefix ?? Filter?.And?.Prefix ?? "";
  return Status === "Enabled" && !prefix.startsWith(CANARY_PREFIX);
}

const ruleName = ({ ID }: Rule): string => `rule "${ID ?? ""}"`;

/** Whether old versions are kept as long as configured. */
export function judgeOldVersions(rules: readonly Rule[] | "unsupported", days: number): Seen {
  if (rules === "unsupported") return { holds: true, happened: "the service has no rules that remove any" };
  const removing = rules
    .filter(concernsData)
    .flatMap((rule) =>
      rule.NoncurrentVersionExpiration === undefined
        ? []
        : [{ rule, after: rule.NoncurrentVersionExpiration.NoncurrentDays ?? 0 }],
    );
  const early = removing.filter(({ after }) => after < days);
  if (early.length > 0) {
    const said = early.map(({ rule, after }) => `${ruleName(rule)} removes them after ${String(after)} days`);
    return { holds: false, happened: said.join("; ") };
  }
  return {
    holds: true,
    happened:
      removing.length === 0
        ? "no rule removes them: they are kept forever, and the bucket only grows"
        : `kept for ${String(Math.min(...removing.map(({ after }) => after)))} days`,
  };
}

/** Whether no rule removes current objects. */
export function judgeExpiry(rules: readonly Rule[] | "unsupported"): Seen {
  if (rules === "unsupported") return { holds: true, happened: "the service has no such rules" };
  const expiring = rules
    .filter(concernsData)
    .filter(({ Expiration }) => Expiration?.Days !== undefined || Expiration?.Date !== undefined);
  return expiring.length === 0
    ? { holds: true, happened: "no rule does" }
    : { holds: false, happened: `${expiring.map(ruleName).join(", ")} does` };
}

/** Whether new versions are locked as configured, or for longer. */
export function judgeObjectLock(
  lock: Observed["objectLock"],
  wanted: NonNullable<DeployedBucket["objectLock"]>,
): Seen {
  const retention = retentionOf(lock);
  return {
    holds: retention?.mode === wanted.mode && retention.days >= wanted.days,
    happened: retention === undefined ? "new versions are not locked" : lockInWords(lock),
  };
}

/** Whether the bucket ignores public ACLs, as every update sets it, and nothing else that would block backups. */
export function judgePublicAccessBlock(block: Observed["publicAccessBlock"]): Seen {
  if (block === "unsupported") return { holds: "open", happened: "the service has no PublicAccessBlock" };
  const [words, wanted] = [block, WANTED_BLOCK].map(blockInWords);
  return { holds: words === wanted, happened: `it has ${String(words)}` };
}

/** Whether the bucket's ACL, which grants access besides the policy, grants it to the owner only. */
export function judgeAcl(acl: Observed["acl"]): Seen {
  if (acl === "unsupported") return { holds: true, happened: "the service has no ACLs" };
  const words = aclInWords(acl);
  return { holds: words === "private", happened: words };
}
