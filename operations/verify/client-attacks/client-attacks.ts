/**
 * Ring 1 as its attacker sees it: with the key of one client, the canary, everything is tried that the proxy must
 * refuse. It writes tiny objects below `.canary/verify/`; writes outside the repository are aimed there too, so that a
 * proxy which allows them harms no other client. Nothing else remains, except an empty unix socket in `/tmp` of a proxy
 * that lets a client create one.
 */
import { createHash, randomBytes } from "node:crypto";
import { Deployment } from "../../deployment";
import { withTemporaryFolder } from "../../transport/temporary-folder";
import { Finding, inTurn, runArea, runProbe } from "../probe";
import { objectAttacks } from "./append-only";
import { Attacker } from "./attacker";
import { tryControls } from "./controls";
import { commandAttacks } from "./forced-command";
import { attackForwarding } from "./forwarding";
import { loginAttacks } from "./login";
import { outsideAttacks } from "./outside";
import { portScans } from "./ports";
import { attackSession } from "./ssh-session";
import { tidy } from "./tidy";

/** Tries everything of ring 1. Throws only where it gets no temporary folder: what could not be tried is a finding. */
export async function attackAsClient(deployment: Deployment): Promise<Finding[]> {
  return withTemporaryFolder(async (folder) => {
    const canary = new Attacker(deployment, folder);
    const id = createHash("sha256").update(randomBytes(32)).digest("hex");
    const ports = Promise.all(portScans(deployment).map(runProbe));
    const findings: Finding[] = [];
    // One after the other: a small proxy can log in few clients at once, and verify inspects it meanwhile.
    for (const [name, attacks] of [
      ["repository", () => attackRepository(canary, id, deployment)],
      ["session", () => attackSession(canary)],
      ["forwarding", () => attackForwarding(canary, deployment)],
      // Last: newer versions of sshd block an address for a while after failed logins.
      ["login", () => inTurn(loginAttacks(canary, deployment))],
    ] as const) {
      findings.push(...(await runArea(`client-attacks-${name}`, [1], attacks)));
    }
    return [...findings, ...(await ports)];
  });
}

/** Tries everything that concerns the canary's repository, with objects that are named `id`. */
async function attackRepository(canary: Attacker, id: string, deployment: Deployment): Promise<Finding[]> {
  try {
    const { findings, repository } = await canary.session(async (request) => {
      const { findings, repository } = await tryControls(request, id);
      const attacks = [...objectAttacks(repository), ...outsideAttacks(repository, deployment)];
      return { findings: [...findings, ...(await inTurn(attacks))], repository };
    });
    return [...findings, ...(await inTurn(commandAttacks(canary, repository, deployment)))];
  } finally {
    await tidy(deployment, id);
  }
}
