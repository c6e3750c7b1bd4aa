import { Deployment } from "../../operations/deployment";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { FILES_TYPE, INSTALL_COMMAND, stackIdentity } from "../../hosts";
import { instructionsFor } from "../../operations/instructions";
import { Lookup, mockedStack, Registered } from "../harness/mocked-stack";
import { ed25519 } from "../harness/config-example";

const KEY_OF_OLD = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });

const CONFIG = {
  network: { create: { cidr: "10.20.0.0/24", externalNetwork: "public" } },
  access: { via: "floating-ip", adminCidrs: ["172.24.4.0/24"] },
  proxy: {
    image: "debian-12",
    flavor: "s1",
    rclone: { version: "1.76.0", url: "https://mirror.example/rclone", sha256: "a".repeat(64) },
  },
  s3: {
    endpoint: "s3.example.com",
    region: "eu-central-1",
    bucket: "databucket",
    identities: {
      owner: { projectId: "0".repeat(32) },
      writer: { accessKeyId: "WRITER", secretAccessKey: "writer secret", principal: "arn:aws:iam::w:root" },
    },
  },
  clients: [
    {
      name: "web",
      kind: "vm",
      image: "debian-12",
      flavor: { id: "42" },
      volume: { size: 20, type: "ssd", keep: true },
      availabilityZone: "az2",
      user: "ubuntu",
      repositories: [
        { name: "main", paths: ["/srv"] },
        { name: "db", paths: ["/var/lib/db"], password: "given password" },
      ],
    },
    {
      name: "taken",
      kind: "vm",
      frozen: true,
      image: "debian-12",
      flavor: "s1",
      repositories: [{ name: "main", paths: ["/srv"] }],
    },
    {
      name: "old",
      kind: "existing",
      ssh: { address: "192.0.2.7", user: "root", hostKey: ed25519(200), privateKey: KEY_OF_OLD },
      repositories: [{ name: "main", paths: ["/home"] }],
    },
    {
      name: "partner",
      kind: "key-only",
      sourceCidrs: ["198.51.100.0/24"],
      repositories: [{ name: "main", paths: ["/data"], publicKey: ed25519(201) }],
    },
  ],
};

let resources: Registered[];
let urns: string[];
let exports: Record<string, unknown>;
let asked: Lookup[];

function only(type: string, name: string): Registered {
  const found = resources.filter((resource) => resource.type === type && resource.name === name);
  expect(found).toHaveLength(1);
  return found[0] as Registered;
}

function names(type: string): string[] {
  return resources
    .filter((resource) => resource.type === type)
    .map(({ name }) => name)
    .sort();
}

function plain(output: unknown): Promise<unknown> {
  return (pulumi.output(output) as pulumi.Output<unknown> & { promise(): Promise<unknown> }).promise();
}

function isSecret(output: unknown): Promise<boolean> {
  return pulumi.isSecret(pulumi.output(output));
}

const said = jest.spyOn(pulumi.log, "info").mockResolvedValue();

beforeAll(async () => {
  ({ resources, urns, exports, asked } = await mockedStack(CONFIG));
});

// Pulumi knows a resource by its URN: where a line of this snapshot changes, stacks that exist lose a resource and get
// another, unless the program names the old URN as an alias. A new line is a new resource.
test("every resource keeps its URN", () => {
  expect(urns).toMatchSnapshot();
});

