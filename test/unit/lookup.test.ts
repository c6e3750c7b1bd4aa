import { beforeEach, describe, expect, jest, test } from "@jest/globals";
import { log } from "@pulumi/pulumi";
import { MockedCloud, mockedStack } from "../harness/mocked-stack";
import { ed25519 } from "../harness/config-example";

const CONFIG = {
  network: { existing: { network: "office", subnet: "office-v4" } },
  access: { via: "direct", adminCidrs: ["172.24.4.0/24"] },
  egress: { dns: [] },
  proxy: {
    image: "debian-12",
    flavor: "s1",
    hostName: "rclone.example.com",
    rclone: { version: "1.76.0", url: "https://mirror.example/rclone", sha256: "a".repeat(64) },
  },
  s3: {
    endpoint: "s3.example.com",
    region: "eu-central-1",
    bucket: "databucket",
    identities: { owner: { projectId: "0".repeat(32) } },
  },
  clients: [
    {
      name: "web",
      kind: "vm",
      image: "debian-11",
      flavor: "s1",
      securityGroups: ["web", "monitoring"],
      repositories: [{ name: "main", paths: ["/srv"] }],
    },
    {
      name: "taken",
      kind: "key-only",
      frozen: true,
      sourceCidrs: ["198.51.100.0/24"],
      repositories: [{ name: "main", paths: ["/data"], publicKey: ed25519(201) }],
    },
  ],
};

const PORT = "openstack:networking/port:Port";
const INSTANCE = "openstack:compute/instance:Instance";

/** What an update left that was made when the stack had another name and the cloud all images. */
const STATE: MockedCloud["state"] = Object.fromEntries(
  [
    ["secure-backups:index:Operator", "secure-backups-before", {}],
    ["secure-backups:index:Network", "secure-backups-before", { named: CONFIG.network.existing }],
    ["secure-backups:index:Host", "rclonesrv", { securityGroups: {} }],
    ["secure-backups:index:Host", "web", { securityGroups: { web: "group 1", monitoring: "group 2" } }],
    ...["rclonesrv", "web"].flatMap((host) => [
      [PORT, host, { networkId: "network of old", fixedIps: [{ subnetId: "subnet of old" }] }] as const,
      [INSTANCE, host, { imageId: `image of ${host} of old` }] as const,
    ]),
  ].map(([type, name, outputs]) => [
    `urn:pulumi:test::secure-backups::secure-backups:index:Host$${type as string}::${name as string}`,
    { type: type as string, outputs: outputs as object },
  ]),
);

beforeEach(() => {
  jest.spyOn(log, "warn").mockResolvedValue(undefined);
});

const stack = (cloud: MockedCloud, config: object = CONFIG) =>
  mockedStack(config as Record<string, unknown>, cloud);

describe("a stack that exists", () => {
  test("a freeze asks the cloud for nothing, so missing images and networks cannot delay a revocation", async () => {
    const { resources, asked } = await stack({ state: STATE, missing: "all" });
    expect(asked).toEqual([]);
    const inputs = (type: string, name: string) =>
      resources.find((resource) => resource.type === type && resource.name === name)?.inputs;
    expect(inputs("command:remote:Command", "rclonesrv")?.create).not.toContain("taken");
    expect(inputs(INSTANCE, "web")?.imageId).toBe("image of web of old");
    expect(inputs(PORT, "rclonesrv")).toMatchObject({
      networkId: "network of old",
      fixedIps: [{ subnetId: "subnet of old" }],
    });
    const groups = inputs(PORT, "web")?.securityGroupIds as string[];
    expect(groups.slice(1)).toEqual(["group 1", "group 2"]);
  });

  test("keeps the names of its resources when it is renamed", async () => {
    const { resources } = await stack({ state: STATE, missing: "all" });
    const named = resources.map(({ name }) => name).filter((name) => name.startsWith("secure-backups-"));
    expect(named.length).toBeGreaterThan(10);
    for (const name of named) expect(name).toMatch(/^secure-backups-before/);
  });

  test("asks for what is new in its configuration, and for that alone", async () => {
    const [web, ...others] = CONFIG.clients;
    const more = { ...web, name: "mail", image: "debian-12", securityGroups: ["web"] };
    const grown = { ...web, securityGroups: ["web", "backup"] };
    const { resources, asked } = await stack(
      { state: STATE },
      { ...CONFIG, clients: [grown, more, ...others] },
    );
    expect(asked.map(({ token }) => token).sort()).toEqual(
      [
        "compute/getFlavor",
        "images/getImage",
        "networking/getNetwork",
        "networking/getSecGroup",
        "networking/getSecGroup",
      ]
        .concat("networking/getSubnet")
        .map((token) => `openstack:${token}:${token.split("/")[1] as string}`),
    );
    const port = resources.find(({ type, name }) => type === PORT && name === "web");
    expect((port?.inputs.securityGroupIds as string[]).slice(1)).toEqual(["group 1", "id of backup"]);
    expect(port?.inputs.networkId).toBe("network of old");
    expect(resources.find(({ type, name }) => type === PORT && name === "mail")?.inputs.networkId).toBe(
      "id of office",
    );
  });

  test("moves to another network only where the configuration names another", async () => {
    const { resources } = await stack(
      { state: STATE },
      { ...CONFIG, network: { existing: { network: "lab", subnet: "office-v4" } } },
    );
    const ports = resources.filter(({ type }) => type === PORT);
    expect(ports.map(({ inputs }) => inputs.networkId)).toEqual(["id of lab", "id of lab"]);
  });
});

test("a new host's names that the cloud does not know are refused before anything is declared, each in one sentence", async () => {
  const error: unknown = await stack({ missing: ["debian-11", "office", "web"] }).catch(
    (error: unknown) => error,
  );
  // Pulumi prints such an error without a stack trace.
  expect(error).toHaveProperty("__pulumiRunError", true);
  expect((error as Error).message).toBe(
    [
      'client web: image "debian-11": no such image could be found (Your query returned no results); take one that `openstack image list` shows',
      'client web: securityGroups "web": no such security group could be found (Your query returned no results); take one that `openstack security group list` shows',
      'the network: existing.network "office": no such network could be found (Your query returned no results); take one that `openstack network list` shows',
    ].join("\n"),
  );
});
