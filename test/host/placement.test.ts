/**
 * Where repositories come to lie: proxy and client in force on booted hosts, with the local cloud's S3; and a proxy in
 * front of an S3 whose clock is wrong.
 */
import { CACHE } from "../../scripts/dev/cloud";
import * as path from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { authorizedKeysLine, clientInstall, proxyInstall } from "../../hosts";
import type { S3Credentials } from "../../s3/client";
import { BootedHost } from "../../scripts/dev/booted-host";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { run } from "../../operations/transport/run";
import { KeyPair } from "../../config";
import { sshKey } from "../../operations/transport/ssh-key";
import { probeRepositories } from "../../operations/verify/bucket/repositories";
import { showControllers } from "../harness/controllers";
import { DocumentedCommands } from "../harness/documented";
import { artifact, INSTALLED } from "../harness/installs";
import { S3Store } from "../harness/s3-store";
import { SAMPLE_SETTINGS, sampleBucket, sampleDeployment } from "../harness/sample-deployment";
import { TestBucket } from "../harness/test-bucket";

jest.setTimeout(300_000);

const PROXY = "172.24.4.223";
const CLIENT = "172.24.4.224";
const PASSWORD = "the password of web/main";

const facts = cloudFacts();
let proxy: BootedHost, client: BootedHost;
let bucket: TestBucket;
let main: KeyPair;

/** What an installation ends with and says; its words are part of the expectation, for a failure shows them. */
async function install(host: BootedHost, script: string): Promise<{ code: number; words: string }> {
  const { code, stdout, stderr } = await host.ssh.sh(script, { accept: "any" });
  return { code, words: code === INSTALLED ? "" : stdout + stderr };
}
const DONE = { code: INSTALLED, words: "" };

function installProxy(endpoint = facts.s3Endpoint, publicKey = main.publicKey) {
  const { accessKeyId, secretAccessKey } = bucket.writer;
  const { script } = proxyInstall({
    host: "rclonesrv",
    bucket: bucket.address.bucket,
    rclone: artifact("rclone"),
    s3: { endpoint, region: "eu-central-1", accessKeyId, secretAccessKey },
    grants: [{ client: "web", repository: "main", publicKey }],
  });
  return install(proxy, script);
}

function installClient() {
  const { script } = clientInstall({
    stack: "0123456789abcdef",
    client: "web",
    bucket: bucket.address.bucket,
    proxy: { address: PROXY, port: 22, hostKey: proxy.hostKey },
    restic: artifact("restic"),
    repositories: [
      {
        ...SAMPLE_SETTINGS,
        password: PASSWORD,
        privateKey: main.privateKey,
        paths: ["/etc/hostname"],
      },
    ],
  });
  return install(client, script);
}

/** Keys of the objects that are there now. */
async function objects(): Promise<string[]> {
  const { Contents = [] } = await bucket.owner.s3.listObjectsV2({ Bucket: bucket.address.bucket });
  return Contents.map(({ Key }) => Key ?? "");
}

const deployment = () => ({
  endpoint: facts.s3Endpoint,
  region: "eu-central-1",
  bucket: bucket.address.bucket,
  owner: { accessKeyId: bucket.owner.accessKeyId, secretAccessKey: bucket.owner.secretAccessKey },
});

/** What verify says of web's repository, and of what lies beside the repositories. */
async function verified(): Promise<string[]> {
  const findings = await probeRepositories(
    sampleDeployment({
      bucket: sampleBucket(deployment()),
      clients: [
        {
          name: "web",
          kind: "existing",
          frozen: false,
          repositories: [{ ...SAMPLE_SETTINGS, publicKey: "", password: PASSWORD }],
        },
      ],
    }),
  );
  return findings.map(({ id, verdict }) => `${verdict} ${id}`);
}

/** The documented commands in an operator's shell, where Pulumi knows this stack. */
function move(...steps: number[]) {
  const handbook = new DocumentedCommands("docs/handbook.md");
  const commands = steps.map((step) => handbook.step("A repository in the wrong place", step)).join("\n");
  const script = `set -eu
pulumi() { case $3 in deployment) printf %s "$OPERATIONS" ;; passwords) printf %s "$PASSWORDS" ;; esac; }
${commands.replace("CLIENT=… REPOSITORY=…", "CLIENT=web REPOSITORY=main")}`;
  return run("sh", ["-c", script], {
    env: {
      PATH: `${path.join(CACHE, "artifacts")}:${process.env["PATH"] ?? ""}`,
      OPERATIONS: JSON.stringify({ bucket: deployment() }),
      PASSWORDS: JSON.stringify({ "web/main": PASSWORD }),
    },
  });
}

