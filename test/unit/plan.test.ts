import { execFileSync } from "node:child_process";
import { createHmac, generateKeyPairSync } from "node:crypto";
import * as path from "node:path";
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { parseStackConfig, StackConfig } from "../../config";
import {
  buildPlan,
  ethertypeOf,
  firewallRules,
  openRings,
  repositoryPassword,
  ringsOpenByService,
  ruleName,
} from "../../plan";
import { blob, ed25519 } from "../harness/config-example";

function config(change: Record<string, unknown> = {}): StackConfig {
  return parseStackConfig({
    network: { create: { cidr: "10.20.0.0/24", externalNetwork: "public", dnsServers: ["192.0.2.53"] } },
    access: { via: "floating-ip", adminCidrs: ["198.51.100.0/24"] },
    egress: { mirrors: ["203.0.113.0/24"], ntp: ["192.0.2.123/32"] },
    proxy: {
      image: "debian-12",
      flavor: "s1",
      rclone: { version: "1.76.0", url: "http://mirror.example:8088/rclone", sha256: "a".repeat(64) },
    },
    s3: {
      endpoint: "s3.example.com:8443",
      region: "eu-central-1",
      bucket: "databucket",
      identities: { owner: { projectId: "0".repeat(32) }, writer: { projectId: "1".repeat(32) } },
    },
    clients: [
      {
        name: "web",
        kind: "vm",
        image: "debian-12",
        flavor: "s1",
        repositories: [{ name: "main", paths: ["/srv"] }],
      },
      {
        name: "partner",
        kind: "key-only",
        sourceCidrs: ["192.0.2.128/25"],
        repositories: [{ name: "main", paths: ["/srv"], publicKey: ed25519(1) }],
      },
    ],
    ...change,
  });
}

