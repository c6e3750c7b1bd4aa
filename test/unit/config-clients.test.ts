import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { parseStackConfig } from "../../config";
import {
  type Case,
  changed,
  errorsOf,
  GIB,
  LABEL,
  opensshPrivateKey,
  PASSPHRASE,
  type Raw,
  reportsEach,
  RESTIC,
  RESTIC_NAMES,
  smallest,
} from "../harness/config-errors";
import { blob, ed25519, fullExample } from "../harness/config-example";

const HOST_PUB =
  "give the whole line of the .pub file or of ssh-keyscan -t ed25519 ADDRESS, compared with the key on the host itself";

function rsa(bits: number): string {
  const { n, e } = generateKeyPairSync("rsa", { modulusLength: bits }).publicKey.export({ format: "jwk" });
  const modulus = Buffer.concat([Buffer.alloc(1), Buffer.from(n ?? "", "base64url")]);
  return blob("ssh-rsa", Buffer.from(e ?? "", "base64url"), modulus);
}

function ecdsa(namedCurve: string, curve: string): string {
  const { x, y } = generateKeyPairSync("ec", { namedCurve }).publicKey.export({ format: "jwk" });
  const point = Buffer.concat([
    Buffer.from([4]),
    Buffer.from(x ?? "", "base64url"),
    Buffer.from(y ?? "", "base64url"),
  ]);
  return blob(`ecdsa-sha2-${curve}`, curve, point);
}

