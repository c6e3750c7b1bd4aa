import { Deployment } from "./deployment";
import { renderInstructions } from "../hosts";

const SSH_PORT = 22;

/**
 * What the operator of a key-only client has to do.
 *
 * @throws Error that lists the key-only clients there are
 */
export function instructionsFor({ stack, bucket, proxy, clients }: Deployment, name: string): string {
  const keyOnly = clients.filter(({ kind }) => kind === "key-only");
  const client = keyOnly.find((client) => client.name === name);
  if (client === undefined) {
    const known = keyOnly.map(({ name }) => name).join(", ");
    throw new Error(
      clients.some((client) => client.name === name)
        ? `the stack installs ${name} itself: there are instructions for key-only clients alone (${known || "none"})`
        : `the stack has no client ${name}: its key-only clients are ${known || "none"}`,
    );
  }
  return renderInstructions({
    stack,
    client: name,
    bucket: bucket.bucket,
    proxy: { address: client.proxyAddress ?? proxy.address, port: SSH_PORT, hostKey: proxy.host.hostKey },
    repositories: client.repositories,
  });
}
