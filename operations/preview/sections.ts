import { codeSpan, count, list } from "./markdown";
import { digest, equal, isUnknown, Preview, Step } from "./model";
import { diffFiles, readSummary } from "./host-files";

/** What a preview means to a person: lines of Markdown, every value in a code span. */
export interface Meaning {
  /** What is lost or laid open; for the warning on top. */
  dangers: string[];
  clients: string[];
  keys: string[];
  hosts: string[];
  network: string[];
  bucket: string[];
  /** For each host that gets a command, what changes on it. */
  files: { title: string; lines: string[] }[];
}

/** A value, cleaned, as a code span. */
type Code = (value: unknown) => string;

interface Section {
  lines: string[];
  dangers: string[];
}

interface Repository {
  name: string;
  paths: string[];
  excludes: string[];
}

interface ClientState {
  name: string;
  kind: string;
  /** Where a client of kind `existing` is reached; absent for the others. */
  ssh: unknown;
  frozen: boolean;
  repositories: Repository[];
}

const OWN = "secure-backups:index:";
const CLIENT = `${OWN}Client`;
const PROXY = `${OWN}Proxy`;
const OPERATOR = `${OWN}Operator`;
const CLIENT_KEYS = `${OWN}ClientKeys`;
const HOST = `${OWN}Host`;
const PRIVATE_KEY = "tls:index/privateKey:PrivateKey";
const INSTANCE = "openstack:compute/instance:Instance";
const PORT = "openstack:networking/port:Port";
const RULE = "openstack:networking/secGroupRule:SecGroupRule";
const FLOATING_IP = "openstack:networking/floatingIp:FloatingIp";
const CREDENTIAL = "openstack:identity/ec2CredentialV3:Ec2CredentialV3";
const COMMAND = "command:remote:Command";
/** The key from which the passwords of all repositories are derived. */
const ROOT_KEY = "repository-root";

/** Networking resources whose loss cuts hosts off. */
const CARRIERS: Record<string, string> = {
  "openstack:networking/network:Network": "network",
  "openstack:networking/subnet:Subnet": "subnet",
  "openstack:networking/router:Router": "router",
  "openstack:networking/routerInterface:RouterInterface": "router interface",
  "openstack:networking/secGroup:SecGroup": "security group",
};

