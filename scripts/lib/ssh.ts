import * as fs from "node:fs";
import * as path from "node:path";
import { LOCAL_CLOUD, Result, run, RunOptions } from "./run";

/** @see SshHost */
export interface SshHostArgs {
  address: string;
  user: string;
  /** The one host key that is accepted, as OpenSSH writes it. */
  hostKey: string;
  privateKey: string;
  /** Where key and known_hosts are kept, readable by this user alone. */
  folder: string;
}

/** A host of the local cloud, reached by OpenSSH with its host key pinned. */
export class SshHost {
  constructor(private readonly args: SshHostArgs) {}

  /** Runs a shell script as root on the host; the script travels on standard input. */
  sh(script: string, options: Omit<RunOptions, "input"> = {}): Promise<Result> {
    const { address, user, hostKey, privateKey, folder } = this.args;
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const keyFile = path.join(folder, `${address}.key`);
    const knownHosts = path.join(folder, `${address}.known_hosts`);
    fs.writeFileSync(keyFile, privateKey, { mode: 0o600 });
    fs.writeFileSync(knownHosts, `${address} ${hostKey}\n`);
    const ssh = [
      "ssh",
      ...["-F", "none", "-i", keyFile, "-o", `UserKnownHostsFile=${knownHosts}`],
      ...["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"],
      ...["-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15"],
      `${user}@${address}`,
      "sudo -n sh -eu -s",
    ];
    return run(LOCAL_CLOUD, ["exec", "--", ...ssh], { ...options, input: script });
  }
}
