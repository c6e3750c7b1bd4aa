import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { parseStackConfig } from "../../config";
import {
  type Case,
  changed,
  CONTROL,
  errorsOf,
  opensshPrivateKey,
  PASSPHRASE,
  type Raw,
  reportsEach,
  smallest,
} from "../harness/config-errors";
import { PRIVATE_KEY } from "../harness/config-example";

function encryptedKey(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return privateKey
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
    .toString();
}

const PRIVATE =
  "(secret) is not a private key; give the whole text of the key's file, from -----BEGIN to -----END, with its line breaks";

describe("a right configuration", () => {
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

  test("with floating IPs takes them from the external network", () => {
    const config = parseStackConfig(changed("access.via", "floating-ip", smallest()));
    expect([config.proxy.floatingIp, config.access.floatingIpPool]).toEqual([true, "public"]);
  });

  test("may have a private key in the form of OpenSSH", () => {
    expect(errorsOf(changed("access.privateKey", opensshPrivateKey("none")))).toEqual([]);
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
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
    ["access.privateKey", "hush", `access.privateKey: ${PRIVATE}`],
    ["access.privateKey", PRIVATE_KEY.replaceAll("\n", " "), `access.privateKey: ${PRIVATE}`],
    ["access.privateKey", PRIVATE_KEY.replaceAll("\n", "\r\n"), `access.privateKey: (secret) ${CONTROL}`],
    ["access.privateKey", encryptedKey(), `access.privateKey: ${PASSPHRASE}`],
  ];
  reportsEach(cases);
});

describe("errors between fields", () => {
  test("hosts at floating IPs need one on the proxy, and no jump host", () => {
    const raw = changed("proxy.floatingIp", false);
    expect(errorsOf(changed("access.via", "floating-ip", raw))).toEqual([
      'access.jumpHost: is not used with access.via "floating-ip"; leave it out, or write via: jump-host',
      'proxy.floatingIp: false contradicts access.via "floating-ip"; leave it out, or choose another access.via',
    ]);
  });
});