/** A shorter prefix lets in so much of the internet that it counts as all of it, however it is split. */
const SHORTEST_PREFIX = { v4: 8, v6: 16 };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function texts(value: unknown): string[] {
  return Array.isArray(value)
    ? value.map((item) => (typeof item === "string" ? item : JSON.stringify(item)))
    : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

function because(step: Step, code: Code): string {
  return step.reasons.length > 0 ? ` because of ${list(step.reasons.map(code))}` : "";
}

const without = (a: string[], b: string[]): string[] => a.filter((item) => !b.includes(item));

function clientState(inputs: Record<string, unknown>, name: string): ClientState {
  const repositories = Array.isArray(inputs.repositories) ? inputs.repositories.filter(isRecord) : [];
  return {
    name,
    kind: text(inputs.kind),
    ssh: inputs.ssh,
    frozen: inputs.frozen === true,
    repositories: repositories.map((repository) => ({
      name: text(repository.name),
      paths: texts(repository.paths),
      excludes: texts(repository.excludes),
    })),
  };
}

/** `user@address:port` of an SSH target; `otherwise` where there is none. */
function sshTarget(ssh: unknown, otherwise: string): string {
  return isRecord(ssh) ? `${text(ssh.user)}@${text(ssh.address)}:${text(ssh.port)}` : text(ssh) || otherwise;
}

/** From one SSH target to another, in words where there is none; a pinned host key that changes is told too. */
function targetChange(was: unknown, is: unknown, [old, now]: [string, string], code: Code): string {
  const key =
    isRecord(was) && isRecord(is) && !equal(was.hostKey, is.hostKey) ? ", with another host key" : "";
  return `${code(sshTarget(was, old))} → ${code(sshTarget(is, now))}${key}`;
}

/** The one member of `added` that is `removed` under another name; nothing where that is not certain. */
function renamed<T>(removed: T, gone: T[], added: T[], same: (a: T, b: T) => boolean): T | undefined {
  const heirs = added.filter((candidate) => same(removed, candidate));
  const rivals = gone.filter((candidate) => same(removed, candidate));
  return heirs.length === 1 && rivals.length === 1 ? heirs[0] : undefined;
}

const sameContent = (a: Repository, b: Repository): boolean =>
  equal([a.paths, a.excludes], [b.paths, b.excludes]);

function describe(repository: Repository, code: Code): string {
  const excludes =
    repository.excludes.length > 0 ? `, without ${list(repository.excludes.map((item) => code(item)))}` : "";
  const paths = list(repository.paths.map((item) => code(item)));
  return `${code(repository.name)} (${paths === "" ? "no path" : paths}${excludes})`;
}

function repositoryLines(client: string, before: Repository[], after: Repository[], code: Code): Section {
  const names = (repositories: Repository[]): string[] => repositories.map(({ name }) => name);
  const gone = before.filter(({ name }) => !names(after).includes(name));
  const fresh = after.filter(({ name }) => !names(before).includes(name));
  const heirs = new Set<Repository>();
  const lines: string[] = [];
  const dangers: string[] = [];
  for (const repository of gone) {
    const heir = renamed(repository, gone, fresh, sameContent);
    const address = code(`${client}/${repository.name}`);
    if (heir) {
      heirs.add(heir);
      lines.push(
        `repository ${address} is renamed ${code(heir.name)}: a new, empty repository with a new key; ` +
          "its earlier backups stay under the old name",
      );
    } else {
      lines.push(`repository ${address} is removed`);
      dangers.push(`repository ${address} takes no more backups; those in it stay in the bucket`);
    }
  }
  for (const repository of fresh.filter((item) => !heirs.has(item))) {
    lines.push(`client ${code(client)} gets repository ${describe(repository, code)}`);
  }
  for (const is of after) {
    const was = before.find(({ name }) => name === is.name);
    if (was) {
      const spans = (items: string[]): string => list(items.map((item) => code(item)));
      const say = (verb: string, items: string[]): string[] =>
        items.length > 0 ? [`${verb} ${spans(items)}`] : [];
      const changes = [
        ...say("backs up also", without(is.paths, was.paths)),
        ...say("no longer backs up", without(was.paths, is.paths)),
        ...say("now excludes", without(is.excludes, was.excludes)),
        ...say("no longer excludes", without(was.excludes, is.excludes)),
      ];
      if (changes.length > 0) {
        lines.push(`repository ${code(`${client}/${is.name}`)} ${changes.join("; ")}`);
      }
    }
  }
  return { lines, dangers };
}

function clientLines(steps: Step[], code: Code): Section {
  const clients = steps.filter(({ type }) => type === CLIENT);
  const gone = clients
    .filter(({ op }) => op === "delete")
    .map(({ before, name }) => clientState(before, name));
  const fresh = clients
    .filter(({ op }) => op === "create")
    .map(({ after, name }) => clientState(after, name));
  const same = (a: ClientState, b: ClientState): boolean => equal({ ...a, name: "" }, { ...b, name: "" });
  const heirs = new Set<ClientState>();
  const lines: string[] = [];
  const dangers: string[] = [];
  for (const client of gone) {
    const heir = renamed(client, gone, fresh, same);
    if (heir) {
      heirs.add(heir);
      lines.push(
        `client ${code(client.name)} is renamed ${code(heir.name)}: new keys and new, empty repositories; ` +
          "its earlier backups stay under the old name",
      );
    } else {
      const names = list(client.repositories.map(({ name }) => code(name)));
      lines.push(
        `client ${code(client.name)} (${code(client.kind)}) is removed, with ${names || "no repository"}`,
      );
      dangers.push(`client ${code(client.name)} can no longer back up; its backups stay in the bucket`);
    }
  }
  for (const client of fresh.filter((item) => !heirs.has(item))) {
    const repositories = list(client.repositories.map((item) => describe(item, code)));
    const where = client.ssh === undefined ? "" : ` at ${code(sshTarget(client.ssh, ""))}`;
    lines.push(
      `client ${code(client.name)} (${code(client.kind)}${where}) is added${client.frozen ? ", frozen" : ""}, ` +
        `with ${repositories || "no repository"}`,
    );
  }
  for (const { before, after, name } of clients.filter(({ op }) => op === "update" || op === "replace")) {
    const [was, is] = [clientState(before, name), clientState(after, name)];
    if (was.kind !== is.kind) {
      lines.push(`client ${code(name)} changes its kind from ${code(was.kind)} to ${code(is.kind)}`);
    }
    if (is.kind !== "key-only" && !equal(was.ssh, is.ssh)) {
      dangers.push(
        `client ${code(name)}: its passwords and keys go to another machine: ` +
          targetChange(was.ssh, is.ssh, [was.kind, is.kind], code),
      );
    }
    if (was.frozen !== is.frozen) {
      const fate = is.frozen
        ? "is frozen: its keys stop working, its machine is left alone"
        : "works again: it is no longer frozen";
      lines.push(`client ${code(name)} ${fate}`);
    }
    const repositories = repositoryLines(name, was.repositories, is.repositories, code);
    lines.push(...repositories.lines);
    dangers.push(...repositories.dangers);
  }
  return { lines, dangers };
}

/** Which repositories the proxy opens to their keys: known even where the keys themselves are not made yet. */
function accessLines(steps: Step[], code: Code): string[] {
  return steps
    .filter(({ type, op }) => type === PROXY && (op === "create" || op === "update"))
    .flatMap(({ name, before, after }) => {
      const [was, is] = [texts(before.repositories), texts(after.repositories)];
      const say = (verb: string, repositories: string[]): string[] =>
        repositories.length > 0
          ? [`proxy ${code(after.name ?? name)} ${verb} ${list(repositories.map((item) => code(item)))}`]
          : [];
      return [...say("now admits", without(is, was)), ...say("no longer admits", without(was, is))];
    });
}

function keyLines(steps: Step[], code: Code): Section {
  const keys = steps.filter(({ type }) => type === PRIVATE_KEY);
  const lines: string[] = [];
  const dangers: string[] = [];
  const ofRepositories = keys.filter(({ parentType }) => parentType === CLIENT_KEYS);
  const say = (op: Step["op"], sentence: (names: string, n: number) => string): void => {
    const names = ofRepositories.filter((step) => step.op === op).map(({ name }) => code(name));
    if (names.length > 0) {
      lines.push(sentence(list(names), names.length));
    }
  };
  say(
    "replace",
    (names, n) => `${n === 1 ? "the key" : "the keys"} ${names} ${n === 1 ? "is" : "are"} rotated`,
  );
  say("create", (names, n) => `${n === 1 ? "a new key" : "new keys"}: ${names}`);
  say("delete", (names, n) => `${n === 1 ? "a key" : "keys"} removed: ${names}`);
  for (const { name, op, parentType } of keys) {
    const lost = op === "replace" || op === "delete";
    const verb = op === "replace" ? "replaced" : "deleted";
    if (name === ROOT_KEY && parentType !== CLIENT_KEYS && lost) {
      dangers.push(
        `the root key ${code(name)} is ${verb}: every repository password derived from it changes, and ` +
          "**without a copy of it the backups made until now can no longer be read**",
      );
    } else if (parentType === HOST && op === "replace") {
      dangers.push(`the SSH host key ${code(name)} is replaced: who has the old one pinned refuses the host`);
    } else if (parentType !== HOST && parentType !== CLIENT_KEYS && lost) {
      dangers.push(`the key ${code(name)} is ${verb}`);
    } else if (parentType !== HOST && parentType !== CLIENT_KEYS && op === "create") {
      lines.push(`a new key: ${code(name)}`);
    }
  }
  return { lines: [...accessLines(steps, code), ...lines], dangers };
}

/** Changes of the configuration that reach a host without making it anew. */
function settingLines(steps: Step[], code: Code): string[] {
  const lines: string[] = [];
  for (const { type, name, op, before, after } of steps) {
    const changes = (key: string): boolean => op === "update" && !equal(before[key], after[key]);
    const change = (key: string): string => `${code(before[key])} → ${code(after[key])}`;
    if (type === PROXY && changes("rclone")) {
      lines.push(`rclone on the proxy: ${change("rclone")}`);
    }
    if (type === PROXY && changes("hostName")) {
      lines.push(`clients elsewhere reach the proxy by another name: ${change("hostName")}`);
    }
    if (type === HOST && changes("image")) {
      lines.push(
        `image of ${code(name)}: ${change("image")}, for the next time it is made; a running host keeps its own`,
      );
    }
  }
  return lines;
}

/** What newly runs as root on a host, or stands between us and all hosts. */
function takeoverLines(steps: Step[], code: Code): string[] {
  return steps
    .filter(({ op }) => op === "update" || op === "replace")
    .flatMap(({ type, name, before, after }) => {
      if (type === OPERATOR && !equal(before.jumpHost, after.jumpHost)) {
        const none = "no jump host";
        const change = targetChange(before.jumpHost, after.jumpHost, [none, none], code);
        return [`the hosts are reached by way of another machine: ${change}`];
      }
      if (type === COMMAND && !isUnknown(after.create)) {
        const [was, is] = [readSummary(before.create).title, readSummary(after.create).title];
        return was === is
          ? []
          : [`host ${code(name)} runs another program as root: ${code(was)} → ${code(is)}`];
      }
      return [];
    });
}

function hostLines(steps: Step[], code: Code): Section {
  const lines: string[] = [];
  const dangers: string[] = [];
  const images = new Map(
    steps.filter(({ type }) => type === HOST).map(({ name, after }) => [name, text(after.image)] as const),
  );
  for (const step of steps.filter(({ type }) => type === INSTANCE)) {
    const { op, name, before, after } = step;
    const refused = step.protected
      ? " (it is protected: the update will refuse until it is unprotected)"
      : "";
    if (op === "delete") {
      dangers.push(`host ${code(name)} is **destroyed with its disk**${refused}`);
    } else if (op === "replace") {
      dangers.push(`host ${code(name)} is **destroyed and made anew**${because(step, code)}${refused}`);
    } else if (op === "create") {
      const image = images.get(name);
      lines.push(
        `host ${code(name)} is created: flavor ${code(after.flavorName)}${image ? `, image ${code(image)}` : ""}`,
      );
    } else if (op === "update") {
      const flavor =
        before.flavorName === after.flavorName
          ? ""
          : `: flavor ${code(before.flavorName)} → ${code(after.flavorName)}, which restarts it`;
      lines.push(
        `host ${code(name)} is changed in place (${list(step.changes.map(code)) || "no input"})${flavor}`,
      );
    }
  }
  lines.push(...settingLines(steps, code));
  dangers.push(...takeoverLines(steps, code));
  for (const { op, name } of steps.filter(({ type }) => type === FLOATING_IP)) {
    if (op === "create") {
      lines.push(`${code(name)} gets a floating IP`);
    } else if (op === "delete" || op === "replace") {
      const fate = op === "delete" ? "loses its floating IP" : "gets another floating IP";
      dangers.push(`${code(name)} ${fate}: who reaches it by the old address no longer does`);
    }
  }
  return { lines, dangers };
}

function ruleText(inputs: Record<string, unknown>, name: string, code: Code): string {
  const ports = [
    ...new Set([inputs.portRangeMin, inputs.portRangeMax].filter((port) => port !== undefined).map(text)),
  ];
  const flow = [text(inputs.protocol) || "any protocol", ports.join("-") || "any port"].join(" ");
  const peer = text(inputs.remoteIpPrefix);
  const where = inputs.direction === "egress" ? "to" : "from";
  const far =
    peer !== "" ? code(peer) : inputs.remoteGroupId === undefined ? "anywhere" : "another security group";
  return `${code(flow)} ${where} ${far} (${text(inputs.direction) === "egress" ? "egress" : "ingress"} rule ${code(name)})`;
}

/** Whether a rule lets the whole internet in, or nearly so. */
function opensToAll({ after }: Step): boolean {
  const [address = "", length] = text(after.remoteIpPrefix).split("/");
  const shortest = address.includes(":") ? SHORTEST_PREFIX.v6 : SHORTEST_PREFIX.v4;
  const wide = length !== undefined && !(Number(length) >= shortest);
  const limited = after.remoteIpPrefix !== undefined || after.remoteGroupId !== undefined;
  return after.direction === "ingress" && (!limited || wide);
}

/** The security groups that a host's port joins and leaves. */
function portLines(steps: Step[], code: Code): Section {
  const lines: string[] = [];
  const dangers: string[] = [];
  for (const { type, op, name, before, after } of steps) {
    if (type !== PORT || (op !== "update" && op !== "replace")) {
      continue;
    }
    const [was, is] = [before, after].map(({ securityGroupIds: ids }) =>
      isUnknown(ids) ? [text(ids)] : texts(ids),
    ) as [string[], string[]];
    const [joined, left] = [without(is, was), without(was, is)];
    const spans = (items: string[]): string => list(items.map((item) => code(item)));
    if (joined.length > 0) {
      dangers.push(
        `the port of ${code(name)} joins security groups ${spans(joined)}: what they let through, it lets through`,
      );
    }
    if (left.length > 0) {
      lines.push(`the port of ${code(name)} leaves security groups ${spans(left)}`);
    }
  }
  return { lines, dangers };
}

function networkLines(steps: Step[], code: Code): Section {
  const lines: string[] = [];
  const dangers: string[] = [];
  for (const step of steps.filter(({ type }) => type === RULE)) {
    const { op, before, after, name } = step;
    const opens = op === "create" || op === "replace" || op === "update";
    if (op === "delete" || op === "replace" || op === "update") {
      lines.push(`closed: ${ruleText(before, name, code)}`);
    }
    if (opens) {
      lines.push(`opened: ${ruleText(after, name, code)}`);
    }
    if (opens && opensToAll(step)) {
      dangers.push(`the whole internet is let in: ${ruleText(after, name, code)}`);
    }
  }
  const ports = portLines(steps, code);
  lines.push(...ports.lines);
  dangers.push(...ports.dangers);
  for (const step of steps) {
    const kind = CARRIERS[step.type];
    if (kind === undefined) {
      continue;
    }
    if (step.op === "delete" || step.op === "replace") {
      const verb = step.op === "delete" ? "deleted" : "replaced";
      dangers.push(
        `${kind} ${code(step.name)} is ${verb}${because(step, code)}: what depends on it is cut off`,
      );
    } else if (step.op === "create") {
      lines.push(`${kind} ${code(step.name)} is created`);
    } else if (step.op === "update") {
      lines.push(`${kind} ${code(step.name)} is changed (${list(step.changes.map(code)) || "no input"})`);
    }
  }
  return { lines, dangers };
}

function isBucket({ type, before, after }: Step): boolean {
  return (
    type !== COMMAND &&
    [before, after].some(
      (inputs) => "bucket" in inputs && ["versioned", "versioning", "policies"].some((key) => key in inputs),
    )
  );
}

interface Statement {
  name: string;
  effect: string;
  body: unknown;
}

function statements(policy: unknown): Statement[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text(policy));
    const list = isRecord(parsed)
      ? Array.isArray(parsed.Statement)
        ? parsed.Statement
        : [parsed.Statement]
      : [];
    return list.filter(isRecord).map((body, index) => ({
      name: typeof body.Sid === "string" ? body.Sid : `statement ${index + 1}`,
      effect: text(body.Effect),
      body,
    }));
  } catch {
    return undefined;
  }
}

