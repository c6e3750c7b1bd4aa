import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { Attacker, letIn, REACHED } from "../../operations/verify/client-attacks/attacker";
import { attackForwarding, remoteForwards } from "../../operations/verify/client-attacks/forwarding";
import { escapes, pathTricks } from "../../operations/verify/client-attacks/outside";
import { withResticSession } from "../../operations/verify/client-attacks/restic-session";
import { attackSession } from "../../operations/verify/client-attacks/ssh-session";
import { sampleDeployment } from "../harness/sample-deployment";

describe("paths that leave the repository", () => {
  test.each([
    ["../verify/keys/id", "/bucket/.canary/verify/keys/id"],
    ["../../web/main/config", "/bucket/web/main/config"],
  ])("every trick with %s leads there once it is fully decoded", (target, landing) => {
    const tricks = pathTricks(target);
    expect(new Set(tricks).size).toBe(tricks.length);
    const landings = tricks.map((trick) => {
      const [plain = ""] = trick.split("?");
      const decoded = decodeURIComponent(decodeURIComponent(plain)).replaceAll("\\", "/");
      return path.posix.normalize(`/bucket/.canary/verify${decoded}`).replace(/[/\0]$/, "");
    });
    expect(new Set(landings)).toEqual(new Set([landing]));
    expect(tricks.filter((trick) => !trick.startsWith("/"))).toEqual([]);
  });

  const written = (status: number, ...keys: string[]) =>
    escapes([{ target: "/TRICK", landing: "id-outside-1", status }], keys);

  test.each<[what: string, status: number, keys: string[]]>([
    ["refused", 400, [".canary/verify/keys/id"]],
    ["stored as a plain name", 200, [".canary/verify/..%2fverify/keys/id-outside-1"]],
    ["another one's landing", 404, [".canary/verify/keys/id-outside-10"]],
  ])("a write that is %s has not left it", (_what, status, keys) => {
    expect(written(status, ...keys)).toEqual([]);
  });

  test.each<[what: string, status: number, keys: string[], named: string]>([
    ["came back in", 200, [".canary/verify/keys/id-outside-1"], "WROTE .canary/verify/keys/id-outside-1"],
    ["came back in, and failed", 500, [".canary/verify/keys/id-outside-1"], "WROTE"],
    ["came back in by a longer name", 200, [".canary/verify/keys/id-outside-1\0"], "WROTE"],
    ["is beside it", 200, [".canary/keys/id-outside-1"], "WROTE .canary/keys/id-outside-1"],
    ["was attempted and failed", 500, [], "was attempted"],
    ["is nowhere", 200, [".canary/verify/keys/id-outside-10"], "ACCEPTED"],
  ])("a write that %s is named", (_what, status, keys, named) => {
    expect(written(status, ...keys)).toEqual([expect.stringContaining(named)]);
  });
});

test("ssh's messages about a jump host do not count for the proxy", () => {
  const jump = `debug1: Host 'jump' is known and matches the ED25519 host key.
Authenticated to 192.0.2.1 ([192.0.2.1]:22) using "publickey".\r\n`;
  const proxy = "debug1: Host 'host' is known and matches the ED25519 host key.\r\n";
  const admitted = 'Authenticated to 192.0.2.2 (via proxy) using "publickey".\r\n';
  const said = [jump, jump + proxy, jump + proxy + admitted];
  expect(said.map((words) => REACHED.test(words))).toEqual([false, true, true]);
  expect(said.map(letIn)).toEqual([false, false, true]);
  // A compromised proxy may send this without end before a login.
  const started = Date.now();
  expect(letIn(proxy.repeat(10_000))).toBe(false);
  expect(Date.now() - started).toBeLessThan(1000);
});

describe("the session with rclone", () => {
  const session = (script: string) =>
    withResticSession(["sh", "-c", script], (request) => request("GET", "/config"));

  test("that ended before the first request reports the program's last messages", async () => {
    await expect(session("echo 'Permission denied' >&2; exit 255")).rejects.toThrow("Permission denied");
  });

  test("whose connection closes before the program ends reports them, too", async () => {
    const slow = "exec <&- >&-; sleep 1; echo 'Connection closed by peer' >&2; exit 255";
    await expect(session(slow)).rejects.toThrow("Connection closed by peer");
  });
});

test("forwarding offers the proxy nothing that exists", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "attacker-"));
  const { PATH } = process.env;
  const asked = path.join(folder, "asked");
  fs.writeFileSync(
    path.join(folder, "ssh"),
    `#!/bin/sh\nprintf '%s\\n' "DISPLAY $DISPLAY" "$@" >>'${asked}'\nexit 255\n`,
    { mode: 0o755 },
  );
  process.env.PATH = `${folder}:${PATH ?? ""}`;
  try {
    const canary = new Attacker(sampleDeployment(), folder, 5);
    await attackSession(canary);
    const session = fs.readFileSync(asked, "utf8").split("\n");
    expect(session).toContain("ForwardX11=yes");
    const display = session.find((line) => line.startsWith("DISPLAY "))?.slice("DISPLAY :".length) ?? "";
    expect(Number(display)).toBeGreaterThan(1000);
    expect(fs.existsSync(`/tmp/.X11-unix/X${display}`)).toBe(false);

    const targets = remoteForwards(folder, "/tmp/listens")
      .filter((word) => word !== "-R")
      .map((word) => word.replace(/^[^:]*:/, ""));
    expect(targets).toHaveLength(2);
    for (const target of targets) {
      expect(path.dirname(target)).toBe(folder);
      expect(fs.existsSync(target)).toBe(false);
    }
  } finally {
    process.env.PATH = PATH;
    fs.rmSync(folder, { recursive: true });
  }
});

test("waits once for a proxy that does not answer", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "attacker-"));
  const silent = net.createServer();
  const connections: net.Socket[] = [];
  silent.on("connection", (socket) => connections.push(socket));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  try {
    const canary = new Attacker(sampleDeployment(), folder, 1);
    const { port } = silent.address() as net.AddressInfo;
    const first = canary.run([], ["id"], "", canary.other({ host: "127.0.0.1", port }, "silent"));
    await expect(first).rejects.toThrow("stopped after 1 s");
    const findings = await attackSession(canary);
    expect(findings.map(({ verdict }) => verdict)).toEqual(findings.map(() => "unknown"));
    for (const { happened } of findings) expect(happened).toContain("not tried: an earlier ssh did not end");
    await expect(attackForwarding(canary, sampleDeployment())).rejects.toThrow("not tried");
    expect(connections).toHaveLength(1);
  } finally {
    for (const socket of connections) socket.destroy();
    silent.close();
    fs.rmSync(folder, { recursive: true });
  }
});
