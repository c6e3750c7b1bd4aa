/**
 * Ring 1 as its attacker sees it: with the key of one client, the canary, everything is tried that the proxy must
 * refuse. It writes tiny objects below `.canary/verify/`; where a write outside the repository is tried, it aims there
 * too, so that a proxy which lets it through harms nobody. Nothing else is left, but for an empty unix socket in `/tmp`
 * of a proxy that lets a client make one.
 */
import { Deployment } from "../../deployment";
import { createHash, randomBytes } from "node:crypto";
import { withTemporaryFolder } from "../../transport/temporary-folder";
import { brokenOff, Finding } from "../probe";
import { Attacker } from "./attacker";
import { attackForwarding } from "./forwarding";
import { attackLogin } from "./login";
import { probePorts } from "./ports";
import { attackRepository } from "./repository";
import { attackSession } from "./ssh-session";
import { tidy } from "./tidy";

/** Tries everything of ring 1. What could not be tried is a finding; throws only where it gets no folder for its files. */
export async function attackAsClient(deployment: Deployment): Promise<Finding[]> {
  return withTemporaryFolder(async (folder) => {
    const canary = new Attacker(deployment, folder);
    const id = createHash("sha256").update(randomBytes(32)).digest("hex");
    const ports = part("ports", () => probePorts(deployment));
    // One after the other: a small proxy logs few clients in at a time, and is looked at from within meanwhile.
    return [
      ...(await part("repository", () => attackRepository(canary, id, deployment)).finally(() =>
        tidy(deployment, id),
      )),
      ...(await part("session", () => attackSession(canary))),
      ...(await part("forwarding", () => attackForwarding(canary, deployment))),
      // Last, for newer versions of sshd shut out an address for a while that fails to log in.
      ...(await part("login", () => attackLogin(canary, deployment))),
      ...(await ports),
    ];
  });
}

/** What breaks off outside of any probe takes the findings of its own part alone. */
async function part(name: string, attacks: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await attacks();
  } catch (error) {
    return [
      brokenOff({ ring: 1, id: `area.client-attacks-${name}`, tried: `all attacks of ${name}` }, error),
    ];
  }
}
