import { isIPv4, isIPv6 } from "node:net";
import { HostAccess } from "../operations/deployment";
import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { MachineConfig, VolumeConfig } from "../config";
import { fingerprint, renderUserData } from "../hosts";
import { Group } from "../plan";
import { Access, hostAccess, Target } from "./connection";
import { HostLookups, nameOrId } from "./lookup";
import { NetworkOfStack, Network } from "./network";

/** What all hosts of a stack have in common. */
export interface HostEnvironment {
  network: Network;
  access: Access;
  /** The OpenStack keypair with the operator's public key. */
  keyPair: pulumi.Input<string>;
  /** Whether a host and its host key must be unprotected by hand before an update may destroy or replace them. */
  protect: boolean;
}

/** @see Host */
export interface HostArgs extends HostEnvironment {
  hostName: string;
  /** What it is created with, and the user that cloud-init gives the operator's key to. */
  machine: MachineConfig;
  /** What of it the configuration only names. */
  found: HostLookups;
  /** The security group of the stack that it is in. */
  securityGroup: Group;
  /** The external network to take a floating IP from; without it the host is reached by its fixed address. */
  floatingIpPool?: string;
}

/**
 * A virtual machine whose SSH host key is known before it boots: created here, handed over by cloud-init, pinned
 * in every connection.
 *
 * A newer image, other user data, another boot volume or zone never rebuild a host by themselves: they are for its first
 * boot alone, and OpenStack would destroy the disk. Replace a host on purpose with `pulumi up --replace URN`.
 */
export class Host extends pulumi.ComponentResource {
  readonly hostKey: pulumi.Output<string>;
  /** The address inside the network, of IPv4 where it has one. */
  readonly fixedAddress: pulumi.Output<string>;
  /** Its IPv6 address, inside the network and from outside. */
  readonly address6: pulumi.Output<string | undefined>;
  /** The address from outside: the floating IP, or the fixed address where there is none. */
  readonly address: pulumi.Output<string>;
  /** Identifies this machine: another one behind the same address has another. */
  readonly instanceId: pulumi.Output<string>;
  /** How the operator reaches it; a secret. */
  readonly access: pulumi.Output<HostAccess>;
  readonly portId: pulumi.Output<string>;
  /** The security groups of its port. */
  readonly securityGroupIds: pulumi.Output<string[]>;

  constructor(name: string, args: HostArgs, opts?: pulumi.ComponentResourceOptions) {
    const { user, volume, availabilityZone, ...chosen } = args.machine;
    super(
      "secure-backups:index:Host",
      name,
      { hostName: args.hostName, image: chosen.image, flavor: chosen.flavor, volume, availabilityZone },
      opts,
    );
    const parent = { parent: this };

    const key = new tls.PrivateKey(
      `${name}-host-key`,
      { algorithm: "ED25519" },
      { ...parent, protect: args.protect },
    );
    this.hostKey = key.publicKeyOpenssh.apply((text) => text.trim());

    const { found } = args;
    const { networkId, subnetId } = found.network ?? (args.network.created as NetworkOfStack);
    const subnet6Id = args.network.created?.subnet6Id;
    const securityGroupIds = [
      (args.network.groups[args.securityGroup] as openstack.networking.SecGroup).id,
      ...Object.values(found.securityGroups),
    ];
    const port = new openstack.networking.Port(
      name,
      {
        networkId,
        fixedIps: [{ subnetId }, ...(subnet6Id === undefined ? [] : [{ subnetId: subnet6Id }])],
        securityGroupIds,
        adminStateUp: true,
      },
      parent,
    );
    this.portId = port.id;
    this.securityGroupIds = pulumi.output(securityGroupIds);
    // OpenStack lists them in any order. Of several IPv6 addresses a global one comes before one of fc00::/7.
    const addresses = port.allFixedIps.apply((all) => [...all].sort());
    this.address6 = addresses.apply((all) => all.find(isIPv6));
    this.fixedAddress = addresses.apply((all) => all.find(isIPv4) ?? (all[0] as string));

    const flavor = nameOrId("flavorId", chosen.flavor);
    const instance = new openstack.compute.Instance(
      name,
      {
        name: args.hostName,
        ...(volume === undefined
          ? { imageId: found.imageId }
          : { blockDevices: [bootVolume(volume, found.imageId)] }),
        availabilityZoneHints: availabilityZone,
        ...("flavorId" in flavor ? flavor : { flavorName: flavor.name }),
        keyPair: args.keyPair,
        networks: [{ port: port.id }],
        configDrive: true,
        userData: pulumi
          .all([pulumi.secret(key.privateKeyOpenssh), this.hostKey])
          .apply(([hostKeyPrivate, hostKeyPublic]) =>
            renderUserData({ hostName: args.hostName, hostKeyPrivate, hostKeyPublic }),
          ),
      },
      {
        ...parent,
        protect: args.protect,
        ignoreChanges: ["imageId", "blockDevices", "availabilityZoneHints", "keyPair", "userData"],
        deleteBeforeReplace: true,
      },
    );
    this.instanceId = instance.id;

    this.address =
      args.floatingIpPool === undefined
        ? this.fixedAddress
        : new openstack.networking.FloatingIp(
            name,
            { pool: args.floatingIpPool, portId: port.id },
            { ...parent, dependsOn: args.network.reachable },
          ).address;
    const target: Target = { address: this.address, port: 22, user, hostKey: this.hostKey };
    this.access = hostAccess(target, args.access);

    this.registerOutputs({
      address: this.address,
      hostKeyFingerprint: this.hostKey.apply(fingerprint),
      securityGroups: found.securityGroups,
    });
  }
}

/** The volume that Nova creates from the image, and with which the host boots. */
function bootVolume(
  { size, type, keep }: VolumeConfig,
  image: pulumi.Input<string>,
): openstack.types.input.compute.InstanceBlockDevice {
  return {
    sourceType: "image",
    uuid: image,
    destinationType: "volume",
    volumeSize: size,
    volumeType: type,
    bootIndex: 0,
    deleteOnTermination: !keep,
  };
}
