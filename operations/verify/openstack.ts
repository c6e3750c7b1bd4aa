/**
 * Ring 1 as the cloud has it: security groups, ports and instances as OpenStack shows them, and connections tried
 * from the hosts themselves.
 */
import { type HostAccess, type MadeHost, type Deployment } from "../deployment";
import * as dns from "node:dns/promises";
import { isIP } from "node:net";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";
import { type Group, urlPort } from "../../plan";
import { SshHost } from "../transport/ssh";
import { withTemporaryFolder } from "../transport/temporary-folder";
import {
  connectionsToTry,
  differences,
  fromNeutron,
  targetText,
  wantedRules,
  type GroupRule,
  type NeutronRule,
  type Target,
} from "./openstack-rules";
import { openStackSession, type OpenStackSession } from "./openstack-session";
import { probe, REFRESH, type Finding, type ProbeAbout, type Seen } from "./probe";
import { secretsIn, stackSecrets } from "./secrets";

/** How long a host waits for something to come of what is closed, and of what is open, in seconds. */
const CLOSED_SECONDS = 5;
const OPEN_SECONDS = 20;
/** How long its session may take, in seconds. */
const SESSION_SECONDS = 140;
/** How many pages of a list are read at most. */
const MOST_PAGES = 100;

const ring1 = (about: Omit<ProbeAbout, "ring">, attempt: () => Promise<Seen>): Promise<Finding> =>
  probe({ ring: 1, ...about }, attempt);

/** What Neutron says of a port, as far as it matters. */
export interface NeutronPort {
  id: string;
  security_groups: string[];
  /** Absent where the cloud cannot switch it off. */
  port_security_enabled?: boolean;
  allowed_address_pairs?: { ip_address: string }[];
  fixed_ips: { ip_address: string }[];
  /** Empty: nothing uses it. */
  device_id: string;
}

/**
 * Probes the network of the stack's own hosts.
 *
 * @param session how OpenStack is asked; default: as the operator's environment says
 */
export async function probeNetwork(
  deployment: Deployment,
  session: Promise<OpenStackSession> = openStackSession(),
): Promise<Finding[]> {
  const { network } = deployment;
  const cloud = new Cloud(session);
  return withTemporaryFolder((folder) =>
    Promise.all([
      ...(Object.keys(network.groups) as Group[]).flatMap((group) => [
        groupRules(cloud, deployment, group),
        groupMembers(cloud, deployment, group),
      ]),
      ...network.hosts.flatMap((host) => [
        portAsMade(cloud, host),
        noOtherPort(cloud, host),
        noSecretInTheCloud(cloud, deployment, host),
        closed(cloud, deployment, host, folder),
      ]),
    ]),
  );
}

/** What OpenStack is asked, once each. */
class Cloud {
  private readonly answers = new Map<string, Promise<unknown>>();

  constructor(private readonly session: Promise<OpenStackSession>) {
    // Whoever asks hears of it.
    session.catch(() => undefined);
  }

  async rules(groupId: string): Promise<GroupRule[]> {
    const { security_group } = (await this.neutron(`/security-groups/${groupId}`)) as {
      security_group: { security_group_rules: NeutronRule[] };
    };
    return security_group.security_group_rules.map(fromNeutron);
  }

  async ports(instanceId: string): Promise<NeutronPort[]> {
    return ((await this.neutron(`/ports?device_id=${instanceId}`)) as { ports: NeutronPort[] }).ports;
  }

  /** The ports in a security group, of all that this user may see. */
  async members(groupId: string): Promise<NeutronPort[]> {
    const ports: NeutronPort[] = [];
    for (let page = 0; page < MOST_PAGES; page++) {
      const marker = ports.at(-1)?.id;
      const path = `/ports?security_groups=${groupId}${marker === undefined ? "" : `&marker=${marker}`}`;
      const answer = (await this.neutron(path)) as {
        ports: NeutronPort[];
        ports_links?: { rel: string }[];
      };
      ports.push(...answer.ports);
      if (answer.ports.length === 0 || !answer.ports_links?.some(({ rel }) => rel === "next")) {
        // A Neutron without this filter answers with all ports.
        return ports.filter(({ security_groups }) => security_groups.includes(groupId));
      }
    }
    throw new Error(`OpenStack shows more than ${String(MOST_PAGES)} pages of ports`);
  }

  /** The instance, with its user data where the cloud shows them to this user. */
  async server(instanceId: string): Promise<Record<string, unknown>> {
    const headers = { "x-openstack-nova-api-version": "2.3" };
    const answer = (await this.ask("compute", `/servers/${instanceId}`, headers)) as {
      server: Record<string, unknown>;
    };
    return answer.server;
  }

