/** The proxy: the parameters of its inspection, and all that is judged of what it printed. */
import { Deployment } from "../../deployment";
import { Finding } from "../probe";
import { judgeAccounts } from "./accounts";
import { judgeAuthorizedKeys } from "./authorized-keys";
import { HostFacts } from "./facts";
import { judgeProxySecrets } from "./leaks";
import { judgeLimits } from "./limits";
import { judgePrograms } from "./programs";
import { judgeProxyFiles, PROXY_FILES_SEEN } from "./proxy-files";
import { judgeSshd } from "./sshd";
import { judgeWaysIn } from "./ways-in";

/** The parameters of inspect.sh on the proxy. */
export function proxyParameters({ bucket, proxy }: Deployment): Record<string, string> {
  // Without a writer of its own the proxy holds the owner's keys; that ring 2 is open then is said elsewhere.
  const foreign = [bucket.writer && bucket.owner, bucket.keeper];
  return {
    ROLE: "proxy",
    KEY_IDS: foreign.flatMap((keys) => keys?.accessKeyId ?? []).join("\n"),
    REPOSITORIES: "",
    OPERATOR: proxy.host.user,
    ...PROXY_FILES_SEEN,
  };
}

/** Everything about the proxy that its facts show. */
export async function judgeProxy(deployment: Deployment, facts: HostFacts): Promise<Finding[]> {
  return (
    await Promise.all([
      judgeSshd(deployment, facts),
      judgeAuthorizedKeys(deployment, facts),
      judgeProxyFiles(deployment, facts),
      judgePrograms(deployment, facts),
      judgeLimits(deployment, facts),
      judgeAccounts(facts),
      judgeWaysIn(deployment, facts),
      judgeProxySecrets(deployment, facts),
    ])
  ).flat();
}
