import * as net from "node:net";
import type { Problem } from "./problem";
import { isHostName } from "./names";

/** A DNS name or an IP address. */
export function addressProblem(address: string): Problem {
  return isAddress(address) || isHostName(address)
    ? undefined
    : "is not a DNS name or an IP address; give it without scheme, port and path";
}

/** Whether the string is an IPv4 or IPv6 address (without a zone). */
export function isAddress(text: string): boolean {
  return net.isIP(text) !== 0 && !text.includes("%");
}

/** A network: IPv4 or IPv6 in CIDR notation, host bits zero, written as OpenStack writes it. */
export function cidrProblem(text: string): Problem {
  const [address = "", bits, ...more] = text.split("/");
  const version = isAddress(address) ? net.isIP(address) : 0;
  const width = version === 4 ? 32 : 128;
  if (version === 0 || more.length > 0 || (bits !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(bits))) {
    return 'is not a network in CIDR notation; write ADDRESS/BITS, for example "192.0.2.0/24"';
  }
  if (bits === undefined)
    return `is an address without its bits; for this address alone write "${text}/${width}"`;
  if (Number(bits) > width) {
    return `has more than ${width} bits; for this address alone write "${address}/${width}"`;
  }
  const network = networkOf(address, width, Number(bits));
  const corrected = `${formatAddress(network, width)}/${bits}`;
  if (corrected === text) return undefined;
  return network === addressNumber(address, width)
    ? `is not written as OpenStack writes it; write "${corrected}"`
    : `has host bits set; for that network write "${corrected}"`;
}

/** All addresses, as networks. */
export const ANYWHERE: string[] = ["0.0.0.0/0", "::/0"];

/** A network in which a subnet of the stack can be created. */
export function subnetProblem(text: string): Problem {
  const problem = cidrProblem(text);
  if (problem !== undefined) return problem;
  if (text.includes(":")) return 'is an IPv6 network; give an IPv4 network, for example "10.20.0.0/24"';
  return Number(text.split("/")[1]) > 29
    ? 'is too small for router, DHCP server, proxy and a client; take /29 or larger, for example "10.20.0.0/24"'
    : undefined;
}

/** A network in which an IPv6 subnet of the stack can be created. */
export function subnet6Problem(text: string): Problem {
  const problem = cidrProblem(text);
  if (problem !== undefined) return problem;
  return text.includes(":") && text.endsWith("/64")
    ? undefined
    : 'is not an IPv6 network of /64, which hosts need to find their addresses; give one, for example "2001:db8:0:20::/64"';
}

/** Whether all these addresses and networks, of which there is one at least, are IPv6. */
export function isIpv6Alone(networks: readonly string[]): boolean {
  return networks.length > 0 && networks.every((network) => network.includes(":"));
}

/** The network that holds this one address. */
export function hostCidr(address: string): string {
  const width = net.isIP(address) === 4 ? 32 : 128;
  return `${formatAddress(addressNumber(address, width), width)}/${width}`;
}

/** The networks in which a host may be: its address alone, or for a name all. */
export const networksOf = (host: string): string[] => (isAddress(host) ? [hostCidr(host)] : ANYWHERE);

/** An IP address. */
export function ipProblem(text: string): Problem {
  return isAddress(text) ? undefined : 'is not an IP address; write it alone, for example "192.0.2.53"';
}

function networkOf(address: string, width: number, bits: number): bigint {
  const hostBits = BigInt(width - bits);
  return (addressNumber(address, width) >> hostBits) << hostBits;
}

function addressNumber(address: string, width: number): bigint {
  if (width === 32) return address.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head = "", tail] = canonicalV6(address).split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const first = groups(head);
  const last = groups(tail ?? "");
  const zeros = Array<string>(8 - first.length - last.length).fill("0");
  return [...first, ...zeros, ...last].reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

function formatAddress(value: bigint, width: number): string {
  const size = width === 32 ? 8n : 16n;
  const count = width / Number(size);
  const parts = Array.from(
    { length: count },
    (_, i) => (value >> (BigInt(count - 1 - i) * size)) & ((1n << size) - 1n),
  );
  return width === 32 ? parts.join(".") : canonicalV6(parts.map((part) => part.toString(16)).join(":"));
}

function canonicalV6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