function policyLines(before: unknown, after: unknown, code: Code): Section {
  const [old, now] = [statements(before), statements(after)];
  if (isUnknown(after) || !old || !now) {
    const change = isUnknown(after)
      ? "is known only once the update runs"
      : `changes from ${code(digest(text(before)))} to ${code(digest(text(after)))}`;
    return { lines: [], dangers: [`the bucket's policy ${change}`] };
  }
  const lines: string[] = [];
  const dangers: string[] = [];
  const say = ({ effect, name }: Statement): string => `${code(effect)} statement ${code(name)}`;
  for (const was of old) {
    const is = now.find(({ name }) => name === was.name);
    if (!is) {
      (was.effect === "Deny" ? dangers : lines).push(`the bucket's policy loses ${say(was)}`);
    } else if (!equal(was.body, is.body)) {
      dangers.push(`the bucket's policy changes in ${say(was)}`);
    }
  }
  for (const is of now.filter(({ name }) => !old.some((was) => was.name === name))) {
    (is.effect === "Deny" ? lines : dangers).push(`the bucket's policy gains ${say(is)}`);
  }
  if (lines.length + dangers.length === 0) {
    lines.push("the text of the bucket's policy changes, its statements do not");
  }
  return { lines, dangers };
}

/** The update puts the first form of the policy that the service is seen to enforce: each may come into force. */
function policyFormLines(before: unknown, after: unknown, code: Code): Section {
  const forms = (policies: unknown): Map<string, unknown> =>
    new Map(
      (Array.isArray(policies) ? policies : [])
        .filter(isRecord)
        .map((form) => [text(form.name), form.policy]),
    );
  const [old, now] = [forms(before), forms(after)];
  const all: Section = { lines: [], dangers: [] };
  if (isUnknown(after)) return policyLines(before, after, code);
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    if (!now.has(name)) {
      all.lines.push(`the bucket's policy has no more the form ${code(name)}`);
    } else if (!old.has(name)) {
      all.dangers.push(`the bucket's policy may take another form: ${code(name)}`);
    } else if (!equal(old.get(name), now.get(name))) {
      const { lines, dangers } = policyLines(old.get(name), now.get(name), code);
      all.lines.push(...lines);
      all.dangers.push(...dangers);
    }
  }
  return all;
}

