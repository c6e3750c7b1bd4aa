/** Logging in without what sshd asks for: an unknown key, a password, another user. */
import * as fs from "node:fs";
import * as path from "node:path";
import { PROXY_USER } from "../../../files";
import { HostAccess, Operations } from "../../../plan";
import { run } from "../../lib/run";
import { Finding, probe, PUT_BACK } from "../probe";
import { Attacker, lastWords, SSH_SECONDS } from "./attacker";

/** Tries to log in as others, and as the client with an unknown key. */
export async function attackLogin(canary: Attacker, operations: Operations): Promise<Finding[]> {
  const keyFile = path.join(canary.folder, "stranger");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", keyFile]);
  const stranger = fs.readFileSync(keyFile, "utf8");
  const operator = operations.proxy.host.user;
  const attempts: [name: string, tried: string, change: Partial<HostAccess>][] = [
    [
      "stranger-key",
      `log in as ${PROXY_USER} with an unknown key, or with a password`,
      { privateKey: stranger },
    ],
    ["login-root", "log in as root with a client's key, or with a password", { user: "root" }],
    [
      "login-operator",
      `log in as the operator (${operator}) with a client's key, or with a password`,
      { user: operator },
    ],
  ];
  const findings: Finding[] = [];
  for (const [name, tried, change] of attempts) {
    const about = {
      ring: 1 as const,
      id: `attack.${name}`,
      tried,
      expected: "refused; keys alone are asked for",
    };
    const remedy = `${PUT_BACK}; see the findings sshd.*`;
    findings.push(
      await probe({ ...about, remedy }, async () => {
        const [program = "ssh", ...args] = canary
          .other(change, name)
          .command(["-T", "-o", "PreferredAuthentications=publickey,password,keyboard-interactive"]);
        const { code, stderr } = await run(program, [...args, "id"], { accept: "any", timeout: SSH_SECONDS });
        const methods = /Permission denied \(([^)]*)\)/.exec(stderr)?.[1];
        if (methods !== undefined)
          return { holds: methods === "publickey", happened: `refused; asked for: ${methods}` };
        if (code === 255) throw new Error(lastWords(stderr));
        return { holds: false, happened: "LET IN" };
      }),
    );
  }
  return findings;
}
