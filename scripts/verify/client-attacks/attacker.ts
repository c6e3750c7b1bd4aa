/** The canary as an attacker: how it connects to the proxy, and what ssh said about it. */
import * as path from "node:path";
import { PROXY_USER } from "../../../files";
import { HostAccess, Operations } from "../../../plan";
import { Result, run } from "../../lib/run";
import { SshHost } from "../../lib/ssh";
import { PUT_BACK, Seen } from "../probe";
import { ResticRequest, withResticSession } from "./restic-session";

/** Seconds for one ssh; a small proxy may need some to log a client in. */
export const SSH_SECONDS = 50;

/** The remedy where a client gets more than the forced command. */
export const COMMAND_REMEDY = `${PUT_BACK}; see the findings authorized-keys.* and sshd.*`;

/** Connects to the proxy as clients do. */
export class Attacker {
  readonly access: HostAccess;
  private readonly ssh: SshHost;

  constructor(
    operations: Operations,
    readonly folder: string,
  ) {
    const { host, address } = operations.proxy;
    this.access = {
      // Whoever needs a jump host may know no way to the public address.
      host: host.proxy ? host.host : address,
      port: 22,
      user: PROXY_USER,
      hostKey: host.hostKey,
      privateKey: operations.canary.privateKey,
      proxy: host.proxy,
    };
    this.ssh = new SshHost(this.access, { folder });
  }

  /** ssh with more options, then the remote command. */
  command(options: readonly string[] = [], remote: readonly string[] = []): [string, ...string[]] {
    return [...this.ssh.command(options), ...remote] as [string, ...string[]];
  }

  /** Runs ssh to its end, whatever that is. It says so on standard error where it was let in. */
  run(options: readonly string[], remote: readonly string[] = [], input = ""): Promise<Result> {
    const [program, ...args] = this.command(["-v", ...options], remote);
    return run(program, args, { accept: "any", timeout: SSH_SECONDS, input, env: { DISPLAY: ":0" } });
  }

  /** The session with rclone that restic would have. */
  session<T>(
    work: (request: ResticRequest) => Promise<T>,
    remote = "rclone serve restic --stdio",
    options: readonly string[] = [],
  ): Promise<T> {
    return withResticSession(this.command(options, [remote]), work);
  }

  /** The same with another key or user. */
  other(change: Partial<HostAccess>, name: string): SshHost {
    return new SshHost({ ...this.access, ...change }, { folder: path.join(this.folder, name) });
  }
}

/** Throws unless sshd let the client in: else nothing is known about what it allows a client. */
export function mustHaveConnected({ stderr }: Result): void {
  if (!/^Authenticated to /m.test(stderr)) throw new Error(lastWords(stderr));
}

/** What ssh said at last, apart from its debug messages. */
export function lastWords(stderr: string): string {
  const words = stderr.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("debug"));
  return words.at(-1)?.trim() ?? "ssh said nothing";
}

/** What holds where no attempt of many got through. */
export function refusedOrNot(problems: readonly string[], refused: string): Seen {
  return problems.length === 0
    ? { holds: true, happened: refused }
    : { holds: false, happened: problems.join("; ") };
}
