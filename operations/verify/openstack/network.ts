/** Ring 1 in OpenStack: security groups, ports and instances, and connections tried from the hosts themselves. */
import type { Group } from "../../../plan";
import type { Deployment } from "../../deployment";
import { withTemporaryFolder } from "../../transport/temporary-folder";
import { runProbe, type Finding } from "../probe";
import { stackSecrets } from "../secrets";
import { Cloud } from "./cloud";
import { closedConnections } from "./connections";
import { groupMembers, groupRules } from "./groups";
import { noSecretInInstance } from "./instances";
import { noOtherPort, ownPort } from "./ports";
import { openStackSession, type OpenStackSession } from "./session";

/**
 * Probes the network of the stack's own hosts.
 *
 * @param session access to OpenStack; default: by the operator's environment
 */
export async function probeNetwork(
  deployment: Deployment,
  session: Promise<OpenStackSession> = openStackSession(),
): Promise<Finding[]> {
  const { network } = deployment;
  const { secrets } = stackSecrets(deployment);
  const cloud = new Cloud(session);
  return withTemporaryFolder(async (folder) => {
    const probes = [
      ...(Object.entries(network.groups) as [Group, string][]).flatMap(([group, id]) => [
        groupRules(cloud, network, group, id),
        groupMembers(cloud, network, group, id),
      ]),
      ...network.hosts.flatMap((host) => [
        ownPort(cloud, host),
        noOtherPort(cloud, host),
        noSecretInInstance(cloud, host, secrets),
      ]),
    ];
    return await Promise.all([
      ...probes.map(runProbe),
      ...network.hosts.map(async (host) =>
        runProbe(await closedConnections(cloud, deployment, host, folder)),
      ),
    ]);
  });
}
