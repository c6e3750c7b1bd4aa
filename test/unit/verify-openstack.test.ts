/** How verify judges OpenStack's answers, and connections that hosts tried. */
import { type MadeHost } from "../../operations/deployment";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type AddressInfo, createServer } from "node:net";
import { gzipSync } from "node:zlib";
import type { FirewallRule } from "../../plan";
import { run } from "../../operations/transport/run";
import type { NeutronPort } from "../../operations/verify/openstack/cloud";
import { connectScript, judgeConnections, outcomes } from "../../operations/verify/openstack/connections";
import { judgeMembers } from "../../operations/verify/openstack/groups";
import { textOfServer } from "../../operations/verify/openstack/instances";
import { probeNetwork } from "../../operations/verify/openstack/network";
import { judgePort } from "../../operations/verify/openstack/ports";
import {
  type NeutronRule,
  type Target,
  allows,
  connectionsToTry,
  differences,
  fromNeutron,
  wantedRules,
} from "../../operations/verify/openstack/rules";
import { sampleDeployment } from "../harness/sample-deployment";

const ids = { proxy: "id-of-proxy", appserver: "id-of-appserver" };

/** A configured rule as Neutron shows it. */
function asNeutronShows({ direction, protocol, port, peer }: FirewallRule): NeutronRule {
  const cidr = "cidr" in peer ? peer.cidr : null;
  return {
    direction,
    ethertype: cidr?.includes(":") ? "IPv6" : "IPv4",
    protocol,
    port_range_min: port,
    port_range_max: port,
    remote_ip_prefix: cidr,
    remote_group_id: "group" in peer ? ids[peer.group] : null,
  };
}

const everything: NeutronRule = {
  direction: "egress",
  ethertype: "IPv4",
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
};

const RULES: FirewallRule[] = [
  { group: "proxy", direction: "ingress", protocol: "tcp", port: 22, peer: { group: "appserver" } },
  { group: "proxy", direction: "ingress", protocol: "tcp", port: 22, peer: { cidr: "2001:db8::/32" } },
  { group: "proxy", direction: "egress", protocol: "tcp", port: 7480, peer: { cidr: "192.0.2.10/32" } },
  { group: "proxy", direction: "egress", protocol: "udp", port: 53, peer: { cidr: "0.0.0.0/0" } },
  { group: "appserver", direction: "egress", protocol: "tcp", port: 22, peer: { group: "proxy" } },
  { group: "appserver", direction: "egress", protocol: "tcp", port: 443, peer: { cidr: "192.0.2.0/28" } },
];

describe("the rules of a group", () => {
  const proxy = wantedRules(RULES, "proxy", ids);
  const actual = RULES.filter(({ group }) => group === "proxy").map(asNeutronShows);

  test("are the configured ones, in any order and spelling that Neutron shows", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(actual, { minLength: actual.length }), (rules) => {
        const spelled = rules.map((rule) => ({
          ...rule,
          protocol: { tcp: "6", udp: "17" }[rule.protocol ?? ""] ?? rule.protocol,
          remote_ip_prefix: rule.remote_ip_prefix === "0.0.0.0/0" ? null : rule.remote_ip_prefix,
        }));
        expect(differences(proxy, spelled.map(fromNeutron))).toEqual({ extra: [], missing: [] });
      }),
    );
  });

  test.each<[string, Partial<NeutronRule>, string]>([
    ["everything", {}, "egress any all ports to 0.0.0.0/0"],
    ["everything by IPv6", { ethertype: "IPv6" }, "egress any all ports to ::/0"],
    [
      "a range of ports",
      { protocol: "tcp", port_range_min: 7480, port_range_max: 7481, remote_ip_prefix: "192.0.2.10/32" },
      "egress tcp 7480-7481 to 192.0.2.10/32",
    ],
    [
      "another group",
      { direction: "ingress", protocol: "tcp", port_range_min: 22, port_range_max: 22, remote_group_id: "x" },
      "ingress tcp 22 from the group x (IPv4)",
    ],
    [
      "the same group by IPv6",
      {
        direction: "ingress",
        ethertype: "IPv6",
        protocol: "tcp",
        port_range_min: 22,
        port_range_max: 22,
        remote_group_id: ids.appserver,
      },
      "ingress tcp 22 from the group id-of-appserver (IPv6)",
    ],
    [
      "an address group",
      { remote_address_group_id: "y" },
      "egress any all ports to the address group y (IPv4)",
    ],
  ])("are named where there are more: %s", (_what, rule, words) => {
    const rules = [...actual, { ...everything, ...rule }].map(fromNeutron);
    expect(differences(proxy, rules)).toEqual({ extra: [words], missing: [] });
  });

  test("are named where one is missing", () => {
    expect(differences(proxy, actual.slice(1).map(fromNeutron))).toEqual({
      extra: [],
      missing: ["ingress tcp 22 from the group id-of-appserver (IPv4)"],
    });
  });
});

