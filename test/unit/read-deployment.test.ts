import { DEPLOYMENT_VERSION } from "../../operations/deployment";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { readDeployment } from "../../operations/read-deployment";

const SECRET = "the owner's secret";
const PATH = process.env.PATH;
let folder: string;

/** Puts a program "pulumi" first on PATH that prints and ends as Pulumi 3.259 was seen to. */
function pulumi(script: string): void {
  fs.writeFileSync(path.join(folder, "pulumi"), `#!/bin/sh\necho "$@" >${folder}/args\n${script}\n`, {
    mode: 0o755,
  });
  process.env.PATH = `${folder}:${PATH ?? ""}`;
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
  test("are read from the selected stack, or from the one that is named", async () => {
    const deployment = {
      version: DEPLOYMENT_VERSION,
      bucket: { owner: { secretAccessKey: SECRET } },
      clients: [],
    };
    pulumi(`printf '%s\\n' '${JSON.stringify(deployment).replaceAll("'", "'\\''")}'`);
    expect(await readDeployment()).toEqual(deployment);
    expect(args()).toBe("stack output deployment --json --show-secrets --non-interactive\n");
    await readDeployment("prod");
    expect(args()).toContain("--stack prod");
  });

  test.each([
    ["no stack named", `error: no stack named 'prod' found`, /no stack "prod": see pulumi stack ls/],
    ["no output", `error: current stack does not have output property 'deployment'`, /run pulumi up/],
    ["a wrong passphrase", `error: failed to decrypt: incorrect passphrase`, /incorrect passphrase/],
  ])("%s: the error tells the remedy", async (_what, stderr, message) => {
    pulumi(`echo "${stderr}" >&2; exit 1`);
    await expect(readDeployment("prod")).rejects.toThrow(message);
  });

  test("no stack selected: the error tells both remedies", async () => {
    pulumi("echo 'error: no stack selected; please use' >&2; exit 1");
    await expect(readDeployment()).rejects.toThrow(/--stack, or run pulumi stack select/);
  });

  test.each([
    ["without a version", { bucket: {}, clients: [] }],
    ["of another version", { version: DEPLOYMENT_VERSION - 1, bucket: {}, clients: [] }],
  ])("an output %s is refused", async (_what, output) => {
    pulumi(`echo '${JSON.stringify(output)}'`);
    await expect(readDeployment("prod")).rejects.toThrow(/not this version's: run pulumi up/);
  });

  test("no pulumi: the error tells where to get it", async () => {
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
