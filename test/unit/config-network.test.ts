import { describe, expect, test } from "@jest/globals";
import { type Case, changed, errorsOf, reportsEach, smallest } from "../harness/config-errors";

describe("a right configuration", () => {
  test("may have a network that exists", () => {
    const existing = { network: "net", subnet: "sub" };
    expect(errorsOf(changed("network", { existing }))).toEqual([]);
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
    [
      "network.create.a b",
      1,
      'network.create["a b"]: unknown key; known here: cidr, cidr6, externalNetwork, dnsServers',
    ],
    ["network", {}, "network.create: missing; give cidr and externalNetwork"],
    [
      "network.existing",
      { network: "n", subnet: "s" },
      "network: has both create and existing; give exactly one of create and existing",
    ],
    [
      "network.create.cidr",
      "10.20.0.0/30",
      'network.create.cidr: "10.20.0.0/30" is too small for router, DHCP server, proxy and a client; take /29 or larger, for example "10.20.0.0/24"',
    ],
    [
      "network.create.cidr",
      "2001:db8::/64",
      'network.create.cidr: "2001:db8::/64" is an IPv6 network; give an IPv4 network, for example "10.20.0.0/24"',
    ],
    ...["10.20.0.0/24", "2001:db8::/48"].map((text): Case => [
      "network.create.cidr6",
      text,
      `network.create.cidr6: "${text}" is not an IPv6 network of /64, which hosts need to find their addresses; give one, for example "2001:db8:0:20::/64"`,
    ]),
    [
      "network.create.cidr6",
      "2001:db8::1/64",
      'network.create.cidr6: "2001:db8::1/64" has host bits set; for that network write "2001:db8::/64"',
    ],
    [
      "network.create.dnsServers[0]",
      "dns.example.com",
      'network.create.dnsServers[0]: "dns.example.com" is not an IP address; write it alone, for example "192.0.2.53"',
    ],
  ];
  reportsEach(cases);
});

describe("errors between fields", () => {
  test("an existing network needs its name servers and the pool of the floating IPs", () => {
    const raw = changed("network", { existing: { network: "n", subnet: "s" } }, smallest());
    expect(errorsOf(changed("access.via", "floating-ip", raw))).toEqual([
      "access.floatingIpPool: missing; with network.existing give the name of the external network that floating IPs come from, see `openstack network list --external`",
      "egress.dns: missing; with network.existing list the networks of its name servers, or write [] for none",
    ]);
  });

  describe("in a network without IPv6", () => {
    const without = (hostName?: string) =>
      changed("network.create.cidr6", undefined, changed("proxy.hostName", hostName));
    const alone = (field: string, shown: string): string =>
      `${field}: ${shown}: the client connects by IPv6 alone, and the proxy has no IPv6 address; give network.create.cidr6, ` +
      "or a proxy.hostName that leads to the proxy by IPv6";

    test("a name server at an IPv6 address is refused", () => {
      expect(errorsOf(without("rclone.example.com"))).toEqual([
        'network.create.dnsServers[1]: "2001:db8::53" is an IPv6 address, and the network has IPv4 alone; leave it out, or give cidr6',
      ]);
    });

    test.each([undefined, "192.0.2.1"])(
      "a client of IPv6 alone is refused where the proxy's name is %s",
      (hostName) => {
        const raw = changed(
          "access.via",
          "floating-ip",
          changed("access.jumpHost", undefined, without(hostName)),
        );
        const floating = changed("network.create.dnsServers", [], changed("proxy.floatingIp", true, raw));
        const networks = ["2001:db8:1::/64", "2001:db8:2::/64"];
        expect(errorsOf(changed("clients[2].sourceCidrs", networks, floating))).toEqual([
          alone("clients[2].sourceCidrs", '"2001:db8:1::/64", "2001:db8:2::/64"'),
        ]);
        expect(errorsOf(changed("clients[2].sourceCidrs", [...networks, "192.0.2.0/24"], floating))).toEqual(
          [],
        );
        const server = changed("clients[1].ssh.address", "2001:db8:1::7", floating);
        expect(errorsOf(changed("clients[1].sourceCidrs", undefined, server))).toEqual([
          alone("clients[1].ssh.address", '"2001:db8:1::7"'),
        ]);
      },
    );

    test.each(["rclone.example.com", "2001:db8::1"])(
      "a client of IPv6 alone finds the proxy at %s",
      (hostName) => {
        const raw = changed("network.create.dnsServers", [], without(hostName));
        expect(errorsOf(changed("clients[2].sourceCidrs", ["2001:db8:1::/64"], raw))).toEqual([]);
      },
    );
  });
});
