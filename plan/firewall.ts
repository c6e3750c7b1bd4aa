import { isIP } from "node:net";
import { AlarmsConfig, hostCidr, networksOf, StackConfig, urlHost, urlPort } from "../config";

/**
 * The security groups of the stack: one around the proxy, one around every app server that it creates, and one around the
 * keeper where there is one.
 */
export type Group = "proxy" | "appserver" | "keeper";

/** Something of each security group that the stack has. */
export type PerGroup<T> = Record<PeerGroup, T> & { keeper?: T };

/** A group that rules of others name. */
type PeerGroup = Exclude<Group, "keeper">;

/** One allowed flow. Whatever no rule allows is closed: the groups come without OpenStack's default egress rules. */
export interface FirewallRule {
  group: Group;
  direction: "ingress" | "egress";
  protocol: "tcp" | "udp";
  port: number;
  /** The far end: a CIDR, or the members of the other group at their addresses of one family. @default `IPv4` */
  peer: { cidr: string } | { group: PeerGroup; ethertype?: Ethertype };
}

/** OpenStack's names of the address families: a rule is for one of them. */
export type Ethertype = "IPv4" | "IPv6";

const ETHERTYPES: readonly Ethertype[] = ["IPv4", "IPv6"];

const SSH = 22;

function sourcesOf(client: StackConfig["clients"][number]): string[] {
  return client.kind === "vm" || client.frozen ? [] : client.sourceCidrs;
}

/**
 * What the security groups let through, without duplicates and in a stable order: SSH to the proxy from
 * administrators and clients, SSH to app servers and to the keeper from administrators, and outwards DNS, time, package
 * mirrors, from proxy and keeper the S3 endpoint, and from the keeper mail server, webhooks and ping. App servers reach
 * no S3 endpoint: they hold no credentials for it. No other host of the stack reaches the keeper, and it reaches none.
 *
 * No rule is for ICMP: OpenStack lets through neighbour discovery, and what belongs to an allowed connection, "packet too
 * big" among it. A rule would let in those that belong to none, too.
 */
export function firewallRules(config: StackConfig, s3Endpoint: string): FirewallRule[] {
  // A security group holds no names: a jump host that is given by one has to be in adminCidrs.
  const jumpHost = config.access.jumpHost?.address ?? "";
  const admins = [...config.access.adminCidrs, ...(isIP(jumpHost) === 0 ? [] : [hostCidr(jumpHost)])];
  const { keeper } = config;
  const downloads = [config.proxy.rclone, config.restic, keeper?.node, keeper?.restic];
  const mirrorPorts = [80, 443, ...downloads.flatMap((program) => (program ? [urlPort(program.url)] : []))];
  const allow = (
    group: Group,
    direction: FirewallRule["direction"],
    protocol: FirewallRule["protocol"],
    port: number,
    cidrs: string[],
  ): FirewallRule[] => cidrs.map((cidr) => ({ group, direction, protocol, port, peer: { cidr } }));

  const between = (group: Group, direction: FirewallRule["direction"], other: PeerGroup): FirewallRule[] =>
    ETHERTYPES.map((ethertype) => ({
      group,
      direction,
      protocol: "tcp",
      port: SSH,
      peer: { group: other, ethertype },
    }));

  const common = (group: Group): FirewallRule[] => [
    ...allow(group, "ingress", "tcp", SSH, admins),
    ...allow(group, "egress", "udp", 53, config.egress.dns),
    ...allow(group, "egress", "tcp", 53, config.egress.dns),
    ...allow(group, "egress", "udp", 123, config.egress.ntp),
    ...mirrorPorts.flatMap((port) => allow(group, "egress", "tcp", port, config.egress.mirrors)),
  ];
  const rules: FirewallRule[] = [
    ...common("proxy"),
    ...allow("proxy", "ingress", "tcp", SSH, config.clients.flatMap(sourcesOf)),
    ...allow("proxy", "egress", "tcp", urlPort(s3Endpoint), config.egress.s3),
    ...between("proxy", "ingress", "appserver"),
    ...common("appserver"),
    ...between("appserver", "egress", "proxy"),
    ...(keeper === undefined
      ? []
      : [
          ...common("keeper"),
          ...allow("keeper", "egress", "tcp", urlPort(s3Endpoint), config.egress.s3),
          ...alarmReceivers(config.alarms).flatMap(({ host, port }) =>
            allow("keeper", "egress", "tcp", port, config.egress.alarms ?? networksOf(host)),
          ),
        ]),
  ];
  const byName = new Map(rules.map((rule) => [ruleName(rule), rule]));
  return [...byName.keys()].sort().map((name) => byName.get(name) as FirewallRule);
}

/** Where alarms are sent to. */
function alarmReceivers({ mail, webhooks, ping }: AlarmsConfig): { host: string; port: number }[] {
  const urls = [...webhooks.map(({ url }) => url), ...(ping === undefined ? [] : [ping])];
  return [
    ...(mail === undefined ? [] : [{ host: mail.server, port: mail.port }]),
    ...urls.map((url) => ({ host: urlHost(url), port: urlPort(url) })),
  ];
}

/** The address family that a rule is for. */
export function ethertypeOf({ peer }: FirewallRule): Ethertype {
  if ("cidr" in peer) return peer.cidr.includes(":") ? "IPv6" : "IPv4";
  return peer.ethertype ?? "IPv4";
}

/** A stable name for a rule, e.g. `proxy-ingress-tcp-22-192.0.2.0/24`: two rules have one name only if they are one. */
export function ruleName(rule: FirewallRule): string {
  const { peer } = rule;
  // The rules for IPv4 had their names before there were others.
  const far = "cidr" in peer ? peer.cidr : `${peer.group}${ethertypeOf(rule) === "IPv6" ? "-ipv6" : ""}`;
  return [rule.group, rule.direction, rule.protocol, rule.port, far].join("-");
}
