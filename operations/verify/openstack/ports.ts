/** The ports of the stack's hosts. */
import type { MadeHost } from "../../deployment";
import { REFRESH, type Probe, type Seen } from "../probe";
import type { Cloud, NeutronPort } from "./cloud";

export function ownPort(cloud: Cloud, host: MadeHost): Probe {
  return {
    ring: 1,
    id: `net.port.${host.name}`,
    tried: `read the port of ${host.name} from OpenStack`,
    expected: "its own security groups and no other, port security on, no further address allowed",
    remedy: REFRESH,
    attempt: async () => {
      const ports = await cloud.ports(host.instanceId);
      return judgePort(
        ports.find(({ id }) => id === host.portId),
        host,
      );
    },
  };
}

export function noOtherPort(cloud: Cloud, host: MadeHost): Probe {
  return {
    ring: 1,
    id: `net.ports.${host.name}`,
    tried: `read all ports of ${host.name} from OpenStack`,
    expected: "only the one that the stack created: another is a further way in and out",
    remedy: "detach the other port: openstack server remove port",
    attempt: async () => {
      const others = (await cloud.ports(host.instanceId)).filter(({ id }) => id !== host.portId);
      return {
        holds: others.length === 0,
        happened: others.map(({ id }) => `there is ${id}`).join(", ") || "only that one",
      };
    },
  };
}

/** Whether a port is as the stack created it. */
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
  return { holds: wrong.length === 0, happened: wrong.join("; ") || "as created" };
}
