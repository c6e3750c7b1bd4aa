import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { gzipSync } from "node:zlib";
import * as pulumi from "@pulumi/pulumi";
import { bundleKeeper } from "../../hosts";
import { type Deployment } from "../../operations/deployment";
import { accessTo } from "../../operations/ssh";
import { ed25519 } from "../harness/config-example";
import { mockedStack, type Registered } from "../harness/mocked-stack";

jest.setTimeout(60_000);

const ARTIFACT = { url: "https://mirror.example/program", sha256: "a".repeat(64) };
const MACHINE = { image: "debian-12", flavor: "s1" };
const CONFIG = {
  network: { create: { cidr: "10.20.0.0/24", externalNetwork: "public" } },
  access: { via: "floating-ip", adminCidrs: ["172.24.4.0/24"] },
  proxy: { ...MACHINE, rclone: { version: "1.76.0", ...ARTIFACT } },
  keeper: {
    ...MACHINE,
    node: { version: "24.1.0", ...ARTIFACT },
    restic: { version: "0.19.1", ...ARTIFACT },
    keep: { within: 30, weeks: 8 },
  },
  alarms: {
    mail: {
      server: "mail.example.com",
      user: "backups",
      password: "hush mail",
      from: "backups@example.com",
      to: ["ops@example.com"],
    },
    webhooks: [{ name: "team", url: "https://hooks.example.com/T0/hush" }],
  },
  s3: {
    endpoint: "s3.example.com",
    region: "eu-central-1",
    bucket: "databucket",
    identities: {
      owner: { projectId: "0".repeat(32) },
      writer: { projectId: "1".repeat(32) },
      keeper: { projectId: "2".repeat(32) },
    },
  },
  clients: [
    {
      name: "web",
      kind: "vm",
      ...MACHINE,
      repositories: [
        { name: "main", paths: ["/srv"] },
        { name: "db", paths: ["/var/lib/db"], password: "given password" },
      ],
    },
    {
      name: "partner",
      kind: "key-only",
      frozen: true,
      sourceCidrs: ["198.51.100.0/24"],
      repositories: [{ name: "main", paths: ["/data"], publicKey: ed25519(201) }],
    },
  ],
};

let resources: Registered[];
let deployment: Deployment;

const only = (type: string, name: string): Registered => {
  const found = resources.filter((resource) => resource.type === type && resource.name === name);
  expect(found).toHaveLength(1);
  return found[0] as Registered;
};
const stdin = (name: string): string =>
  (only("command:remote:Command", name).inputs["stdin"] as { secret: string }).secret;

beforeAll(async () => {
  const stack = await mockedStack(CONFIG);
  resources = stack.resources;
  deployment = await new Promise((resolve) =>
    (stack.exports["deployment"] as pulumi.Output<Deployment>).apply(resolve),
  );
});

describe("the program", () => {
  test("is one file of less than half a megabyte, packed", () => {
    const { content, sha256 } = bundleKeeper();
    expect(gzipSync(content).length).toBeLessThan(500_000);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    // It names no folder of the machine that made it.
    expect(content).not.toContain(process.cwd());
    expect(bundleKeeper()).toEqual({ content, sha256 });
  });

  test("has a command of its own, which nothing of the configuration changes", () => {
    const script = stdin("keepersrv-program");
    for (const word of ["web/main", "databucket", "s3.example", "given password"])
      expect(script).not.toContain(word);
  });
});

