import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { run } from "./run";

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
