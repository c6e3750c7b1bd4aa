/** The canary's repository: what rclone must refuse in it, beside it, and however the session was asked for. */
import { Deployment } from "../../deployment";
import { Finding } from "../probe";
import { attackObjects } from "./append-only";
import { Attacker } from "./attacker";
import { tryControls } from "./controls";
import { attackForcedCommand } from "./forced-command";
import { attackOutside } from "./outside";

/** Tries everything of the repository with objects that are named `id`. */
export async function attackRepository(
  canary: Attacker,
  id: string,
  deployment: Deployment,
): Promise<Finding[]> {
  const { findings, repository } = await canary.session(async (request) => {
    const { findings, repository } = await tryControls(request, id);
    findings.push(...(await attackObjects(repository)));
    findings.push(...(await attackOutside(repository, deployment)));
    return { findings, repository };
  });
  return [...findings, ...(await attackForcedCommand(canary, repository, deployment))];
}
