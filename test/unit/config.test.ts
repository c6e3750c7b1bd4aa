import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { parse } from "yaml";
import { ConfigError, parseEndpoint, parseStackConfig } from "../../config";
import { HEX, PRIVATE_KEY, blob, ed25519, fullExample, project } from "../harness/config-example";

type Raw = Record<string, unknown>;

/** The error lines of a configuration, without their common prefix; none if it is right. */
function errorsOf(raw: Raw): string[] {
  try {
    parseStackConfig(raw);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.lines.filter((line) => !line.startsWith("secure-backups"))).toEqual([]);
    return error.lines.map((line) => line.replace(/^secure-backups:/, ""));
  }
}

/** The full example with one field changed (`undefined` removes it), by a path as errors write it. */
function changed(field: string, value: unknown, raw: unknown = fullExample()): Raw {
  const keys = field.split(/[.[\]]+/).filter((key) => key !== "");
  const last = keys.pop() ?? "";
  const parent = keys.reduce((at, key) => (at as Raw)[key], raw) as Raw;
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = value;
  return raw as Raw;
}

const artifact = (version: string) => ({ version, url: "https://example.com/rclone", sha256: HEX });

/** The smallest stack: what has no default, and no client. */
function smallest(): Raw {
  return {
    network: { create: { cidr: "10.20.0.0/24", externalNetwork: "public" } },
    access: { via: "direct", adminCidrs: ["10.0.0.0/8"] },
    proxy: { image: "debian-12", flavor: "s1", rclone: artifact("1.76.0") },
    s3: {
      endpoint: "s3.example.com",
      region: "eu",
      bucket: "backups",
      identities: { owner: { projectId: project(1) } },
    },
    clients: [],
  };
}

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
          { ...repositories[0], excludes: [], oneFileSystem: false, schedule: "daily", window: 60 },
        ],
      },
      {
        ...clients[1],
        frozen: false,
        ssh: { ...ssh, port: 22 },
        sourceCidrs: ["2001:db8::7/128"],
        repositories: [
          { ...repositories[0], excludes: [], oneFileSystem: false, schedule: "daily", window: 60 },
        ],
      },
    ]);
  });

  test("gives each host the user of access.user but where it names its own", () => {
    const machine = {
      kind: "vm",
      image: "i",
      flavor: "f",
      repositories: [{ name: "main", paths: ["/srv"] }],
    };
    const clients = [
      { ...machine, name: "a" },
      { ...machine, name: "b", user: "ubuntu" },
    ];
    const users = (change: Raw) => {
      const { proxy, clients } = parseStackConfig(change);
      return [proxy, ...clients].map((host) => (host as { user?: string }).user);
    };
    const raw = changed("access.user", "rocky", { ...smallest(), clients });
    expect(users(raw)).toEqual(["rocky", "rocky", "ubuntu"]);
    expect(users(changed("proxy.user", "debian", raw))).toEqual(["debian", "rocky", "ubuntu"]);
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

  test("may have an endpoint that begins as the bucket is called, where what follows is no service", () => {
    const raw = changed("s3.bucket", "backups", smallest());
    for (const endpoint of [
      "https://backups.example.com",
      "backups.lan:9000",
      "https://s3.example.com",
      "[::1]:80",
    ]) {
      expect(errorsOf(changed("s3.endpoint", endpoint, raw))).toEqual([]);
    }
  });

  test("may do without old versions of objects", () => {
    const { s3 } = parseStackConfig(changed("s3.versioning", false, smallest()));
    expect(s3.versioning).toBe(false);
  });

  test("with floating IPs takes them from the external network", () => {
    const config = parseStackConfig(changed("access.via", "floating-ip", smallest()));
    expect([config.proxy.floatingIp, config.access.floatingIpPool]).toEqual([true, "public"]);
  });

  test("opens DNS to the given name servers, and S3 to an endpoint that is an address", () => {
    const dual = changed("network.create.cidr6", "2001:db8:0:20::/64", smallest());
    const raw = changed("network.create.dnsServers", ["192.0.2.53", "2001:DB8:0::53"], dual);
    const config = parseStackConfig(changed("s3.endpoint", "http://[2001:db8::1]:7480", raw));
    expect(config.egress).toEqual({
      dns: ["192.0.2.53/32", "2001:db8::53/128"],
      ntp: ["0.0.0.0/0", "::/0"],
      mirrors: [],
      s3: ["2001:db8::1/128"],
    });
  });

  test.each([
    ["network", { existing: { network: "net", subnet: "sub" } }],
    ["s3.endpoint", "172.24.4.1:7480"],
    ["s3.identities.owner", { accessKeyId: "K", secretAccessKey: "hush", principal: "arn:aws:iam:::user/o" }],
    ["s3.identities.owner", { accessKeyId: "K", secretAccessKey: "hush" }],
    ["s3.endpoint", "http://172.24.4.1"],
    ["s3.bucket", "a.b"],
    ["proxy.rclone.version", "2.0.0"],
    ["proxy.rclone.url", "http://172.24.4.1:8088/rclone"],
    ["clients", []],
    [
      "clients[0].repositories[0].excludes",
      ["~$*", "*~", "$RECYCLE.BIN", "Foo$Bar.class", "!/a/**/[!x]?", "a]"],
    ],
    [
      "clients[0].repositories[0].paths",
      ["/srv/~", "/srv/a]", "/srv/{a}", "/srv/[]", "/srv/C$", "/process", "/runs"],
    ],
    ["clients[1].ssh.hostKey", `ssh-rsa ${rsa(2048)}`],
    ["clients[1].ssh.hostKey", `ecdsa-sha2-nistp384 ${ecdsa("P-384", "nistp384")} comment`],
    ["access.privateKey", opensshPrivateKey("none")],
  ])("may have %s: %j", (field, value) => {
    expect(errorsOf(changed(field, value))).toEqual([]);
  });
});

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

