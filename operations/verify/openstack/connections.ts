/** Connections that the stack's hosts try: what the rules forbid, and as a control what they allow. */
import * as dns from "node:dns/promises";
import { isIP } from "node:net";
import * as path from "node:path";
import { urlPort } from "../../../config";
import type { Deployment, HostAccess, MadeHost } from "../../deployment";
import { SshHost } from "../../transport/ssh";
import type { Probe, Seen } from "../probe";
import type { Cloud } from "./cloud";
import { connectionsToTry, targetText, wantedRules, type ConnectionsToTry, type Target } from "./rules";

/** Seconds that a host waits for an answer of forbidden, and of allowed targets. */
const CLOSED_SECONDS = 5;
const OPEN_SECONDS = 20;
/** Seconds that its session may take. */
const SESSION_SECONDS = 140;

/** The probe of a host; ready when OpenStack has answered, so that the probe's time is the host's alone. */
export async function closedConnections(
  cloud: Cloud,
  deployment: Deployment,
  host: MadeHost,
  folder: string,
): Promise<Probe> {
  const targets = targetsOf(cloud, deployment, host);
  // The probe reports a failure.
  await targets.catch(() => undefined);
  return {
    ring: 1,
    id: `net.closed.${host.name}`,
    tried: `${host.name} connects to what no rule allows: other hosts, S3 or OpenStack, the metadata service`,
    expected: "no answer, while what is allowed answers",
    remedy:
      "look at the rules of all its security groups, and whether the cloud enforces them on this network",
    attempt: async () => {
      const access = accessTo(deployment, host);
      if (access === undefined) {
        return { holds: "open", happened: "not tried: the client is frozen, so it is not contacted" };
      }
      const tried = await targets;
      const ssh = new SshHost(access, { folder: path.join(folder, host.name) });
      const { stdout } = await ssh.sh(connectScript(tried), { timeout: SESSION_SECONDS });
      return judgeConnections(tried, outcomes(stdout));
    },
  };
}

/** How the operator reaches a host of the stack; `undefined`: it is frozen. */
function accessTo({ proxy, keeper, clients }: Deployment, host: MadeHost): HostAccess | undefined {
  if (host.group === "proxy") return proxy.host;
  if (host.group === "keeper" && keeper !== undefined) return keeper.host;
  const client = clients.find(({ name }) => name === host.name);
  if (client?.host === undefined) throw new Error(`the stack does not say how ${host.name} is reached`);
  return client.frozen ? undefined : client.host;
}

/** What to try from a host, by the configured rules and those of groups that the stack did not create. */
async function targetsOf(
  cloud: Cloud,
  { network, bucket }: Deployment,
  host: MadeHost,
): Promise<ConnectionsToTry> {
  const foreign = host.securityGroupIds.filter((id) => !Object.values(network.groups).includes(id));
  // Before the others begin: if this one threw, their failures would be unhandled.
  const identity = await cloud.identity();
  const [foreignRules, hosts, services] = await Promise.all([
    Promise.all(foreign.map((id) => cloud.rules(id))),
    Promise.all(
      network.hosts.map(async ({ name, instanceId, securityGroupIds: groupIds }) => {
        const ports = await cloud.ports(instanceId);
        const addresses = ports.flatMap(({ fixed_ips }) => fixed_ips.map(({ ip_address }) => ip_address));
        return { name, groupIds, addresses };
      }),
    ),
    Promise.all([new URL(bucket.endpoint), identity].map(addressesOf)),
  ]);
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

/**
 * Tries all connections at once, and prints a line for each. The time runs from when all have begun, so that a slow
 * host does not make a connection look closed. In Python, which cloud-init brings to every host.
 */
export function connectScript({ closed, open }: ConnectionsToTry): string {
  const json = (targets: readonly Target[]): string =>
    JSON.stringify(targets.map((target) => [targetText(target), target.address, target.port]));
  return `exec python3 - <<'END'
import errno, select, socket, time
waiting, controls, poll = {}, set(), select.poll()
def report(name, code):
    print("connect", name, "open" if code == 0 else errno.errorcode.get(code, str(code)))
for control, targets in ((False, ${json(closed)}), (True, ${json(open)})):
    for name, address, port in targets:
        try:
            one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            report(name, error.errno)
            continue
        one.setblocking(False)
        code = one.connect_ex((address, port))
        if code != errno.EINPROGRESS:
            report(name, code)
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
        report(name, one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
for name, _ in waiting.values():
    print("connect", name, "nothing")
END
`;
}

/** How a connection ended, as the host saw it; `nothing`: the far end did not answer. */
export type Outcome = "open" | "refused" | "nothing" | "unclear";

/**
 * A refusal came from the far end, so that the connection's first packet went through; only without an answer was it
 * closed on the way. A host's own packet filter refuses with EPERM.
 */
const OUTCOMES = new Map<string, Outcome>([
  ["open", "open"],
  ...["ECONNREFUSED", "ECONNRESET"].map((word) => [word, "refused"] as const),
  ...["nothing", "ETIMEDOUT", "EHOSTUNREACH", "EPERM", "EACCES"].map((word) => [word, "nothing"] as const),
  // The host has no address, no route or no support of this family.
  ...["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"].map((word) => [word, "nothing"] as const),
]);

/** Reads what {@link connectScript} printed. */
export function outcomes(printed: string): Map<string, Outcome> {
  return new Map(
    [...printed.matchAll(/^connect (\S+) (\w+)$/gm)].map(([, target = "", word = ""]) => [
      target,
      OUTCOMES.get(word) ?? "unclear",
    ]),
  );
}

/**
 * Judges the outcomes of a host's connections.
 *
 * @throws Error where they decide nothing
 */
export function judgeConnections(tried: ConnectionsToTry, seen: ReadonlyMap<string, Outcome>): Seen {
  const named = (targets: readonly Target[], ...which: (Outcome | undefined)[]): string[] =>
    targets.map(targetText).filter((target) => which.includes(seen.get(target)));
  const through = [
    ...named(tried.closed, "open").map((target) => `${target} answers`),
    ...named(tried.closed, "refused").map((target) => `${target} refuses, so it can be reached`),
  ];
  if (through.length > 0) return { holds: false, happened: through.join(", ") };
  const unclear = named(tried.closed, "unclear", undefined);
  if (unclear.length > 0) throw new Error(`the result for ${unclear.join(", ")} is unclear`);
  if (tried.closed.length === 0) throw new Error("the rules allow everything that could be tried");
  const control = named(tried.open, "open", "refused");
  if (control.length === 0) {
    throw new Error("what the rules allow does not answer either, so no answer proves nothing");
  }
  return {
    holds: true,
    happened: `no answer from ${named(tried.closed, "nothing").join(", ")}; ${control.join(", ")} answers`,
  };
}
