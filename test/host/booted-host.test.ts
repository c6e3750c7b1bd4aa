import { afterAll, expect, jest, test } from "@jest/globals";
import { BootedHost } from "../../scripts/dev/booted-host";

jest.setTimeout(120_000);

const ADDRESS = "172.24.4.213";
let host: BootedHost | undefined;

afterAll(async () => {
  await host?.stop();
});

test("a host that a killed test run left behind makes way for the next of its name", async () => {
  const left = await BootedHost.start("left", ADDRESS);
  host = await BootedHost.start("left", ADDRESS);
  expect(host.hostKey).not.toBe(left.hostKey);
  expect((await host.ssh.sh("hostname")).stdout).toBe("left\n");
  expect((await left.ssh.sh("true", { accept: "any" })).stderr).toContain("Host key verification failed");
});

test("a host that the same key opens is left as it is", async () => {
  const running = host as BootedHost;
  await running.ssh.sh("touch /root/kept");
  const again = await BootedHost.start("left", ADDRESS, running.operator);
  expect(again.hostKey).toBe(running.hostKey);
  await again.ssh.sh("test -e /root/kept");
});

test("a host is a machine of its own: systemd, its timers, journal and sessions, and a firewall", async () => {
  const { stdout } = await (host as BootedHost).ssh
    .sh(`systemctl is-system-running --wait || systemctl --failed
systemd-run --quiet --wait --property=DynamicUser=yes --property=PrivateTmp=yes sh -c 'echo "from a unit" >&2'
journalctl --sync
journalctl --quiet --output=cat --grep='^from a unit'
systemctl list-timers --all --no-legend | wc -l
loginctl list-sessions --no-legend | wc -l
nft add table inet own && nft list tables`);
  expect(stdout).toMatch(/^running\nfrom a unit\n[1-9]\d*\n[1-9]\d*\ntable inet own\n$/);
});