describe("secrets", () => {
  test("every input that carries one is a secret", () => {
    for (const host of ["rclonesrv", "web", "old"]) {
      const { inputs } = only("command:remote:Command", host);
      expect(inputs.stdin).toEqual({ secret: expect.any(String) });
      expect(inputs.connection).toEqual({ secret: expect.any(Object) });
    }
    const { inputs } = only("pulumi-nodejs:dynamic/s3:Bucket", "secure-backups-test");
    expect(inputs.owner).toEqual({ secret: expect.any(Object) });
    expect(inputs.writer).toEqual({ secret: expect.any(Object) });
  });

  test("no secret stands in any input that is not marked as one", () => {
    const open = resources.map(({ inputs }) =>
      Object.entries(inputs).filter(([, value]) => !(value instanceof Object && "secret" in value)),
    );
    const text = JSON.stringify(open);
    expect(text).toContain("databucket");
    for (const secret of [
      "writer secret",
      "given password",
      KEY_OF_OLD,
      "private key of",
      "private PEM of",
    ]) {
      expect([secret, text.includes(JSON.stringify(secret).slice(1, -1))]).toEqual([secret, false]);
    }
  });

  test("a remote command's own text is the same for all hosts, and what a preview shows holds no content", () => {
    const commands = ["rclonesrv", "web", "old"].map((host) => only("command:remote:Command", host).inputs);
    expect(commands.map(({ create }) => create)).toEqual(Array(3).fill(INSTALL_COMMAND));
    const { inputs } = only(FILES_TYPE, "rclonesrv");
    expect(inputs).toMatchObject({
      install: { title: expect.stringContaining("rclone 1.76.0"), script: expect.any(String) },
      "/home/rcloneproxy/.config/rclone/rclone.conf": { mode: "0640", owner: "root:rcloneproxy" },
    });
    expect(JSON.stringify(inputs)).toContain("web/main");
    expect(JSON.stringify(inputs)).not.toMatch(/[A-Za-z0-9+/]{80}/);
  });

  test("user data holds one secret, the host's own key", () => {
    const { inputs } = only("openstack:compute/instance:Instance", "web");
    const userData = (inputs.userData as { secret: string }).secret;
    expect(userData).toContain("private key of web-host-key");
    expect(userData).not.toContain("private key of web-main");
    expect(userData).not.toContain("given password");
  });

  test("outputs keep passwords, operator's key and root key secret, and nothing else", async () => {
    for (const name of ["passwords", "operatorPrivateKey", "repositoryRootKey", "deployment"]) {
      expect([name, await isSecret(exports[name])]).toEqual([name, true]);
    }
    for (const name of ["proxy", "bucket", "operatorPublicKey"]) {
      expect([name, await isSecret(exports[name])]).toEqual([name, false]);
    }
  });
});

