import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { KeyPair } from "../../config";
import { run } from "./run";

/** Creates an ed25519 key pair without a comment, in a folder that only this user can read. */
export async function sshKey(): Promise<KeyPair> {
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