/** How long the service keeps what was overwritten or removed, and the lock that keeps it from being destroyed. */
function retentionLines(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  name: string,
  code: Code,
): Section {
  const lines: string[] = [];
  const dangers: string[] = [];
  const [was, is] = [Number(before.noncurrentVersionDays), Number(after.noncurrentVersionDays)];
  if (was !== is && !Number.isNaN(was + is)) {
    const change = `old versions in bucket ${name} are kept for ${code(was)} → ${code(is)} days`;
    (is > was ? lines : dangers).push(change);
  }
  const lock = (value: unknown) =>
    isRecord(value) ? `${text(value.mode)} ${text(value.days)} days` : "none";
  if (!equal(before.retention, after.retention)) {
    const change = `object lock of bucket ${name}: ${code(lock(before.retention))} → ${code(lock(after.retention))}`;
    const [old, now] = [before.retention, after.retention];
    const stronger =
      isRecord(now) &&
      (!isRecord(old) ||
        (Number(now.days) >= Number(old.days) && (now.mode === old.mode || now.mode === "COMPLIANCE")));
    (stronger ? lines : dangers).push(change);
  }
  return { lines, dangers };
}

function bucketLines(steps: Step[], code: Code): Section {
  const lines: string[] = [];
  const dangers: string[] = [];
  // The bucket says `versioned`, as its output `versioning` is what the service made of it; its component `versioning`.
  const versioned = (inputs: Record<string, unknown>): unknown => inputs.versioned ?? inputs.versioning;
  const versioning = (inputs: Record<string, unknown>): string => {
    const value = versioned(inputs);
    return value === true ? "on" : value === false ? "off" : code(value);
  };
  for (const { op, before, after } of steps.filter(isBucket)) {
    const name = code(after.bucket ?? before.bucket);
    if (op === "create") {
      lines.push(`bucket ${name} is made, or looked after from now on: versioning ${versioning(after)}`);
    } else if (op === "delete" || op === "replace") {
      dangers.push(`bucket ${name} is ${op === "delete" ? "no longer looked after" : "replaced"}`);
    } else if (op === "update") {
      if (!equal(versioned(before), versioned(after))) {
        const change = `versioning of bucket ${name}: ${versioning(before)} → ${versioning(after)}`;
        (versioned(after) === true ? lines : dangers).push(change);
      }
      for (const section of [
        policyFormLines(before.policies, after.policies, code),
        retentionLines(before, after, name, code),
      ]) {
        lines.push(...section.lines);
        dangers.push(...section.dangers);
      }
      for (const key of ["bucket", "endpoint", "region"]) {
        if (!equal(before[key], after[key])) {
          dangers.push(`the ${key} of bucket ${name} changes: ${code(before[key])} → ${code(after[key])}`);
        }
      }
    }
  }
  for (const { before, after } of steps.filter(({ after }) => typeof after.givenUp === "boolean")) {
    const name = code(after.bucket);
    if (after.givenUp === true && before.givenUp !== true) {
      dangers.push(
        `the backups in ${name} are given up: a destroy takes the root key, and nobody can read them then`,
      );
    } else if (after.givenUp === false && before.givenUp === true) {
      lines.push(`the backups in ${name} are no longer given up: a destroy stops before the root key`);
    }
  }
  for (const step of steps.filter(({ type }) => type === CREDENTIAL)) {
    const verb = {
      create: "made",
      delete: "withdrawn",
      replace: "replaced",
      update: "changed",
      other: "read",
    }[step.op];
    lines.push(`S3 credentials ${code(step.name)} are ${verb}${because(step, code)}`);
  }
  return { lines: [...new Set(lines)], dangers: [...new Set(dangers)] };
}