describe("firewall", () => {
  const rules = (of: StackConfig) => firewallRules(of, "https://s3.example.com:8443").map(ruleName);

  test("the proxy is reached by SSH from administrators and clients, and from nowhere else", () => {
    expect(rules(config()).filter((name) => name.startsWith("proxy-ingress"))).toEqual([
      "proxy-ingress-tcp-22-192.0.2.128/25",
      "proxy-ingress-tcp-22-198.51.100.0/24",
      "proxy-ingress-tcp-22-appserver",
      "proxy-ingress-tcp-22-appserver-ipv6",
    ]);
  });

  test("only the proxy reaches S3, on the endpoint's port", () => {
    expect(rules(config()).filter((name) => name.includes("8443"))).toEqual([
      "proxy-egress-tcp-8443-0.0.0.0/0",
      "proxy-egress-tcp-8443-::/0",
    ]);
  });

  test("downloads are allowed on the ports of their addresses, to the mirrors alone", () => {
    expect(rules(config()).filter((name) => name.includes("8088"))).toEqual([
      "appserver-egress-tcp-8088-203.0.113.0/24",
      "proxy-egress-tcp-8088-203.0.113.0/24",
    ]);
  });

  const keeper = {
    image: "debian-12",
    flavor: "s1",
    node: { version: "24.0.0", url: "http://mirror.example:8090/node", sha256: "b".repeat(64) },
    restic: { version: "0.19.1", url: "http://mirror.example:8091/restic", sha256: "c".repeat(64) },
  };

  test("the keeper reaches S3, names, time and mirrors alone, and only administrators reach it", () => {
    const names = rules(config({ keeper }));
    expect(names.filter((name) => name.includes("keeper"))).toEqual([
      "keeper-egress-tcp-443-203.0.113.0/24",
      "keeper-egress-tcp-53-192.0.2.53/32",
      "keeper-egress-tcp-80-203.0.113.0/24",
      "keeper-egress-tcp-8088-203.0.113.0/24",
      "keeper-egress-tcp-8090-203.0.113.0/24",
      "keeper-egress-tcp-8091-203.0.113.0/24",
      "keeper-egress-tcp-8443-0.0.0.0/0",
      "keeper-egress-tcp-8443-::/0",
      "keeper-egress-udp-123-192.0.2.123/32",
      "keeper-egress-udp-53-192.0.2.53/32",
      "keeper-ingress-tcp-22-198.51.100.0/24",
    ]);
    expect(rules(config()).filter((name) => name.includes("keeper"))).toEqual([]);
  });

  const alarms = {
    mail: { server: "192.0.2.25", from: "backups@example.com", to: ["ops@example.com"] },
    webhooks: [
      { name: "team", url: "https://hooks.example.com/T0/B0" },
      { name: "own", url: "http://[2001:DB8::7]:8065/hook" },
    ],
    command: { path: "/usr/local/bin/page" },
    ping: "https://ping.example.com:8444/0123",
  };

  test("the keeper reaches mail server, webhooks and ping on their ports alone, at their addresses where they are given", () => {
    const before = rules(config({ keeper }));
    expect(rules(config({ keeper, alarms })).filter((name) => !before.includes(name))).toEqual([
      "keeper-egress-tcp-443-0.0.0.0/0",
      "keeper-egress-tcp-443-::/0",
      "keeper-egress-tcp-587-192.0.2.25/32",
      "keeper-egress-tcp-8065-2001:db8::7/128",
      "keeper-egress-tcp-8444-0.0.0.0/0",
      "keeper-egress-tcp-8444-::/0",
    ]);
    const egress = { ...config().egress, alarms: ["198.51.100.64/26"] };
    expect(rules(config({ keeper, alarms, egress })).filter((name) => !before.includes(name))).toEqual(
      [443, 587, 8065, 8444].map((port) => `keeper-egress-tcp-${String(port)}-198.51.100.64/26`),
    );
  });

  test("without ways of alarms, and for other hosts, nothing is opened", () => {
    const egress = { ...config().egress, alarms: ["198.51.100.64/26"] };
    expect(rules(config({ keeper, egress, alarms: { command: alarms.command } }))).toEqual(
      rules(config({ keeper })),
    );
    expect(rules(config({ alarms, egress }))).toEqual(rules(config()));
  });

  test("app servers reach the proxy by either family", () => {
    const between = firewallRules(config(), "https://s3.example.com").filter(({ peer }) => "group" in peer);
    expect(between.map((rule) => [rule.group, rule.direction, rule.port, ethertypeOf(rule)])).toEqual([
      ["appserver", "egress", 22, "IPv4"],
      ["appserver", "egress", 22, "IPv6"],
      ["proxy", "ingress", 22, "IPv4"],
      ["proxy", "ingress", 22, "IPv6"],
    ]);
  });

  test("a rule of an older description without a family is for IPv4", () => {
    const rule = { group: "proxy", direction: "ingress", protocol: "tcp", port: 22 } as const;
    expect(ethertypeOf({ ...rule, peer: { group: "appserver" } })).toBe("IPv4");
    expect(ethertypeOf({ ...rule, peer: { cidr: "2001:db8::/32" } })).toBe("IPv6");
  });

  test("a jump host may reach the hosts by SSH", () => {
    const jumpHost = { address: "192.0.2.9", user: "ops", hostKey: ed25519(9) };
    const access = { via: "jump-host", adminCidrs: ["198.51.100.0/24"], jumpHost };
    const clients = [config().clients[0]];
    expect(rules(config({ access, clients }))).toContain("appserver-ingress-tcp-22-192.0.2.9/32");
  });

  test("no rule comes twice, and their order does not depend on that of the clients", () => {
    const several = ["a", "b", "c"].map((name, index) => ({
      name,
      kind: "key-only",
      sourceCidrs: ["192.0.2.128/25", `192.0.2.${String(index)}/32`],
      repositories: [{ name: "main", paths: ["/srv"], publicKey: ed25519(index + 1) }],
    }));
    const names = rules(config({ clients: several }));
    expect(new Set(names).size).toBe(names.length);
    expect(rules(config({ clients: [...several].reverse() }))).toEqual(names);
  });
});

