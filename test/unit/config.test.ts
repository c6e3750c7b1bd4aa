import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { parse } from "yaml";
import { parseStackConfig } from "../../config";
import {
  artifact,
  type Case,
  changed,
  errorsOf,
  LABEL,
  NO_SHA256,
  noSha256,
  PROJECT,
  PUB,
  type Raw,
  reportsEach,
  RESTIC,
  smallest,
} from "../harness/config-errors";
import { HEX, ed25519, fullExample, project } from "../harness/config-example";

const ALL_KEYS =
  "known here: protect, network, access, egress, proxy, keeper, alarms, restic, s3, clients, clientsFolder, clientSecrets";

describe("a right configuration", () => {
  test("with every field given is taken as it is", () => {
    expect(parseStackConfig(fullExample() as unknown as Raw)).toEqual(fullExample());
  });

  test("with only what is required gets every default", () => {
    expect(parseStackConfig(smallest())).toEqual({
      protect: true,
      network: { create: { cidr: "10.20.0.0/24", externalNetwork: "public", dnsServers: [] } },
      access: { via: "direct", adminCidrs: ["10.0.0.0/8"], user: "debian" },
      egress: {
        dns: ["10.20.0.0/24"],
        ntp: ["0.0.0.0/0", "::/0"],
        mirrors: [],
        s3: ["0.0.0.0/0", "::/0"],
      },
      proxy: {
        name: "rclonesrv",
        image: "debian-12",
        flavor: "s1",
        user: "debian",
        floatingIp: false,
        rclone: artifact("1.76.0"),
      },
      alarms: { graceHours: 6, digestHour: 6, webhooks: [] },
      s3: {
        endpoint: "s3.example.com",
        region: "eu",
        bucket: "backups",
        versioning: true,
        noncurrentVersionDays: 30,
        givenUp: false,
        identities: { owner: { projectId: project(1) } },
      },
      clients: [],
    });
  });

  test("has the key alone of a line that ssh-keyscan printed, or of known_hosts", () => {
    for (const names of [
      "legacy.example.com",
      "ssh-gw.example.com",
      "[192.0.2.7]:2222",
      "a,192.0.2.7",
      "|1|x=|y=",
    ]) {
      const raw = changed("clients[1].ssh.hostKey", `${names} ${ed25519(2)}`);
      const config = parseStackConfig(
        changed("access.jumpHost.hostKey", `${names} ${ed25519(1)} root@jump`, raw),
      );
      expect(config.clients[1]).toMatchObject({ ssh: { hostKey: ed25519(2) } });
      expect(config.access.jumpHost?.hostKey).toBe(`${ed25519(1)} root@jump`);
    }
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
    ["protect", "yes", 'protect: "yes" is not true or false; write true or false without quotes'],
    ["clinets", [], `clinets: unknown key; did you mean "clients"? ${ALL_KEYS}`],
    ["colour", "red", `colour: unknown key; ${ALL_KEYS}`],
  ];
  reportsEach(cases);
});

describe("all errors", () => {
  test("are reported at once, in the order of the schema and then those between fields", () => {
    const clients = [
      { name: "A", kind: "vm", image: 12, repositories: [{ name: "data", path: ["/srv"] }] },
      { name: "web", kind: "vmm" },
      {
        name: "web",
        kind: "key-only",
        sourceCidrs: ["::1"],
        repositories: [{ name: "m", paths: ["/"], publicKey: "k" }],
      },
    ];
    const error = (() => {
      try {
        return parseStackConfig({ ...smallest(), protect: 1, egres: {}, clients });
      } catch (thrown) {
        return thrown as Error;
      }
    })();
    expect((error as Error).message).toBe(
      [
        "invalid configuration: 14 errors",
        "  secure-backups:protect: 1 is not true or false; write true or false without quotes",
        `  secure-backups:clients[0].name: "A" ${LABEL} "a"`,
        '  secure-backups:clients[0].image: 12 must be a string; quote it: "12"',
        "  secure-backups:clients[0].flavor: missing; give the name or ID of a flavor, see `openstack flavor list`",
        `  secure-backups:clients[0].repositories[0].name: "data" ${RESTIC} "data-1"`,
        '  secure-backups:clients[0].repositories[0].path: unknown key; did you mean "paths"? known here: name, paths, excludes, oneFileSystem, schedule, window, before, after, stdin, bandwidth, compression, packSize, password, keep, pins',
        '  secure-backups:clients[1].kind: "vmm" is not a kind of client; write "vm", "existing" or "key-only"',
        '  secure-backups:clients[2].sourceCidrs[0]: "::1" is an address without its bits; for this address alone write "::1/128"',
        `  secure-backups:clients[2].repositories[0].publicKey: "k" is not a public key that begins with ssh-ed25519; ${PUB}`,
        `  secure-backups:egres: unknown key; did you mean "egress"? ${ALL_KEYS}`,
        '  secure-backups:clients[2].sourceCidrs: "::1": the client connects by IPv6 alone, and the proxy has no IPv6 address; give network.create.cidr6, or a proxy.hostName that leads to the proxy by IPv6',
        '  secure-backups:clients[0].repositories[0].paths: missing; list the paths to back up, at least one, for example ["/srv/data"], or give stdin',
        '  secure-backups:clients[2].name: "web" is taken by secure-backups:clients[1].name; choose another name',
        '  secure-backups:proxy.hostName: missing; clients of kind "existing" and "key-only" need it, for the proxy has no floating IP: give the DNS name or address at which they reach the proxy',
      ].join("\n"),
    );
  });

  test("of an empty configuration are the missing parts", () => {
    expect(errorsOf({})).toEqual([
      "network: missing; give exactly one of create and existing",
      "access: missing; give via and adminCidrs",
      "proxy: missing; give image, flavor and rclone",
      "s3: missing; give endpoint, region, bucket and identities",
      "clients: missing; list the clients, or write []",
    ]);
  });
});

describe("the tracked files", () => {
  function fileOf(file: string): Raw {
    const text = readFileSync(join(__dirname, "../..", file), "utf8");
    const { config } = parse(text) as { config: Raw };
    return Object.fromEntries(
      Object.entries(config).map(([key, value]) => [key.replace(/^secure-backups:/, ""), value]),
    );
  }

  test("the annotated example is right but for what only its user knows", () => {
    const raw = fileOf("Pulumi.prod.yaml");
    expect(errorsOf(raw)).toEqual([
      `proxy.rclone.sha256: "FILL-IN-FROM-SHA256SUMS" ${NO_SHA256}`,
      `keeper.node.sha256: "FILL-IN-FROM-SHASUMS256" ${noSha256("https://nodejs.org/dist/vVERSION/SHASUMS256.txt")}`,
      `keeper.restic.sha256: "FILL-IN-FROM-SHA256SUMS" ${noSha256("https://github.com/restic/restic/releases/download/vVERSION/SHA256SUMS")}`,
      `s3.identities.owner.projectId: "FILL-IN-OWNER-PROJECT-ID" ${PROJECT}`,
      `s3.identities.writer.projectId: "FILL-IN-WRITER-PROJECT-ID" ${PROJECT}`,
      `s3.identities.keeper.projectId: "FILL-IN-KEEPER-PROJECT-ID" ${PROJECT}`,
    ]);
    const identities = {
      owner: { projectId: project(1) },
      writer: { projectId: project(2) },
      keeper: { projectId: project(3) },
    };
    const filled = ["proxy.rclone.sha256", "keeper.node.sha256", "keeper.restic.sha256"].reduce(
      (file, field) => changed(field, HEX, file),
      changed("s3.identities", identities, raw),
    );
    expect(parseStackConfig(filled).clients.map(({ kind }) => kind)).toEqual(["vm", "existing", "key-only"]);
  });

  test("a text of the annotated example that is not filled in is refused by its field, whichever it is", () => {
    const fields = Object.entries(fileOf("Pulumi.prod.yaml")).flatMap(([key, value]) => textsOf(key, value));
    expect(fields.length).toBeGreaterThan(40);
    for (const field of fields) {
      const errors = errorsOf(changed(field, "FILL-IN-HERE", fileOf("Pulumi.prod.yaml")));
      expect(errors.map((line) => line.split(": ")[0])).toContain(field);
    }
  });

  /** The fields below this one that hold a text. */
  function textsOf(field: string, value: unknown): string[] {
    if (typeof value === "string") return [field];
    if (Array.isArray(value)) return value.flatMap((item, index) => textsOf(`${field}[${index}]`, item));
    return Object.entries((value ?? {}) as Raw).flatMap(([key, inner]) => textsOf(`${field}.${key}`, inner));
  }

  test("the local cloud's file lacks only what differs from machine to machine", () => {
    const raw = fileOf("scripts/dev/demo/Pulumi.local.yaml");
    expect(errorsOf(raw)).toEqual([
      "proxy.rclone: missing; give version, url and sha256 of rclone",
      "keeper.node: missing; give version, url and sha256 of Node.js",
      "keeper.restic: missing; give version, url and sha256 of restic",
      "s3.identities: missing; give at least the identity owner",
      'clients[1].ssh.hostKey: missing; give the public host key of the server, "ssh-ed25519 AAAA…"',
    ]);
    const identities = {
      owner: { projectId: project(1) },
      writer: { projectId: project(2) },
      keeper: { projectId: project(3) },
    };
    const programs = { "proxy.rclone": "1.76.0", "keeper.node": "24.0.0", "keeper.restic": "0.19.1" };
    const filled = Object.entries(programs).reduce(
      (file, [field, version]) => changed(field, artifact(version), file),
      changed("s3.identities", identities, raw),
    );
    const config = parseStackConfig(changed("clients[1].ssh.hostKey", ed25519(1), filled));
    expect(
      config.clients.map(({ name, repositories }) => [
        name,
        repositories.map((repository) => repository.name),
      ]),
    ).toEqual([
      ["appsrv1", ["main", "database"]],
      ["filesrv1", ["files"]],
    ]);
    expect(config.egress.s3).toEqual(["172.24.4.1/32"]);
  });

  test("what all environments share is right too", () => {
    const { config } = parse(readFileSync(join(__dirname, "../../Pulumi.yaml"), "utf8")) as { config: Raw };
    expect(config).toEqual({ "secure-backups:protect": true });
  });
});

describe("for any input", () => {
  const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/);
  const printable = fc
    .string({ unit: "grapheme", minLength: 1 })
    .filter((text) => !/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(text));
  const plain = printable.filter((part) => !/[/$~*?[{]/.test(part) && part !== "." && part !== "..");
  const path = fc
    .array(plain, { maxLength: 4 })
    .map((parts) => `/${parts.join("/")}`)
    .filter((text) => !/^\/(?:proc|sys|dev|run)(?:\/|$)/.test(text));
  const exclude = fc
    .tuple(fc.constantFrom("", "!", "/", "**/"), plain, fc.constantFrom("", "*", "/[^a-z]?"))
    .map(([before, part, after]) => `${before}${part.replaceAll("\\", "\\\\")}${after}`);
  const repository = fc.record(
    {
      name: label.map((name) => `r${name}`),
      paths: fc.uniqueArray(path, { minLength: 1, maxLength: 3 }),
      excludes: fc.uniqueArray(exclude, { maxLength: 3 }),
      oneFileSystem: fc.boolean(),
      schedule: fc.constantFrom("daily", "none", "Mon..Fri 22:30"),
      window: fc.integer({ min: 0, max: 1439 }),
      password: printable,
      pins: fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{64}$/), { maxLength: 2 }),
    },
    { requiredKeys: ["name", "paths", "excludes", "oneFileSystem", "schedule", "window", "pins"] },
  );
  const cloudThing = fc.oneof(printable, fc.record({ id: printable }));
  const user = fc.constantFrom("debian", "root");
  const volume = fc.record(
    { size: fc.integer({ min: 1, max: 65536 }), type: printable, keep: fc.boolean() },
    { requiredKeys: ["size", "keep"] },
  );
  const client = fc.record(
    {
      name: label.map((name) => `c${name}`),
      kind: fc.constant("vm"),
      frozen: fc.boolean(),
      image: cloudThing,
      flavor: cloudThing,
      volume,
      availabilityZone: printable,
      user,
      securityGroups: fc.uniqueArray(printable, { maxLength: 2 }),
      repositories: fc.uniqueArray(repository, { selector: ({ name }) => name, minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: ["name", "kind", "frozen", "image", "flavor", "user", "securityGroups", "repositories"] },
  );
  const clients = fc.uniqueArray(client, { selector: ({ name }) => name, maxLength: 4 }).filter((list) => {
    const keys = list.flatMap(({ name, repositories }) =>
      repositories.map((repository) => `${name}-${repository.name}`),
    );
    return new Set(keys).size === keys.length;
  });

  test("well-formed clients come out as they went in, and a second time as the first", () => {
    fc.assert(
      fc.property(clients, (list) => {
        const config = parseStackConfig({ ...smallest(), clients: list });
        expect(config.clients).toEqual(list);
        expect(parseStackConfig(config as unknown as Raw)).toEqual(config);
      }),
    );
  });

  test("an IPv4 network is right exactly where its host bits are zero, and the remedy is right", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, bits) => {
        const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
        const errors = errorsOf(changed("access.adminCidrs", [`${address}/${bits}`]));
        expect(errors.length).toBe(value % 2 ** (32 - bits) === 0 ? 0 : 1);
        const remedy = /write "(.*)"$/.exec(errors[0] ?? 'write "0.0.0.0/0"')?.[1];
        expect(errorsOf(changed("access.adminCidrs", [remedy]))).toEqual([]);
      }),
    );
  });

  test("the remedy for an IPv6 network is right, and keeps the network's first bits", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.integer({ min: 0, max: 128 }), (address, bits) => {
        const errors = errorsOf(changed("access.adminCidrs", [`${address}/${bits}`]));
        const remedy = /write "(.*)"$/.exec(errors[0] ?? 'write "::/0"')?.[1] ?? "";
        expect(errorsOf(changed("access.adminCidrs", [remedy]))).toEqual([]);
        if (errors.length > 0) expect(remedy.endsWith(`/${bits}`)).toBe(true);
      }),
    );
  });

  test("junk gives a ConfigError and nothing else", () => {
    const junk = fc.anything({ withNullPrototype: true, maxDepth: 5 });
    const keys = ALL_KEYS.replace("known here: ", "").split(", ");
    const somewhere = fc.constantFrom(
      ...[
        "network.create",
        "access.jumpHost",
        "egress.dns",
        "proxy.rclone",
        "keeper.keep",
        "alarms.mail",
        "alarms.webhooks[0]",
        "s3.identities",
        "s3.identities.writer",
      ],
      ...[
        "clients[0]",
        "clients[0].kind",
        "clients[0].repositories",
        "clients[1].ssh",
        "clients[2].repositories[0]",
      ],
    );
    fc.assert(
      fc.property(junk, fc.dictionary(fc.constantFrom(...keys), junk), somewhere, (one, many, field) => {
        expect(() => errorsOf(one as Raw)).not.toThrow();
        expect(() => errorsOf(many)).not.toThrow();
        expect(() => errorsOf(changed(field, one))).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });

  test("no error tells a secret", () => {
    const secretFields = [
      "access.privateKey",
      "access.jumpHost.privateKey",
      "clients[1].ssh.privateKey",
      "s3.identities.writer.secretAccessKey",
      "s3.identities.keeper.secretAccessKey",
      "alarms.mail.password",
      "alarms.mail",
      "alarms.webhooks",
      "alarms.webhooks[0]",
      "alarms.webhooks[1].url",
      "alarms.ping",
      "clients[0].repositories[0].password",
      "clients[2].repositories[0].password",
      "s3.identities.owner.secretAcessKey",
      "clients[0].repositories[0].passwort",
      "s3.identities.owner",
      "topSecret",
    ];
    const secret = fc
      .tuple(fc.string(), fc.string())
      .map(([before, after]) => `${before.replaceAll(/["\\]/g, "")}TOP#SECRET${after}`);
    const form = fc.constantFrom<(text: string) => unknown>(
      (text) => text,
      (text) => `${text}\n`,
      (text) => [text],
      (text) => ({ value: text }),
      (text) => `-----BEGIN PRIVATE KEY-----\n${text}`,
    );
    fc.assert(
      fc.property(fc.constantFrom(...secretFields), secret, form, (field, text, formed) => {
        const raw = changed(field, formed(text), changed("proxy.image", 1));
        const errors = errorsOf(raw);
        expect(errors.length).toBeGreaterThan(0);
        expect(errors.join("\n")).not.toContain("TOP#SECRET");
      }),
      { numRuns: 300 },
    );
  });
});