describe("hosts", () => {
  const instance = (name: string) => only("openstack:compute/instance:Instance", name).inputs;

  test("a host with a volume boots from it, in its zone, and one without from its flavor's disk", () => {
    expect(instance("web")).toMatchObject({
      flavorId: "42",
      availabilityZoneHints: "az2",
      blockDevices: [
        {
          sourceType: "image",
          uuid: "id of debian-12",
          destinationType: "volume",
          volumeSize: 20,
          volumeType: "ssd",
          bootIndex: 0,
          deleteOnTermination: false,
        },
      ],
    });
    expect(instance("web")).not.toHaveProperty("imageId");
    expect(instance("web")).not.toHaveProperty("flavorName");
    expect(instance("rclonesrv")).toMatchObject({
      imageId: "id of debian-12",
      flavorName: "s1",
    });
    expect(instance("rclonesrv")).not.toHaveProperty("blockDevices");
  });

  test("the disk of each flavor is looked up on which a host is to start", () => {
    expect(asked.filter(({ token }) => token.endsWith(":getFlavor"))).toEqual([
      expect.objectContaining({ inputs: expect.objectContaining({ name: "s1" }) }),
    ]);
  });

  test("every input of an instance is one that the provider knows", () => {
    const declared = (file: string, name: string) => {
      const text = readFileSync(require.resolve(`@pulumi/openstack/${file}`), "utf8");
      const body = new RegExp(`interface ${name} \\{(.*?)\\n *\\}\\n`, "s").exec(text)?.[1] ?? "";
      return Array.from(body.matchAll(/^ +(\w+)\??: /gm), (match) => match[1]);
    };
    const inputs = declared("compute/instance.d.ts", "InstanceArgs");
    expect(inputs).toEqual(
      expect.arrayContaining(Object.keys({ ...instance("web"), ...instance("rclonesrv") })),
    );
    const [device] = instance("web").blockDevices as object[];
    expect(declared("types/input.d.ts", "InstanceBlockDevice")).toEqual(
      expect.arrayContaining(Object.keys(device as object)),
    );
  });

  const connectionTo = (host: string) =>
    (only("command:remote:Command", host).inputs.connection as { secret: Record<string, unknown> }).secret;

  test("each is reached as its own user, or as the stack's", () => {
    expect(["rclonesrv", "web", "old"].map((host) => connectionTo(host).user)).toEqual([
      "debian",
      "ubuntu",
      "root",
    ]);
  });

  test("one that may boot is waited for, and a server that runs is not", () => {
    const limits = ["rclonesrv", "web", "old"].map((host) => connectionTo(host).dialErrorLimit);
    expect(limits).toEqual([90, 90, 10]);
  });

  test("an update says which new ones it waits for", () => {
    expect(said.mock.calls).toEqual([
      [expect.stringMatching(/^waiting for rclonesrv, web to boot, .*Dial 1\/90 /)],
    ]);
  });

  test("every connection pins the host key that the stack made or was given", () => {
    const connectionOf = (host: string) =>
      (only("command:remote:Command", host).inputs.connection as { secret: { hostKey: string } }).secret;
    expect(connectionOf("old").hostKey).toBe(ed25519(200));
    for (const host of ["rclonesrv", "web"]) {
      expect(connectionOf(host).hostKey).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+$/);
    }
  });

  test("what OpenStack allows by default is removed, and no rule is open to the world but S3's and time's", () => {
    for (const group of ["proxy", "appserver"]) {
      const { inputs } = only("openstack:networking/secGroup:SecGroup", `secure-backups-test-${group}`);
      expect(inputs.deleteDefaultRules).toBe(true);
    }
    const rules = resources.filter(({ type }) => type === "openstack:networking/secGroupRule:SecGroupRule");
    for (const [world, ethertype] of [
      ["0.0.0.0/0", "IPv4"],
      ["::/0", "IPv6"],
    ]) {
      const flows = rules
        .filter(({ inputs }) => inputs.remoteIpPrefix === world)
        .map(({ inputs }) =>
          [inputs.ethertype, inputs.direction, inputs.protocol, inputs.portRangeMin].join(" "),
        );
      expect(flows.sort()).toEqual(
        ["egress tcp 443", "egress udp 123", "egress udp 123"].map(
          (flow) => `${ethertype as string} ${flow}`,
        ),
      );
    }
    expect(names("openstack:networking/secGroupRule:SecGroupRule")).toMatchSnapshot();
  });

  test("an existing server gets no machine, a key-only client gets no command", () => {
    expect(names("openstack:compute/instance:Instance")).toEqual(["rclonesrv", "taken", "web"]);
    expect(names("command:remote:Command")).toEqual(["old", "rclonesrv", "web"]);
  });
});

describe("keys", () => {
  test("one for each repository, none for a client that brought its own", () => {
    const keys = names("tls:index/privateKey:PrivateKey");
    expect(keys.filter((name) => /^(web|old|partner|taken)-(?!host)/.test(name))).toEqual([
      "old-main",
      "taken-main",
      "web-db",
      "web-main",
    ]);
  });

  test("a password is derived unless it was given", async () => {
    const passwords = (await plain(exports.passwords)) as Record<string, string>;
    expect(passwords["web/db"]).toBe("given password");
    expect(passwords["web/main"]).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(new Set(Object.values(passwords)).size).toBe(5);
  });
});

test("a frozen client keeps machine and keys, has no access, and is not contacted", async () => {
  expect(names("command:remote:Command")).not.toContain("taken");
  expect(names("openstack:compute/instance:Instance")).toContain("taken");
  expect(names("tls:index/privateKey:PrivateKey")).toContain("taken-main");
  const shown = JSON.stringify(only(FILES_TYPE, "rclonesrv").inputs);
  expect(shown).toContain("web/main");
  expect(shown).not.toContain("taken");
  expect(await plain(exports.passwords)).toHaveProperty(["taken/main"]);
});

