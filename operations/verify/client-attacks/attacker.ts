/** The canary as an attacker: how it connects to the proxy, and what ssh reports. */
import { HostAccess, Deployment } from "../../deployment";
import { spawn } from "node:child_process";
import * as path from "node:path";
import { PROXY_USER } from "../../../hosts";
import { Result, run } from "../../transport/run";
import { SshHost } from "../../transport/ssh";
import { PUT_BACK, Seen } from "../probe";
import { ResticRequest, withResticSession } from "./restic-session";

/** Seconds for one ssh; logging in on a small proxy may take long. Two fit into the time of one probe. */
const SSH_SECONDS = 70;

/**
 * A display that does not exist. A request for X11 offers a display to the proxy, and a compromised proxy would use the
 * operator's: it could type into their windows.
 */
const UNUSED_DISPLAY = ":59999";

/** Characters of ssh's messages that are kept: a compromised proxy may send without end. */
export const MOST_MESSAGES = 1 << 20;

/** The remedy where a client gets more than the forced command. */
export const COMMAND_REMEDY = `${PUT_BACK}; see the findings authorized-keys.* and sshd.*`;

/** Connects to the proxy as clients do. */
export class Attacker {
  readonly access: HostAccess;
  private readonly ssh: SshHost;
  private stuck = false;

  /** @param seconds the time of one ssh */
  constructor(
    deployment: Deployment,
    readonly folder: string,
    readonly seconds = SSH_SECONDS,
  ) {
    const { host, address } = deployment.proxy;
    this.access = {
      // A machine that needs a jump host may not reach the public address.
      host: host.proxy ? host.host : address,
      port: 22,
      user: PROXY_USER,
      hostKey: host.hostKey,
      privateKey: deployment.canary.privateKey,
      proxy: host.proxy,
    };
    this.ssh = new SshHost(this.access, { folder });
  }

  /** ssh with more options, then the remote command. */
  command(options: readonly string[] = [], remote: readonly string[] = []): [string, ...string[]] {
    return [...this.ssh.command(options), ...remote] as [string, ...string[]];
  }

  /**
   * Runs ssh until it ends, with any exit status. Its standard error shows whether it logged in.
   *
   * @param ssh the user and key that connect; default: the canary's
   * @throws Error where ssh has not ended in time, or an earlier one did not
   */
  run(
    options: readonly string[],
    remote: readonly string[] = [],
    input = "",
    ssh: SshHost = this.ssh,
  ): Promise<Result> {
    const [program = "ssh", ...args] = [...ssh.command(["-v", ...this.patience, ...options]), ...remote];
    return this.unlessStuck(() =>
      run(program, args, { accept: "any", timeout: this.seconds, input, env: { DISPLAY: UNUSED_DISPLAY } }),
    );
  }

  /**
   * Runs ssh until the far end has sent `enough` bytes, and closes its standard input only then: otherwise a server's
   * answer and its exit at the end of its input would race.
   *
   * @throws Error where ssh has not ended in time, or an earlier one did not
   */
  answerTo(options: readonly string[], remote: readonly string[], input: string, enough: number) {
    const [program, ...args] = this.command(["-v", "-T", ...this.patience, ...options], remote);
    const answered = () =>
      new Promise<Omit<Result, "code" | "seconds">>((resolve, reject) => {
        const ssh = spawn(program, args);
        const timer = setTimeout(() => {
          ssh.kill("SIGKILL");
          // Its connection to a jump host may keep them open.
          ssh.stdout.destroy();
          ssh.stderr.destroy();
          reject(new Error(`ssh did not end within ${String(this.seconds)} s`));
        }, this.seconds * 1000);
        let stdout = "";
        let stderr = "";
        ssh.stdout.setEncoding("latin1").on("data", (text: string) => {
          if (stdout.length < enough) stdout += text;
          if (stdout.length >= enough) ssh.stdin.end();
        });
        ssh.stderr.setEncoding("utf8").on("data", (text: string) => {
          if (stderr.length < MOST_MESSAGES) stderr += text;
        });
        ssh.stdin.on("error", () => {
          // ssh ended first; its messages say why.
        });
        ssh.stdin.write(input);
        ssh.on("error", reject);
        ssh.on("close", () => {
          clearTimeout(timer);
          resolve({ stdout, stderr });
        });
      });
    return this.unlessStuck(answered);
  }

  /** A session with rclone, as restic has it. */
  session<T>(
    work: (request: ResticRequest) => Promise<T>,
    remote = "rclone serve restic --stdio",
  ): Promise<T> {
    return withResticSession(this.command([], [remote]), work);
  }

  /** Throws where an ssh did not end in time: every other one would take as long again. */
  mustNotBeStuck(): void {
    if (this.stuck) throw new Error(`not tried: an earlier ssh did not end within ${String(this.seconds)} s`);
  }

  /** ssh's own time limit, longer than ours. */
  private get patience(): string[] {
    return ["-o", `ConnectTimeout=${String(2 * this.seconds)}`];
  }

  private async unlessStuck<T>(connect: () => Promise<T>): Promise<T> {
    this.mustNotBeStuck();
    try {
      return await connect();
    } catch (error) {
      this.stuck = true;
      throw error;
    }
  }

  /** The same connection with another key or user. */
  other(change: Partial<HostAccess>, name: string): SshHost {
    return new SshHost({ ...this.access, ...change }, { folder: path.join(this.folder, name) });
  }
}

/**
 * What ssh -v prints once it has reached the host with the pinned key. The messages about a jump host are in the same
 * stream before it, so messages about the proxy are searched for after it.
 */
export const REACHED = /^debug1: Host 'host' is known and matches .*/m;

/** Whether ssh's messages say that it logged in to that host. */
export function letIn(messages: string): boolean {
  const reached = messages.search(REACHED);
  return reached !== -1 && /^Authenticated to /m.test(messages.slice(reached));
}

/** Throws unless ssh logged in: otherwise nothing is known about what sshd allows a client. */
export function mustHaveConnected({ stderr }: Pick<Result, "stderr">): void {
  if (!letIn(stderr)) throw new Error(lastWords(stderr));
}

/** ssh's last message, apart from its debug messages. */
export function lastWords(stderr: string): string {
  const messages = stderr.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("debug"));
  return messages.at(-1)?.trim() ?? "ssh printed nothing";
}

/** Judges several attempts, of which none may succeed. */
export function refusedOrNot(problems: readonly string[], refused: string): Seen {
  return problems.length === 0
    ? { holds: true, happened: refused }
    : { holds: false, happened: problems.join("; ") };
}