describe("retention", () => {
  const artifact = { version: "24.0.0", url: "https://example.com/p", sha256: "a".repeat(64) };
  const KEEP = { within: 7, days: 0, weeks: 4, months: 0, years: 0 };
  const identities = Object.fromEntries(
    ["owner", "writer", "keeper"].map((role, digit) => [role, { projectId: String(digit).repeat(32) }]),
  );
  const kept = (change: { keeper?: object; s3?: object; repository?: object; frozen?: boolean } = {}) => {
    const [web] = config().clients;
    return buildPlan(
      config({
        keeper: { image: "i", flavor: "f", node: artifact, restic: artifact, keep: KEEP, ...change.keeper },
        s3: { ...config().s3, identities, ...change.s3 },
        clients: [
          {
            ...web,
            frozen: change.frozen ?? false,
            repositories: [{ name: "main", paths: ["/srv"], ...change.repository }],
          },
        ],
      }),
    );
  };

  test("is on with a keeper of its own identity, and versions that outlive a cycle", () => {
    const plan = kept();
    expect(plan.retentionOff).toBeUndefined();
    expect(plan.keeper).toMatchObject({
      s3: { endpoint: "https://s3.example.com:8443", region: "eu-central-1", bucket: "databucket" },
      repositories: [
        {
          client: "web",
          repository: "main",
          keep: KEEP,
          pins: [],
          schedule: "daily",
          window: 60,
          frozen: false,
        },
      ],
      approval: { snapshots: 50, share: 0.2 },
      noncurrentVersionDays: 30,
    });
    expect(plan.keeper).not.toHaveProperty("retentionOff");
    expect(plan.keeper?.bounds.readBytes).toBe(50 * 1024 ** 3);
    expect(kept({ s3: { noncurrentVersionDays: 14 } }).retentionOff).toBeUndefined();
  });

  test.each([
    ["no writer", { s3: { identities: { owner: identities["owner"] } } }, "s3.identities.writer"],
    [
      "no keeper's identity",
      { s3: { identities: { ...identities, keeper: undefined } } },
      "s3.identities.keeper",
    ],
    ["no versions", { s3: { versioning: false, noncurrentVersionDays: undefined } }, "s3.versioning"],
    ["short-lived versions", { s3: { noncurrentVersionDays: 13 } }, "s3.noncurrentVersionDays"],
  ])("is off with %s, which the keeper is given too", (_, change, remedy) => {
    const plan = kept(change);
    expect(plan.retentionOff).toContain(remedy);
    expect(plan.keeper?.retentionOff).toBe(plan.retentionOff);
  });

  test("is off without a keeper, which a keep of a repository then needs", () => {
    const repositories = [{ name: "main", paths: ["/srv"], keep: { within: 1 } }];
    const plan = buildPlan(config({ clients: [{ ...config().clients[0], repositories }] }));
    expect(plan.keeper).toBeUndefined();
    expect(plan.retentionOff).toContain("give keeper a host");
    expect(plan.warnings).toEqual([expect.stringContaining("repository main: keep has no effect")]);
  });

  test("of a repository is its own keep before the keeper's, with its pins and whether its client is frozen", () => {
    const pins = ["d".repeat(64)];
    const own = { within: 3, days: 1, weeks: 0, months: 0, years: 0 };
    const one = (plan: ReturnType<typeof kept>) => plan.keeper?.repositories[0];
    expect(one(kept({ repository: { keep: own, pins }, frozen: true }))).toMatchObject({
      keep: own,
      pins,
      frozen: true,
    });
    expect(one(kept({ keeper: { keep: undefined } }))).not.toHaveProperty("keep");
  });

  test("knows which repositories only their operator's key opens, who may not have begun yet", () => {
    const keeper = { image: "i", flavor: "f", node: artifact, restic: artifact };
    const of = buildPlan(config({ keeper })).keeper?.repositories;
    expect(of?.map(({ client, keyOnly }) => [client, keyOnly])).toEqual([
      ["web", undefined],
      ["partner", true],
    ]);
  });

  test("needs a disk for the keeper", () => {
    const disks = (plan: ReturnType<typeof kept>) => plan.disksOfFlavors.map(({ host }) => host);
    expect(disks(kept())).toContain("keeper");
    expect(disks(kept({ keeper: { volume: { size: 10 } } }))).not.toContain("keeper");
  });
});