describe("what the rules allow", () => {
  const to = (address: string, port: number, groupIds: string[] = []) => ({ address, port, groupIds });
  const appserver = wantedRules(RULES, "appserver", ids);
  const proxy = wantedRules(RULES, "proxy", ids);

  test("depends on address, port, group and protocol", () => {
    expect(allows(appserver, to("10.0.0.5", 22, ["id-of-proxy"]))).toBe(true);
    expect(allows(appserver, to("10.0.0.5", 22, ["id-of-appserver"]))).toBe(false);
    expect(allows(appserver, to("10.0.0.5", 80, ["id-of-proxy"]))).toBe(false);
    expect(allows(appserver, to("192.0.2.15", 443))).toBe(true);
    expect(allows(appserver, to("192.0.2.16", 443))).toBe(false);
    expect(allows(proxy, to("198.51.100.1", 53))).toBe(false);
    expect(allows(proxy, to("2001:db8::1", 22))).toBe(false);
    expect(allows([fromNeutron(everything)], to("203.0.113.9", 9999))).toBe(true);
    expect(allows([fromNeutron(everything)], to("2001:db8::1", 9999))).toBe(false);
    expect(allows([], to("203.0.113.9", 9999))).toBe(false);
  });

  test("divides what is tried into the closed, and the open as its control", () => {
    const others = [{ addresses: ["10.0.0.6"], groupIds: ["id-of-appserver"] }];
    const services = [{ address: "192.0.2.10", port: 7480 }];
    const tried = connectionsToTry({ rules: proxy, addresses: ["10.0.0.5"] }, others, services);
    const named = (targets: { address: string; port: number }[]) =>
      targets.map(({ address, port }) => `${address} ${String(port)}`);
    expect(named(tried.open)).toEqual(["192.0.2.10 7480"]);
    expect(named(tried.closed)).toEqual([
      "10.0.0.6 22",
      "10.0.0.6 80",
      "192.0.2.10 22",
      "169.254.169.254 80",
    ]);
  });

  test("takes a rule between groups for one family alone", () => {
    const between = RULES.filter(({ peer }) => "group" in peer);
    const both = [
      ...between,
      ...between.map((rule): FirewallRule => ({
        ...rule,
        peer: { group: (rule.peer as { group: "proxy" }).group, ethertype: "IPv6" },
      })),
    ];
    const at = (rules: FirewallRule[], address: string) =>
      allows(wantedRules(rules, "appserver", ids), to(address, 22, ["id-of-proxy"]));
    expect([at(between, "10.0.0.5"), at(between, "2001:db8::5")]).toEqual([true, false]);
    expect([at(both, "10.0.0.5"), at(both, "2001:db8::5")]).toEqual([true, true]);
  });

  test("never has a host try itself", () => {
    const tried = connectionsToTry(
      { rules: [], addresses: ["10.0.0.5"] },
      [],
      [{ address: "10.0.0.5", port: 7480 }],
    );
    expect(tried.closed.map(({ address }) => address)).toEqual(["169.254.169.254"]);
  });
});

