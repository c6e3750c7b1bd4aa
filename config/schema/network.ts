import { z } from "zod";
import { ipProblem, subnet6Problem, subnetProblem } from "../values/addresses";
import { text, textList, mapping, oneOf } from "./fields";

/** Exactly one of the two forms. */
export type NetworkConfig =
  { create: CreatedNetwork; existing?: undefined } | { existing: ExistingNetwork; create?: undefined };

/** A network, subnet and router created by the stack. */
export interface CreatedNetwork {
  /** Addresses of the new subnet: an IPv4 network of /29 or larger, such as `10.20.0.0/24`. Required. */
  cidr: string;
  /**
   * Addresses of an IPv6 subnet beside it, a /64: hosts find their addresses by SLAAC. Nothing translates them: the provider
   * has to route this network to the stack's router.
   * @default none
   * @example `2001:db8:0:20::/64`
   */
  cidr6?: string;
  /** Name or ID of the external network to which the new router leads. Required. */
  externalNetwork: string;
  /**
   * Addresses of the name servers that hosts are given; IPv6 ones with `cidr6` alone.
   * @default none, so the network's own DHCP server answers
   */
  dnsServers: string[];
}

/** A network that somebody else looks after. */
export interface ExistingNetwork {
  /** Name or ID. Required. */
  network: string;
  /** Name or ID of one of the network's subnets. Required. */
  subnet: string;
}

const createdNetwork = mapping(
  {
    cidr: text('give the addresses of the new subnet, for example "10.20.0.0/24"', subnetProblem),
    cidr6: text(
      'give the addresses of the new IPv6 subnet, for example "2001:db8:0:20::/64"',
      subnet6Problem,
    ).optional(),
    externalNetwork: text("give the name of the external network, see `openstack network list --external`"),
    dnsServers: textList(
      text("give the address of a name server", ipProblem),
      'list the addresses of name servers, for example ["192.0.2.53"]',
    ).default([]),
  },
  "give cidr and externalNetwork",
);

const existingNetwork = mapping(
  {
    network: text("give the network's name or ID, see `openstack network list`"),
    subnet: text("give the subnet's name or ID, see `openstack subnet list`"),
  },
  "give network and subnet",
);

const NETWORK_FORMS = "give exactly one of create and existing";
const newNetwork = mapping({ create: createdNetwork }, NETWORK_FORMS);
const foreignNetwork = mapping({ existing: existingNetwork }, NETWORK_FORMS);
export const network = oneOf<z.output<typeof newNetwork | typeof foreignNetwork>>((raw) => {
  if ("create" in raw && "existing" in raw) return `has both create and existing; ${NETWORK_FORMS}`;
  return "existing" in raw ? foreignNetwork : newNetwork;
});
