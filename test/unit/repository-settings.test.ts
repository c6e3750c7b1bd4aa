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
};
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
    repositories: client.repositories.slice(0, 1).map((repository) => ({ ...repository, ...OTHER })),
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
  const [client] = parseStackConfig({ ...fullExample() }).clients;
  const { password, publicKey, ...settings } = client?.repositories[0] ?? {};
  expect(Object.keys(settings).sort()).toEqual(SETTINGS.toSorted());
});

test.each(["vm", "existing", "key-only"])(
  "a %s client's repository is recorded with all settings",
  (kind) => {
    expect(deployed[kind]).toMatchObject(OTHER);
  },
);

test.each(SETTINGS)("%s changes what the machine of a client gets", (setting) => {
  const changed = { ...SAMPLE_SETTINGS, [setting]: OTHER[setting] };
  const install = (settings: RepositorySettings) =>
    clientInstall({ ...place, repositories: [{ ...settings, ...keys }] }).script;
  const instructions = (settings: RepositorySettings) =>
    renderInstructions({ ...place, repositories: [{ ...settings, ...keys }] });
  expect(install(changed)).not.toBe(install(SAMPLE_SETTINGS));
  expect(instructions(changed)).not.toBe(instructions(SAMPLE_SETTINGS));
});

test("instructions hold no password and no private key", () => {
  const secrets = { ...keys, password: "hushed password", privateKey: "hushed key" };
  const text = renderInstructions({ ...place, repositories: [{ ...SAMPLE_SETTINGS, ...secrets }] });
  expect(text).not.toContain("hushed");
});
