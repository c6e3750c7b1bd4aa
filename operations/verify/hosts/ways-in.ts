/** Who may log in to the proxy besides its clients: the operator, with the one key that the stack has. */
import { Deployment } from "../../deployment";
import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../../transport/run";
import { withTemporaryFolder } from "../../transport/temporary-folder";
import { Finding, runProbe, Seen } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";

/** Seconds that ssh-keygen may take. */
const KEYGEN_SECONDS = 20;

/** The start of a line by which cloud-init refuses the login of an account, whatever the key: it runs an echo. */
const REFUSING =
  /^no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo 'Please login as the user \\"[\w.-]+\\" rather than the user \\"[\w.-]+\\"\.';echo;sleep \d+(;exit \d+)?" \S+ \S+/;

/** Judges all keys that sshd would take besides the clients', and how sshd was started. */
export function judgeWaysIn({ proxy }: Deployment, facts: HostFacts): Promise<Finding[]> {
  return Promise.all([
    runProbe({
      ring: 1,
      id: "users.keys",
      tried: "the authorized_keys of every account of the proxy, and what else is in authorized_keys.d",
      expected: "the operator's key alone",
      remedy:
        "rebuild the proxy by docs/incident.md, unless you know who put the line there: then remove the line. " +
        "Only root there, or that account, could write it",
      attempt: async () => keysSeen(linesOf(facts("user_keys")), await publicKeyOf(proxy.host.privateKey)),
    }),
    judge(
      {
        ring: 1,
        id: "sshd.arguments",
        tried: "the command line of the sshd that listens",
        expected: "none that changes its settings",
        remedy:
          "remove the arguments from SSHD_OPTS in /etc/default/ssh, or from the unit (systemctl cat ssh), on the " +
          "proxy, and restart sshd; find out who put them there",
      },
      () => argumentsSeen(linesOf(facts("processes"))),
    ),
  ]);
}

/**
 * The public half of a private key of any format and kind that OpenSSH reads, as `TYPE BASE64`. The key is in no
 * command line: it is in a file for ssh-keygen that no other user can read.
 * @throws Error where it is no private key, or ssh-keygen is not on PATH
 */
export async function publicKeyOf(privateKey: string): Promise<string> {
  return withTemporaryFolder(async (folder) => {
    const file = path.join(folder, "key");
    fs.writeFileSync(file, `${privateKey.trimEnd()}\n`, { mode: 0o600 });
    const { stdout } = await run("ssh-keygen", ["-y", "-P", "", "-f", file], { timeout: KEYGEN_SECONDS });
    return stdout.trim().split(" ").slice(0, 2).join(" ");
  });
}

/**
 * Judges lines of authorized_keys files, each `FILE:LINE`.
 * @throws Error where the operator's key is in none: then the files that grant its login were not seen
 */
export function keysSeen(lines: readonly string[], operatorKey: string): Seen {
  const entries = lines.map((text) => {
    const end = text.indexOf(":");
    const [file, line] = [text.slice(0, end), text.slice(end + 1).trim()];
    return { file, line, own: line.split(/\s+/).slice(0, 2).join(" ") === operatorKey };
  });
  const others = entries.filter(({ line, own }) => !own && !REFUSING.test(line));
  if (others.length === 0 && !entries.some(({ own }) => own))
    throw new Error("the operator's key is in no file that was looked at, and yet it logs in");
  return seen(
    [...new Set(others.map(({ file, line }) => `${file} has: ${line.slice(0, 150)}`))].slice(0, 5),
    "the operator's key alone",
  );
}

/** Arguments without influence on who may log in: in the foreground, log to stderr, one family of addresses. */
const HARMLESS_ARGUMENT = /^-[De46]+$/;

/** Judges the arguments of the sshd that listens, as `ps` shows them. */
export function argumentsSeen(processes: readonly string[]): Seen {
  const listeners = processes.flatMap(
    (line) => /^\s*\d+ +root +sshd: (\/.*) \[listener\]/.exec(line)?.[1] ?? [],
  );
  if (listeners.length === 0) throw new Error("no sshd that listens is in the process list");
  return seen(
    listeners.filter((command) =>
      command
        .split(" ")
        .slice(1)
        .some((argument) => !HARMLESS_ARGUMENT.test(argument)),
    ),
    listeners.join(", "),
  );
}
