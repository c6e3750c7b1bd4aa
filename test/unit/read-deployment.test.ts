import { DEPLOYMENT_VERSION } from "../../operations/deployment";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseStackConfig } from "../../config";
import { readDeployment } from "../../operations/read-deployment";
import { smallest } from "../harness/config-errors";

const SECRET = "the owner's secret";
const NO_ALARMS = { graceHours: 6, digestHour: 6, webhooks: [] };
const PATH = process.env.PATH;
let folder: string;

/** Puts a program "pulumi" first on PATH that prints and ends as Pulumi 3.259 was seen to. */
function pulumi(script: string): void {
  fs.writeFileSync(path.join(folder, "pulumi"), `#!/bin/sh\necho "$@" >${folder}/args\n${script}\n`, {
    mode: 0o755,
  });
  process.env.PATH = `${folder}:${PATH ?? ""}`;
}

/** Puts there a "pulumi" that prints a stack's outputs. */
function prints(outputs: object): void {
  pulumi(`printf '%s\\n' '${JSON.stringify(outputs).replaceAll("'", "'\\''")}'`);
}

const args = () => fs.readFileSync(path.join(folder, "args"), "utf8");

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "deployment-"));
});

afterEach(() => {
  process.env.PATH = PATH;
  fs.rmSync(folder, { recursive: true });
});

describe("the stack's deployment", () => {
  test("is read from the selected stack, or from the one that is named", async () => {
    const deployment = {
      version: DEPLOYMENT_VERSION,
      bucket: { owner: { secretAccessKey: SECRET } },
      clients: [],
    };
    prints({ deployment });
    expect(await readDeployment()).toEqual(deployment);
    expect(args()).toBe("stack output --json --show-secrets --non-interactive\n");
    await readDeployment("prod");
    expect(args()).toContain("--stack prod");
  });

  test("is read from the output of version 0.1.0 until the first update", async () => {
    const repository = { name: "main", paths: ["/srv"], excludes: [], publicKey: "k", password: "p" };
    const described = { version: 3, clients: [{ name: "web", repositories: [repository] }] };
    const read = {
      version: DEPLOYMENT_VERSION,
      project: "0.1.0",
      alarms: NO_ALARMS,
      clients: [{ name: "web", repositories: [{ ...repository, schedule: "none", window: 0 }] }],
    };
    prints({ operations: described });
    expect(await readDeployment()).toEqual(read);
    prints({ operations: described, deployment: { ...described, stack: "0123456789abcdef" } });
    expect(await readDeployment()).toEqual({ ...read, stack: "0123456789abcdef" });
  });

  test.each([
    ["of version 0.2.0, which knew no keeper", { version: 4, project: "0.2.0" }],
    ["that knew no alarms", { version: 5, project: "0.2.1", keeper: { name: "keepersrv" } }],
  ])("is read from the output %s", async (_what, of) => {
    const described = { ...of, clients: [] };
    prints({ deployment: described });
    expect(await readDeployment()).toEqual({
      ...described,
      version: DEPLOYMENT_VERSION,
      alarms: NO_ALARMS,
    });
  });

  test("of a version before has the alarms of a configuration that says nothing of them", () => {
    expect(parseStackConfig(smallest()).alarms).toEqual(NO_ALARMS);
  });

  test.each([
    ["no stack named", `error: no stack named 'prod' found`, /no stack "prod": see pulumi stack ls/],
    ["a wrong passphrase", `error: failed to decrypt: incorrect passphrase`, /incorrect passphrase/],
  ])("%s: the error has the remedy", async (_what, stderr, message) => {
    pulumi(`echo "${stderr}" >&2; exit 1`);
    await expect(readDeployment("prod")).rejects.toThrow(message);
  });

  test("no stack selected: the error has both remedies", async () => {
    pulumi("echo 'error: no stack selected; please use' >&2; exit 1");
    await expect(readDeployment()).rejects.toThrow(/--stack, or run pulumi stack select/);
  });

  test.each([
    ["without a version", { bucket: {}, clients: [] }],
    ["of another version", { version: 2, bucket: {}, clients: [] }],
  ])("an output %s is refused", async (_what, deployment) => {
    prints({ deployment });
    await expect(readDeployment("prod")).rejects.toThrow(/not this version's: run pulumi up/);
  });

  test("a stack without the output: the error names the update that makes it", async () => {
    prints({});
    await expect(readDeployment("prod")).rejects.toThrow(
      'the stack "prod" has no output "deployment" yet: run pulumi up',
    );
  });

  test("no pulumi: the error says where to get it", async () => {
    process.env.PATH = folder;
    await expect(readDeployment()).rejects.toThrow(/pulumi is not on PATH: install it/);
  });

  test("no error shows what Pulumi printed on its standard output", async () => {
    pulumi(`echo "${SECRET}"; echo "error: broken pipe" >&2; exit 1`);
    const error = await readDeployment().catch((e: unknown) => e);
    expect(String(error)).toContain("broken pipe");
    expect(String(error)).not.toContain(SECRET);
  });
});
