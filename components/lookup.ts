import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import { NameOrId } from "../config";
import { Plan } from "../plan";
import { StackState } from "./stack-state";

/** OpenStack's resource identifiers: what distinguishes an ID from a name in the configuration. */
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** Characters of the cloud's own words in a sentence of ours. */
const LONGEST_CAUSE = 200;

/** The argument of an OpenStack look-up for a thing that is configured by name or ID, e.g. `{ networkId: … }`. */
export function nameOrId<Key extends string>(
  idField: Key,
  value: NameOrId,
): { name: string } | Record<Key, string> {
  if (typeof value !== "string") return { [idField]: value.id } as Record<Key, string>;
  return UUID.test(value) ? ({ [idField]: value } as Record<Key, string>) : { name: value };
}

/** Where hosts stand. */
export interface NetworkIds {
  networkId: string;
  subnetId: string;
}

/** What a host is created with and the configuration only names. */
export interface HostLookups {
  imageId: string;
  /** The IDs of the configured security groups, besides the stack's own, by what the configuration calls them. */
  securityGroups: Record<string, string>;
  /** Absent where the stack creates the network. */
  network?: NetworkIds;
}

/** The IDs of all that the configuration only names. */
export interface Lookups {
  /** The network that a router of the stack leads to; absent where hosts stand in a network that exists. */
  externalNetworkId?: string;
  /** By the name of the host: the proxy, the keeper, and each client of kind `vm`. */
  hosts: Record<string, HostLookups>;
}

/** A thing that the configuration names. */
interface Wanted {
  /** For whom: `proxy rclonesrv`, `client web`, `the network`. */
  of: string;
  /** Where in the configuration. */
  field: string;
  value: string;
  /** OpenStack's word for it, as in `image`. */
  kind: string;
  /** The command that lists those that there are. */
  list: string;
}

/**
 * Finds the IDs of what the configuration names, before anything is declared. What a thing that exists was made with
 * is taken from the state and never looked up again: an image that was withdrawn, or a cloud that does not answer,
 * keeps no key from being revoked.
 *
 * @throws pulumi.RunError with one sentence for each name that the cloud does not know; Pulumi prints no stack trace
 */
export async function lookUp({ config, clients }: Plan, name: string, state: StackState): Promise<Lookups> {
  const failures: string[] = [];
  const asked = new Map<string, Promise<string>>();
  const find = async (wanted: Wanted, ask: () => Promise<{ id: string }>): Promise<string> => {
    const key = `${wanted.kind} ${wanted.value}`;
    const id = asked.get(key) ?? ask().then((found) => found.id);
    asked.set(key, id);
    return id.catch((error: unknown) => {
      failures.push(sentence(wanted, error as Error));
      return "";
    });
  };

  const { create, existing } = config.network;
  const recorded = (state.outputsOf("secure-backups:index:Network", name)?.named ?? {}) as NamedNetworks;
  const router = state.outputsOf("openstack:networking/router:Router", name);
  const externalNetworkId =
    create &&
    (router && (recorded.externalNetwork ?? create.externalNetwork) === create.externalNetwork
      ? (router.externalNetworkId as string)
      : await findNetwork("create.externalNetwork", create.externalNetwork, find));

  let chosen: Promise<NetworkIds> | undefined;
  const networkOf = async (host: string): Promise<NetworkIds | undefined> => {
    if (existing === undefined) return undefined;
    const port = state.outputsOf("openstack:networking/port:Port", host);
    const { network = existing.network, subnet = existing.subnet } = recorded;
    if (port && network === existing.network && subnet === existing.subnet) {
      const [address] = port.fixedIps as { subnetId: string }[];
      return { networkId: port.networkId as string, subnetId: address?.subnetId as string };
    }
    return (chosen ??= findExisting(existing, find));
  };

  const hostOf = async (
    host: string,
    of: string,
    { image, securityGroups }: { image: NameOrId; securityGroups: readonly string[] },
  ): Promise<[string, HostLookups]> => {
    const instance = state.outputsOf("openstack:compute/instance:Instance", host);
    const groups = (state.outputsOf("secure-backups:index:Host", host)?.securityGroups ?? {}) as Record<
      string,
      string
    >;
    const [imageId, network, ...groupIds] = await Promise.all([
      (instance?.imageId as string | undefined) ?? findImage(of, image, find),
      networkOf(host),
      ...securityGroups.map((group) => groups[group] ?? findSecurityGroup(of, group, find)),
    ]);
    const ids = securityGroups.map((group, index) => [group, groupIds[index] as string]);
    return [
      host,
      {
        imageId,
        securityGroups: Object.fromEntries(ids) as Record<string, string>,
        ...(network && { network }),
      },
    ];
  };
  const { proxy, keeper } = config;
  const hosts = await Promise.all([
    hostOf(proxy.name, `proxy ${proxy.name}`, { image: proxy.image, securityGroups: [] }),
    ...(keeper === undefined
      ? []
      : [hostOf(keeper.name, `keeper ${keeper.name}`, { image: keeper.image, securityGroups: [] })]),
    ...clients.flatMap((client) =>
      client.kind === "vm" ? [hostOf(client.name, `client ${client.name}`, client)] : [],
    ),
  ]);
  if (failures.length > 0) throw new pulumi.RunError([...new Set(failures)].sort().join("\n"));
  return { ...(externalNetworkId && { externalNetworkId }), hosts: Object.fromEntries(hosts) };
}

