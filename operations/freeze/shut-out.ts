/** Ends the access of clients on the proxy itself, without Pulumi, OpenStack or S3: a failure there cannot delay it. */
import { Deployment } from "../deployment";
import {
  AUTHORIZED_KEYS,
  cameToItsEnd,
  grantsOf,
  HostInstall,
  INSTALL_COMMAND,
  proxyInstall,
} from "../../hosts";
import { run } from "../transport/run";
import { SshHost } from "../transport/ssh";

/** Seconds for the proxy to install its new keys, and for all that follows. */
const INSTALL_SECONDS = 600;

/** What the update puts on the proxy once these clients are frozen, from what the last one left in the state. */
export function proxyWithout(deployment: Deployment, frozen: ReadonlySet<string>): HostInstall {
  const { bucket, clients, canary, proxy, network } = deployment;
  const after = clients.map((client) => ({ ...client, frozen: client.frozen || frozen.has(client.name) }));
  return proxyInstall({
    host: network.hosts.find(({ group }) => group === "proxy")?.name ?? "",
    bucket: bucket.bucket,
    rclone: proxy.rclone,
    s3: { endpoint: bucket.endpoint, region: bucket.region, ...(bucket.writer ?? bucket.owner) },
    grants: grantsOf(after, canary),
  });
}

/**
 * Installs that on the proxy, where the keys are what is changed first, and looks whether they are gone.
 *
 * @returns what of the installation failed after the keys were gone; `undefined` where all was done
 * @throws Error where a key is still there, or the proxy cannot be reached
 */
export async function shutOut(
  deployment: Deployment,
  frozen: ReadonlySet<string>,
  proxy: SshHost,
): Promise<string | undefined> {
  const { script } = proxyWithout(deployment, frozen);
  const [ssh, ...args] = [...proxy.command(), INSTALL_COMMAND];
  const install = await run(ssh, args, { input: script, accept: "any", timeout: INSTALL_SECONDS });
  const { stdout: admitted } = await proxy.sh(`cat ${AUTHORIZED_KEYS}`);
  const admits = (publicKey: string) => admitted.includes(publicKey.split(" ")[1] as string);
  const left = deployment.clients
    .filter(({ name }) => frozen.has(name))
    .flatMap(({ name, repositories }) =>
      repositories
        .filter(({ publicKey }) => admits(publicKey))
        .map((repository) => `${name}/${repository.name}`),
    );
  const said = install.stderr.trim().split("\n").at(-1) ?? "";
  // An empty answer would show that no key is left.
  if (!admits(deployment.canary.publicKey)) throw new Error(`the proxy's keys could not be read: ${said}`);
  if (left.length > 0) throw new Error(`the proxy still admits ${left.join(", ")}: ${said}`);
  return install.code === 0 && cameToItsEnd(install.stdout) ? undefined : said;
}
