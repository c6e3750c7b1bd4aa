/** The canary as an attacker: how it connects to the proxy, and what ssh said about it. */
import { HostAccess, Deployment } from "../../deployment";
import { spawn } from "node:child_process";
import * as path from "node:path";
import { PROXY_USER } from "../../../hosts";
import { Result, run } from "../../transport/run";
import { SshHost } from "../../transport/ssh";
import { Finding, probe, ProbeAbout, PUT_BACK, Seen } from "../probe";
import { ResticRequest, withResticSession } from "./restic-session";

/** Seconds for one ssh; a small proxy may need many to log a client in. Two fit into the time of one probe. */
const SSH_SECONDS = 70;

/**
 * A display that nobody has. Whoever asks for X11 offers a display to the proxy, and a taken one would use the
 * operator's: it could type into his windows.
 */
const NOBODYS_DISPLAY = ":59999";

/** Characters of what ssh says that are kept: a taken proxy may send without end. */
export const MOST_WORDS = 1 << 20;

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
      // Whoever needs a jump host may know no way to the public address.
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
   * Runs ssh to its end, whatever that is. It says so on standard error where it was let in.
   *
   * @param ssh who connects; default: the canary
   * @throws Error when ssh has not ended in time, or an earlier one did not
   */
  run(
    options: readonly string[],
    remote: readonly string[] = [],
    input = "",
    ssh: SshHost = this.ssh,
  ): Promise<Result> {
    const [program = "ssh", ...args] = [...ssh.command(["-v", ...this.patience, ...options]), ...remote];
    return this.unlessStuck(() =>
      run(program, args, { accept: "any", timeout: this.seconds, input, env: { DISPLAY: NOBODYS_DISPLAY } }),
    );
  }

  /**
   * Runs ssh until the far end has sent `enough` bytes, and ends its standard input only then: a server that answers
   * and one that ends at the end of its input would else race.
   *
   * @throws Error when ssh has not ended in time, or an earlier one did not
   */
  answerTo(options: readonly string[], remote: readonly string[], input: string, enough: number) {
    const [program, ...args] = this.command(["-v", "-T", ...this.patience, ...options], remote);
    const answered = () =>
      new Promise<Omit<Result, "code" | "seconds">>((resolve, reject) => {
        const ssh = spawn(program, args);
        const timer = setTimeout(() => {
          ssh.kill("SIGKILL");
          // Its connection to a jump host may still hold them.
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
          if (stderr.length < MOST_WORDS) stderr += text;
        });
        ssh.stdin.on("error", () => {
          // It ended first; its words tell the rest.
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

  /** The session with rclone that restic would have. */
  session<T>(
    work: (request: ResticRequest) => Promise<T>,
    remote = "rclone serve restic --stdio",
  ): Promise<T> {
    return withResticSession(this.command([], [remote]), work);
  }

  /** Throws where an ssh did not end in time: each other one would take as long again. */
  mustNotBeStuck(): void {
    if (this.stuck) throw new Error(`not tried: an earlier ssh did not end within ${String(this.seconds)} s`);
  }

  /** ssh has no limit of its own that ends before this one. */
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

  /** The same with another key or user. */
  other(change: Partial<HostAccess>, name: string): SshHost {
    return new SshHost({ ...this.access, ...change }, { folder: path.join(this.folder, name) });
  }
}

/**
 * What ssh -v says once it talks to the host that has the pinned key; that the jump host let it in came before. All
 * that is said about a jump host is in the same stream, so what the proxy does is looked for after this.
 */
export const REACHED = /^debug1: Host 'host' is known and matches .*/m;

/** Whether it says that that host has let it in. */
export function letIn(words: string): boolean {
  const reached = words.search(REACHED);
  return reached !== -1 && /^Authenticated to /m.test(words.slice(reached));
}

/** Throws unless sshd let the client in: else nothing is known about what it allows a client. */
export function mustHaveConnected({ stderr }: Pick<Result, "stderr">): void {
  if (!letIn(stderr)) throw new Error(lastWords(stderr));
}

/** Runs a probe whose attempt is over, too, before the next begins: it may go on after the probe's time is up. */
export async function probeAlone(about: ProbeAbout, attempt: () => Promise<Seen>): Promise<Finding> {
  let attempted: Promise<unknown> = Promise.resolve();
  const finding = await probe(about, () => {
    const seen = attempt();
    attempted = seen;
    return seen;
  });
  await attempted.catch(() => {
    // The finding says so.
  });
  return finding;
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
