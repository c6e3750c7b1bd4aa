import { afterAll, expect, test } from "@jest/globals";
import { NamespaceHost } from "../harness/namespace-host";

const ADDRESS = "172.24.4.213";
let host: NamespaceHost | undefined;

afterAll(async () => {
  await host?.stop();
});

test("a host that a killed test run left behind makes way for the next of its name", async () => {
  const left = await NamespaceHost.start("left", ADDRESS);
  host = await NamespaceHost.start("left", ADDRESS);
  expect(host.hostKey).not.toBe(left.hostKey);
  expect((await host.ssh.sh("hostname")).stdout).toBe("left\n");
  expect((await left.ssh.sh("true", { accept: "any" })).stderr).toContain("Host key verification failed");
});
