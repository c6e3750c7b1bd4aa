/** The proxy: what its inspection is told, and all that is judged of what it printed. */
import { Operations } from "../../../plan";
import { Finding } from "../probe";
import { judgeAccounts } from "./accounts";
import { judgeAuthorizedKeys } from "./authorized-keys";
import { HostFacts } from "./facts";
import { judgeProxySecrets } from "./leaks";
import { judgeLimits } from "./limits";
import { judgePrograms } from "./programs";
import { judgeProxyFiles } from "./proxy-files";
import { judgeSshd } from "./sshd";
import { judgeWaysIn } from "./ways-in";

/** What inspect.sh is told on the proxy. */
export function proxyParameters({ bucket, proxy }: Operations): Record<string, string> {
  // Without a writer of its own the proxy holds the owner's keys; that ring 2 is open then is said elsewhere.
  const foreign = [bucket.writer && bucket.owner, bucket.keeper];
  return {
    ROLE: "proxy",
    KEY_IDS: foreign.flatMap((keys) => keys?.accessKeyId ?? []).join("\n"),
    REPOSITORIES: "",
    OPERATOR: proxy.host.user,
  };
}

/** Everything about the proxy that its facts tell. */
export async function judgeProxy(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  return (
    await Promise.all([
      judgeSshd(operations, facts),
      judgeAuthorizedKeys(operations, facts),
      judgeProxyFiles(operations, facts),
      judgePrograms(operations, facts),
      judgeLimits(operations, facts),
      judgeAccounts(facts),
      judgeWaysIn(operations, facts),
      judgeProxySecrets(operations, facts),
    ])
  ).flat();
}
