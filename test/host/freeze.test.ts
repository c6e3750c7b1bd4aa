/** What `npm run freeze` does on the proxy itself: a real sshd, and an installation that fails after the keys. */
import { CACHE } from "../../scripts/dev/cloud";
import { Deployment } from "../../operations/deployment";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { INSTALL_COMMAND, PROXY_USER } from "../../hosts";
import { proxyWithout, shutOut } from "../../operations/freeze/shut-out";
import { BootedHost } from "../../scripts/dev/booted-host";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { run } from "../../operations/transport/run";
import { SshHost } from "../../operations/transport/ssh";
import { KeyPair } from "../../config";
import { sshKey } from "../../operations/transport/ssh-key";
import { SAMPLE_SETTINGS, sampleBucket, sampleDeployment } from "../harness/sample-deployment";

jest.setTimeout(300_000);

let proxy: BootedHost;
let deployment: Deployment;
let keys: Record<"web" | "mail", KeyPair>;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "freeze-"));

/** What ssh says to a client that logs in with its key. */
async function login(name: "web" | "mail"): Promise<string> {
  const { privateKey } = keys[name];
  const access = { ...proxy.access, user: PROXY_USER, privateKey };
  const command = new SshHost(access, { folder: path.join(folder, name) }).command();
  // A key that opens the proxy starts an rclone that waits for requests.
  return (await run("timeout", ["5", ...command, "rclone"], { accept: "any" })).stderr;
}

beforeAll(async () => {
  const [web, mail, canary] = await Promise.all([sshKey(), sshKey(), sshKey()]);
  keys = { web, mail };
  proxy = await BootedHost.start("freeze-proxy", "172.24.4.227");
  const made = JSON.parse(fs.readFileSync(path.join(CACHE, "artifacts/rclone.json"), "utf8")) as object;
  const rclone = { ...made, url: `${cloudFacts().artifactsUrl}rclone` } as Deployment["proxy"]["rclone"];
  deployment = sampleDeployment({
    // Nobody listens there.
    bucket: sampleBucket({ endpoint: "http://127.0.0.1:9", bucket: "vault" }),
    proxy: { host: proxy.access, address: proxy.address, rclone },
    canary,
    clients: (["web", "mail"] as const).map((name) => ({
      name,
      kind: "vm",
      frozen: false,
      repositories: [{ ...SAMPLE_SETTINGS, publicKey: keys[name].publicKey, password: "p" }],
    })),
  });
  // As an update leaves it, but for the last step, which asks S3.
  const { script } = proxyWithout(deployment, new Set());
  const [ssh, ...args] = [...proxy.ssh.command(), INSTALL_COMMAND];
  await run(ssh, args, { input: script, accept: "any" });
});

afterAll(async () => {
  await proxy.stop();
  fs.rmSync(folder, { recursive: true });
});

test("the key of a frozen client opens nothing any more though the rest of the installation fails, and others' still do", async () => {
  expect(await login("web")).not.toContain("Permission denied");
  const failure = await shutOut(deployment, new Set(["web"]), proxy.ssh);
  // The limits of memory, or S3.
  expect(failure).toMatch(/^secure-backups: /);
  expect(await login("web")).toContain("Permission denied (publickey");
  expect(await login("mail")).not.toContain("Permission denied");
});
