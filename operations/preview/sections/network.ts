import { danger, list, Markdown, say, note, Sentence } from "../markdown";
import { Inputs, Step } from "../model";
import { isUnknown } from "../secrets";
import { because, byOp, ofType, properties, text, texts, without } from "./inputs";

/** Resources without which hosts cannot be reached. */
const CARRIERS: Record<string, Markdown> = {
  "openstack:networking/network:Network": say`network`,
  "openstack:networking/subnet:Subnet": say`subnet`,
  "openstack:networking/router:Router": say`router`,
  "openstack:networking/routerInterface:RouterInterface": say`router interface`,
  "openstack:networking/secGroup:SecGroup": say`security group`,
};

/** A shorter prefix covers so much of the internet that it counts as all of it, however it is split. */
const SHORTEST_PREFIX = { v4: 8, v6: 16 };

function ruleText(inputs: Inputs, name: string): Markdown {
  const ports = [inputs.portRangeMin, inputs.portRangeMax].filter((port) => port !== undefined).map(text);
  const flow = `${text(inputs.protocol) || "any protocol"} ${[...new Set(ports)].join("-") || "any port"}`;
  const group = inputs.remoteGroupId === undefined ? say`anywhere` : say`another security group`;
  const peer = text(inputs.remoteIpPrefix) === "" ? group : say`${inputs.remoteIpPrefix}`;
  return inputs.direction === "egress"
    ? say`${flow} to ${peer} (egress rule ${name})`
    : say`${flow} from ${peer} (ingress rule ${name})`;
}

/** Whether a rule admits the whole internet, or nearly all of it. */
function admitsAll({ direction, remoteIpPrefix, remoteGroupId }: Inputs): boolean {
  const [address = "", length] = text(remoteIpPrefix).split("/");
  const shortest = address.includes(":") ? SHORTEST_PREFIX.v6 : SHORTEST_PREFIX.v4;
  const wide = length !== undefined && !(Number(length) >= shortest);
  const limited = address !== "" || remoteGroupId !== undefined;
  return direction === "ingress" && (!limited || wide);
}

function* rule({ op, name, before, after }: Step): Iterable<Sentence> {
  const [was, is] = [ruleText(before, name), ruleText(after, name)];
  if (op === "delete" || op === "replace" || op === "update") yield note`closed: ${was}`;
  if (op === "create" || op === "replace" || op === "update") {
    yield note`opened: ${is}`;
    if (admitsAll(after)) yield danger`open to the whole internet: ${is}`;
  }
}

/** The security groups that a host's port joins and leaves. */
function* port({ name, before, after }: Step): Iterable<Sentence> {
  const groups = ({ securityGroupIds: ids }: Inputs): string[] => (isUnknown(ids) ? [text(ids)] : texts(ids));
  const [was, is] = [groups(before), groups(after)];
  const [joined, left] = [without(is, was), without(was, is)];
  if (joined.length > 0) {
    yield danger`the port of ${name} joins security groups ${list(joined)}: their rules apply to it`;
  }
  if (left.length > 0) {
    yield note`the port of ${name} leaves security groups ${list(left)}`;
  }
}

function carrier(step: Step, kind: Markdown): Iterable<Sentence> {
  const { op, name } = step;
  const end = say`${because(step)}: hosts that depend on it are cut off`;
  return byOp(op, {
    create: note`${kind} ${name} is created`,
    update: note`${kind} ${name} is changed (${properties(step)})`,
    replace: danger`${kind} ${name} is replaced${end}`,
    delete: danger`${kind} ${name} is deleted${end}`,
  });
}

/** Which flows are opened and closed, and which parts of the network change. */
export function* network(steps: Step[]): Iterable<Sentence> {
  for (const step of ofType(steps, "rule")) {
    yield* rule(step);
  }
  for (const step of ofType(steps, "port").filter(({ op }) => op === "update" || op === "replace")) {
    yield* port(step);
  }
  for (const step of steps) {
    const kind = CARRIERS[step.type];
    if (kind) yield* carrier(step, kind);
  }
}
