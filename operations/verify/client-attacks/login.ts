/** Logins that sshd must refuse: an unknown key, a password, another user. */
import { HostAccess, Deployment } from "../../deployment";
import * as fs from "node:fs";
import * as path from "node:path";
import { PROXY_USER } from "../../../hosts";
import { run } from "../../transport/run";
import { Probe, PUT_BACK } from "../probe";
import { Attacker, lastWords, letIn, REACHED } from "./attacker";

/** Logins as the client with an unknown key, and as other users. */
export function loginAttacks(canary: Attacker, deployment: Deployment): Probe[] {
  const operator = deployment.proxy.host.user;
  const attempts: {
    name: string;
    tried: string;
    change: () => Partial<HostAccess> | Promise<Partial<HostAccess>>;
  }[] = [
    {
      name: "unknown-key",
      tried: `log in as ${PROXY_USER} with an unknown key, or with a password`,
      change: async () => ({ privateKey: await unknownKey(canary.folder) }),
    },
    {
      name: "login-root",
      tried: "log in as root with a client's key, or with a password",
      change: () => ({ user: "root" }),
    },
    {
      name: "login-operator",
      tried: `log in as the operator (${operator}) with a client's key, or with a password`,
      change: () => ({ user: operator }),
    },
  ];
  return attempts.map(({ name, tried, change }) => ({
    ring: 1,
    id: `attack.${name}`,
    tried,
    expected: "refused; sshd offers keys alone",
    remedy: `${PUT_BACK}; see the findings sshd.*`,
    attempt: async () => {
      const options = ["-T", "-o", "PreferredAuthentications=publickey,password,keyboard-interactive"];
      const { stderr } = await canary.run(options, ["id"], "", canary.other(await change(), name));
      if (letIn(stderr)) return { holds: false, happened: "LOGGED IN" };
      // A jump host refuses with the same message.
      const methods = REACHED.test(stderr) && /Permission denied \(([^)\n]{0,200})\)/.exec(stderr)?.[1];
      if (methods === false || methods === undefined) throw new Error(lastWords(stderr));
      return { holds: methods === "publickey", happened: `refused; sshd offers ${methods}` };
    },
  }));
}

/** A private key that no host knows. */
async function unknownKey(folder: string): Promise<string> {
  const file = path.join(folder, "unknown");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
  return fs.readFileSync(file, "utf8");
}
