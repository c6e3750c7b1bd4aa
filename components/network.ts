import { isIPv6 } from "node:net";
import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import { StackConfig } from "../config";
import { ethertypeOf, FirewallRule, Group, PerGroup, ruleName } from "../plan";
import { NamedNetworks } from "./lookup";

/** A network of the stack's own. */
export interface NetworkOfStack {
  networkId: pulumi.Output<string>;
  subnetId: pulumi.Output<string>;
  /** Absent where the network has IPv4 alone. */
  subnet6Id?: pulumi.Output<string>;
}

/** @see Network */
export interface NetworkArgs {
  /** The `network` section of the configuration: a network to create, or one that exists. */
  network: StackConfig["network"];
  /** What the security groups let through. */
  firewall: FirewallRule[];
  /** The network that a router created here leads to. */
  externalNetworkId?: string;
}

/**
 * The network that proxy and app servers are in, created here or existing, and the two security groups that
 * close it: only what `firewall` lists passes, in either direction.
 */
export class Network extends pulumi.ComponentResource {
  /** The network created here; absent where hosts are in one that exists. */
  readonly created?: NetworkOfStack;
  /** The security group of each kind of host. */
  readonly groups: PerGroup<openstack.networking.SecGroup>;
  /** What must exist before a host in this network is reached from outside, and outlive it. */
  readonly reachable: pulumi.Resource[];

  constructor(name: string, args: NetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "secure-backups:index:Network",
      name,
      { network: args.network, rules: args.firewall.map(ruleName) },
      opts,
    );
    const parent = { parent: this };

    const { create, existing } = args.network;
    const route: pulumi.Resource[] = [];
    if (create) {
      const network = new openstack.networking.Network(name, { adminStateUp: true }, parent);
      const subnet = new openstack.networking.Subnet(
        name,
        {
          networkId: network.id,
          cidr: create.cidr,
          ipVersion: 4,
          dnsNameservers: create.dnsServers.filter((server) => !isIPv6(server)),
        },
        parent,
      );
      const router = new openstack.networking.Router(
        name,
        { adminStateUp: true, externalNetworkId: args.externalNetworkId },
        parent,
      );
      route.push(
        new openstack.networking.RouterInterface(name, { routerId: router.id, subnetId: subnet.id }, parent),
      );
      this.created = { networkId: network.id, subnetId: subnet.id };
      if (create.cidr6 !== undefined) {
        const subnet6 = new openstack.networking.Subnet(
          `${name}-ipv6`,
          {
            networkId: network.id,
            cidr: create.cidr6,
            ipVersion: 6,
            ipv6AddressMode: "slaac",
            ipv6RaMode: "slaac",
            dnsNameservers: create.dnsServers.filter(isIPv6),
          },
          parent,
        );
        route.push(
          new openstack.networking.RouterInterface(
            `${name}-ipv6`,
            { routerId: router.id, subnetId: subnet6.id },
            parent,
          ),
        );
        this.created.subnet6Id = subnet6.id;
      }
    }

    const group = (of: Group, description: string) =>
      new openstack.networking.SecGroup(`${name}-${of}`, { description, deleteDefaultRules: true }, parent);
    this.groups = {
      proxy: group("proxy", "the backup proxy: SSH in; S3, DNS, time and mirrors out"),
      appserver: group("appserver", "hosts that back up: SSH in; the proxy, DNS, time and mirrors out"),
      ...(args.firewall.some((rule) => rule.group === "keeper") && {
        keeper: group("keeper", "the host that runs retention: SSH in; S3, DNS, time and mirrors out"),
      }),
    };
    const rules = args.firewall.map((rule) => {
      const peer = rule.peer;
      return new openstack.networking.SecGroupRule(
        `${name}-${ruleName(rule)}`,
        {
          securityGroupId: (this.groups[rule.group] as openstack.networking.SecGroup).id,
          direction: rule.direction,
          protocol: rule.protocol,
          portRangeMin: rule.port,
          portRangeMax: rule.port,
          ethertype: ethertypeOf(rule),
          ...("cidr" in peer ? { remoteIpPrefix: peer.cidr } : { remoteGroupId: this.groups[peer.group].id }),
        },
        parent,
      );
    });
    this.reachable = [...route, ...rules];
    const named: NamedNetworks = existing ?? { externalNetwork: create.externalNetwork };
    this.registerOutputs({ named });
  }
}
