/** What the bucket's settings are worth: pure judgements over plain answers. */
import { type DeployedBucket } from "../../deployment";
import type { LifecycleRule } from "@aws-sdk/client-s3";
import {
  CANARY_PREFIX,
  PUBLIC_ACCESS_BLOCK,
  retentionOf,
  type Acl,
  type ObjectLock,
  type PublicAccessBlock,
  type Quota,
  type Versioning,
} from "../../../s3/s3-bucket";
import { samePolicy } from "../../../s3/policy";
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

/** Whether the policy in force says what the last update put. */
export function judgePolicy(inForce: string, wanted: string): Seen {
  if (samePolicy(inForce, wanted)) return { holds: true, happened: "it says the same" };
  return { holds: false, happened: inForce === "" ? "the bucket has no policy" : "it says something else" };
}

/** A statement without a principal is stored by some services and binds nobody. */
export function judgePrincipals(policy: string): Seen {
  const statements = statementsOf(policy);
  const without = statements.flatMap(({ Sid, Principal }, at) =>
    Principal === undefined ? [Sid ?? `number ${String(at + 1)}`] : [],
  );
  if (statements.length === 0) return { holds: false, happened: "there is no statement at all" };
  return without.length === 0
    ? { holds: true, happened: `all ${String(statements.length)} statements name whom they bind` }
    : { holds: false, happened: `no Principal in statement ${without.join(", ")}` };
}

/**
 * The actions that the policy's text does not deny to the hosts' identities. They are taken to be whom a
 * statement binds that denies DeleteObjectVersion too, for that refusal is probed; how a service spells a
 * principal is nothing that text could tell.
 */
export function notDenied(policy: string, actions: readonly string[]): string[] {
  const binding = statementsOf(policy).filter(
    (statement) => statement.Effect === "Deny" && names(statement, "s3:DeleteObjectVersion"),
  );
  return actions.filter((action) => !binding.some((statement) => names(statement, action)));
}

function names({ Action = [] }: Statement, action: string): boolean {
  return [Action].flat().some((pattern) => {
    const text = pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    return new RegExp(`^${text}$`, "i").test(action);
  });
}

/** Whether old versions are kept at all. */
export function judgeVersioning(versioning: Versioning, wanted: boolean): Seen {
  if (versioning === "Enabled") return { holds: true, happened: "on" };
  return {
    holds: wanted ? false : "open",
    happened: versioning === "unsupported" ? "this service keeps no versions" : "off",
  };
}

/** Whether anything bounds what a client, or whoever takes the proxy, can fill the bucket with. */
export function judgeQuota(quota: Quota): Seen {
  if (typeof quota === "number") return { holds: true, happened: `${String(quota)} bytes` };
  return { holds: "open", happened: quota === "none" ? "there is none" : "the service does not tell of any" };
}

/** What matters of a rule; its `Prefix` is how older services spell the filter. */
type Rule = Omit<LifecycleRule, "Prefix"> & { Prefix?: string };

/** A rule for the canaries alone concerns no backup. */
function concernsData({ Status, Filter, Prefix }: Rule): boolean {
  const prefix = Prefix ?? Filter?.Prefix ?? Filter?.And?.Prefix ?? "";
  return Status === "Enabled" && !prefix.startsWith(CANARY_PREFIX);
}

const ruleName = ({ ID }: Rule): string => `rule "${ID ?? ""}"`;

/** Whether old versions are kept for as long as configured. */
export function judgeOldVersions(rules: readonly Rule[] | "unsupported", days: number): Seen {
  if (rules === "unsupported") return { holds: true, happened: "the service has no rules that remove any" };
  const ends = rules
    .filter(concernsData)
    .flatMap((rule) =>
      rule.NoncurrentVersionExpiration === undefined
        ? []
        : [{ rule, after: rule.NoncurrentVersionExpiration.NoncurrentDays ?? 0 }],
    );
  const early = ends.filter(({ after }) => after < days);
  if (early.length > 0) {
    const said = early.map(({ rule, after }) => `${ruleName(rule)} removes them after ${String(after)} days`);
    return { holds: false, happened: said.join("; ") };
  }
  return {
    holds: true,
    happened:
      ends.length === 0
        ? "no rule removes them: they are kept for ever, and the bucket only grows"
        : `kept for ${String(Math.min(...ends.map(({ after }) => after)))} days`,
  };
}

/** Whether any rule removes backups that nobody has removed. */
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
export function judgeObjectLock(lock: ObjectLock, wanted: NonNullable<DeployedBucket["objectLock"]>): Seen {
  const retention = retentionOf(lock);
  return {
    holds: retention?.mode === wanted.mode && retention.days >= wanted.days,
    happened: retention === undefined ? "new versions are not locked" : lock,
  };
}

/** Whether the bucket disregards public ACLs, as every update sets it, and nothing else that would hinder backups. */
export function judgePublicAccessBlock(block: PublicAccessBlock): Seen {
  if (block === PUBLIC_ACCESS_BLOCK) return { holds: true, happened: "it does" };
  if (block === "unsupported") return { holds: "open", happened: "the service has no PublicAccessBlock" };
  return { holds: false, happened: block === "none" ? "nothing is set" : `what is set is ${block}` };
}

/** Whether the bucket's ACL, which stands beside the policy, lets in anybody but the owner. */
export function judgeAcl(acl: Acl): Seen {
  if (acl === "private") return { holds: true, happened: "the owner alone" };
  if (acl === "unsupported") return { holds: true, happened: "the service has no ACLs" };
  return { holds: false, happened: acl };
}
