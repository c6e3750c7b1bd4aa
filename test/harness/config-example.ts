import { generateKeyPairSync } from "node:crypto";
import type { StackConfig } from "../../config";

/** The public key, in one line as OpenSSH writes it, whose ed25519 bytes are all `byte`. */
export function ed25519(byte: number): string {
  return `ssh-ed25519 ${blob("ssh-ed25519", Buffer.alloc(32, byte))}`;
}

/** The base64 of an SSH key of these length-prefixed fields. */
export function blob(...fields: (string | Buffer)[]): string {
  const parts = fields.map((field) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(field));
    return Buffer.concat([length, Buffer.from(field)]);
  });
  return Buffer.concat(parts).toString("base64");
}

/** A private key without a passphrase, in PEM. */
export const PRIVATE_KEY = generateKeyPairSync("ed25519")
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

export const HEX = "0123456789abcdef".repeat(4);
export const project = (digit: number): string => String(digit).repeat(32);

/** A configuration that uses every field, with nothing left to the defaults. */
export function fullExample(): StackConfig {
  return {
    protect: false,
    network: {
      create: {
        cidr: "10.20.0.0/24",
        cidr6: "2001:db8:0:20::/64",
        externalNetwork: "public",
        dnsServers: ["192.0.2.53", "2001:db8::53"],
      },
    },
    access: {
      via: "jump-host",
      adminCidrs: ["203.0.113.0/24", "2001:db8:1::/48"],
      user: "ubuntu",
      floatingIpPool: "public2",
      jumpHost: {
        address: "jump.example.com",
        port: 2222,
        user: "ops",
        hostKey: ed25519(1),
        privateKey: PRIVATE_KEY,
      },
      privateKey: PRIVATE_KEY,
    },
    egress: {
      dns: ["192.0.2.53/32"],
      ntp: ["192.0.2.123/32"],
      mirrors: ["0.0.0.0/0", "::/0"],
      s3: ["198.51.100.0/24"],
      alarms: ["198.51.100.25/32", "2001:db8:2::/48"],
    },
    proxy: {
      name: "rclone-1",
      hostName: "rclone.example.com",
      image: "Debian 12",
      flavor: { id: "42" },
      volume: { size: 65536, type: "ssd", keep: true },
      availabilityZone: "az 1",
      user: "rocky",
      floatingIp: true,
      rclone: { version: "1.75.1", url: "https://example.com/rclone.zip?a=1", sha256: HEX },
    },
    keeper: {
      name: "keeper-1",
      image: { id: "debian-12-2026" },
      flavor: "s1.small",
      volume: { size: 10, keep: false },
      availabilityZone: "az3",
      user: "admin",
      floatingIp: true,
      node: { version: "24.0.0", url: "https://example.com/node-v24.0.0-linux-x64.tar.gz", sha256: HEX },
      restic: { version: "0.17.0", url: "https://example.com/restic.bz2", sha256: HEX },
      keep: { within: 30, days: 0, weeks: 8, months: 12, years: 0 },
      approval: { snapshots: 0, share: 1 },
      readGibPerDay: 1,
    },
    alarms: {
      graceHours: 720,
      digestHour: 0,
      quotaGib: 1,
      mail: {
        server: "2001:db8:2::25",
        port: 2525,
        security: "tls",
        user: "backups@example.com",
        password: "hush mail",
        from: "backups@example.com",
        to: ["ops@example.com", "night@example.com"],
      },
      webhooks: [
        { name: "team", url: "https://hooks.example.com:8443/T0/hush", form: "slack" },
        { name: "own", url: "http://198.51.100.25/hush", form: "json" },
      ],
      command: { path: "/usr/local/bin/page", args: ["--urgent", "ops team"] },
      ping: "https://ping.example.com/hush",
    },
    restic: { version: "0.18.1", url: "http://192.0.2.1:8088/restic.bz2", sha256: HEX },
    s3: {
      endpoint: "https://s3.example.com:8443",
      region: "RegionOne",
      bucket: "example.backups-1",
      versioning: true,
      noncurrentVersionDays: 3650,
      objectLock: { mode: "COMPLIANCE", days: 1 },
      givenUp: true,
      identities: {
        owner: { projectId: project(1) },
        writer: {
          accessKeyId: "AKWRITER",
          secretAccessKey: "hush/+=",
          principal: `arn:aws:iam::${project(2)}:root`,
        },
        keeper: {
          accessKeyId: "AKKEEPER",
          secretAccessKey: "hush two",
          principal: "arn:aws:iam:::user/keeper",
        },
      },
    },
    clients: [
      {
        name: "appsrv1",
        kind: "vm",
        frozen: true,
        image: { id: "debian-12-2026" },
        flavor: "s1.medium",
        volume: { size: 1, keep: false },
        availabilityZone: "az2",
        user: "debian",
        securityGroups: ["web"],
        repositories: [
          {
            name: "main",
            paths: ["/", "/srv/Größe, 'x' \"y\" $z %h #1"],
            excludes: ["*.tmp", "#x ü"],
            oneFileSystem: true,
            schedule: "daily",
            window: 60,
            password: "pä $'\"% #",
            keep: { within: 1, days: 3650, weeks: 520, months: 120, years: 100 },
            pins: [HEX],
          },
          {
            name: "data-base",
            paths: ["/srv/database"],
            excludes: [],
            oneFileSystem: false,
            schedule: "daily",
            window: 60,
            pins: [],
          },
        ],
      },
      {
        name: "legacy",
        kind: "existing",
        frozen: false,
        ssh: {
          address: "legacy.example.com",
          port: 22,
          user: "root",
          hostKey: ed25519(2),
          privateKey: PRIVATE_KEY,
        },
        sourceCidrs: ["198.51.100.7/32"],
        repositories: [
          {
            name: "main",
            paths: ["/home"],
            excludes: [],
            oneFileSystem: false,
            schedule: "daily",
            window: 60,
            pins: [],
          },
        ],
      },
      {
        name: "partner",
        kind: "key-only",
        frozen: false,
        sourceCidrs: ["198.51.100.64/29"],
        repositories: [
          {
            name: "main",
            paths: ["/data"],
            excludes: [],
            oneFileSystem: false,
            schedule: "daily",
            window: 60,
            pins: [],
            publicKey: `${ed25519(3)} root@partner`,
          },
        ],
      },
    ],
  };
}