/** The frame of a private key of OpenSSH, as far as it tells whether a passphrase is needed. */
function opensshPrivateKey(cipher: string): string {
  const fields = Buffer.from(blob(cipher), "base64");
  const body = Buffer.concat([Buffer.from("openssh-key-v1\0"), fields, Buffer.alloc(8)]).toString("base64");
  const kind = "OPENSSH PRIVATE KEY";
  return [`-----BEGIN ${kind}-----`, body, `-----END ${kind}-----`, ""].join("\n");
}

const LABEL =
  "is not safe as a host and object name; use 1 to 63 lower-case letters, digits and inner hyphens, for example";
const RESTIC = "is a name that restic itself uses inside a repository; choose another, for example";
const CONTROL = "has a control character or a line break, which cannot stand in a host's files; remove it";
const BUCKET =
  'is not a bucket name; use 3 to 63 lower-case letters, digits, inner hyphens and single dots, for example "example-backups"';
const ENDPOINT =
  "is not an S3 endpoint; give http:// or https://, host and port without path, query and credentials, or the host alone, " +
  'for example "https://s3.example.com"';
const NO_CIDR = 'is not a network in CIDR notation; write ADDRESS/BITS, for example "192.0.2.0/24"';
const NO_SHA256 =
  "is not a SHA-256 of 64 lower-case hexadecimal digits; take the one of the file at url, for an official release its line in " +
  "https://downloads.rclone.org/vVERSION/SHA256SUMS";
const PUB = "give the whole line of the .pub file, as from ssh-keygen -t ed25519";
const HOST_PUB =
  "give the whole line of the .pub file or of ssh-keyscan -t ed25519 ADDRESS, compared with the key on the host itself";
const PROJECT =
  "is not a project ID of 32 hexadecimal digits; see `openstack project show NAME -f value -c id`";
const PRIVATE =
  "(secret) is not a private key; give the whole text of the key's file, from -----BEGIN to -----END, with its line breaks";
const PASSPHRASE =
  "(secret) needs a passphrase, which nobody can type during an update; give a key without one (ssh-keygen -p)";
const IMAGE = "give the name or ID of an image, see `openstack image list`";
const FLAVOR = "give the name or ID of a flavor, see `openstack flavor list`";
const FILL_IN = "is a placeholder of the example; replace it with your value";
const GIB = "write a whole number from 1 to 65536 without quotes";
const BRACKET =
  'is a pattern that restic refuses (a "[" has no "]" with characters or ranges before it, and no slash between; ' +
  'write "\\[" for a bracket)';
const home = (found: string) =>
  `has "${found}", which is not expanded here; write the folder itself, for example "/root"`;
const glob = (above: string) =>
  "is a pattern, but paths are not expanded; list each path by its name, or give " +
  `"${above}" and leave the rest out with excludes`;
const DAYS = "write a whole number from 1 to 3650 without quotes";
const ALL_KEYS =
  "known here: protect, network, access, egress, proxy, restic, s3, clients, clientsFolder, clientSecrets";

/** A field of the full example, the value to put there, and the error lines. */
type Case = [field: string, value: unknown, ...lines: string[]];