  /** The address at which tokens are got. */
  async identity(): Promise<URL> {
    return new URL((await this.session).endpoint("identity"));
  }

  private async neutron(path: string): Promise<unknown> {
    const versioned = (await this.session).endpoint("network").endsWith("/v2.0");
    return await this.ask("network", `${versioned ? "" : "/v2.0"}${path}`);
  }

  private ask(type: string, path: string, headers?: Record<string, string>): Promise<unknown> {
    const key = `${type} ${path}`;
    const answer = this.answers.get(key) ?? this.session.then((session) => session.get(type, path, headers));
    this.answers.set(key, answer);
    return answer;
  }
}

function groupRules(cloud: Cloud, { network }: Deployment, group: Group): Promise<Finding> {
  return ring1(
    {
      id: `net.rules-${group}`,
      tried: `the security group of ${group === "proxy" ? "the proxy" : "the app servers"} is read from OpenStack`,
      expected: "the rules of the configuration, and no other",
      remedy: REFRESH,
    },
    async () => {
      const wanted = wantedRules(network.rules, group, network.groups);
      const { extra, missing } = differences(wanted, await cloud.rules(network.groups[group]));
      return {
        holds: extra.length + missing.length === 0,
        happened:
          [
            ...(extra.length > 0 ? [`more than wanted: ${extra.join(", ")}`] : []),
            ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
          ].join("; ") || `these ${String(wanted.length)}`,
      };
    },
  );
}

/**
 * Whether a group's ports are those of the stack's hosts in it.
 * @throws Error where the answer lacks one of theirs, and so may lack others
 */
export function judgeMembers(
  ports: readonly NeutronPort[],
  groupId: string,
  hosts: readonly MadeHost[],
): Seen {
  const members = hosts.filter(({ securityGroupIds }) => securityGroupIds.includes(groupId));
  const strangers = ports.filter(({ id }) => !members.some(({ portId }) => portId === id));
  if (strangers.length > 0) {
    const words = strangers.map(({ id, device_id, fixed_ips }) => {
      const addresses = fixed_ips.map(({ ip_address }) => ip_address).join(", ");
      return `port ${id} (${addresses}) of ${device_id === "" ? "no instance" : `the instance ${device_id}`}`;
    });
    return { holds: false, happened: `more than the stack's: ${words.join("; ")}` };
  }
  const missing = members.filter(({ portId }) => !ports.some(({ id }) => id === portId));
  if (missing.length > 0) {
    throw new Error(`the answer lacks the port of ${missing.map(({ name }) => name).join(", ")}`);
  }
  return { holds: true, happened: `${String(members.length)}, as made` };
}

function groupMembers(cloud: Cloud, { network }: Deployment, group: Group): Promise<Finding> {
  const groupId = network.groups[group];
  return ring1(
    {
      id: `net.members-${group}`,
      tried: `all ports in the security group of ${group === "proxy" ? "the proxy" : "the app servers"} are read from OpenStack`,
      expected: "those of the stack's own hosts: the rules let every member through",
      remedy: `openstack port unset --security-group ${groupId} PORT, and find out who put it there`,
    },
    async () => judgeMembers(await cloud.members(groupId), groupId, network.hosts),
  );
}

/** Whether a port is as the stack made it. */
export function judgePort(port: NeutronPort | undefined, { securityGroupIds }: MadeHost): Seen {
  if (port === undefined) return { holds: false, happened: "the instance does not have this port" };
  const wrong = [
    ...port.security_groups
      .filter((id) => !securityGroupIds.includes(id))
      .map((id) => `it is in the group ${id}, too`),
    ...securityGroupIds
      .filter((id) => !port.security_groups.includes(id))
      .map((id) => `it is not in the group ${id}`),
    ...(port.port_security_enabled === false ? ["port security is off, so no rule is in force"] : []),
    ...(port.allowed_address_pairs ?? []).map(({ ip_address }) => `it may send as ${ip_address}`),
  ];
  return { holds: wrong.length === 0, happened: wrong.join("; ") || "as made" };
}

function portAsMade(cloud: Cloud, host: MadeHost): Promise<Finding> {
  return ring1(
    {
      id: `net.port.${host.name}`,
      tried: `the port of ${host.name} is read from OpenStack`,
      expected: "its own security groups and no other, port security on, no further address allowed",
      remedy: REFRESH,
    },
    async () => {
      const ports = await cloud.ports(host.instanceId);
      return judgePort(
        ports.find(({ id }) => id === host.portId),
        host,
      );
    },
  );
}

