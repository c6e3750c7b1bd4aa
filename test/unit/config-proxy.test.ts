import { describe, expect, test } from "@jest/globals";
import {
  type Case,
  changed,
  CONTROL,
  errorsOf,
  FILL_IN,
  GIB,
  LABEL,
  NO_SHA256,
  reportsEach,
} from "../harness/config-errors";
import { HEX } from "../harness/config-example";

const IMAGE = "give the name or ID of an image, see `openstack image list`";
const FLAVOR = "give the name or ID of a flavor, see `openstack flavor list`";

describe("a right configuration", () => {
  test.each([
    ["proxy.rclone.version", "2.0.0"],
    ["proxy.rclone.url", "http://172.24.4.1:8088/rclone"],
  ])("may have %s: %j", (field, value) => {
    expect(errorsOf(changed(field, value))).toEqual([]);
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
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
    ["restic", "0.18.1", "restic: string is not a mapping; give version, url and sha256 of restic"],
    ["proxy.name", "Proxy_1", `proxy.name: "Proxy_1" ${LABEL} "proxy-1"`],
    ["proxy.name", "Data", `proxy.name: "Data" ${LABEL} "web-1"`],
    ["proxy.image", "FILL-IN-IMAGE", `proxy.image: "FILL-IN-IMAGE" ${FILL_IN}`],
    ["proxy.flavor", {}, `proxy.flavor: mapping is not a string; ${FLAVOR}`],
    ["proxy.flavor", { id: "" }, `proxy.flavor.id: empty; ${FLAVOR}`],
    ["proxy.flavor", { id: 42 }, 'proxy.flavor.id: 42 must be a string; quote it: "42"'],
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
      "proxy.hostName",
      "a.example.com:22",
      'proxy.hostName: "a.example.com:22" is not a DNS name or an IP address; give it without scheme, port and path',
    ],
    [
      "proxy.hostName",
      "10.0.0.256",
      'proxy.hostName: "10.0.0.256" is not a DNS name or an IP address; give it without scheme, port and path',
    ],
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
      'proxy.rclone.url: "https://a/r.tar.gz" is a .tar.gz file, which the host cannot unpack; give a raw binary or an official .zip file',
    ],
    [
      "restic.url",
      "https://a/r.zip",
      'restic.url: "https://a/r.zip" is a .zip file, which the host cannot unpack; give a raw binary or an official .bz2 file',
    ],
    ["proxy.rclone.sha256", HEX.toUpperCase(), `proxy.rclone.sha256: "${HEX.toUpperCase()}" ${NO_SHA256}`],
    ["proxy.rclone.sha256", HEX.slice(1), `proxy.rclone.sha256: "${HEX.slice(1)}" ${NO_SHA256}`],
  ];
  reportsEach(cases);
});

describe("errors between fields", () => {
  test("clients outside need an address of the proxy", () => {
    const raw = ["proxy", "keeper"].reduce(
      (changing, host) => changed(`${host}.floatingIp`, false, changing),
      changed("access.floatingIpPool", undefined),
    );
    expect(errorsOf(changed("proxy.hostName", undefined, raw))).toEqual([
      'proxy.hostName: missing; clients of kind "existing" and "key-only" need it, for the proxy has no floating IP: give the DNS name or address at which they reach the proxy',
    ]);
  });
});
