/** Logging in without what sshd asks for: an unknown key, a password, another user. */
import { HostAccess, Deployment } from "../../deployment";
import * as fs from "node:fs";
import * as path from "node:path";
import { PROXY_USER } from "../../../hosts";
import { run } from "../../transport/run";
import { Finding, PUT_BACK } from "../probe";
import { Attacker, lastWords, letIn, probeAlone, REACHED } from "./attacker";

/** Tries to log in as others, and as the client with an unknown key. */
export async function attackLogin(canary: Attacker, deployment: Deployment): Promise<Finding[]> {
  const operator = deployment.proxy.host.user;
  const attempts: [
    name: string,
    tried: string,
    change: () => Partial<HostAccess> | Promise<Partial<HostAccess>>,
  ][] = [
    [
      "stranger-key",
      `log in as ${PROXY_USER} with an unknown key, or with a password`,
      async () => ({ privateKey: await strangerKey(canary.folder) }),
    ],
    ["login-root", "log in as root with a client's key, or with a password", () => ({ user: "root" })],
    [
      "login-operator",
      `log in as the operator (${operator}) with a client's key, or with a password`,
      () => ({ user: operator }),
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
      await probeAlone({ ...about, remedy }, async () => {
        const options = ["-T", "-o", "PreferredAuthentications=publickey,password,keyboard-interactive"];
        const { stderr } = await canary.run(options, ["id"], "", canary.other(await change(), name));
        if (letIn(stderr)) return { holds: false, happened: "LET IN" };
        // A jump host refuses in the same words.
        const methods = REACHED.test(stderr) && /Permission denied \(([^)\n]{0,200})\)/.exec(stderr)?.[1];
        if (methods === false || methods === undefined) throw new Error(lastWords(stderr));
        return { holds: methods === "publickey", happened: `refused; asked for: ${methods}` };
      }),
    );
  }
  return findings;
}

/** A private key that no host knows. */
async function strangerKey(folder: string): Promise<string> {
  const file = path.join(folder, "stranger");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
  return fs.readFileSync(file, "utf8");
}
