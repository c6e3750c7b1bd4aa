/**
 * Proxy and client on the releases of Debian that existing servers run: installed twice, backed up, restored, and
 * refused to forget. The table in docs/handbook.md, "Which systems hosts may run", has the results.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { clientInstall, proxyInstall } from "../../hosts";
import { backupRoundTrip } from "../../scripts/dev/demo/round-trip";
import { BootedHost } from "../../scripts/dev/booted-host";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { KeyPair } from "../../config";
import { sshKey } from "../../operations/transport/ssh-key";
import { showControllers } from "../harness/controllers";
import { artifact, INSTALLED, putInForce } from "../harness/installs";
import { TestBucket } from "../harness/test-bucket";
import { SAMPLE_SETTINGS } from "../harness/sample-deployment";

jest.setTimeout(300_000);

/** A proxy of the release that the stack's own images have, for the clients of all releases. */
const PROXY = "172.24.4.241";
const TRIED = "172.24.4.242";
const CLIENT = "172.24.4.243";

const RELEASES = [
  { suite: "bullseye", refused: "OpenSSH 8.4 of tried is too old for a proxy" },
  { suite: "bookworm", refused: undefined },
  { suite: "trixie", refused: undefined },
] as const;

let bucket: TestBucket;
let keys: Map<string, KeyPair>;
let proxy: BootedHost;

const keyOf = (suite: string): KeyPair => keys.get(suite) as KeyPair;

function proxyFiles(host: string) {
  return proxyInstall({
    host,
    bucket: bucket.address.bucket,
    rclone: artifact("rclone"),
    s3: {
      endpoint: cloudFacts().s3Endpoint,
      region: bucket.address.region,
      accessKeyId: bucket.writer.accessKeyId,
      secretAccessKey: bucket.writer.secretAccessKey,
    },
    grants: [...keys].map(([suite, { publicKey }]) => ({ client: "web", repository: suite, publicKey })),
  });
}

beforeAll(async () => {
  bucket = await TestBucket.create("releases-test");
  keys = new Map(await Promise.all(RELEASES.map(async ({ suite }) => [suite, await sshKey()] as const)));
  proxy = await BootedHost.start("proxy", PROXY);
  await showControllers(proxy);
  expect(await putInForce(proxy, proxyFiles("proxy"))).toMatchObject({ code: INSTALLED });
});

afterAll(async () => {
  await (proxy as BootedHost | undefined)?.stop();
  await bucket.remove();
});

describe.each(RELEASES)("Debian $suite", ({ suite, refused }) => {
  let tried: BootedHost, client: BootedHost;

  beforeAll(async () => {
    [tried, client] = await Promise.all([
      BootedHost.start("tried", TRIED, undefined, suite),
      BootedHost.start("client", CLIENT, undefined, suite),
    ]);
    await showControllers(tried);
  });

  afterAll(async () => {
    for (const host of [tried, client] as (BootedHost | undefined)[]) await host?.stop();
  });

  test(refused === undefined ? "runs the proxy" : "is refused as a proxy", async () => {
    for (let time = 0; time < 2; time += 1) {
      const { code, text } = await putInForce(tried, proxyFiles("tried"));
      if (refused === undefined) expect(text).not.toContain("too old");
      else expect(text).toContain(refused);
      expect(code === INSTALLED).toBe(refused === undefined);
    }
  });

  test("runs a client: it backs up, restores byte for byte, and is refused to forget", async () => {
    const install = clientInstall({
      stack: "0123456789abcdef",
      client: "web",
      bucket: bucket.address.bucket,
      proxy: { address: PROXY, port: 22, hostKey: proxy.hostKey },
      restic: artifact("restic"),
      repositories: [
        {
          ...SAMPLE_SETTINGS,
          name: suite,
          password: "a password",
          paths: ["/srv/data"],
          privateKey: keyOf(suite).privateKey,
        },
      ],
    });
    for (let time = 0; time < 2; time += 1) {
      expect(await putInForce(client, install)).toMatchObject({ code: INSTALLED });
    }
    const trip = await backupRoundTrip(client.ssh, "web", suite);
    expect(trip.refusal).toBe("forget refused: 403");
  });
});