/** What the configuration called the networks, as the last update recorded it. */
export interface NamedNetworks {
  externalNetwork?: string;
  network?: string;
  subnet?: string;
}

type Find = (wanted: Wanted, ask: () => Promise<{ id: string }>) => Promise<string>;

function findImage(of: string, value: NameOrId, find: Find): string | Promise<string> {
  // By its ID an image is not looked up: the cloud checks it when the host is created.
  if (typeof value !== "string") return value.id;
  if (UUID.test(value)) return value;
  const wanted = { of, field: "image", value, kind: "image", list: "openstack image list" };
  return find(wanted, () => openstack.images.getImage({ name: value, mostRecent: true }));
}

function findSecurityGroup(of: string, value: string, find: Find): Promise<string> {
  const wanted = { field: "securityGroups", kind: "security group", list: "openstack security group list" };
  return find({ of, value, ...wanted }, () =>
    openstack.networking.getSecGroup(nameOrId("secgroupId", value)),
  );
}

function findNetwork(field: string, value: string, find: Find): Promise<string> {
  return find({ of: "the network", field, value, kind: "network", list: "openstack network list" }, () =>
    openstack.networking.getNetwork(nameOrId("networkId", value)),
  );
}

/** A subnet's name means something within its network alone. */
async function findExisting(
  { network, subnet }: { network: string; subnet: string },
  find: Find,
): Promise<NetworkIds> {
  const networkId = await findNetwork("existing.network", network, find);
  if (networkId === "") return { networkId, subnetId: "" };
  const wanted = { field: "existing.subnet", value: subnet, kind: "subnet", list: "openstack subnet list" };
  const subnetId = await find({ of: "the network", ...wanted }, () =>
    openstack.networking.getSubnet({ ...nameOrId("subnetId", subnet), networkId }),
  );
  return { networkId, subnetId };
}

function sentence({ of, field, value, kind, list }: Wanted, { message }: Error): string {
  // The plugin leads with the function's name and a count; the cloud's own words come last.
  const words = message.split(/\n\s*\* |invocation of \S+ returned an error: /).at(-1) as string;
  const cause = words.replaceAll(/\s+/g, " ").trim().slice(0, LONGEST_CAUSE);
  return `${of}: ${field} ${JSON.stringify(value)}: no such ${kind} could be found (${cause}); take one that \`${list}\` shows`;
}