describe("the keeper", () => {
  /** The files that an install brings. */
  const carriedTo = (host: string) =>
    [...stdin(host).matchAll(/^install_file '?([^' ]*)'? .* <<'EOF'\n([^]*?)^EOF$/gm)].map(
      ([, path = "", base64 = ""]) => [path, Buffer.from(base64, "base64").toString("utf8")] as const,
    );
  const content = (path: string) => carriedTo("keepersrv").find(([name]) => name === path)?.[1];

  test("has its own S3 keys and each repository's password, a frozen client's too", () => {
    expect(JSON.parse(content("/etc/keeper/s3.json") ?? "")).toEqual({
      accessKeyId: deployment.bucket.keeper?.accessKeyId,
      secretAccessKey: deployment.bucket.keeper?.secretAccessKey,
    });
    expect(content("/etc/keeper/passwords/web/db")).toBe("given password");
    for (const { name, repositories } of deployment.clients) {
      for (const { name: repository, password } of repositories)
        expect(content(`/etc/keeper/passwords/${name}/${repository}`)).toBe(password);
    }
    expect(content("/etc/keeper/instances")).toBe("web/main\nweb/db\npartner/main\n");
  });

  test("has no root key, no SSH key of anybody, and no S3 keys of the others", () => {
    const script = stdin("keepersrv");
    const all =
      script +
      [...script.matchAll(/<<'EOF'\n([^]*?)^EOF$/gm)]
        .map(([, text = ""]) => Buffer.from(text, "base64").toString("utf8"))
        .join("\n");
    const { owner, writer } = deployment.bucket;
    const foreign = [
      deployment.repositoryRootKey,
      deployment.canary.privateKey,
      deployment.proxy.host.privateKey,
      owner.secretAccessKey,
      writer?.secretAccessKey,
      ...deployment.clients.flatMap(({ repositories }) => repositories.map(({ privateKey }) => privateKey)),
    ].filter((secret) => secret !== undefined);
    expect(foreign.length).toBeGreaterThan(5);
    for (const secret of foreign) expect(all).not.toContain(secret);
  });

  test("no other host gets its S3 keys or another's password", () => {
    const secret = deployment.bucket.keeper?.secretAccessKey ?? "";
    for (const name of ["rclonesrv", "web"]) {
      const texts = carriedTo(name).map(([, text]) => text);
      expect(texts.length).toBeGreaterThan(0);
      expect(texts.join("\n")).not.toContain(secret);
    }
  });

  test("has the ways of alarms, with their secrets, as no other host does", () => {
    expect(JSON.parse(content("/etc/keeper/alarms.json") ?? "")).toEqual(deployment.alarms);
    expect(deployment.alarms.mail?.password).toBe("hush mail");
    for (const name of ["rclonesrv", "web"]) {
      const texts = carriedTo(name).map(([, text]) => text);
      expect(texts.length).toBeGreaterThan(0);
      expect(texts.join("\n")).not.toContain("hush");
    }
  });

  test("shows by which ways alarms are sent, and no resource shows their secrets", () => {
    expect(only("secure-backups:index:Keeper", "keepersrv").inputs["alarms"]).toEqual([
      "e-mail to ops@example.com by mail.example.com port 587, starttls, as backups",
      "webhook team (json) at https://hooks.example.com",
    ]);
    expect(JSON.stringify(resources.map(({ inputs }) => inputs))).not.toContain("hush");
  });

  test("shows what each repository keeps", () => {
    const keep = { within: 30, days: 0, weeks: 8, months: 0, years: 0, schedule: "daily" };
    expect(only("secure-backups:index:Keeper", "keepersrv").inputs).toMatchObject({
      keep: { "web/main": keep, "web/db": keep, "partner/main": keep },
    });
  });

  test("is a host in a security group of its own, which the operator's tools know", () => {
    const port = only("openstack:networking/port:Port", "keepersrv");
    expect(port.inputs["securityGroupIds"]).toEqual([deployment.network.groups.keeper]);
    expect(deployment.network.hosts).toContainEqual(
      expect.objectContaining({ name: "keepersrv", group: "keeper" }),
    );
    expect(deployment.keeper).toMatchObject({ name: "keepersrv", program: bundleKeeper().sha256 });
    expect(accessTo(deployment, "keepersrv")).toEqual(deployment.keeper?.host);
  });
});
