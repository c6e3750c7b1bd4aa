/**
 * The hosts from within: one script (inspect.sh) prints what is there, and functions of these facts judge it. All
 * secrets stay on the operator's machine: what hosts print is searched here.
 */
import { HostAccess, Deployment } from "../../deployment";
import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { inParallel } from "../../../keeper/parallel";
import { RunError } from "../../transport/run";
import { SshHost } from "../../transport/ssh";
import { withTemporaryFolder } from "../../transport/temporary-folder";
import { hostClock } from "../clock";
import { Finding, ProbeAbout } from "../probe";
import { clientParameters, judgeClient } from "./client";
import { HostFacts, inspectScript, judge, parseFacts } from "./facts";
import { judgeKeeper, keeperParameters } from "./keeper";
import { judgeProxy, proxyParameters } from "./proxy";

/** Seconds for the inspection of one host. */
const INSPECT_SECONDS = 240;
const HOSTS_AT_ONCE = 6;

/** Inspects the proxy, the keeper and every client that the stack reaches. What could not be seen is a finding. */
export async function inspectHosts(deployment: Deployment): Promise<Finding[]> {
  const { keeper } = deployment;
  const clients = deployment.clients.filter(({ host, frozen }) => host !== undefined && !frozen);
  return withTemporaryFolder(async (folder) => {
    const inspections = [
      () =>
        inspect(folder, "proxy", deployment.proxy.host, proxyParameters(deployment), (facts) =>
          judgeProxy(deployment, facts),
        ),
      ...(keeper === undefined
        ? []
        : [
            () =>
              inspect(folder, keeper.name, keeper.host, keeperParameters(deployment, keeper), (facts) =>
                judgeKeeper(deployment, keeper, facts),
              ),
          ]),
      ...clients.map(
        (client) => () =>
          inspect(
            folder,
            client.name,
            client.host as HostAccess,
            clientParameters(deployment, client),
            (facts) => judgeClient(deployment, client, facts),
          ),
      ),
    ];
    return (await inParallel(HOSTS_AT_ONCE, inspections, (inspection) => inspection())).flat();
  });
}

async function inspect(
  folder: string,
  name: string,
  access: HostAccess,
  parameters: Record<string, string>,
  judgeFacts: (facts: HostFacts) => Promise<Finding[]>,
): Promise<Finding[]> {
  const boundary = randomBytes(16).toString("hex");
  const host = new SshHost(access, { folder: path.join(folder, name) });
  const earliest = Date.now();
  // Its own limit of time is longer than a probe's.
  const inspection = host.sh(inspectScript(parameters, boundary), {
    accept: "any",
    timeout: INSPECT_SECONDS,
  });
  const ended = await inspection.catch((error: unknown) => error as Error);
  const latest = Date.now();
  let facts: HostFacts | undefined;
  const about: ProbeAbout = {
    ring: 1,
    id: `host-key.${name}`,
    tried: `log in to ${name} with its pinned host key`,
    expected: "the host has that key and lets the operator in",
    remedy: `another host key means another machine, or one between: find out before anybody logs in to ${name} again`,
  };
  const reached = await judge(about, () => {
    if (ended instanceof RunError) throw new Error(ended.message.split("\n", 1)[0]);
    if (ended instanceof Error) throw ended;
    if (/host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(ended.stderr))
      return { holds: false, happened: "it has ANOTHER host key" };
    if (ended.code !== 0) throw new Error(ended.stderr.trim().split("\n").at(-1) ?? "ssh said nothing");
    facts = parseFacts(ended.stdout, boundary);
    return { holds: true, happened: `logged in, and looked around in ${ended.seconds.toFixed(0)} s` };
  });
  if (facts !== undefined) {
    const told = facts;
    const clock = () => Promise.resolve({ shown: Number(told("clock")) * 1000, earliest, latest });
    return [reached, await hostClock(name, clock), ...(await judgeFacts(facts))];
  }
  const rest = {
    ring: 1,
    id: `host.${name}`,
    tried: `everything within ${name}`,
    expected: "as the stack made it",
  } as const;
  const remedy = `see host-key.${name}: nothing was found out about what is within`;
  return [reached, { ...rest, happened: "not looked at", verdict: "unknown", remedy }];
}
