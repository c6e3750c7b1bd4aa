import { isDeepStrictEqual } from "node:util";
import { FILES_TYPE } from "../../../hosts/summary";
import { list, Markdown, nothing, say, Sentence } from "../markdown";
import { Inputs, Op, Step } from "../model";
import { isRecord } from "../secrets";

/** The types of resources that the comment explains. */
export const TYPE = {
  backupBucket: "secure-backups:index:BackupBucket",
  bucket: "pulumi-nodejs:dynamic/s3:Bucket",
  client: "secure-backups:index:Client",
  clientKeys: "secure-backups:index:ClientKeys",
  command: "command:remote:Command",
  credential: "openstack:identity/ec2CredentialV3:Ec2CredentialV3",
  files: FILES_TYPE,
  floatingIp: "openstack:networking/floatingIp:FloatingIp",
  host: "secure-backups:index:Host",
  instance: "openstack:compute/instance:Instance",
  keeper: "secure-backups:index:Keeper",
  operator: "secure-backups:index:Operator",
  port: "openstack:networking/port:Port",
  privateKey: "tls:index/privateKey:PrivateKey",
  proxy: "secure-backups:index:Proxy",
  rootKeyLock: "pulumi-nodejs:dynamic/s3:RootKeyLock",
  rule: "openstack:networking/secGroupRule:SecGroupRule",
};
export type ResourceType = keyof typeof TYPE;

/** The steps on resources of one type. */
export function ofType(steps: Step[], type: ResourceType): Step[] {
  return steps.filter((step) => step.type === TYPE[type]);
}

/** An input as a string: it may be unknown or a secret, whatever its type is. */
export function text(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

/** The members of a list as strings; none where it is no list. */
export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(text) : [];
}

/** The members of a list that are objects. */
export function records(value: unknown): Inputs[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** The members of `a` that are not in `b`. */
export function without(a: string[], b: string[]): string[] {
  return a.filter((item) => !b.includes(item));
}

/** Whether an input has another value after the step. */
export function changes({ before, after }: Step, key: string): boolean {
  return !isDeepStrictEqual(before[key], after[key]);
}

/** From the earlier value to the later. */
export function change(before: unknown, after: unknown): Markdown {
  return say`${before} → ${after}`;
}

/** The properties of an update. */
export function properties({ changes }: Step): Markdown {
  return changes.length > 0 ? list(changes) : say`no input`;
}

/** Why a resource is replaced. */
export function because({ reasons }: Step): Markdown {
  return reasons.length > 0 ? say` because of ${list(reasons)}` : nothing;
}

/** The words with the items behind them; nothing where there are no items. */
export function listed(words: Markdown, items: string[]): Markdown {
  return items.length > 0 ? say`${words} ${list(items)}` : nothing;
}

/** The sentence for this operation, where there is one. */
export function* byOp(op: Op, sentences: Partial<Record<Op, Sentence>>): Iterable<Sentence> {
  const sentence = sentences[op];
  if (sentence) yield sentence;
}

/** From one SSH target to another; `none` are the words where there is no target before or after. */
export function targetChange(before: unknown, after: unknown, none: [string, string]): Markdown {
  const hostKey =
    isRecord(before) && isRecord(after) && before.hostKey !== after.hostKey
      ? say`, with another host key`
      : nothing;
  return say`${change(sshTarget(before, none[0]), sshTarget(after, none[1]))}${hostKey}`;
}

/** `user@address:port` of an SSH target; `none` where there is no target. */
export function sshTarget(ssh: unknown, none = ""): string {
  return isRecord(ssh) ? `${text(ssh.user)}@${text(ssh.address)}:${text(ssh.port)}` : text(ssh) || none;
}
