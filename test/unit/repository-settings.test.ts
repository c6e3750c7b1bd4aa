/** Every setting of a repository reaches the deployment record and the files of its client's machine. */
import { beforeAll, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { parseStackConfig, RepositorySettings } from "../../config";
import { clientInstall, renderInstructions } from "../../hosts";
import { DeployedRepository, Deployment } from "../../operations/deployment";
import { fullExample, ed25519 } from "../harness/config-example";
import { mockedStack } from "../harness/mocked-stack";
import { SAMPLE_SETTINGS } from "../harness/sample-deployment";

/** A value of each setting that differs from {@link SAMPLE_SETTINGS}; the compiler asks for one of a new setting. */
const OTHER: Required<RepositorySettings> = {
  name: "other",
  paths: ["/srv/other"],
  excludes: ["*.other"],
  oneFileSystem: true,
  schedule: "hourly",
  window: 7,
  before: { command: "echo before", minutes: 1 },
  after: { command: "echo after", minutes: 2 },
  stdin: { command: "echo dump", filename: "dump", minutes: 3 },
  bandwidth: { upload: 4, download: 5 },
  compression: "max",
  packSize: 6,
};
/** The same as a configuration may have it: a repository with a dump has no paths. */
const DUMPED = { ...OTHER, paths: [] };
const BASE: RepositorySettings = { ...SAMPLE_SETTINGS, schedule: "daily" };
const SETTINGS = Object.keys(OTHER) as (keyof RepositorySettings)[];

const place = {
  stack: "0123456789abcdef",
  client: "web",
  bucket: "databucket",
  proxy: { address: "192.0.2.1", port: 22, hostKey: ed25519(1) },
};
const keys = { password: "p", privateKey: "k", publicKey: ed25519(2) };

let deployed: Record<string, DeployedRepository | undefined>;

beforeAll(async () => {
  const example = fullExample();
  const clients = example.clients.map((client) => ({
    ...client,
    repositories: client.repositories.slice(0, 1).map((repository) => ({ ...repository, ...DUMPED })),
  }));
  const { exports } = await mockedStack({
    ...example,
    access: { ...example.access, privateKey: undefined },
    clients,
  });
  const output = exports["deployment"] as pulumi.Output<Deployment> & { promise(): Promise<Deployment> };
  const deployment = await output.promise();
  deployed = Object.fromEntries(deployment.clients.map(({ kind, repositories }) => [kind, repositories[0]]));
});

test("the schema takes no setting that this test does not know", () => {
  const example = fullExample();
  const [first] = example.clients;
  if (first) Object.assign(first.repositories[0] ?? {}, DUMPED);
  const [client] = parseStackConfig({ ...example }).clients;
  // What the keeper does with a repository is no concern of its client's machine.
  const { password, publicKey, keep, pins, ...settings } = client?.repositories[0] ?? {};
  expect(Object.keys(settings).sort()).toEqual(SETTINGS.toSorted());
});

test.each(["vm", "existing", "key-only"])(
  "a %s client's repository is recorded with all settings",
  (kind) => {
    expect(deployed[kind]).toMatchObject(DUMPED);
  },
);

test.each(SETTINGS)("%s changes what the machine of a client gets", (setting) => {
  const changed = { ...BASE, [setting]: OTHER[setting] };
  const install = (settings: RepositorySettings) =>
    clientInstall({ ...place, repositories: [{ ...settings, ...keys }] }).script;
  const instructions = (settings: RepositorySettings) =>
    renderInstructions({ ...place, repositories: [{ ...settings, ...keys }] });
  expect(install(changed)).not.toBe(install(BASE));
  expect(instructions(changed)).not.toBe(instructions(BASE));
});

test("instructions hold no password and no private key", () => {
  const secrets = { ...keys, password: "hushed password", privateKey: "hushed key" };
  const text = renderInstructions({ ...place, repositories: [{ ...SAMPLE_SETTINGS, ...secrets }] });
  expect(text).not.toContain("hushed");
});