describe("connections", () => {
  const closed = [
    { address: "192.0.2.1", port: 22, groupIds: [] },
    { address: "2001:db8::1", port: 80, groupIds: [] },
  ];
  const open = [{ address: "192.0.2.9", port: 7480, groupIds: [] }];
  const printed = (one: string, two: string, control: string): string =>
    `a banner\nconnect 192.0.2.1:22 ${one}\nconnect [2001:db8::1]:80 ${two}\nconnect 192.0.2.9:7480 ${control}\n`;
  const judge = (text: string) => judgeConnections({ closed, open }, outcomes(text));

  test("without an answer pass, beside one that is answered", () => {
    expect(judge(printed("nothing", "ENETUNREACH", "open"))).toEqual({
      holds: true,
      happened: "no answer from 192.0.2.1:22, [2001:db8::1]:80; 192.0.2.9:7480 answers",
    });
  });

  test("that the far end accepts or refuses fail", () => {
    expect(judge(printed("open", "nothing", "open"))).toEqual({
      holds: false,
      happened: "192.0.2.1:22 answers",
    });
    expect(judge(printed("ECONNREFUSED", "nothing", "open"))).toEqual({
      holds: false,
      happened: "192.0.2.1:22 refuses, so it can be reached",
    });
  });

  test("prove nothing where the control fails, or one is missing or unclear", () => {
    expect(() => judge(printed("nothing", "ETIMEDOUT", "nothing"))).toThrow(
      /what the rules allow does not answer/,
    );
    expect(() => judge("connect 192.0.2.1:22 nothing\nconnect 192.0.2.9:7480 open\n")).toThrow(
      /the result for \[2001:db8::1\]:80 is unclear/,
    );
    expect(() => judge(printed("EINVAL", "nothing", "open"))).toThrow(
      /the result for 192.0.2.1:22 is unclear/,
    );
    expect(() => judge("")).toThrow(/unclear/);
    expect(() => judgeConnections({ closed: [], open }, new Map())).toThrow(/everything/);
  });
});

test("the script that hosts run distinguishes an open port from one that refuses", async () => {
  const [listening, closed] = [createServer(), createServer()];
  const ports = await Promise.all(
    [listening, closed].map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return (server.address() as AddressInfo).port;
    }),
  );
  await new Promise((resolve) => closed.close(resolve));
  try {
    const [open, refusing] = ports.map((port) => ({ address: "127.0.0.1", port, groupIds: [] }));
    const tried = { closed: [refusing as Target], open: [open as Target] };
    const { stdout } = await run("sh", ["-eu", "-s"], { input: connectScript(tried), timeout: 30 });
    expect([...outcomes(stdout)].sort()).toEqual(
      [
        [`127.0.0.1:${String(ports[0])}`, "open"],
        [`127.0.0.1:${String(ports[1])}`, "refused"],
      ].sort(),
    );
  } finally {
    listening.close();
  }
});

describe("a port", () => {
  const host: MadeHost = {
    name: "web",
    group: "appserver",
    instanceId: "instance",
    portId: "port",
    securityGroupIds: ["a", "b"],
  };
  const port: NeutronPort = {
    id: "port",
    security_groups: ["b", "a"],
    port_security_enabled: true,
    allowed_address_pairs: [],
    fixed_ips: [],
    device_id: "instance",
  };

  test.each<[string, NeutronPort | undefined, RegExp]>([
    ["another group", { ...port, security_groups: ["a", "b", "c"] }, /in the group c, too/],
    ["a group missing", { ...port, security_groups: ["a"] }, /not in the group b/],
    ["port security off", { ...port, port_security_enabled: false }, /port security is off/],
    [
      "more addresses",
      { ...port, allowed_address_pairs: [{ ip_address: "0.0.0.0/0" }] },
      /send as 0.0.0.0\/0/,
    ],
    ["no port", undefined, /does not have this port/],
  ])("fails: %s", (_what, changed, words) => {
    const { holds, happened } = judgePort(changed, host);
    expect(holds).toBe(false);
    expect(happened).toMatch(words);
  });

  test("passes as created", () => {
    expect(judgePort(port, host)).toEqual({ holds: true, happened: "as created" });
    const older = { ...port, port_security_enabled: undefined, allowed_address_pairs: undefined };
    expect(judgePort(older, host).holds).toBe(true);
  });
});