describe("a right configuration", () => {
  test("with the least of each kind of client gets their defaults", () => {
    const repositories = [{ name: "main", paths: ["/srv"] }];
    const ssh = { address: "2001:db8::7", user: "root", hostKey: ed25519(1) };
    const clients = [
      { name: "a", kind: "vm", image: "i", flavor: "f", repositories },
      { name: "b", kind: "existing", ssh, repositories },
    ];
    const proxy = { ...(smallest()["proxy"] as Raw), hostName: "2001:db8::9" };
    expect(parseStackConfig({ ...smallest(), proxy, clients }).clients).toEqual([
      {
        ...clients[0],
        frozen: false,
        user: "debian",
        securityGroups: [],
        repositories: [
          { ...repositories[0], excludes: [], oneFileSystem: false, schedule: "daily", window: 60, pins: [] },
        ],
      },
      {
        ...clients[1],
        frozen: false,
        ssh: { ...ssh, port: 22 },
        sourceCidrs: ["2001:db8::7/128"],
        repositories: [
          { ...repositories[0], excludes: [], oneFileSystem: false, schedule: "daily", window: 60, pins: [] },
        ],
      },
    ]);
  });

  test.each([
    ["clients", []],
    ["clients[1].ssh.hostKey", `ssh-rsa ${rsa(2048)}`],
    ["clients[1].ssh.hostKey", `ecdsa-sha2-nistp384 ${ecdsa("P-384", "nistp384")} comment`],
  ])("may have %s: %j", (field, value) => {
    expect(errorsOf(changed(field, value))).toEqual([]);
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
    [
      "clients[0].frozen",
      "yes",
      'clients[0].frozen: "yes" is not true or false; write true or false without quotes',
    ],
    ["clients", "a", 'clients: "a" is not a list; list the clients, or write []'],
    ["clients[0]", "a", "clients[0]: string is not a mapping; give name, kind and repositories"],
    ["clients[0].name", "-a", `clients[0].name: "-a" ${LABEL} "a"`],
    ["clients[0].name", "a/b", `clients[0].name: "a/b" ${LABEL} "a-b"`],
    ["clients[0].name", "a".repeat(64), `clients[0].name: "${"a".repeat(64)}" ${LABEL} "${"a".repeat(63)}"`],
    [
      "clients[0].name",
      "10",
      'clients[0].name: "10" has digits only and would be taken for an address; put a letter in, for example "n10"',
    ],
    [
      "clients[0].name",
      "localhost",
      'clients[0].name: "localhost" means the machine itself; choose another name, for example "web-1"',
    ],
    ["clients[0].image", { id: "a", name: "b" }, "clients[0].image.name: unknown key; known here: id"],
    ["clients[0].volume", 20, "clients[0].volume: 20 is not a mapping; give size, or leave volume out"],
    ["clients[0].volume", {}, `clients[0].volume.size: missing; ${GIB}`],
    [
      "clients[1].user",
      "root",
      'clients[1].user: is for clients of kind "vm", and this one is "existing"; leave it out or change kind',
    ],
    [
      "clients[0].kind",
      "appsrv",
      'clients[0].kind: "appsrv" is not a kind of client; write "vm", "existing" or "key-only"',
    ],
    ["clients[0].kind", undefined, 'clients[0].kind: missing; write "vm", "existing" or "key-only"'],
    [
      "clients[2].image",
      "i",
      'clients[2].image: is for clients of kind "vm", and this one is "key-only"; leave it out or change kind',
    ],
    [
      "clients[0].sourceCidrs",
      [],
      'clients[0].sourceCidrs: is for clients of kind "existing" or "key-only", and this one is "vm"; leave it out or change kind',
    ],
    [
      "clients[0].name",
      "legacy",
      'clients[1].name: "legacy" is taken by secure-backups:clients[0].name; choose another name',
    ],
    [
      "clients[0].name",
      "rclone-1",
      'clients[0].name: "rclone-1" is taken by secure-backups:proxy.name; choose another name',
    ],
    [
      "clients[1]",
      { ...fullExample().clients[0], name: "appsrv1-data", repositories: [{ name: "base", paths: ["/a"] }] },
      'clients[1].repositories[0].name: "base" gives the key name "appsrv1-data-base", which secure-backups:clients[0].repositories[1].name gives too; choose another name',
    ],
    [
      "clients[1].sourceCidrs",
      undefined,
      'clients[1].sourceCidrs: missing; list the networks from which legacy.example.com connects to the proxy, for example ["192.0.2.7/32"]',
    ],
    [
      "clients[2].sourceCidrs",
      [],
      'clients[2].sourceCidrs: empty list; list the networks from which this client connects to the proxy, for example ["192.0.2.0/24"]',
    ],
    [
      "clients[1].ssh.hostKey",
      "ssh-dss AAAA",
      `clients[1].ssh.hostKey: "ssh-dss AAAA" has the type ssh-dss, which is not accepted here; use ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ecdsa-sha2-nistp521: ${HOST_PUB}`,
    ],
    [
      "clients[1].ssh.hostKey",
      `ssh-rsa ${blob("ssh-rsa", "e")}`,
      `clients[1].ssh.hostKey: "ssh-rsa ${blob("ssh-rsa", "e")}" is cut short or altered (no RSA numbers inside); ${HOST_PUB}`,
    ],
    [
      "clients[1].ssh.hostKey",
      `ssh-rsa ${blob("ssh-rsa", "e", Buffer.alloc(20, 1))}`,
      `clients[1].ssh.hostKey: "ssh-rsa ${blob("ssh-rsa", "e", Buffer.alloc(20, 1))}" is an RSA key of less than 2048 bits; create an ed25519 key on the host (ssh-keygen -A)`,
    ],
    [
      "clients[1].ssh.hostKey",
      `ecdsa-sha2-nistp256 ${blob("ecdsa-sha2-nistp256", "nistp256", "x")}`,
      `clients[1].ssh.hostKey: "ecdsa-sha2-nistp256 ${blob("ecdsa-sha2-nistp256", "nistp256", "x")}" is cut short or altered (no point of the curve nistp256 inside); ${HOST_PUB}`,
    ],
    [
      "clients[1].ssh.privateKey",
      opensshPrivateKey("aes256-ctr"),
      `clients[1].ssh.privateKey: ${PASSPHRASE}`,
    ],
    ...RESTIC_NAMES.map((name): Case => [
      "clients[0].name",
      name,
      `clients[0].name: "${name}" ${RESTIC} "${name}-1"`,
    ]),
  ];
  reportsEach(cases);
});

describe("errors between fields", () => {
  test("a client may not have the name that the proxy has by default", () => {
    const raw = changed("proxy.name", undefined);
    expect(errorsOf(changed("clients[2].name", "rclonesrv", raw))).toEqual([
      'clients[2].name: "rclonesrv" is taken by secure-backups:proxy.name; choose another name',
    ]);
  });

  test("two clients may not be one machine, by address or by host key", () => {
    const raw = fullExample();
    const { ssh } = raw.clients[1] as { ssh: object };
    raw.clients.push({
      ...raw.clients[1],
      name: "other",
      ssh: { ...ssh, address: "LEGACY.example.com" },
    } as never);
    const one = "describe one machine as one client with several repositories";
    expect(errorsOf(raw as unknown as Raw)).toEqual([
      `clients[3].ssh.address: "LEGACY.example.com" with this port is the machine of secure-backups:clients[1].ssh.address already; ${one}`,
      `clients[3].ssh.hostKey: "${ed25519(2)}" is the key of secure-backups:clients[1].ssh.hostKey too; ${one}, or give a copied machine new host keys`,
    ]);
  });
});