test("the canary has a key of its own and access to the proxy, and its private half is on no host", () => {
  expect(names("tls:index/privateKey:PrivateKey")).toContain("canary");
  for (const host of ["rclonesrv", "web", "old"]) {
    const { inputs } = only("command:remote:Command", host);
    const shown = JSON.stringify(only(FILES_TYPE, host).inputs);
    expect([host, shown.includes(".canary/verify")]).toEqual([host, host === "rclonesrv"]);
    expect((inputs.stdin as { secret: string }).secret).not.toContain("private key of canary");
  }
});

test("a key-only client's instructions are computed from what the tools are told", async () => {
  const deployment = (await plain(exports.deployment)) as Deployment;
  const text = instructionsFor(deployment, "partner");
  expect(text).toContain("restic-backup main");
  expect(text).toContain("databucket/partner/main");
  expect(text).toContain(deployment.proxy.host.hostKey);
  expect(() => instructionsFor(deployment, "web")).toThrow("installs web itself");
  expect(() => instructionsFor(deployment, "prtner")).toThrow("its key-only clients are partner");
});

test("a client takes few bytes of the state: nothing that can be computed is an output", async () => {
  const size = (value: unknown): number => JSON.stringify(value).length;
  const outputs = (await Promise.all(Object.values(exports).map(plain))) as object[];
  expect(JSON.stringify(outputs)).not.toContain("#!/bin/sh");
  const { clients } = (await plain(exports.deployment)) as Deployment;
  const declared = resources.filter(({ name }) => name === "partner").map(({ inputs }) => inputs);
  const known = clients.find(({ name }) => name === "partner");
  expect(declared).toHaveLength(2);
  // Pulumi's own fields, such as URNs and times, come on top: 4 KB are the limit.
  expect(size(declared) + size(known)).toBeLessThan(1500);
});

test("clients are marked with an identity of the stack that its name is no part of", async () => {
  const { repositoryRootKey } = exports;
  expect(await plain(repositoryRootKey)).toBe("private PEM of repository-root");
  const deployment = (await plain(exports.deployment)) as Deployment;
  const texts = [
    ...["web", "old"].map(
      (host) => (only("command:remote:Command", host).inputs.stdin as { secret: string }).secret,
    ),
    instructionsFor(deployment, "partner"),
  ];
  const identities = texts.map((text) => /^SB_STACK='([0-9a-f]{16})'$/m.exec(text)?.[1]);
  const key = resources.findIndex(({ name }) => name === "repository-root") + 1;
  expect(identities).toEqual(Array.from(texts, () => stackIdentity(ed25519(key))));
  for (const text of texts) expect(text).not.toContain("secure-backups-test");
});

test("the operator's tools are told how to reach each host, and what each must hold", async () => {
  const { bucket, proxy, clients, network, canary } = (await plain(exports.deployment)) as Deployment;
  expect(bucket).toMatchObject({ bucket: "databucket", noncurrentVersionDays: 30, versioning: true });
  expect(bucket.owner.secretAccessKey).toBe("secret of secure-backups-test-owner");
  expect(bucket.writer?.secretAccessKey).toBe("writer secret");
  expect(bucket).not.toHaveProperty("keeper", expect.anything());
  expect(proxy.host).toMatchObject({
    port: 22,
    user: "debian",
    hostKey: expect.stringMatching(/^ssh-ed25519 /),
  });
  expect(clients.map(({ name, host }) => [name, host?.host])).toEqual([
    ["web", expect.any(String)],
    ["taken", expect.any(String)],
    ["old", "192.0.2.7"],
    ["partner", undefined],
  ]);
  expect(clients[2]?.host?.privateKey).toBe(KEY_OF_OLD);
  expect(clients[0]?.repositories.map(({ name }) => name)).toEqual(["main", "db"]);
  expect(clients[2]?.repositories[0]).toMatchObject({ name: "main", paths: ["/home"], excludes: [] });
  expect(clients[3]?.repositories[0]).not.toHaveProperty("privateKey", expect.anything());
  expect(network.hosts.map(({ name, group }) => `${group} ${name}`)).toEqual([
    "proxy rclonesrv",
    "appserver web",
    "appserver taken",
  ]);
  expect(canary.privateKey).toBe("private key of canary");
});