describe("the members of a group", () => {
  const host = { group: "appserver", instanceId: "" } as const;
  const hosts: MadeHost[] = [
    { ...host, name: "web", portId: "port-of-web", securityGroupIds: [ids.appserver, "other"] },
    { ...host, name: "db", portId: "port-of-db", securityGroupIds: [ids.appserver] },
    { ...host, group: "proxy", name: "rclonesrv", portId: "port-of-proxy", securityGroupIds: [ids.proxy] },
  ];
  const port = (id: string, group = ids.appserver): NeutronPort => ({
    id,
    security_groups: [group],
    fixed_ips: [{ ip_address: "10.0.0.9" }],
    device_id: `instance-of-${id}`,
  });
  const own = [port("port-of-web"), port("port-of-db")];

  test("are the stack's hosts in it", () => {
    expect(judgeMembers(own, ids.appserver, hosts)).toEqual({ holds: true, happened: "these 2" });
  });

  test("another port, and a host of another group, are named", () => {
    for (const id of ["port-of-another", "port-of-proxy"]) {
      expect(judgeMembers([...own, port(id)], ids.appserver, hosts)).toEqual({
        holds: false,
        happened: `not the stack's: port ${id} (10.0.0.9) of the instance instance-of-${id}`,
      });
    }
  });

  test("prove nothing where the stack's own are not among them", () => {
    expect(() => judgeMembers(own.slice(1), ids.appserver, hosts)).toThrow(/lacks the port of web$/);
  });

  test("are read to the last page, even where Neutron does not filter them", async () => {
    const pages: Record<string, unknown> = {
      "": { ports: [port("a", "x"), port("b", "x")], ports_links: [{ rel: "next" }, { rel: "previous" }] },
      "&marker=b": { ports: [port("c", ids.appserver)], ports_links: [{ rel: "previous" }] },
    };
    const deployment = sampleDeployment({ network: { groups: ids, rules: [], hosts: [] } });
    const findings = await probeNetwork(
      deployment,
      Promise.resolve({
        endpoint: () => "https://network.example",
        get: (_type, path) => {
          const [, page] = /^\/v2\.0\/ports\?security_groups=[\w-]+?(&marker=.*)?$/.exec(path) ?? [];
          return Promise.resolve(
            path.includes("/ports") ? pages[page ?? ""] : { security_group: { security_group_rules: [] } },
          );
        },
      }),
    );
    expect(Object.fromEntries(findings.map(({ id, verdict }) => [id, verdict]))).toEqual({
      "net.rules-proxy": "pass",
      "net.members-proxy": "pass",
      "net.rules-appserver": "pass",
      "net.members-appserver": "FAIL",
    });
  });
});

test("user data are decoded, compressed or not", () => {
  const secret = "a secret in the user data";
  for (const bytes of [Buffer.from(secret), gzipSync(secret)]) {
    const server = { metadata: { a: "b" }, "OS-EXT-SRV-ATTR:user_data": bytes.toString("base64") };
    expect(textOfServer(server)).toContain(secret);
  }
  expect(textOfServer({ metadata: { a: secret }, "OS-EXT-SRV-ATTR:user_data": null })).toContain(secret);
});