beforeAll(async () => {
  [bucket, main] = await Promise.all([TestBucket.create("placement-test"), sshKey()]);
  [proxy, client] = await Promise.all([
    BootedHost.start("placesrv", PROXY),
    BootedHost.start("placeweb", CLIENT),
  ]);
  await showControllers(proxy);
});

afterAll(async () => {
  for (const host of [proxy, client] as (BootedHost | undefined)[]) await host?.stop();
  await bucket.remove();
});

test("a clock that is not S3's fails the installation, after a revoked key has stopped working", async () => {
  const store = await S3Store.start(bucket.address.bucket, "172.24.4.1");
  try {
    expect(await installProxy(store.endpoint)).toEqual(DONE);
    store.ahead = -3600;
    const other = await sshKey();
    const { code, words } = await installProxy(store.endpoint, other.publicKey);
    expect(code).not.toBe(INSTALLED);
    expect(words).toMatch(/the clock of placesrv is not S3's: \S+ is -3\d\d\d s ahead/);
    const keys = await proxy.ssh.sh("cat /etc/ssh/authorized_keys.d/rcloneproxy");
    expect(keys.stdout.trim()).toBe(
      authorizedKeysLine(
        { client: "web", repository: "main", publicKey: other.publicKey },
        bucket.address.bucket,
      ),
    );
  } finally {
    await store.stop();
  }
  expect(await installProxy()).toEqual(DONE);
});

test("a repository that an earlier version made above its place is not built over, and is moved as documented", async () => {
  // What the fault left: a repository with a backup at CLIENT/, made with the password of web/main. The owner backs up,
  // for the writer may not remove a lock that lies there, and restic tries for a minute.
  const restic = ({ accessKeyId, secretAccessKey }: S3Credentials, command: string) =>
    run("sh", ["-c", `restic --no-cache ${command}`], {
      env: {
        PATH: `${path.join(CACHE, "artifacts")}:${process.env["PATH"] ?? ""}`,
        RCLONE_CONFIG_X_TYPE: "s3",
        RCLONE_CONFIG_X_PROVIDER: "Other",
        RCLONE_CONFIG_X_ENDPOINT: facts.s3Endpoint,
        RCLONE_CONFIG_X_REGION: "eu-central-1",
        RCLONE_CONFIG_X_NO_CHECK_BUCKET: "true",
        RCLONE_CONFIG_X_ACCESS_KEY_ID: accessKeyId,
        RCLONE_CONFIG_X_SECRET_ACCESS_KEY: secretAccessKey,
        RESTIC_REPOSITORY: `rclone:x:${bucket.address.bucket}/web/`,
        RESTIC_PASSWORD: PASSWORD,
      },
      timeout: 60,
    });
  await restic(bucket.writer, "init");
  await restic(bucket.owner, "backup /etc/hostname");
  const before = await objects();
  expect(before).toContain("web/config");

  const refused = await installClient();
  expect(refused.code).not.toBe(INSTALLED);
  expect(refused.words).toContain("there is a repository at web/, where none belongs, and none at web/main/");
  expect(await objects()).toEqual(before);
  expect(await verified()).toEqual(["FAIL repository.web.main", "FAIL repository.beside", "pass s3.clock"]);

  const opened = await move(1);
  expect(opened.stdout).toContain('"chunker_polynomial"');
  await move(1, 2, 3);
  expect(await verified()).toEqual(["pass repository.web.main", "pass repository.beside", "pass s3.clock"]);
  expect(await installClient()).toEqual(DONE);
  const { stdout } = await client.ssh.sh(
    "restic-backup main && restic-backup main snapshots --json 2>/dev/null",
  );
  expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as unknown[]).toHaveLength(2);
});

test("a new repository is made in its place, and the next session proves it", async () => {
  const { Versions = [] } = await bucket.owner.s3.listObjectVersions({
    Bucket: bucket.address.bucket,
    Prefix: "web/",
  });
  for (const { Key, VersionId } of Versions)
    await bucket.owner.s3.deleteObject({ Bucket: bucket.address.bucket, Key, VersionId });
  await proxy.ssh.sh("rm -f /run/rcloneproxy/*.placed");
  await client.ssh.sh("rm -rf /var/cache/restic-backup");
  expect(await installClient()).toEqual(DONE);
  expect(await objects()).toEqual(["web/main/config", expect.stringMatching(/^web\/main\/keys\//)]);
  const { stdout } = await proxy.ssh.sh("ls /run/rcloneproxy");
  expect(stdout.split("\n")).toContain(`s3-resticrepo:${bucket.address.bucket}+web+main+.placed`);
});
