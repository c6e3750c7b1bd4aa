import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { cloudFacts } from "../../scripts/lib/local-stack";
import { HostAccess } from "../../plan";
import { IN_LOCAL_CLOUD, run, RunError } from "../../scripts/lib/run";
import { SshHost } from "../../scripts/lib/ssh";

const CLOUD_NETWORK = "secure-backups";
const READY_SECONDS = 120;

/** An ed25519 key pair as ssh-keygen writes it. */
export interface SshKey {
  privateKey: string;
  /** Without a comment. */
  publicKey: string;
}

/** A new key pair, made in a folder that only this user reads. */
export async function sshKey(): Promise<SshKey> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "key-"));
  try {
    const file = path.join(folder, "key");
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
    return {
      privateKey: fs.readFileSync(file, "utf8"),
      publicKey: fs.readFileSync(`${file}.pub`, "utf8").trim(),
    };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/**
 * A host without a virtual machine: the guest image's files over copy-on-write, a process tree and an address
 * of its own on the local cloud's external network, and a real sshd. It starts in a second; what it lacks is
 * systemd and a kernel of its own.
 */
export class NamespaceHost {
  readonly ssh: SshHost;
  /** As an operator's tool reaches it. */
  readonly access: HostAccess;

  private constructor(
    readonly name: string,
    readonly address: string,
    readonly hostKey: string,
    readonly operator: SshKey,
    private readonly folder: string,
    private readonly init: ChildProcess,
  ) {
    this.access = { host: address, port: 22, user: "debian", hostKey, privateKey: operator.privateKey };
    this.ssh = new SshHost(this.access, { folder: path.join(folder, "ssh"), via: IN_LOCAL_CLOUD });
  }

  /**
   * Starts a host; `address` is a free one of 172.24.4.201-250. What a test run that was killed left of a host
   * of this name and address is removed first.
   */
  static async start(name: string, address: string, operator?: SshKey): Promise<NamespaceHost> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), `${name}-`));
    const key = operator ?? (await sshKey());
    const hostKey = await sshKey();
    fs.writeFileSync(path.join(folder, "host_key"), hostKey.privateKey, { mode: 0o600 });
    fs.writeFileSync(path.join(folder, "host_key.pub"), `${hostKey.publicKey}\n`);
    fs.writeFileSync(path.join(folder, "authorized_keys"), `${key.publicKey}\n`);

    await remove(name, address);
    const namespace = namespaceOf(name);
    const link = linkOf(address);
    const ip = (...args: string[]) => run("ip", args);
    await ip("netns", "add", namespace);
    await ip(
      "link",
      "add",
      link,
      "netns",
      CLOUD_NETWORK,
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      namespace,
    );
    await ip("-n", CLOUD_NETWORK, "link", "set", link, "master", "br-ex", "up");
    await ip("-n", namespace, "address", "add", `${address}/24`, "dev", "eth0");
    await ip("-n", namespace, "link", "set", "eth0", "up");
    await ip("-n", namespace, "link", "set", "lo", "up");

    const log = fs.openSync(path.join(folder, "log"), "w");
    const init = spawn(
      "ip",
      [
        ...[
          "netns",
          "exec",
          namespace,
          "unshare",
          "--mount",
          "--pid",
          "--uts",
          "--ipc",
          "--fork",
          "--kill-child",
        ],
        ...["sh", path.join(__dirname, "namespace-host.sh"), cloudFacts().guestRoot, folder, name],
      ],
      { stdio: ["ignore", log, log] },
    );
    const host = new NamespaceHost(name, address, hostKey.publicKey, key, folder, init);
    const deadline = Date.now() + READY_SECONDS * 1000;
    for (;;) {
      try {
        await host.ssh.sh("true", { timeout: 20 });
        return host;
      } catch (error) {
        // One that hangs is asked again as well: it may have begun before the network was whole.
        if (!(error instanceof RunError) || Date.now() > deadline || init.exitCode !== null) {
          await host.stop();
          throw new Error(`host ${name} does not answer: ${String(error)}`, { cause: error });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }

  /** Ends every process of the host and removes what it was made of. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.init.once("exit", resolve));
    if (this.init.exitCode === null && this.init.kill("SIGKILL")) await ended;
    await remove(this.name, this.address);
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The network namespace of a host. */
function namespaceOf(name: string): string {
  return `test-${name}`;
}

/** The cloud's end of the cable to a host. */
function linkOf(address: string): string {
  return `t${address.split(".")[3] as string}`;
}

/** Ends every process of a host and removes its network; a host that is not there is no error. */
async function remove(name: string, address: string): Promise<void> {
  const ip = (...args: string[]) => run("ip", args, { accept: "any" });
  const pids = (await ip("netns", "pids", namespaceOf(name))).stdout.trim();
  if (pids !== "") await run("kill", ["-KILL", ...pids.split("\n")], { accept: "any" });
  // The kernel removes the link only some time after the namespace of its other end.
  await ip("-n", CLOUD_NETWORK, "link", "delete", linkOf(address));
  await ip("netns", "delete", namespaceOf(name));
}
