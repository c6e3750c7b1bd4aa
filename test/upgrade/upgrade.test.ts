/**
 * A stack of the version before, updated by this checkout: nothing is replaced or deleted, and a backup made before
 * restores after. Starts on a local cloud without a stack.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { step } from "../../operations/transport/run";
import { SshHost } from "../../operations/transport/ssh";
import { Finding } from "../../operations/verify/probe";
import { describeTree } from "../../scripts/dev/demo/round-trip";
import { ensurePrerequisites, LocalStack } from "../../scripts/dev/local-stack";
import { checkOutVersionBefore, VERSION_BEFORE } from "./version-before";

jest.setTimeout(1_200_000);

/** A step of `pulumi preview --json`. */
interface Step {
  op: string;
  urn: string;
}

/** A repository of the demo's configuration. */
interface Backup {
  client: string;
  repository: string;
  /** Its only path. */
  source: string;
}

/** All repositories: verify fails for one that has no backup. */
const BACKUPS: readonly Backup[] = [
  { client: "appsrv1", repository: "main", source: "/srv/data" },
  { client: "appsrv1", repository: "database", source: "/srv/database" },
  { client: "filesrv1", repository: "files", source: "/srv/files" },
];

/** What an update may do to a resource: the rest ends it, or puts another in its place. */
const HARMLESS = ["same", "read", "refresh", "create", "update"];

const before = fs.mkdtempSync(path.join(os.tmpdir(), "version-before-"));
const stack = new LocalStack({ name: "upgrade", folder: "upgrade", checkout: before });
/** The tree of each backup as it was backed up, by its folder. */
const trees = new Map<string, string>();

/** What verify does not find sound on the stack. */
async function amiss(): Promise<Finding[]> {
  const { stdout } = await stack.operate("verify", ["--json"], { accept: "any" });
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  expect(findings.length).toBeGreaterThan(100);
  return findings.filter(({ verdict }) => verdict !== "pass" && verdict !== "open");
}

/** What an update would do, as `OPERATION URN` lines, without what stays the same. */
async function preview(): Promise<string[]> {
  const { stdout } = await stack.pulumi(["preview", "--json"]);
  const { steps } = JSON.parse(stdout) as { steps: Step[] };
  return steps.filter(({ op }) => op !== "same" && op !== "read").map(({ op, urn }) => `${op} ${urn}`);
}

/** The tree that a client backs up, as it is there now. */
async function treeOn(host: SshHost, folder: string): Promise<string> {
  return (await host.sh(describeTree(folder))).stdout;
}

beforeAll(async () => {
  await Promise.all([
    step("the version before", () => checkOutVersionBefore(before)),
    step("toolchain and local cloud", ensurePrerequisites),
  ]);
  await stack.open();
  if (await stack.deployed())
    throw new Error("the stack of an earlier run is there: end the local cloud first");
  // A bucket that no earlier run has left backups in.
  await stack.resetConfig((document) => {
    document.setIn(["config", "secure-backups:s3", "bucket"], `upgrade-${String(Date.now())}`);
  });
  await step(`pulumi up of version ${VERSION_BEFORE.version}`, () => stack.up());
});

afterAll(() => {
  fs.rmSync(before, { recursive: true });
});

test("clients back up with what the version before installed", async () => {
  for (const { client, repository, source } of BACKUPS) {
    const host = await stack.host(client);
    await host.sh(`mkdir -p ${source}/folder
head -c 300000 /dev/urandom >${source}/folder/data
ln -s folder/data ${source}/link
restic-backup ${repository}`);
    trees.set(source, await treeOn(host, source));
  }
});

test("the tools of this version work on the stack before its update", async () => {
  const findings = await amiss();
  const known = findings.filter(({ id }) => id.includes("content"));
  expect(findings.filter((finding) => !known.includes(finding))).toEqual([]);
  // The programs on the hosts are the version before's: nothing is said of them until the update.
  for (const { verdict, happened } of known) {
    expect(verdict).toBe("unknown");
    expect(happened).toContain(`version ${VERSION_BEFORE.version} did the last update`);
  }
  for (const { client } of BACKUPS) {
    expect((await stack.operate("ssh", [client, "hostname"])).stdout.trim()).toBe(client);
  }
});

test("an update replaces and deletes no resource, and a second one changes nothing", async () => {
  stack.useThisCheckout();
  const changes = await preview();
  process.stdout.write(`${changes.join("\n")}\n`);
  expect(changes.filter((line) => !HARMLESS.includes(line.split(" ")[0] as string))).toEqual([]);
  await step("pulumi up of this version", () => stack.up());
  expect(await preview()).toEqual([]);
});

test("backups made before the update restore after it, and new ones join them", async () => {
  for (const { client, repository, source } of BACKUPS) {
    const host = await stack.host(client);
    const command = `restic-backup ${repository}`;
    await host.sh(`rm -rf /var/tmp/restored && ${command} restore latest --target /var/tmp/restored`);
    expect(await treeOn(host, `/var/tmp/restored${source}`)).toBe(trees.get(source));
    await host.sh(`rm -rf /var/tmp/restored && ${command}`);
    const { stdout } = await host.sh(`${command} snapshots --json`);
    expect(JSON.parse(stdout)).toHaveLength(2);
  }
  expect(await amiss()).toEqual([]);
});

test("the updated stack can be destroyed", async () => {
  await stack.destroy();
  expect(await stack.deployed()).toBe(false);
});
