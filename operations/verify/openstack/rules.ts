/** Security group rules, as configured and as OpenStack has them: pure comparisons. */
import { BlockList, isIP } from "node:net";
import { type Ethertype, ethertypeOf, type FirewallRule, type Group, type PerGroup } from "../../../plan";

/** A rule of a security group in Neutron's terms; only what decides what it allows. */
export interface GroupRule {
  direction: "ingress" | "egress";
  ethertype: Ethertype;
  /** A name such as `tcp`; `any`: all protocols. */
  protocol: string;
  /** `undefined`: all ports. */
  ports: { first: number; last: number } | undefined;
  peer: { cidr: string } | { groupId: string } | { addressGroupId: string };
}

/** A rule as Neutron's API shows it. */
export interface NeutronRule {
  direction: "ingress" | "egress";
  ethertype: Ethertype;
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
  remote_address_group_id?: string | null;
}

/** Neutron accepts and shows protocols by number, too. */
const PROTOCOLS: Record<string, string> = { "6": "tcp", "17": "udp", "1": "icmp", "58": "ipv6-icmp" };

const ANYWHERE = { IPv4: "0.0.0.0/0", IPv6: "::/0" };

/** A rule of Neutron's API in the terms of this file. */
export function fromNeutron(rule: NeutronRule): GroupRule {
  const { direction, ethertype, protocol, port_range_min: first, port_range_max: last } = rule;
  return {
    direction,
    ethertype,
    protocol: protocol === null ? "any" : (PROTOCOLS[protocol] ?? protocol),
    ports: first === null && last === null ? undefined : { first: first ?? 0, last: last ?? 65_535 },
    peer: rule.remote_group_id
      ? { groupId: rule.remote_group_id }
      : rule.remote_address_group_id
        ? { addressGroupId: rule.remote_address_group_id }
        : { cidr: rule.remote_ip_prefix ?? ANYWHERE[ethertype] },
  };
}

/** The configured rules of one group, in the terms of this file. */
export function wantedRules(
  rules: readonly FirewallRule[],
  group: Group,
  ids: PerGroup<string>,
): GroupRule[] {
  return rules
    .filter((rule) => rule.group === group)
    .map((rule) => ({
      direction: rule.direction,
      ethertype: ethertypeOf(rule),
      protocol: rule.protocol,
      ports: { first: rule.port, last: rule.port },
      peer: "cidr" in rule.peer ? { cidr: rule.peer.cidr } : { groupId: ids[rule.peer.group] },
    }));
}

/** A rule as text, such as `egress tcp 22 to 192.0.2.1/32`; rules that allow the same have the same text. */
export function ruleText({ direction, ethertype, protocol, ports, peer }: GroupRule): string {
  const range =
    ports === undefined
      ? "all ports"
      : ports.first === ports.last
        ? String(ports.first)
        : `${String(ports.first)}-${String(ports.last)}`;
  const farEnd =
    "cidr" in peer
      ? peer.cidr
      : "groupId" in peer
        ? `the group ${peer.groupId} (${ethertype})`
        : `the address group ${peer.addressGroupId} (${ethertype})`;
  return `${direction} ${protocol} ${range} ${direction === "egress" ? "to" : "from"} ${farEnd}`;
}

/** The rules that only one side has, as text. */
export function differences(
  wanted: readonly GroupRule[],
  actual: readonly GroupRule[],
): { extra: string[]; missing: string[] } {
  const should = new Set(wanted.map(ruleText));
  const is = new Set(actual.map(ruleText));
  return {
    extra: [...is].filter((rule) => !should.has(rule)).sort(),
    missing: [...should].filter((rule) => !is.has(rule)).sort(),
  };
}

/** The far end of a TCP connection. */
export interface Target {
  /** IP address. */
  address: string;
  port: number;
  /** The security groups that it is a member of. */
  groupIds: string[];
}

/** Whether these rules allow an outgoing TCP connection. */
export function allows(rules: readonly GroupRule[], { address, port, groupIds }: Target): boolean {
  const family = isIP(address) === 6 ? "IPv6" : "IPv4";
  return rules.some(({ direction, ethertype, protocol, ports, peer }) => {
    if (direction !== "egress" || ethertype !== family || !["tcp", "any"].includes(protocol)) return false;
    if (ports !== undefined && (port < ports.first || port > ports.last)) return false;
    if ("groupId" in peer) return groupIds.includes(peer.groupId);
    // The members of an address group are not known here: the target may be one.
    return "addressGroupId" in peer || contains(peer.cidr, address);
  });
}

function contains(cidr: string, address: string): boolean {
  const [network = "", length = ""] = cidr.split("/");
  const family = isIP(network);
  if (family !== isIP(address) || family === 0) return false;
  const list = new BlockList();
  const name = family === 6 ? "ipv6" : "ipv4";
  list.addSubnet(network, length === "" ? (family === 6 ? 128 : 32) : Number(length), name);
  return list.check(address, name);
}

/** The address of a CIDR with one address only. */
function only(cidr: string): string | undefined {
  const [address = "", length = ""] = cidr.split("/");
  return ["", isIP(address) === 6 ? "128" : "32"].includes(length) ? address : undefined;
}

/** The address of the metadata service in every OpenStack. */
const METADATA = "169.254.169.254";

/** What a host tries to reach. */
export interface ConnectionsToTry {
  /** What no rule allows. */
  closed: Target[];
  /** What a rule allows: the control, without which closed connections prove nothing. */
  open: Target[];
}

/**
 * What a host tries to reach, by its rules.
 *
 * @param host the host's rules and its own addresses
 * @param others the stack's other hosts
 * @param services addresses and ports of S3 and OpenStack
 */
export function connectionsToTry(
  host: { rules: readonly GroupRule[]; addresses: readonly string[] },
  others: readonly { addresses: readonly string[]; groupIds: string[] }[],
  services: readonly { address: string; port: number }[],
): ConnectionsToTry {
  const neighbours = host.rules.flatMap(({ direction, peer }) => {
    const address = direction === "egress" && "cidr" in peer ? only(peer.cidr) : undefined;
    return address === undefined ? [] : [address];
  });
  const candidates: Target[] = [
    ...services.map((service) => ({ ...service, groupIds: [] })),
    ...others.flatMap(({ addresses, groupIds }) =>
      addresses.flatMap((address) => [22, 80].map((port) => ({ address, port, groupIds }))),
    ),
    ...neighbours.map((address) => ({ address, port: 22, groupIds: [] })),
    { address: METADATA, port: 80, groupIds: [] },
  ];
  const unique = [...new Map(candidates.map((target) => [targetText(target), target])).values()].filter(
    ({ address }) => !host.addresses.includes(address),
  );
  return {
    closed: unique.filter((target) => !allows(host.rules, target)),
    open: unique.filter((target) => allows(host.rules, target)),
  };
}

/** `ADDRESS:PORT`. */
export function targetText({ address, port }: Pick<Target, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
}
