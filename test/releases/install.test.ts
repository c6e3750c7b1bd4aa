/**
 * Proxy and client on the releases of Debian that existing servers run: installed twice, backed up, restored, and
 * refused to forget. The table in docs/handbook.md, "Which systems hosts may run", tells what this showed.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { clientInstall, proxyInstall } from "../../files";
import { backupRoundTrip } from "../../scripts/demo/round-trip";
import { BootedHost } from "../../scripts/lib/booted-host";
import { cloudFacts } from "../../scripts/lib/local-stack";
import { sshKey, SshKey } from "../../scripts/lib/ssh-key";
import { showControllers } from "../harness/controllers";
import { artifact, INSTALLED, putInForce } from "../harness/installs";
import { TestBucket } from "../harness/test-bucket";

jest.setTimeout(300_000);

const PROXY = "172.24.4.241";
const CLIENT = "172.24.4.242";

let bucket: TestBucket;
let key: SshKey;

beforeAll(async () => {
  [bucket, key] = await Promise.all([TestBucket.create("releases-test"), sshKey()]);
});

afterAll(async () => {
  await bucket.remove();
});

describe.each(["bullseye", "bookworm", "trixie"])("Debian %s", (suite) => {
  let proxy: BootedHost, client: BootedHost;
  const repository = { name: suite, password: "a password", paths: ["/srv/data"], excludes: [] };

  beforeAll(async () => {
    [proxy, client] = await Promise.all([
      BootedHost.start("old-proxy", PROXY, undefined, suite),
      BootedHost.start("old-client", CLIENT, undefined, suite),
    ]);
    await showControllers(proxy);
  });

  afterAll(async () => {
    for (const host of [proxy, client] as (BootedHost | undefined)[]) await host?.stop();
  });

  test("runs the proxy", async () => {
    const install = proxyInstall({
      host: "old-proxy",
      bucket: bucket.address.bucket,
      rclone: artifact("rclone"),
      s3: {
        endpoint: cloudFacts().s3Endpoint,
        region: bucket.address.region,
        accessKeyId: bucket.writer.accessKeyId,
        secretAccessKey: bucket.writer.secretAccessKey,
      },
      grants: [{ client: "web", repository: suite, publicKey: key.publicKey }],
    });
    for (let time = 0; time < 2; time += 1) {
      expect(await putInForce(proxy, install)).toMatchObject({ code: INSTALLED });
    }
  });

  test("runs a client", async () => {
    const install = clientInstall({
      stack: "0123456789abcdef",
      client: "web",
      bucket: bucket.address.bucket,
      proxy: { address: PROXY, port: 22, hostKey: proxy.hostKey },
      restic: artifact("restic"),
      repositories: [{ ...repository, privateKey: key.privateKey }],
    });
    for (let time = 0; time < 2; time += 1) {
      expect(await putInForce(client, install)).toMatchObject({ code: INSTALLED });
    }
  });

  test("backs up, restores byte for byte, and is refused to forget", async () => {
    const trip = await backupRoundTrip(client.ssh, "web", suite);
    expect(trip.refusal).toBe("forget refused: 403");
  });
});