describe("rings", () => {
  test("one S3 identity leaves ring 2 open, and the remedy names the field", () => {
    const open = openRings({ ...config().s3, identities: { owner: { projectId: "0".repeat(32) } } });
    expect(open.map(({ ring }) => ring)).toEqual([2, 3]);
    expect(open[0]?.remedy).toContain("s3.identities.writer");
  });

  test("a writer without a keeper leaves ring 2 open, for retention then runs as the owner", () => {
    const open = buildPlan(config()).openRings;
    expect(open.map(({ ring }) => ring)).toEqual([2, 3]);
    expect(open[0]?.remedy).toContain("s3.identities.keeper");
  });

  const three = () => ({
    ...config().s3,
    identities: { ...config().s3.identities, keeper: { projectId: "2".repeat(32) } },
  });

  test("a bucket without versions leaves ring 2 open, with any writer", () => {
    const open = openRings({ ...three(), versioning: false });
    expect(open.map(({ ring }) => ring)).toEqual([2, 3]);
    expect(open[0]?.remedy).toContain("s3.versioning");
  });

  test("old versions that are gone within a week leave ring 2 open", () => {
    const open = openRings({ ...three(), noncurrentVersionDays: 6 });
    expect(open.map(({ ring }) => ring)).toEqual([2, 3]);
    expect(open[0]?.why).toContain("6 days");
    expect(open[0]?.remedy).toContain("s3.noncurrentVersionDays");
    expect(openRings({ ...three(), noncurrentVersionDays: 7 }).map(({ ring }) => ring)).toEqual([3]);
  });

  test("three identities and versions close ring 2", () => {
    expect(openRings(three()).map(({ ring }) => ring)).toEqual([3]);
  });

  test("a service without versions opens ring 2, one without a quota ring 1", () => {
    expect(ringsOpenByService({ versioning: "Enabled", quota: 1 })).toEqual([]);
    expect(ringsOpenByService({ versioning: "Suspended", quota: 1 })).toEqual([]);
    const open = (["none", "unknown"] as const).map((quota) =>
      ringsOpenByService({ versioning: "unsupported", quota }),
    );
    expect(open.map((rings) => rings.map(({ ring }) => ring))).toEqual([
      [2, 1],
      [2, 1],
    ]);
    expect(open[0]?.[1]?.why).not.toBe(open[1]?.[1]?.why);
  });
});

describe("what is probably not meant", () => {
  const rsa = `ssh-rsa ${rsaBlob()}`;
  const server = { kind: "existing", repositories: [{ name: "main", paths: ["/srv"] }] };
  const ssh = { user: "root", hostKey: rsa };

  test("an RSA host key of a server or of the jump host is warned of, with the key to give instead", () => {
    const jumpHost = { address: "192.0.2.9", user: "ops", hostKey: `192.0.2.9 ${rsa}` };
    const clients = [
      { ...server, name: "old", ssh: { ...ssh, address: "192.0.2.7" } },
      { ...server, name: "new", ssh: { ...ssh, address: "192.0.2.8", hostKey: ed25519(7) } },
    ];
    const access = { via: "jump-host", adminCidrs: ["198.51.100.0/24"], jumpHost };
    const proxy = { ...config().proxy, floatingIp: true };
    const { warnings } = buildPlan(
      config({ access: { ...access, floatingIpPool: "public" }, proxy, clients }),
    );
    expect(warnings).toEqual([
      expect.stringMatching(/^access\.jumpHost\.hostKey is an RSA key, .*ssh_host_ed25519_key\.pub/),
      expect.stringMatching(/^client old: ssh\.hostKey is an RSA key, .*OpenSSH 8\.8/),
    ]);
  });

  test("a frozen client's key is not warned of, for nobody connects", () => {
    const clients = [{ ...server, name: "old", frozen: true, ssh: { ...ssh, address: "192.0.2.7" } }];
    expect(buildPlan(config({ clients })).warnings).toEqual([]);
  });

  test("alarms that nobody sends are warned of, way by way", () => {
    const webhooks = [1, 2].map((number) => ({
      name: `w${String(number)}`,
      url: "https://hooks.example.com/",
    }));
    const { warnings } = buildPlan(config({ alarms: { webhooks, ping: "https://ping.example.com/hush" } }));
    expect(warnings).toEqual([
      expect.stringMatching(/^alarms\.webhooks has no effect, .*; give keeper a host/),
      expect.stringMatching(/^alarms\.ping has no effect/),
    ]);
    expect(buildPlan(config({ alarms: { graceHours: 1, quotaGib: 5 } })).warnings).toEqual([]);
  });

  test("a backup of the whole system without oneFileSystem is warned of", () => {
    const repositories = [
      { name: "all", paths: ["/"] },
      { name: "disk", paths: ["/"], oneFileSystem: true },
      { name: "part", paths: ["/srv"] },
    ];
    const { warnings } = buildPlan(config({ clients: [{ ...config().clients[0], repositories }] }));
    expect(warnings).toEqual([
      expect.stringMatching(/^client web, repository all: the path "\/" .*oneFileSystem: true/),
    ]);
  });
});

