/** The real rclone, as the proxy's forced command starts it, in front of an S3 that answers what it likes. */
import * as fs from "node:fs";
import { IncomingHttpHeaders } from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { authorizedKeysLine, CANARY, PROXY_FILES, renderRcloneConfig } from "../../hosts";
import { connect, putAsProxy } from "../../s3/client";
import { withResticSession } from "../../operations/verify/client-attacks/restic-session";
import { S3Store, StoreAnswer, StoreRequest } from "../harness/s3-store";
import { ed25519 } from "../harness/config-example";
import { tool } from "./files-tools";

jest.setTimeout(120_000);

let folder: string;
let store: S3Store;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "proxy-rclone-"));
  store = await S3Store.start("b");
  const s3 = { endpoint: store.endpoint, region: "r", accessKeyId: "id", secretAccessKey: "secret" };
  fs.writeFileSync(path.join(folder, "rclone.conf"), renderRcloneConfig(s3));
  fs.mkdirSync(path.join(folder, "slots"));
  const command = PROXY_FILES.rcloneCommand
    .content()
    .replaceAll("/usr/local/lib/secure-backups/rclone", tool("rclone"))
    .replaceAll("/run/rcloneproxy", path.join(folder, "slots"))
    .replaceAll("/home/rcloneproxy/.config/rclone", folder);
  fs.writeFileSync(path.join(folder, "rclone"), command, { mode: 0o755 });
});

afterEach(async () => {
  await store.stop();
  fs.rmSync(folder, { recursive: true });
});

/** What sshd runs for the key of a repository. */
function forcedCommand(client: string, repository: string): [string, ...string[]] {
  const line = authorizedKeysLine({ client, repository, publicKey: ed25519(1) }, "b");
  const [, command = ""] = /command="([^"]*)"/.exec(line) ?? [];
  return ["sh", "-c", `PATH=${folder}:$PATH; ${command}`];
}

/** Makes a repository as restic does: the statuses of the HEAD and the POST of its config. */
const makeRepository = (client = "web", repository = "main") =>
  withResticSession(forcedCommand(client, repository), async (request) => [
    (await request("HEAD", "/config")).status,
    (await request("POST", "/config", `the config of ${client}/${repository}`)).status,
  ]);

const isHead = ({ method }: StoreRequest) => method === "HEAD";
/** Asks whether the repository itself is a file. */
const isFirst = (request: StoreRequest) => isHead(request) && /^web\/main\/?$/.test(request.key);

describe("an S3 that does not say whether an empty repository is there", () => {
  test.each<[string, (request: StoreRequest) => StoreAnswer, boolean]>([
    ["403 to each HEAD", (request) => (isHead(request) ? 403 : undefined), false],
    ["404 to each HEAD", (request) => (isHead(request) ? 404 : undefined), true],
    ["403 to the first HEAD", (request) => (isFirst(request) ? 403 : undefined), true],
    ["500 to the first HEAD", (request) => (isFirst(request) ? 500 : undefined), true],
    ["nothing to the first HEAD", (request) => (isFirst(request) ? "nothing" : undefined), true],
  ])("%s: a config lies where it belongs, or nowhere", async (_what, answer, made) => {
    store.answer = answer;
    const statuses = await makeRepository();
    expect([...store.objects.keys()]).toEqual(made ? ["web/main/config"] : []);
    if (!made) expect(statuses).toEqual([500, 500]);
  });

  test.each<[string, StoreAnswer]>([
    ["403", 403],
    ["500", 500],
    ["nothing", "nothing"],
  ])("%s to everything: nothing is served and nothing written", async (_what, answer) => {
    store.answer = () => answer;
    await expect(makeRepository()).rejects.toThrow(
      "cannot find out whether the repository web/main is there (rclone's output is above)",
    );
    expect(store.requests.filter(({ method }) => method === "PUT")).toEqual([]);
  });
});

test("no repository is made beside one that lies at its client, and the refusal says what to do", async () => {
  store.objects.set("web/config", Buffer.from("of an earlier version"));
  await expect(makeRepository()).rejects.toThrow(
    /there is a repository at web\/, where none belongs, and none at web\/main\/.*docs\/handbook\.md/,
  );
  expect([...store.objects.keys()]).toEqual(["web/config"]);
  // Another client, and the canary, are none of its business.
  expect(await makeRepository("db", "main")).toEqual([404, 200]);
  expect(await makeRepository(CANARY.client, CANARY.repository)).toEqual([404, 200]);
});

test("a repository in its place is looked for once, whatever lies beside it", async () => {
  store.objects.set("web/main/config", Buffer.from("here"));
  store.objects.set("web/config", Buffer.from("of an earlier version"));
  const read = () =>
    withResticSession(
      forcedCommand("web", "main"),
      async (request) => (await request("GET", "/config")).status,
    );
  const listings = () => store.requests.filter(({ key }) => key === "").length;
  expect(await read()).toBe(200);
  const first = listings();
  expect(first).toBeGreaterThan(0);
  expect(await read()).toBe(200);
  expect(listings()).toBe(first);
});

test("an upload has no ACL, and the proof of the policy sends the same request", async () => {
  await makeRepository();
  const address = { endpoint: store.endpoint, region: "r", bucket: "b" };
  const s3 = await connect(address, { accessKeyId: "id", secretAccessKey: "secret" });
  await putAsProxy(s3, { Bucket: "b", Key: "proof", Body: "proof" });
  s3.destroy();
  const [upload = {}, proof = {}] = store.requests
    .filter(({ method }) => method === "PUT")
    .map(({ headers }) => headers);
  const signed = (headers: IncomingHttpHeaders) =>
    Object.keys(headers)
      // What each SDK says of itself.
      .filter((name) => /^(x-amz-|content-)/.test(name) && name !== "x-amz-user-agent")
      .sort();
  expect(signed(upload)).toEqual(signed(proof));
  expect(signed(upload)).not.toContain("x-amz-acl");
  for (const name of ["content-type", "x-amz-content-sha256"]) expect(upload[name]).toBe(proof[name]);
});