function commandLines(step: Step, code: Code): string[] {
  const { before, after } = step;
  if (step.op !== "delete" && isUnknown(after.create)) {
    return ["which program and files change is known only when the keys they depend on are made"];
  }
  const [was, is] = [readSummary(before.create), readSummary(after.create)];
  const lines = diffFiles(was, is).map((file) => {
    const { kind, path, access, content, gained, lost, kept } = file;
    const what = kind === "changed" && !content ? "keeps its content" : kind;
    const say = (words: string, items: string[]): string[] =>
      items.length > 0 ? [`${words} ${list(items.map((item) => code(item)))}`] : [];
    const whom = [
      ...say(kind === "added" ? "with" : "gains", gained),
      ...say(kind === "removed" ? "with" : "loses", lost),
      ...(gained.length + lost.length === 0 ? say("with", kept) : []),
    ];
    return [`${code(path)} ${what} (${code(access)})`, ...whom].join("; ");
  });
  if (was.title !== is.title) {
    lines.unshift(was.title === "" ? code(is.title) : `${code(was.title)} → ${code(is.title)}`);
  }
  if (lines.length > 0) {
    return lines;
  }
  const rerun = step.op === "replace" ? "the same files are installed anew" : "no file changes";
  return [was.script === is.script ? rerun : "the steps of the installation change, no file does"];
}