function noOtherPort(cloud: Cloud, host: MadeHost): Promise<Finding> {
  return ring1(
    {
      id: `net.ports.${host.name}`,
      tried: `all ports of ${host.name} are read from OpenStack`,
      expected: "the one that the stack made: another is another way in and out",
      remedy: "detach the other port: openstack server remove port",
    },
    async () => {
      const others = (await cloud.ports(host.instanceId)).filter(({ id }) => id !== host.portId);
      return {
        holds: others.length === 0,
        happened: others.map(({ id }) => `there is ${id}`).join(", ") || "that one",
      };
    },
  );
}

/** All text that an instance's own API answer holds, with its user data in plain. */
export function textOfServer(server: Record<string, unknown>): string {
  const userData = server["OS-EXT-SRV-ATTR:user_data"];
  if (typeof userData !== "string") return JSON.stringify(server);
  const bytes = Buffer.from(userData, "base64");
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  return `${JSON.stringify(server)}\n${plain.toString("utf8")}`;
}

function noSecretInTheCloud(cloud: Cloud, deployment: Deployment, host: MadeHost): Promise<Finding> {
  return ring1(
    {
      id: `net.instance.${host.name}`,
      tried: `the instance ${host.name} is read from OpenStack, with its metadata and user data`,
      expected:
        "no secret of the stack in it but its own host key: whoever is on the host or may read the project reads that",
      remedy: "replace the secret (docs/handbook.md says how), then the host",
    },
    async () => {
      const server = await cloud.server(host.instanceId);
      const found = secretsIn(textOfServer(server), stackSecrets(deployment).secrets);
      const shown = typeof server["OS-EXT-SRV-ATTR:user_data"] === "string";
      return {
        holds: found.length === 0,
        happened:
          found.length > 0
            ? `there is ${found.join(", ")}`
            : shown
              ? "none but its own host key"
              : "none in its metadata; this cloud does not show user data to this user",
      };
    },
  );
}

/** How a connection ended, as the host saw it. */
export type Outcome = "open" | "refused" | "nothing" | "unclear";