test("a backup of the whole system leaves out the kernel's folders, unless an exclude takes one back in", () => {
  const repositories = [
    { name: "all", paths: ["/home", "/"], excludes: ["*.tmp", "!/dev/*"] },
    { name: "part", paths: ["/srv"], excludes: ["*.tmp"] },
  ];
  const [client] = buildPlan(config({ clients: [{ ...config().clients[0], repositories }] })).clients;
  expect(client?.repositories.map(({ excludes }) => excludes)).toEqual([
    ["/proc/*", "/sys/*", "/dev/*", "/run/*", "*.tmp", "!/dev/*"],
    ["*.tmp"],
  ]);
});

test("a host without a volume needs a disk of its flavor; an existing server and a frozen client need none", () => {
  const machine = { kind: "vm", image: "debian-12", repositories: [{ name: "main", paths: ["/srv"] }] };
  const clients = [
    { ...machine, name: "a", flavor: { id: "42" } },
    { ...machine, name: "b", flavor: "s2", volume: { size: 20 } },
    { ...machine, name: "c", flavor: "s3", frozen: true },
  ];
  expect(buildPlan(config({ clients })).disksOfFlavors).toEqual([
    { name: "rclonesrv", host: "proxy", flavor: "s1" },
    { name: "a", host: "client a", flavor: { id: "42" } },
  ]);
});

/** The inside of an RSA key of 2048 bits. */
function rsaBlob(): string {
  const { n, e } = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" });
  return blob("ssh-rsa", Buffer.from(e ?? "", "base64url"), Buffer.from(`00${hex(n)}`, "hex"));
}

function hex(base64url = ""): string {
  return Buffer.from(base64url, "base64url").toString("hex");
}

describe("passwords", () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);

  test("are the documented HMAC, and differ for every repository", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), word, word, word, (root, client, one, other) => {
        const password = repositoryPassword(root, client, one);
        expect(password).toBe(createHmac("sha256", root).update(`${client}/${one}`).digest("base64url"));
        if (one !== other) expect(repositoryPassword(root, client, other)).not.toBe(password);
      }),
    );
  });

  test("npm run password derives the same from a root key that lost its line end", () => {
    const root = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;
    const script = path.resolve(__dirname, "../../scripts/password.ts");
    const tsx = path.resolve(__dirname, "../../node_modules/.bin/tsx");
    for (const input of [root, root.trim(), `\n${root}\n\n`]) {
      const printed = execFileSync(tsx, [script, "web/main"], { input, encoding: "utf8", timeout: 30_000 });
      expect(printed.trim()).toBe(repositoryPassword(root, "web", "main"));
    }
    expect(() => execFileSync(tsx, [script, "web/main"], { input: "no key", stdio: "pipe" })).toThrow(
      /BEGIN/,
    );
  });
});
