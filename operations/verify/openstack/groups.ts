/** The security groups of the stack: their rules and their members. */
import type { Group } from "../../../plan";
import type { Deployment, MadeHost } from "../../deployment";
import { REFRESH, type Probe, type Seen } from "../probe";
import type { Cloud, NeutronPort } from "./cloud";
import { differences, wantedRules } from "./rules";

type Network = Deployment["network"];

const GROUPS: Record<Group, string> = {
  proxy: "the security group of the proxy",
  appserver: "the security group of the app servers",
  keeper: "the security group of the keeper",
};

export function groupRules(cloud: Cloud, network: Network, group: Group, groupId: string): Probe {
  return {
    ring: 1,
    id: `net.rules-${group}`,
    tried: `read the rules of ${GROUPS[group]} from OpenStack`,
    expected: "the rules of the configuration, and no other",
    remedy: REFRESH,
    attempt: async () => {
      const wanted = wantedRules(network.rules, group, network.groups);
      const { extra, missing } = differences(wanted, await cloud.rules(groupId));
      return {
        holds: extra.length + missing.length === 0,
        happened:
          [
            ...(extra.length > 0 ? [`not configured: ${extra.join(", ")}`] : []),
            ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
          ].join("; ") || `these ${String(wanted.length)}`,
      };
    },
  };
}

export function groupMembers(cloud: Cloud, network: Network, group: Group, groupId: string): Probe {
  return {
    ring: 1,
    id: `net.members-${group}`,
    tried: `read all ports in ${GROUPS[group]} from OpenStack`,
    expected: "only those of the stack's own hosts: the rules admit every member",
    remedy: `openstack port unset --security-group ${groupId} PORT, and find out who added it`,
    attempt: async () => judgeMembers(await cloud.members(groupId), groupId, network.hosts),
  };
}

/**
 * Whether a group's ports are those of the stack's hosts in it.
 *
 * @throws Error where the answer lacks one of theirs, and so may lack others
 */
export function judgeMembers(
  ports: readonly NeutronPort[],
  groupId: string,
  hosts: readonly MadeHost[],
): Seen {
  const members = hosts.filter(({ securityGroupIds }) => securityGroupIds.includes(groupId));
  const others = ports.filter(({ id }) => !members.some(({ portId }) => portId === id));
  if (others.length > 0) {
    const named = others.map(({ id, device_id, fixed_ips }) => {
      const addresses = fixed_ips.map(({ ip_address }) => ip_address).join(", ");
      return `port ${id} (${addresses}) of ${device_id === "" ? "no instance" : `the instance ${device_id}`}`;
    });
    return { holds: false, happened: `not the stack's: ${named.join("; ")}` };
  }
  const missing = members.filter(({ portId }) => !ports.some(({ id }) => id === portId));
  if (missing.length > 0) {
    throw new Error(`the answer lacks the port of ${missing.map(({ name }) => name).join(", ")}`);
  }
  return { holds: true, happened: `these ${String(members.length)}` };
}
