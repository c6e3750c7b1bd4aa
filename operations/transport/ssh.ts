import { HostAccess, SshEndpoint } from "../deployment";
import { replaceFile } from "../replace-file";
import * as fs from "node:fs";
import * as path from "node:path";
import { inPosixShell } from "../../hosts";
import { Result, run, RunOptions } from "./run";

/** @see SshHost */
export interface SshHostOptions {
  /** Folder for keys and pinned host keys, readable by this user alone. */
  folder: string;
  /** The command that starts ssh, e.g. to enter another network. @default none */
  via?: readonly string[];
}

/** Keys and what they are used with are this user's alone. */
const PRIVATE = 0o600;

/** Reads a shell script on standard input and runs it as root; a login as root needs no sudo. */
const AS_ROOT = inPosixShell(
  'if [ "$(id -u)" = 0 ]; then exec /bin/sh -eu -s; else exec sudo -n /bin/sh -eu -s; fi',
);

/** A command of POSIX sh as one word for ssh, whatever it contains: the login shell sees it in base64 alone. */
export function remoteCommand(command: string): string {
  const base64 = Buffer.from(command, "utf8").toString("base64");
  return inPosixShell(`eval "$(echo ${base64} | base64 -d)"`);
}

/** A host reached by OpenSSH with its host key pinned, through a jump host where there is one. */
export class SshHost {
  private config: string | undefined;

  constructor(
    private readonly access: HostAccess,
    private readonly options: SshHostOptions,
  ) {}

  /** Runs a shell script as root on the host; the script travels on standard input. */
  sh(script: string, options: Omit<RunOptions, "input"> = {}): Promise<Result> {
    const [command, ...args] = [...(this.options.via ?? []), ...this.command(), AS_ROOT];
    return run(command, args, { ...options, input: script });
  }

  /**
   * The command line that connects; `args` are further options of ssh, which precede its configuration. It names the
   * files with the keys, and holds none.
   */
  command(args: readonly string[] = []): string[] {
    this.config ??= this.write();
    return ["ssh", "-F", this.config, ...args, "host"];
  }

  private write(): string {
    const { host, proxy } = this.access;
    const { folder } = this.options;
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const config = path.join(folder, `${host}.config`);
    const jump = proxy === undefined ? "" : this.section("jump", proxy);
    const via = proxy === undefined ? "" : "    ProxyJump jump\n";
    replaceFile(
      config,
      `${jump}${this.section("host", this.access)}${via}
Host *
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    IdentitiesOnly yes
    IdentityAgent none
    BatchMode yes
    ConnectTimeout 60
    ServerAliveInterval 15
`,
      PRIVATE,
    );
    return config;
  }

  private section(name: "host" | "jump", { host, port, user, hostKey, privateKey }: SshEndpoint): string {
    const file = path.join(this.options.folder, `${this.access.host}.${name}`);
    replaceFile(`${file}.key`, `${privateKey.trimEnd()}\n`, PRIVATE);
    replaceFile(`${file}.known_hosts`, `${name} ${hostKey}\n`, PRIVATE);
    return `Host ${name}
    HostName ${host}
    Port ${String(port)}
    User ${user}
    HostKeyAlias ${name}
    IdentityFile "${file}.key"
    UserKnownHostsFile "${file}.known_hosts"
`;
  }
}
