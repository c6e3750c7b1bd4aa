import { IN_LOCAL_CLOUD, LOCAL_CLOUD } from "./cloud";
import { HostAccess } from "../../operations/deployment";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { run } from "../../operations/transport/run";
import { SshHost } from "../../operations/transport/ssh";
import { KeyPair } from "../../config";
import { sshKey } from "../../operations/transport/ssh-key";

/** The user that the operator logs in as on every machine of the local cloud. */
const USER = "debian";

/**
 * An existing server beside the local cloud: Debian 12 with systemd, sshd, timers and a journal of its own, at an
 * address of the external network. It is a container that boots, not a virtual machine: it starts in seconds and runs
 * at the speed of this machine. It has no kernel of its own, no own clock, and no bounds on memory where the machine has
 * control groups of version 1.
 */
export class BootedHost {
  /** As an operator's tool reaches it. */
  readonly access: HostAccess;
  /** Holds what ssh needs, once it is used. */
  private folder: string | undefined;
  private session: SshHost | undefined;

  private constructor(
    readonly name: string,
    readonly address: string,
    readonly hostKey: string,
    readonly operator: KeyPair,
  ) {
    this.access = { host: address, port: 22, user: USER, hostKey, privateKey: operator.privateKey };
  }

  /** Its IPv6 address: `fd00:172:24:4::202` beside `172.24.4.202`. */
  get address6(): string {
    return `fd00:172:24:4::${this.address.split(".").at(-1) as string}`;
  }

  /** The operator's login. */
  get ssh(): SshHost {
    this.folder ??= fs.mkdtempSync(path.join(os.tmpdir(), `${this.name}-`));
    return (this.session ??= new SshHost(this.access, { folder: this.folder, via: IN_LOCAL_CLOUD }));
  }

  /**
   * Starts a server and waits until it takes logins. One of this name that the same operator's key opens is left as
   * it is; any other of this name, as a test run that was killed leaves it, makes way.
   *
   * @param address a free one of 172.24.4.201-250
   * @param operator the key that opens it; default: a new one
   * @param suite a release of Debian that `local-cloud release` got, such as `trixie`; default: the release that the
   * cloud's guests run
   */
  static async start(name: string, address: string, operator?: KeyPair, suite?: string): Promise<BootedHost> {
    const key = operator ?? (await sshKey());
    const release = suite === undefined ? [] : [suite];
    const { stdout } = await run(LOCAL_CLOUD, ["host", "start", name, address, key.publicKey, ...release]);
    return new BootedHost(name, address, stdout.trim(), key);
  }

  /** Ends every process of the server; what it wrote is gone. */
  async stop(): Promise<void> {
    await run(LOCAL_CLOUD, ["host", "stop", this.name]);
    if (this.folder !== undefined) fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