describe("an error in one field", () => {
  const nextKey = ed25519(9).slice("ssh-ed25519 ".length);
  const cases: Case[] = [
    // types
    ["protect", "yes", 'protect: "yes" is not true or false; write true or false without quotes'],
    [
      "clients[0].frozen",
      "yes",
      'clients[0].frozen: "yes" is not true or false; write true or false without quotes',
    ],
    ["proxy.image", undefined, `proxy.image: missing; ${IMAGE}`],
    ["proxy.image", null, `proxy.image: empty; ${IMAGE}`],
    ["proxy.image", "", `proxy.image: empty; ${IMAGE}`],
    ["proxy.image", ["a"], `proxy.image: list is not a string; ${IMAGE}`],
    ["proxy.image", 12, 'proxy.image: 12 must be a string; quote it: "12"'],
    ["proxy.image", true, 'proxy.image: true must be a string; quote it: "true"'],
    ["proxy.image", "a\u009bb", `proxy.image: "a\\u{9b}b" ${CONTROL}`],
    ["proxy.image", "a\ud800", `proxy.image: "a\\ud800" ${CONTROL}`],
    ["proxy.flavor", "x\n".repeat(60), `proxy.flavor: "${"x\\n".repeat(50)}…" ${CONTROL}`],
    ["proxy.floatingIp", 1, "proxy.floatingIp: 1 is not true or false; write true or false without quotes"],
    ["s3.versioning", null, "s3.versioning: empty; write true or false without quotes"],
    ...[0, -1, 3651, 1.5, true, "30", Infinity].map((days): Case => [
      "s3.noncurrentVersionDays",
      days,
      `s3.noncurrentVersionDays: ${typeof days === "string" ? `"${days}"` : String(days)} is not a number of days; ${DAYS}`,
    ]),
    ["s3.noncurrentVersionDays", null, `s3.noncurrentVersionDays: empty; ${DAYS}`],
    ["s3.objectLock", true, "s3.objectLock: true is not a mapping; give mode and days, or leave it out"],
    ["s3.objectLock.days", undefined, `s3.objectLock.days: missing; ${DAYS}`],
    ["s3.objectLock.days", 0, `s3.objectLock.days: 0 is not a number of days; ${DAYS}`],
    [
      "s3.objectLock.mode",
      "governance",
      's3.objectLock.mode: "governance" is not a mode; write GOVERNANCE or COMPLIANCE',
    ],
    ["s3.objectLock.mode", undefined, "s3.objectLock.mode: missing; write GOVERNANCE or COMPLIANCE"],
    ["s3.objectLock.years", 1, "s3.objectLock.years: unknown key; known here: mode, days"],
    ["clients", "a", 'clients: "a" is not a list; list the clients, or write []'],
    ["clients[0]", "a", "clients[0]: string is not a mapping; give name, kind and repositories"],
    [
      "clients[0].repositories",
      [],
      "clients[0].repositories: empty list; list the client's repositories, at least one, each with name and paths",
    ],
    ["restic", "0.18.1", "restic: string is not a mapping; give version, url and sha256 of restic"],
    // unknown keys
    ["clinets", [], `clinets: unknown key; did you mean "clients"? ${ALL_KEYS}`],
    ["colour", "red", `colour: unknown key; ${ALL_KEYS}`],
    [
      "s3.identities.writer.secretKey",
      "hush",
      's3.identities.writer.secretKey: unknown key; did you mean "secretAccessKey"? known here: accessKeyId, secretAccessKey, principal',
    ],
    [
      "network.create.a b",
      1,
      'network.create["a b"]: unknown key; known here: cidr, cidr6, externalNetwork, dnsServers',
    ],
    // names
    ["proxy.name", "Proxy_1", `proxy.name: "Proxy_1" ${LABEL} "proxy-1"`],
    ["proxy.name", "Data", `proxy.name: "Data" ${LABEL} "web-1"`],
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
    ...["data", "keys", "locks", "snapshots", "index", "config"].flatMap((name): Case[] => [
      ["clients[0].name", name, `clients[0].name: "${name}" ${RESTIC} "${name}-1"`],
      [
        "clients[2].repositories[0].name",
        name,
        `clients[2].repositories[0].name: "${name}" ${RESTIC} "${name}-1"`,
      ],
    ]),
    // machines
    ["proxy.image", "FILL-IN-IMAGE", `proxy.image: "FILL-IN-IMAGE" ${FILL_IN}`],
    [
      "clients[0].repositories[0].password",
      "FILL-IN-PASSWORD",
      `clients[0].repositories[0].password: (secret) ${FILL_IN}`,
    ],
    ["proxy.flavor", {}, `proxy.flavor: mapping is not a string; ${FLAVOR}`],
    ["proxy.flavor", { id: "" }, `proxy.flavor.id: empty; ${FLAVOR}`],
    ["proxy.flavor", { id: 42 }, 'proxy.flavor.id: 42 must be a string; quote it: "42"'],
    ["clients[0].image", { id: "a", name: "b" }, "clients[0].image.name: unknown key; known here: id"],
    ["clients[0].volume", 20, "clients[0].volume: 20 is not a mapping; give size, or leave volume out"],
    ["clients[0].volume", {}, `clients[0].volume.size: missing; ${GIB}`],
    ...[0, 1.5, 65537, "20"].map((size): Case => [
      "proxy.volume.size",
      size,
      `proxy.volume.size: ${JSON.stringify(size)} is not a size in GiB; ${GIB}`,
    ]),
    [
      "proxy.volume.keep",
      "no",
      'proxy.volume.keep: "no" is not true or false; write true or false without quotes',
    ],
    [
      "proxy.volume.type",
      "",
      "proxy.volume.type: empty; give the name of a volume type, see `openstack volume type list`",
    ],
    ["proxy.availabilityZone", 1, 'proxy.availabilityZone: 1 must be a string; quote it: "1"'],
    ["proxy.user", "a b", 'proxy.user: "a b" is not a user name; give a login name, for example "debian"'],
    [
      "clients[1].user",
      "root",
      'clients[1].user: is for clients of kind "vm", and this one is "existing"; leave it out or change kind',
    ],
    // network and access
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
    [
      "access.via",
      "bastion",
      'access.via: "bastion" is not a way to reach the hosts; write floating-ip, jump-host or direct',
    ],
    [
      "access.adminCidrs",
      [],
      'access.adminCidrs: empty list; list the networks from which the operator connects, at least one, for example ["192.0.2.0/24"]',
    ],
    [
      "access.adminCidrs[0]",
      "10.0.0.77/8",
      'access.adminCidrs[0]: "10.0.0.77/8" has host bits set; for that network write "10.0.0.0/8"',
    ],
    [
      "access.adminCidrs[0]",
      "2001:DB8::1:0:1/64",
      'access.adminCidrs[0]: "2001:DB8::1:0:1/64" has host bits set; for that network write "2001:db8::/64"',
    ],
    [
      "access.adminCidrs[0]",
      "2001:db8:0::/48",
      'access.adminCidrs[0]: "2001:db8:0::/48" is not written as OpenStack writes it; write "2001:db8::/48"',
    ],
    [
      "access.adminCidrs[0]",
      "10.0.0.7",
      'access.adminCidrs[0]: "10.0.0.7" is an address without its bits; for this address alone write "10.0.0.7/32"',
    ],
    [
      "access.adminCidrs[0]",
      "10.0.0.0/33",
      'access.adminCidrs[0]: "10.0.0.0/33" has more than 32 bits; for this address alone write "10.0.0.0/32"',
    ],
    ...["10.0.0.0/", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/08", "1.2.3.4/8/8", "fe80::%eth0/64", "any"].map(
      (text): Case => ["egress.ntp", [text], `egress.ntp[0]: "${text}" ${NO_CIDR}`],
    ),
    [
      "egress.mirrors[1]",
      "0.0.0.0/0",
      'egress.mirrors[1]: "0.0.0.0/0" is already in this list, at [0]; remove one of the two',
    ],
    ["access.user", "a b", 'access.user: "a b" is not a user name; give a login name, for example "debian"'],
    [
      "access.jumpHost",
      undefined,
      "access.jumpHost: missing; give address, user and hostKey of the jump host, or choose another access.via",
    ],
    [
      "access.via",
      "direct",
      'access.jumpHost: is not used with access.via "direct"; leave it out, or write via: jump-host',
    ],
    [
      "proxy.floatingIp",
      false,
      'access.floatingIpPool: "public2" is not used, for no host gets a floating IP; leave it out',
    ],
    [
      "access.jumpHost.port",
      0,
      "access.jumpHost.port: 0 is not a port; write a number from 1 to 65535 without quotes",
    ],
    [
      "access.jumpHost.port",
      "22",
      'access.jumpHost.port: "22" is not a port; write a number from 1 to 65535 without quotes',
    ],
    [
      "access.jumpHost.address",
      "ssh://a",
      'access.jumpHost.address: "ssh://a" is not a DNS name or an IP address; give it without scheme, port and path',
    ],
    [
      "proxy.hostName",
      "a.example.com:22",
      'proxy.hostName: "a.example.com:22" is not a DNS name or an IP address; give it without scheme, port and path',
    ],
    [
      "proxy.hostName",
      "10.0.0.256",
      'proxy.hostName: "10.0.0.256" is not a DNS name or an IP address; give it without scheme, port and path',
    ],
    // programs
    [
      "proxy.rclone.version",
      "1.60.1",
      'proxy.rclone.version: "1.60.1" is older than 1.75.1, and such versions let a client read and delete beyond its own repository; take 1.75.1 or newer',
    ],
    [
      "proxy.rclone.version",
      "1.75.0",
      'proxy.rclone.version: "1.75.0" is older than 1.75.1, and such versions let a client read and delete beyond its own repository; take 1.75.1 or newer',
    ],
    [
      "proxy.rclone.version",
      "v1.76.0",
      'proxy.rclone.version: "v1.76.0" has a letter before the number; write "1.76.0"',
    ],
    [
      "proxy.rclone.version",
      "1.77.0-beta",
      'proxy.rclone.version: "1.77.0-beta" is not a released version; write three numbers with dots, for example "1.76.0"',
    ],
    ["proxy.rclone.version", 1.76, 'proxy.rclone.version: 1.76 must be a string; quote it: "1.76"'],
    [
      "proxy.rclone.url",
      "ftp://a/b",
      'proxy.rclone.url: "ftp://a/b" is not a download address; give a URL with http or https, for example "https://example.com/program"',
    ],
    [
      "proxy.rclone.url",
      "https://u:p@a/b",
      "proxy.rclone.url: (secret) has credentials, which would stand in the host's files; use an address without",
    ],
    [
      "proxy.rclone.url",
      "https://a/r.tar.gz",
      'proxy.rclone.url: "https://a/r.tar.gz" is a .gz file, which the host cannot unpack; give a raw binary or an official .zip file',
    ],
    [
      "restic.url",
      "https://a/r.zip",
      'restic.url: "https://a/r.zip" is a .zip file, which the host cannot unpack; give a raw binary or an official .bz2 file',
    ],
    ["proxy.rclone.sha256", HEX.toUpperCase(), `proxy.rclone.sha256: "${HEX.toUpperCase()}" ${NO_SHA256}`],
    ["proxy.rclone.sha256", HEX.slice(1), `proxy.rclone.sha256: "${HEX.slice(1)}" ${NO_SHA256}`],
    // S3
    ...[
      "https://a.b/c",
      "https://a.b?x",
      "https://a b",
      "s3://a.b",
      "a.b:0",
      "a.b:65536",
      "a/b",
      "1.2.3.4.5",
      "[1.2.3.4]",
      "::1",
    ].map((text): Case => ["s3.endpoint", text, `s3.endpoint: "${text}" ${ENDPOINT}`]),
    ["s3.endpoint", "https://u:p@a.b", `s3.endpoint: (secret) ${ENDPOINT}`],
    ["s3.endpoint", "https://a.b/", 's3.endpoint: "https://a.b/" has a path; write "https://a.b"'],
    [
      "s3.region",
      "eu central",
      's3.region: "eu central" is not a region; use letters, digits and hyphens as the S3 service writes it, for example "eu-central-1"',
    ],
    ...["ab", "a".repeat(64), "Backups", "a_b", "a..b", "a.-b", "-ab", "ab.", "a/b"].map((text): Case => [
      "s3.bucket",
      text,
      `s3.bucket: "${text}" ${BUCKET}`,
    ]),
    [
      "s3.bucket",
      "10.0.0.1",
      's3.bucket: "10.0.0.1" looks like an IP address; choose a name, for example "example-backups"',
    ],
    [
      "s3.bucket",
      "xn--a",
      's3.bucket: "xn--a" has a prefix or suffix that S3 keeps for itself; choose another name, for example "example-backups"',
    ],
    ...[
      ["https://backups.s3.example.com", "https://s3.example.com"],
      ["backups.s3.lan:9000", "s3.lan:9000"],
      ["http://Backups.storage.example.com:80", "http://storage.example.com:80"],
    ].map(([address, service]): Case => [
      "s3",
      { ...fullExample().s3, bucket: "backups", endpoint: address },
      `s3.endpoint: "${address}" is the address of the bucket and not of the service, and every object would get the ` +
        `bucket's name in front of its own; write "${service}"`,
    ]),
    // identities
    [
      "s3.identities.owner",
      {},
      "s3.identities.owner.projectId: missing; give the ID of an OpenStack project",
    ],
    ["s3.identities.owner.projectId", "demo", `s3.identities.owner.projectId: "demo" ${PROJECT}`],
    [
      "s3.identities.owner",
      "hush",
      "s3.identities.owner: string is not a mapping; give the projectId of an OpenStack project, or accessKeyId and secretAccessKey",
    ],
    [
      "s3.identities.owner",
      { accessKeyId: "K" },
      "s3.identities.owner.secretAccessKey: missing; give the secret access key",
    ],
    [
      "s3.identities.writer.projectId",
      project(7),
      "s3.identities.writer.projectId: makes the stack create credentials and excludes given ones; leave out either it or accessKeyId, secretAccessKey and principal",
    ],
    [
      "s3.identities.writer.principal",
      undefined,
      's3.identities.writer.principal: missing; give the ARN of this identity for the bucket policy, for example "arn:aws:iam::PROJECT_ID:root"',
    ],
    [
      "s3.identities.writer.principal",
      "*",
      's3.identities.writer.principal: "*" is not a principal; write its ARN, for example "arn:aws:iam::PROJECT_ID:root"',
    ],
    [
      "s3.identities.writer.secretAccessKey",
      5,
      "s3.identities.writer.secretAccessKey: (secret) must be a string; quote it",
    ],
    [
      "s3.identities.writer.secretAccessKey",
      "hush\nenv_auth = true",
      `s3.identities.writer.secretAccessKey: (secret) ${CONTROL}`,
    ],
    [
      "s3.identities.writer.secretAccessKey",
      " hush",
      "s3.identities.writer.secretAccessKey: (secret) begins or ends with a space; give the key alone",
    ],
    [
      "s3.identities.writer.accessKeyId",
      "a/b",
      's3.identities.writer.accessKeyId: "a/b" is not an access key ID; give it alone, printable ASCII without space, comma, slash and equals sign',
    ],
    [
      "s3.identities.keeper",
      { projectId: project(1) },
      `s3.identities.keeper.projectId: "${project(1)}" is the same identity as the owner; leave keeper out, or give it one of its own`,
    ],
    [
      "s3.identities.keeper",
      { projectId: project(2) },
      `s3.identities.keeper.projectId: "${project(2)}" is the same identity as the writer; leave keeper out, or give it one of its own`,
    ],
    [
      "s3.identities.keeper.accessKeyId",
      "AKWRITER",
      's3.identities.keeper.accessKeyId: "AKWRITER" is the same identity as the writer; leave keeper out, or give it one of its own',
    ],
    [
      "s3.identities.writer.principal",
      `arn:aws:iam::${project(1)}:user/${project(1)}`,
      `s3.identities.writer.principal: "arn:aws:iam::${project(1)}:user/${project(1)}" is the same identity as the owner; leave writer out, or give it one of its own`,
    ],
    // clients
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
      "clients[0].repositories[1].name",
      "main",
      'clients[0].repositories[1].name: "main" is the name of secure-backups:clients[0].repositories[0].name too; choose another name',
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
      "clients[0].repositories[0].paths",
      [],
      'clients[0].repositories[0].paths: missing; list the paths to back up, at least one, for example ["/srv/data"], or give stdin',
    ],
    ...(
      [
        ["schedule", "*-02-30", '"*-02-30" is a time that never comes; correct the date'],
        [
          "schedule",
          "every day",
          '"every day" is not a calendar expression of systemd; write for example "daily", "Mon..Fri 22:30" or "*:0/15", or "none"',
        ],
        ["window", 1440, "1440 is not less than the 1440 minutes between two runs; write a smaller number"],
        ["window", -1, "-1 is not a number of minutes; write a number from 0 to 10080 without quotes"],
        ["before", { command: "" }, ["before.command: empty; give a command for /bin/sh"]],
        [
          "before",
          { command: "a\u0000b" },
          ['before.command: "a\\u0000b" has a control character; remove it'],
        ],
        [
          "after",
          { command: "x", minutes: 0 },
          ["after.minutes: 0 is not a number of minutes; write a number from 1 to 10080 without quotes"],
        ],
        [
          "stdin",
          { command: "pg_dump shop", filename: "/shop.sql" },
          [
            'stdin.filename: "/shop.sql" is not the plain name of a file; write letters, digits, dots and dashes, for example shop.sql',
            "paths: not beside stdin; give the paths a repository of their own",
          ],
        ],
        [
          "bandwidth",
          { upload: "1M" },
          [
            'bandwidth.upload: "1M" is not a number of KiB a second; write a number from 1 to 100000000 without quotes',
          ],
        ],
        ["compression", "zip", '"zip" is not a compression; write "auto", "off" or "max"'],
        ["packSize", 256, "256 is not a number of MiB; write a number from 4 to 128 without quotes"],
      ] as const
    ).map(([field, value, problem]): Case => {
      const repository = "clients[0].repositories[0]";
      const lines = typeof problem === "string" ? [`${field}: ${problem}`] : problem;
      return [`${repository}.${field}`, value, ...lines.map((line) => `${repository}.${line}`)];
    }),
    [
      "clients[0].repositories[0].paths[0]",
      "srv",
      'clients[0].repositories[0].paths[0]: "srv" is not absolute; begin it with a slash, for example "/srv/data"',
    ],
    ...[
      ["/srv/", "/srv"],
      ["//srv", "/srv"],
      ["/a/./b/../c", "/a/c"],
      ["/..", "/"],
    ].map(([text, normal]): Case => [
      "clients[0].repositories[0].paths",
      [text],
      `clients[0].repositories[0].paths[0]: "${text}" is not in its plain form; write "${normal}"`,
    ]),
    [
      "clients[0].repositories[0].paths[1]",
      "/a\0",
      `clients[0].repositories[0].paths[1]: "/a\\u0000" ${CONTROL}`,
    ],
    [
      "clients[0].repositories[0].paths[1]",
      "/",
      'clients[0].repositories[0].paths[1]: "/" is already in this list, at [0]; remove one of the two',
    ],
    ...[
      ["/home/*/x", "/home"],
      ["/srv/data[12]/a", "/srv"],
      ["/srv/{a,b}", "/srv"],
      ["/srv?", "/"],
    ].map(([text, above = ""]): Case => [
      "clients[0].repositories[0].paths[1]",
      text,
      `clients[0].repositories[0].paths[1]: "${text}" ${glob(above)}`,
    ]),
    ...["paths", "excludes"].flatMap((list): Case[] =>
      [
        ["~/data", "~"],
        ["~web/data", "~web"],
        ["~", "~"],
        ["$HOME/data", "$HOME"],
        ["/srv/${USER}/data", "${USER}"],
        ["$XDG_CACHE_HOME", "$XDG_CACHE_HOME"],
      ].map(([text, found = ""]) => [
        `clients[0].repositories[0].${list}[1]`,
        text,
        `clients[0].repositories[0].${list}[1]: "${text}" ${home(found)}`,
      ]),
    ),
    [
      "clients[0].repositories[0].excludes[1]",
      "!~/keep",
      `clients[0].repositories[0].excludes[1]: "!~/keep" ${home("~")}`,
    ],
    ...["/proc", "/sys/fs", "/dev/shm", "/run/user"].map((path): Case => [
      "clients[0].repositories[0].paths[1]",
      path,
      `clients[0].repositories[0].paths[1]: "${path}" lies in ${path.slice(0, 5).replace(/\/$/, "")}, ` +
        "which the kernel creates at each start and no backup can restore; leave it out",
    ]),
    ...["/srv/[cache", "![a-", "a/[]/b", "[a/b]", "*[^]"].map((pattern): Case => [
      "clients[0].repositories[0].excludes[1]",
      pattern,
      `clients[0].repositories[0].excludes[1]: "${pattern}" ${BRACKET}`,
    ]),
    [
      "clients[0].repositories[0].excludes[1]",
      "cache\\",
      'clients[0].repositories[0].excludes[1]: "cache\\\\" is a pattern that restic refuses ' +
        '(a backslash ends it; write "\\\\" for a backslash)',
    ],
    [
      "clients[0].repositories[0].oneFileSystem",
      "yes",
      'clients[0].repositories[0].oneFileSystem: "yes" is not true or false; write true or false without quotes',
    ],
    [
      "clients[0].repositories[0].excludes[1]",
      "a\nb",
      `clients[0].repositories[0].excludes[1]: "a\\nb" ${CONTROL}`,
    ],
    [
      "clients[0].repositories[0].password",
      "",
      "clients[0].repositories[0].password: empty; give the password of the existing repository, or leave it out",
    ],
    [
      "clients[0].repositories[0].password",
      "hush\n",
      `clients[0].repositories[0].password: (secret) ${CONTROL}`,
    ],
    // keys
    [
      "clients[0].repositories[0].publicKey",
      ed25519(5),
      'clients[0].repositories[0].publicKey: is for clients of kind "key-only"; leave it out, the stack makes this client\'s key',
    ],
    [
      "clients[2].repositories[0].publicKey",
      undefined,
      'clients[2].repositories[0].publicKey: missing; give the public key that its operator sent, "ssh-ed25519 AAAA…"',
    ],
    [
      "clients[2].repositories[1]",
      { name: "two", paths: ["/b"], publicKey: ed25519(3) },
      `clients[2].repositories[1].publicKey: "${ed25519(3)}" is the key of secure-backups:clients[2].repositories[0].publicKey too; let its operator make one for each repository`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      PRIVATE_KEY.trim(),
      `clients[2].repositories[0].publicKey: (secret) ${CONTROL}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      `${ed25519(3)}\n`,
      `clients[2].repositories[0].publicKey: "${ed25519(3)}\\n" ${CONTROL}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      "ssh-rsa AAAA",
      `clients[2].repositories[0].publicKey: "ssh-rsa AAAA" has the type ssh-rsa, which is not accepted here; use ssh-ed25519: ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      nextKey,
      `clients[2].repositories[0].publicKey: "${nextKey}" is not a public key that begins with ssh-ed25519; ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      `command="x" ${ed25519(3)}`,
      `clients[2].repositories[0].publicKey: "command=\\"x\\" ${ed25519(3)}" is not a public key that begins with ssh-ed25519; ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      "ssh-ed25519 AAA*",
      `clients[2].repositories[0].publicKey: "ssh-ed25519 AAA*" has no valid base64 after its type; ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      `ssh-ed25519 ${blob("ssh-rsa", "x")}`,
      `clients[2].repositories[0].publicKey: "ssh-ed25519 ${blob("ssh-rsa", "x")}" is cut short or altered (its content is not of type ssh-ed25519); ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      `ssh-ed25519 ${blob("ssh-ed25519", Buffer.alloc(31))}`,
      `clients[2].repositories[0].publicKey: "ssh-ed25519 ${blob("ssh-ed25519", Buffer.alloc(31))}" is cut short or altered (an ed25519 key has 32 bytes); ${PUB}`,
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
      `clients[1].ssh.hostKey: "ssh-rsa ${blob("ssh-rsa", "e", Buffer.alloc(20, 1))}" is an RSA key of less than 2048 bits; make the host an ed25519 key (ssh-keygen -A)`,
    ],
    [
      "clients[1].ssh.hostKey",
      `ecdsa-sha2-nistp256 ${blob("ecdsa-sha2-nistp256", "nistp256", "x")}`,
      `clients[1].ssh.hostKey: "ecdsa-sha2-nistp256 ${blob("ecdsa-sha2-nistp256", "nistp256", "x")}" is cut short or altered (no point of the curve nistp256 inside); ${HOST_PUB}`,
    ],
    ["access.privateKey", "hush", `access.privateKey: ${PRIVATE}`],
    ["access.privateKey", PRIVATE_KEY.replaceAll("\n", " "), `access.privateKey: ${PRIVATE}`],
    ["access.privateKey", PRIVATE_KEY.replaceAll("\n", "\r\n"), `access.privateKey: (secret) ${CONTROL}`],
    ["access.privateKey", encryptedKey(), `access.privateKey: ${PASSPHRASE}`],
    [
      "clients[1].ssh.privateKey",
      opensshPrivateKey("aes256-ctr"),
      `clients[1].ssh.privateKey: ${PASSPHRASE}`,
    ],
  ];
  test.each(cases)("%s: %j", (field, value, ...lines) => {
    expect(errorsOf(changed(field, value))).toEqual(lines);
  });
});

function encryptedKey(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return privateKey
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
    .toString();
}

describe("errors between fields", () => {
  test("without versions nothing can be said about them", () => {
    expect(errorsOf(changed("s3.versioning", false))).toEqual([
      "s3.noncurrentVersionDays: 3650 is not used with s3.versioning false; leave it out, or write versioning: true",
      "s3.objectLock: needs old versions to hold; leave it out, or write versioning: true",
    ]);
  });

  test("an existing network needs its name servers and the pool of the floating IPs", () => {
    const raw = changed("network", { existing: { network: "n", subnet: "s" } }, smallest());
    expect(errorsOf(changed("access.via", "floating-ip", raw))).toEqual([
      "access.floatingIpPool: missing; with network.existing give the name of the external network that floating IPs come from, see `openstack network list --external`",
      "egress.dns: missing; with network.existing list the networks of its name servers, or write [] for none",
    ]);
  });

  test("hosts at floating IPs need one on the proxy, and no jump host", () => {
    const raw = changed("proxy.floatingIp", false);
    expect(errorsOf(changed("access.via", "floating-ip", raw))).toEqual([
      'access.jumpHost: is not used with access.via "floating-ip"; leave it out, or write via: jump-host',
      'proxy.floatingIp: false contradicts access.via "floating-ip"; leave it out, or choose another access.via',
    ]);
  });

  test("clients outside need an address of the proxy", () => {
    const raw = changed("access.floatingIpPool", undefined, changed("proxy.floatingIp", false));
    expect(errorsOf(changed("proxy.hostName", undefined, raw))).toEqual([
      'proxy.hostName: missing; clients of kind "existing" and "key-only" need it, for the proxy has no floating IP: give the DNS name or address at which they reach the proxy',
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
        '  secure-backups:clients[0].repositories[0].path: unknown key; did you mean "paths"? known here: name, paths, excludes, oneFileSystem, schedule, window, before, after, stdin, bandwidth, compression, packSize, password',
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

describe("an endpoint", () => {
  test.each([
    ["s3.example.com", { scheme: "https", host: "s3.example.com", port: 443 }],
    ["s3.example.com:8443", { scheme: "https", host: "s3.example.com", port: 8443 }],
    ["http://172.24.4.1:7480", { scheme: "http", host: "172.24.4.1", port: 7480 }],
    ["http://[::1]", { scheme: "http", host: "::1", port: 80 }],
  ])("%s is taken apart", (text, parts) => {
    expect(parseEndpoint(text)).toEqual(parts);
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
      `s3.identities.owner.projectId: "FILL-IN-OWNER-PROJECT-ID" ${PROJECT}`,
      `s3.identities.writer.projectId: "FILL-IN-WRITER-PROJECT-ID" ${PROJECT}`,
      `s3.identities.keeper.projectId: "FILL-IN-KEEPER-PROJECT-ID" ${PROJECT}`,
    ]);
    const identities = {
      owner: { projectId: project(1) },
      writer: { projectId: project(2) },
      keeper: { projectId: project(3) },
    };
    const filled = changed("s3.identities", identities, changed("proxy.rclone.sha256", HEX, raw));
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
      "s3.identities: missing; give at least the identity owner",
      'clients[1].ssh.hostKey: missing; give the public host key of the server, "ssh-ed25519 AAAA…"',
    ]);
    const identities = {
      owner: { projectId: project(1) },
      writer: { projectId: project(2) },
      keeper: { projectId: project(3) },
    };
    const filled = changed("s3.identities", identities, changed("proxy.rclone", artifact("1.76.0"), raw));
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
    },
    { requiredKeys: ["name", "paths", "excludes", "oneFileSystem", "schedule", "window"] },
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
