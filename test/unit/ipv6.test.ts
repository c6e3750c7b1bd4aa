/** A stack whose network has IPv6 too, with clients of either family. */
import { beforeAll, expect, jest, test } from "@jest/globals";
import { log, output, Output } from "@pulumi/pulumi";
import { Deployment } from "../../operations/deployment";
import { instructionsFor } from "../../operations/instructions";
import { mockedStack, Registered } from "../harness/mocked-stack";
import { smallest } from "../harness/config-errors";
import { ed25519 } from "../harness/config-example";

const repositories = [{ name: "main", paths: ["/srv"] }];
const server = (address: string, index: number) => ({
  name: `server-${String(index)}`,
  kind: "existing",
  ssh: { address, user: "root", hostKey: ed25519(210 + index) },
  repositories,
});
const partner = (name: string, sourceCidrs: string[], index: number) => ({
  name,
  kind: "key-only",
  sourceCidrs,
  repositories: [{ name: "main", paths: ["/data"], publicKey: ed25519(220 + index) }],
});

const CONFIG = {
  ...smallest(),
  proxy: smallest()["proxy"] as object,
  network: {
    create: {
      cidr: "10.20.0.0/24",
      cidr6: "2001:db8:0:20::/64",
      externalNetwork: "public",
      dnsServers: ["192.0.2.53", "2001:db8::53"],
    },
  },
  access: { via: "floating-ip", adminCidrs: ["172.24.4.0/24", "2001:db8:1::/64"] },
  clients: [
    { name: "web", kind: "vm", image: "debian-12", flavor: "s1", repositories },
    server("192.0.2.4", 4),
    server("2001:db8:1::6", 6),
    partner("either", ["2001:db8:2::/64", "198.51.100.0/24"], 0),
    partner("modern", ["2001:db8:2::/64"], 1),
  ],
};

let resources: Registered[];
let deployment: Deployment;

const inputsOf = (type: string, name: string): Record<string, unknown> =>
  resources.find((resource) => resource.type.endsWith(`:${type}`) && resource.name === name)?.inputs ?? {};

/** The proxy's address in the files of a client. */
const proxyOf = (client: string): string =>
  /proxy (\S+) port 22/.exec(JSON.stringify(inputsOf("Files", client)))?.[1] as string;

/** The same in the instructions for a client whose operator runs them. */
const instructed = (client: string): string =>
  /^ +HostName (\S+)$/m.exec(instructionsFor(deployment, client))?.[1] as string;

async function run(config: Record<string, unknown>): Promise<void> {
  const { resources: registered, exports } = await mockedStack(config);
  resources = registered;
  const described = output(exports["deployment"]) as Output<unknown> & { promise(): Promise<unknown> };
  deployment = (await described.promise()) as Deployment;
}

jest.spyOn(log, "info").mockResolvedValue(undefined);
const warn = jest.spyOn(log, "warn").mockResolvedValue(undefined);

beforeAll(() => run(CONFIG));

test("the network gets a subnet of either family, each with its name servers and a way out", () => {
  expect(inputsOf("Subnet", "secure-backups-test")).toMatchObject({
    cidr: "10.20.0.0/24",
    ipVersion: 4,
    dnsNameservers: ["192.0.2.53"],
  });
  expect(inputsOf("Subnet", "secure-backups-test-ipv6")).toEqual({
    networkId: "id of secure-backups-test",
    cidr: "2001:db8:0:20::/64",
    ipVersion: 6,
    ipv6AddressMode: "slaac",
    ipv6RaMode: "slaac",
    dnsNameservers: ["2001:db8::53"],
  });
  expect(inputsOf("RouterInterface", "secure-backups-test-ipv6")).toEqual({
    routerId: "id of secure-backups-test",
    subnetId: "id of secure-backups-test-ipv6",
  });
});

test("each host of the stack has an address of either family", () => {
  for (const host of ["rclonesrv", "web"]) {
    expect(inputsOf("Port", host).fixedIps).toEqual([
      { subnetId: "id of secure-backups-test" },
      { subnetId: "id of secure-backups-test-ipv6" },
    ]);
  }
});

test("a client reaches the proxy at an address of a family that it has", () => {
  const { address, address6 } = deployment.proxy;
  expect(address).toMatch(/^172\.24\.4\./);
  expect(address6).toMatch(/^2001:db8:0:20::/);
  expect(proxyOf("web")).toMatch(/^10\.20\.0\./);
  expect(proxyOf("server-4")).toBe(address);
  expect(proxyOf("server-6")).toBe(address6);
  expect(instructed("either")).toBe(address);
  expect(instructed("modern")).toBe(address6);
});

test("the proxy's name serves clients of either family, and its IPv4 address those of IPv4 alone", async () => {
  await run({ ...CONFIG, proxy: { ...CONFIG.proxy, hostName: "rclone.example.com" } });
  for (const host of ["server-4", "server-6"]) expect(proxyOf(host)).toBe("rclone.example.com");
  await run({ ...CONFIG, proxy: { ...CONFIG.proxy, hostName: "192.0.2.99" } });
  expect(proxyOf("server-4")).toBe("192.0.2.99");
  expect(proxyOf("server-6")).toBe(deployment.proxy.address6);
});

test("a client of IPv6 alone is named where the proxy's network turns out to have none", async () => {
  warn.mockClear();
  await run({
    ...CONFIG,
    network: { existing: { network: "office", subnet: "office" } },
    access: { ...CONFIG.access, floatingIpPool: "public" },
    egress: { dns: [] },
  });
  expect(
    warn.mock.calls.map(([message]) => message).filter((message) => message.includes("by IPv6 alone")),
  ).toEqual([
    expect.stringContaining("client server-6 connects by IPv6 alone, and the proxy has no IPv6 address"),
    expect.stringContaining("client modern connects by IPv6 alone, and the proxy has no IPv6 address"),
  ]);
});
