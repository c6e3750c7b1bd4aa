import { describe, expect, test } from "@jest/globals";
import { parseStackConfig } from "../../config";
import {
  artifact,
  type Case,
  changed,
  errorsOf,
  LABEL,
  noSha256,
  type Raw,
  reportsEach,
  smallest,
} from "../harness/config-errors";
import { HEX } from "../harness/config-example";

const KEEPER = { image: "debian-12", flavor: "s1", node: artifact("24.0.0"), restic: artifact("0.19.1") };
const DAYS = "write a number from 1 to 3650 without quotes";
const SHARE = "write a number from 0 to 1 without quotes, for example 0.2";
const MACHINE_KEYS =
  "known here: name, image, flavor, volume, availabilityZone, user, floatingIp, node, restic, keep, approval, readGibPerDay";

describe("a right configuration", () => {
  test("with only what is required gets every default", () => {
    expect(parseStackConfig({ ...smallest(), keeper: KEEPER }).keeper).toEqual({
      ...KEEPER,
      name: "keepersrv",
      user: "debian",
      floatingIp: false,
      approval: { snapshots: 50, share: 0.2 },
      readGibPerDay: 50,
    });
  });

  test("keeps nothing of days, weeks, months and years that it does not name", () => {
    const keep = { within: 7, weeks: 4 };
    expect(parseStackConfig({ ...smallest(), keeper: { ...KEEPER, keep } }).keeper?.keep).toEqual({
      within: 7,
      days: 0,
      weeks: 4,
      months: 0,
      years: 0,
    });
  });

  test("gives the keeper a floating IP where the operator comes that way, from the created network's pool", () => {
    const access = { via: "floating-ip", adminCidrs: ["10.0.0.0/8"] };
    const config = parseStackConfig({ ...smallest(), access, keeper: KEEPER });
    expect([config.keeper?.floatingIp, config.access.floatingIpPool]).toEqual([true, "public"]);
    const alone = parseStackConfig({ ...smallest(), keeper: { ...KEEPER, floatingIp: true } });
    expect([alone.proxy.floatingIp, alone.access.floatingIpPool]).toEqual([false, "public"]);
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
    ["keeper", {}, ...["image", "flavor", "node", "restic"].map(missing)],
    ["keeper.name", "Keeper_1", `keeper.name: "Keeper_1" ${LABEL} "keeper-1"`],
    ["keeper.hostName", "a", `keeper.hostName: unknown key; ${MACHINE_KEYS}`],
    [
      "keeper.node.version",
      "23.11.0",
      'keeper.node.version: "23.11.0" is older than 24.0.0, and such versions cannot run the keeper\'s program; take 24.0.0 or newer',
    ],
    [
      "keeper.node.url",
      "https://nodejs.org/dist/v24.0.0/node-v24.0.0-linux-x64.tar.xz",
      'keeper.node.url: "https://nodejs.org/dist/v24.0.0/node-v24.0.0-linux-x64.tar.xz" is a .tar.xz file, which the host cannot unpack; give a raw binary or an official .tar.gz file',
    ],
    [
      "keeper.node.sha256",
      "0",
      `keeper.node.sha256: "0" ${noSha256("https://nodejs.org/dist/vVERSION/SHASUMS256.txt")}`,
    ],
    [
      "keeper.restic.version",
      "0.16.5",
      'keeper.restic.version: "0.16.5" is older than 0.17.0, and such versions do not speak to a unix socket; take 0.17.0 or newer',
    ],
    ["keeper.keep", { days: 7 }, `keeper.keep.within: missing; ${DAYS}`],
    ["keeper.keep.within", 0, `keeper.keep.within: 0 is not a number of days; ${DAYS}`],
    [
      "keeper.keep.weeks",
      1.5,
      "keeper.keep.weeks: 1.5 is not a number of weeks; write a number from 0 to 520 without quotes",
    ],
    ["keeper.approval.share", 20, `keeper.approval.share: 20 is not a share; ${SHARE}`],
    ["keeper.approval.share", "0.2", `keeper.approval.share: "0.2" is not a share; ${SHARE}`],
    [
      "keeper.approval.snapshots",
      -1,
      "keeper.approval.snapshots: -1 is not a number of snapshots; write a number from 0 to 1000000 without quotes",
    ],
    [
      "keeper.readGibPerDay",
      0,
      "keeper.readGibPerDay: 0 is not a number of GiB; write a number from 1 to 1000000 without quotes",
    ],
    [
      "clients[0].repositories[0].keep",
      7,
      "clients[0].repositories[0].keep: 7 is not a mapping; give within, the days within which every snapshot is kept, and how many days, weeks, months and years are kept after that",
    ],
    [
      "clients[0].repositories[0].pins",
      ["0123abcd"],
      'clients[0].repositories[0].pins[0]: "0123abcd" is not the full ID of a snapshot, 64 lower-case hexadecimal digits; see `restic snapshots --json`',
    ],
    [
      "clients[2].repositories[0].pins",
      [HEX, HEX],
      `clients[2].repositories[0].pins[1]: "${HEX}" is already in this list, at [0]; remove one of the two`,
    ],
  ];
  reportsEach(cases);

  function missing(field: string): string {
    const GIVE: Record<string, string> = {
      image: "the name or ID of an image, see `openstack image list`",
      flavor: "the name or ID of a flavor, see `openstack flavor list`",
      node: "version, url and sha256 of Node.js",
      restic: "version, url and sha256 of restic",
    };
    return `keeper.${field}: missing; give ${String(GIVE[field])}`;
  }
});

describe("errors between fields", () => {
  const withKeeper = (change: Raw, raw: Raw = smallest()) => ({ ...raw, keeper: { ...KEEPER, ...change } });

  test("the keeper's name is no other host's", () => {
    expect(errorsOf(withKeeper({ name: "rclonesrv" }))).toEqual([
      'keeper.name: "rclonesrv" is taken by secure-backups:proxy.name; choose another name',
    ]);
    expect(errorsOf(changed("clients[0].name", "keeper-1"))).toEqual([
      'clients[0].name: "keeper-1" is taken by secure-backups:keeper.name; choose another name',
    ]);
    const client = { kind: "vm", image: "i", flavor: "f", repositories: [{ name: "m", paths: ["/"] }] };
    const clients = [{ ...client, name: "keepersrv" }];
    expect(errorsOf(withKeeper({}, { ...smallest(), clients }))).toEqual([
      'clients[0].name: "keepersrv" is taken by secure-backups:keeper.name; choose another name',
    ]);
    expect(errorsOf({ ...smallest(), clients })).toEqual([]);
  });

  test("where hosts are reached at floating IPs, the keeper has one", () => {
    const access = { via: "floating-ip", adminCidrs: ["10.0.0.0/8"] };
    expect(errorsOf(withKeeper({ floatingIp: false }, { ...smallest(), access }))).toEqual([
      'keeper.floatingIp: false contradicts access.via "floating-ip"; leave it out, or choose another access.via',
    ]);
  });

  test("the pool of floating IPs is used where the keeper has the only one", () => {
    const access = { via: "direct", adminCidrs: ["10.0.0.0/8"], floatingIpPool: "public2" };
    const unused =
      'access.floatingIpPool: "public2" is not used, for no host gets a floating IP; leave it out';
    expect(errorsOf(withKeeper({}, { ...smallest(), access }))).toEqual([unused]);
    expect(errorsOf(withKeeper({ floatingIp: true }, { ...smallest(), access }))).toEqual([]);
    const existing = { ...smallest(), network: { existing: { network: "n", subnet: "s" } } };
    const egress = { dns: [] };
    expect(errorsOf(withKeeper({ floatingIp: true }, { ...existing, egress }))).toEqual([
      "access.floatingIpPool: missing; with network.existing give the name of the external network that floating IPs come from, see `openstack network list --external`",
    ]);
  });
});