function fileSections(steps: Step[], code: Code): Meaning["files"] {
  const titles: Partial<Record<Step["op"], string>> = {
    create: "is set up by a first command",
    update: "gets a command",
    replace: "is set up anew by a command",
  };
  return steps
    .filter(({ type }) => type === COMMAND)
    .flatMap((step) => {
      const title = titles[step.op];
      return title === undefined
        ? []
        : [{ title: `${code(step.name)} ${title}`, lines: commandLines(step, code) }];
    });
}

/** Says in plain language what a preview would do. */
export function explain({ steps, clean }: Preview): Meaning {
  const code: Code = (value) => codeSpan(clean(text(value)));
  const [clients, keys, hosts, network, bucket] = [
    clientLines,
    keyLines,
    hostLines,
    networkLines,
    bucketLines,
  ].map((section) => section(steps, code)) as [Section, Section, Section, Section, Section];
  return {
    dangers: [...hosts.dangers, ...bucket.dangers, ...keys.dangers, ...network.dangers, ...clients.dangers],
    clients: clients.lines,
    keys: keys.lines,
    hosts: hosts.lines,
    network: network.lines,
    bucket: bucket.lines,
    files: fileSections(steps, code),
  };
}

/** A table row for each step: what happens to which resource, and which of its properties change (never their values). */
export function stepRows({ steps, clean }: Preview): string[] {
  const cell = (value: string): string => codeSpan(clean(value)).replaceAll("|", "\\|");
  return steps.map((step) => {
    const type = step.type.replace(/:([^:/]+)\/[^:]+:/, ":$1:");
    const changes = step.changes.length > 0 ? list(step.changes.map(cell)) : "";
    const forced = step.reasons.length > 0 ? `; forced by ${list(step.reasons.map(cell))}` : "";
    return `| ${cell(step.engineOp)} | ${cell(type)} | ${cell(step.name)} | ${changes}${forced} |`;
  });
}

/** `3 to create, 1 to delete; 31 unchanged`. */
export function tally({ steps, unchanged }: Preview): string {
  const ops: [Step["op"], string][] = [
    ["delete", "to delete"],
    ["replace", "to replace"],
    ["update", "to update"],
    ["create", "to create"],
    ["other", "other"],
  ];
  const parts = ops.flatMap(([op, words]) => {
    const n = steps.filter((step) => step.op === op).length;
    return n > 0 ? [`${n} ${words}`] : [];
  });
  return parts.length > 0
    ? `${count(steps.length, "resource")}: ${parts.join(", ")}; ${unchanged} unchanged.`
    : `No changes: ${count(unchanged, "resource")} unchanged.`;
}
