import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, expect, jest, test } from "@jest/globals";
import { rootKeyLockProvider } from "../../components/root-key-lock";
import { explanation, exported, needOfRootKey, protection, StateResource } from "../../operations/destroy";
import { ROOT } from "../../operations/transport/run";
import { SAMPLE_SETTINGS, sampleDeployment } from "../harness/sample-deployment";

// The command starts Node, which a busy machine makes slow.
jest.setTimeout(60_000);

const resource = (type: string, name: string, protect = false): StateResource => ({
  urn: `urn:pulumi:prod::secure-backups::${type}::${name}`,
  type,
  protect,
});
const RESOURCES = [
  resource("openstack:compute/instance:Instance", "rclonesrv", true),
  resource("openstack:compute/instance:Instance", "web", true),
  resource("tls:index/privateKey:PrivateKey", "repository-root", true),
  resource("tls:index/privateKey:PrivateKey", "web-main"),
];

describe("the root key", () => {
  const remove = (givenUp: boolean) => rootKeyLockProvider.delete?.("vault", { bucket: "vault", givenUp });

  test("is not reached by a destroy before the backups are given up", async () => {
    await expect(remove(false)).rejects.toThrow(
      /root key stays .* bucket vault: npm run destroy .* s3\.givenUp/,
    );
    await expect(remove(true)).resolves.toBeUndefined();
  });

  test("is needed by a bucket that holds backups, or whose content is unknown", () => {
    expect(needOfRootKey("vault", { name: "web/" }, false)).toMatch(
      /holds backups \(such as "web\/"\).*s3\.givenUp to true/,
    );
    expect(needOfRootKey("vault", "unknown", false)).toMatch(/may hold backups/);
    expect(needOfRootKey("vault", "nothing", false)).toBeUndefined();
    expect(needOfRootKey("vault", { name: "web/" }, true)).toBeUndefined();
  });
});

test("names all that is protected at once, with the remedy", () => {
  expect(protection(RESOURCES)).toBe(
    "protected are Instance rclonesrv, Instance web, PrivateKey repository-root: " +
      "set secure-backups:protect to false in the configuration, run pulumi up, and repeat this",
  );
  expect(protection(RESOURCES.slice(3))).toBeUndefined();
});

test("reports what goes and what stays, and writes out what opens the backups", () => {
  const deployment = sampleDeployment({
    clients: [
      {
        name: "web",
        kind: "vm",
        frozen: false,
        repositories: [{ ...SAMPLE_SETTINGS, publicKey: "", password: "of web/main" }],
      },
    ],
  });
  expect(explanation(RESOURCES, deployment, { name: "web/" })).toMatch(
    /hosts rclonesrv, web with their disks[\s\S]*bucket b stays with all that it holds/,
  );
  expect(explanation(RESOURCES, deployment, "nothing")).toContain("holds no backups, and goes too");
  const file = JSON.stringify(exported(deployment));
  expect(file).toContain("root-key-of-all-passwords");
  expect(file).toContain('"web/main":"of web/main"');
  expect(file).not.toContain("owner-secret-key");
});

test("the command refuses a protected stack before it asks or destroys anything", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "destroy-"));
  const state = JSON.stringify({ deployment: { resources: RESOURCES } });
  fs.writeFileSync(path.join(folder, "state"), state);
  fs.writeFileSync(
    path.join(folder, "pulumi"),
    `#!/bin/sh\necho "$@" >>${folder}/calls\n[ "$2" != export ] || cat ${folder}/state\n`,
    { mode: 0o755 },
  );
  try {
    const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      const env = { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` };
      const args = ["--import", "tsx", path.join(ROOT, "scripts/destroy.ts"), "--stack", "prod", "--yes"];
      execFile(process.execPath, args, { cwd: ROOT, env }, (error, _stdout, stderr) => {
        resolve({ code: error?.code ?? 0, stderr });
      });
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^destroy: protected are Instance rclonesrv, .*\n$/);
    expect(fs.readFileSync(path.join(folder, "calls"), "utf8")).toBe(
      "stack export --non-interactive --stack prod\n",
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