/** How a host's own system names what is no answer of the far end; its packet filter refuses with EPERM. */
const NOTHING = ["nothing", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EPERM", "EACCES"];

/**
 * Reads what {@link connectScript} printed. A refusal came from the far end, so that the connection's first packet
 * went through; only where nothing came back was it closed on the way.
 */
export function outcomes(printed: string): Map<string, Outcome> {
  return new Map(
    printed.split("\n").flatMap((line) => {
      const [, target, word = ""] = /^connect (\S+) (\w+)$/.exec(line) ?? [];
      if (target === undefined) return [];
      const outcome: Outcome =
        word === "open"
          ? "open"
          : ["ECONNREFUSED", "ECONNRESET"].includes(word)
            ? "refused"
            : NOTHING.includes(word)
              ? "nothing"
              : "unclear";
      return [[target, outcome] as const];
    }),
  );
}

/**
 * Tries all connections at once, and prints a line for each. The time runs from when all have begun, so that a slow
 * host is not taken for a closed one. In Python, which every host that cloud-init set up has.
 */
export function connectScript({
  closed,
  open,
}: {
  closed: readonly Target[];
  open: readonly Target[];
}): string {
  const plain = (targets: readonly Target[]): string =>
    JSON.stringify(targets.map((target) => [targetText(target), target.address, target.port]));
  return `exec python3 - <<'END'
import errno, select, socket, time
waiting, controls, poll = {}, set(), select.poll()
def said(name, code):
    print("connect", name, "open" if code == 0 else errno.errorcode.get(code, str(code)))
for control, targets in ((False, ${plain(closed)}), (True, ${plain(open)})):
    for name, address, port in targets:
        one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        one.setblocking(False)
        code = one.connect_ex((address, port))
        if code != errno.EINPROGRESS:
            said(name, code)
            continue
        waiting[one.fileno()] = (name, one)
        poll.register(one, select.POLLOUT)
        if control:
            controls.add(one.fileno())
begun = time.monotonic()
while waiting:
    passed = time.monotonic() - begun
    if passed > ${String(OPEN_SECONDS)} or (passed > ${String(CLOSED_SECONDS)} and not controls):
        break
    for ready, _ in poll.poll(200):
        name, one = waiting.pop(ready)
        controls.discard(ready)
        poll.unregister(ready)
        said(name, one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
for name, _ in waiting.values():
    print("connect", name, "nothing")
END
`;
}

/** What a host's connections came to. */
export function judgeConnections(
  tried: { closed: readonly Target[]; open: readonly Target[] },
  seen: ReadonlyMap<string, Outcome>,
): Seen {
  const named = (targets: readonly Target[], ...which: (Outcome | undefined)[]): string[] =>
    targets.map(targetText).filter((target) => which.includes(seen.get(target)));
  const through = [
    ...named(tried.closed, "open").map((target) => `${target} answers`),
    ...named(tried.closed, "refused").map((target) => `${target} refuses, so it was reached`),
  ];
  if (through.length > 0) return { holds: false, happened: through.join(", ") };
  const unclear = named(tried.closed, "unclear", undefined);
  if (unclear.length > 0) throw new Error(`it is unclear what came of ${unclear.join(", ")}`);
  if (tried.closed.length === 0) throw new Error("the rules let it reach everything that could be tried");
  const control = named(tried.open, "open", "refused");
  if (control.length === 0) {
    throw new Error("what the rules allow was not reached either, so the rest says nothing");
  }
  return {
    holds: true,
    happened: `nothing came of ${named(tried.closed, "nothing").join(", ")}; ${control.join(", ")} was reached`,
  };
}

/** How the operator reaches a host of the stack's; `undefined`: it is frozen. */
function accessTo({ proxy, clients }: Deployment, host: MadeHost): HostAccess | undefined {
  if (host.group === "proxy") return proxy.host;
  const client = clients.find(({ name }) => name === host.name);
  if (client?.host === undefined) throw new Error(`the stack does not say how ${host.name} is reached`);
  return client.frozen ? undefined : client.host;
}

async function closed(
  cloud: Cloud,
  deployment: Deployment,
  host: MadeHost,
  folder: string,
): Promise<Finding> {
  const targets = targetsOf(cloud, deployment, host);
  // The time that OpenStack takes is not taken from the host's; a failure is the probe's to tell.
  await targets.catch(() => undefined);
  return await ring1(
    {
      id: `net.closed.${host.name}`,
      tried: `${host.name} connects to what no rule allows: other hosts, S3 or OpenStack, the metadata service`,
      expected: "nothing comes of it, while what is allowed is reached",
      remedy:
        "look at the rules of all its security groups, and whether the cloud enforces them on this network",
    },
    async () => {
      const access = accessTo(deployment, host);
      if (access === undefined) {
        return { holds: "open", happened: "not tried: the client is frozen, so it is not contacted" };
      }
      const tried = await targets;
      const { stdout } = await new SshHost(access, { folder: path.join(folder, host.name) }).sh(
        connectScript(tried),
        { timeout: SESSION_SECONDS },
      );
      return judgeConnections(tried, outcomes(stdout));
    },
  );
}

/** What the configuration, and the rules of groups that the stack did not make, let a host reach. */
async function targetsOf(
  cloud: Cloud,
  { network, bucket }: Deployment,
  host: MadeHost,
): Promise<{ closed: Target[]; open: Target[] }> {
  const foreign = host.securityGroupIds.filter((id) => !Object.values(network.groups).includes(id));
  // Before the others begin: nobody would hear of their failure if this one threw.
  const identity = await cloud.identity();
  const [foreignRules, addresses, services] = await Promise.all([
    Promise.all(foreign.map((id) => cloud.rules(id))),
    Promise.all(network.hosts.map(({ instanceId }) => cloud.ports(instanceId))),
    Promise.all([new URL(bucket.endpoint), identity].map(addressesOf)),
  ]);
  const hosts = network.hosts.map(({ name, securityGroupIds }, at) => ({
    name,
    groupIds: securityGroupIds,
    addresses: (addresses[at] ?? []).flatMap(({ fixed_ips }) =>
      fixed_ips.map(({ ip_address }) => ip_address),
    ),
  }));
  return connectionsToTry(
    {
      rules: [...wantedRules(network.rules, host.group, network.groups), ...foreignRules.flat()],
      addresses: hosts.find(({ name }) => name === host.name)?.addresses ?? [],
    },
    hosts.filter(({ name }) => name !== host.name),
    services.flat(),
  );
}

async function addressesOf(url: URL): Promise<{ address: string; port: number }[]> {
  const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const addresses = isIP(name) === 0 ? await dns.lookup(name, { all: true }) : [{ address: name }];
  return addresses.map(({ address }) => ({ address, port: urlPort(url.href) }));
}
