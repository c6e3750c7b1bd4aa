/** What clients may take of the proxy. */
import { Deployment } from "../../deployment";
import { grantsOf, PROXY_USER, proxyLimits } from "../../../hosts";
import { Finding, PUT_BACK, Seen } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";

/** Characters of the longest line that can be a rule of ours. */
const LONGEST_RULE = 500;

/** Judges whether systemd and the kernel have them in force. */
export function judgeLimits(deployment: Deployment, facts: HostFacts): Promise<Finding[]> {
  const limits = (id: string, tried: string, expected: string, see: () => Seen) =>
    judge(
      {
        ring: 1,
        id: `limits.${id}`,
        tried,
        expected,
        remedy: PUT_BACK,
      },
      see,
    );
  const connections = String(
    proxyLimits(grantsOf(deployment.clients, deployment.canary).length).connectionsPerSource,
  );
  return Promise.all([
    limits(
      "slice",
      "what all sessions of clients together may take of the proxy",
      "bounds that systemd has in force, for every session that sshd opens",
      () => {
        const found = linesOf(facts("slice"));
        const bounds = [
          ...["MemoryMax=\\d+", "MemorySwapMax=0", "TasksMax=\\d+", "CPUWeight=50"],
          "Sessions=pam_systemd",
        ];
        return seen(
          [
            ...bounds
              .filter((bound) => !found.some((line) => new RegExp(`^${bound}$`).test(line)))
              .map((bound) => {
                const name = bound.replace(/=.*/, "");
                return found.find((line) => line.startsWith(`${name}=`)) ?? `${name} is not set`;
              }),
            ...(linesOf(facts(`sshd:${PROXY_USER}`)).includes("usepam yes") ? [] : ["sshd does not use PAM"]),
          ],
          found.join(", "),
        );
      },
    ),
    limits(
      "connections",
      "how many connections one address may have",
      `${connections}, counted by the kernel`,
      () => {
        const rules = linesOf(facts("connection_limits")).filter(
          (line) => line.length <= LONGEST_RULE && /\btcp dport 22 .* reject/.test(line),
        );
        const over = (["ip", "ip6"] as const).map((family) => {
          const counts = rules.map(
            (rule) => new RegExp(`\\{ ${family} saddr .*ct count over (\\d+) `).exec(rule)?.[1],
          );
          return counts.find((count) => count !== undefined) ?? "no limit";
        });
        return {
          holds: over.every((count) => count === connections),
          happened: `IPv4: ${over[0] ?? ""}, IPv6: ${over[1] ?? ""}`,
        };
      },
    ),
  ]);
}
