/**
 * `npm run verify` on a proxy and a client that are sound, then with one weakness at a time, which it must name:
 * namespace hosts with the rendered files in force, a real sshd, rclone and restic, and the local cloud's S3.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { Artifact, CANARY, clientInstall, HostInstall, proxyInstall } from "../../files";
import { keystonePrincipal } from "../../files/bucket-policy";
import { Operations } from "../../plan";
import { cloudFacts } from "../../scripts/lib/local-stack";
import { CACHE } from "../../scripts/lib/run";
import { attackAsClient } from "../../scripts/verify/client-attacks";
import { inspectHosts } from "../../scripts/verify/hosts";
import { Finding } from "../../scripts/verify/probe";
import { NamespaceHost, sshKey, SshKey } from "../harness/namespace-host";
import { Identity, s3Identity } from "../harness/s3-identity";

jest.setTimeout(120_000);

const BUCKET = `verify-test-${String(process.pid)}-${Date.now().toString(36)}`;
const PROXY = "172.24.4.231";
const CLIENT = "172.24.4.232";
/** What an install script ends with when all of it arrived and was done. */
const INSTALLED = 80;

const facts = cloudFacts();
let proxy: NamespaceHost, client: NamespaceHost;
let owner: Identity, writer: Identity, keeper: Identity;
let main: SshKey, other: SshKey, canary: SshKey;
let operations: Operations;

function artifact(name: "rclone" | "restic"): Artifact {
  const text = fs.readFileSync(path.join(CACHE, `artifacts/${name}.json`), "utf8");
  return { ...(JSON.parse(text) as Artifact), url: `${facts.artifactsUrl}${name}` };
}

function proxyFiles(): HostInstall {
  return proxyInstall({
    host: "rclonesrv",
    bucket: BUCKET,
    rclone: artifact("rclone"),
    s3: {
      endpoint: facts.s3Endpoint,
      region: "eu-central-1",
      accessKeyId: writer.accessKeyId,
      secretAccessKey: writer.secretAccessKey,
    },
    grants: [
      { client: "web", repository: "main", publicKey: main.publicKey },
      { client: "db", repository: "main", publicKey: other.publicKey },
      { ...CANARY, publicKey: canary.publicKey },
    ],
  });
}

function clientFiles(): HostInstall {
  return clientInstall({
    client: "web",
    bucket: BUCKET,
    proxy: { address: PROXY, port: 22, hostKey: proxy.hostKey },
    restic: artifact("restic"),
    repositories: [
      {
        name: "main",
        password: "the password of web/main",
        privateKey: main.privateKey,
        paths: ["/srv/data"],
        excludes: [],
      },
    ],
  });
}

async function putInForce(host: NamespaceHost, install: HostInstall): Promise<void> {
  await host.ssh.sh(install.script, { accept: [INSTALLED] });
}

/** The findings that are not passed, `VERDICT ID`. */
function faults(findings: readonly Finding[]): string[] {
  return findings.filter(({ verdict }) => verdict !== "pass").map(({ id, verdict }) => `${verdict} ${id}`);
}

beforeAll(async () => {
  const { projects } = facts;
  [owner, writer, keeper] = (await Promise.all(
    [projects.owner, projects.writer, projects.keeper].map((project) => s3Identity(project)),
  )) as [Identity, Identity, Identity];
  [main, other, canary] = await Promise.all([sshKey(), sshKey(), sshKey()]);
  await owner.s3.createBucket({ Bucket: BUCKET });
  // All is allowed to the writer: what the proxy refuses, it refuses by itself.
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { AWS: [keystonePrincipal(projects.writer)] },
        Action: "s3:*",
        Resource: [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`],
      },
    ],
  });
  await owner.s3.putBucketPolicy({ Bucket: BUCKET, Policy });
  [proxy, client] = await Promise.all([
    NamespaceHost.start("verify-proxy", PROXY),
    NamespaceHost.start("verify-web", CLIENT),
  ]);
  await putInForce(proxy, proxyFiles());
  await putInForce(client, clientFiles());
  operations = {
    bucket: {
      endpoint: facts.s3Endpoint,
      region: "eu-central-1",
      bucket: BUCKET,
      owner: { accessKeyId: owner.accessKeyId, secretAccessKey: owner.secretAccessKey },
      writer: { accessKeyId: writer.accessKeyId, secretAccessKey: writer.secretAccessKey },
      keeper: { accessKeyId: keeper.accessKeyId, secretAccessKey: keeper.secretAccessKey },
      policy: Policy,
      versioning: false,
      noncurrentVersionDays: 30,
    },
    proxy: { host: proxy.access, address: PROXY, rclone: artifact("rclone") },
    restic: artifact("restic"),
    clients: [
      {
        name: "web",
        kind: "existing",
        frozen: false,
        host: client.access,
        repositories: [{ name: "main", ...main, password: "the password of web/main" }],
      },
      {
        name: "db",
        kind: "key-only",
        frozen: false,
        repositories: [{ name: "main", publicKey: other.publicKey, password: "the password of db/main" }],
      },
    ],
    canary,
    network: { groups: { proxy: "", appserver: "" }, rules: [], hosts: [] },
    openRings: [],
    repositoryRootKey: "b2b6d6a6c0f14f4d9a0f3f5b6d1e2a3c",
  };
});

afterAll(async () => {
  for (const host of [proxy, client]) await host.stop();
  for (;;) {
    const { Contents = [] } = await owner.s3.listObjectsV2({ Bucket: BUCKET });
    if (Contents.length === 0) break;
    for (const { Key } of Contents) await owner.s3.deleteObject({ Bucket: BUCKET, Key });
  }
  await owner.s3.deleteBucket({ Bucket: BUCKET });
  await Promise.all([owner, writer, keeper].map((identity) => identity.forget()));
});

describe("a sound deployment", () => {
  test("withstands every attack with a client's key", async () => {
    const findings = await attackAsClient(operations);
    expect(faults(findings)).toEqual([]);
    const { Contents = [] } = await owner.s3.listObjectsV2({ Bucket: BUCKET, Prefix: ".canary/" });
    expect(Contents.map(({ Key }) => Key)).toEqual([".canary/verify/config"]);
  });

  test("its hosts are as they must be", async () => {
    const findings = await inspectHosts(operations);
    // A namespace host has no systemd, which puts these in force.
    expect(faults(findings)).toEqual(["unknown limits.slice", "unknown limits.connections"]);
  });
});
