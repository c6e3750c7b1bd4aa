import { Deployment } from "../deployment";
import { probeBucket } from "./bucket/bucket";
import { probeRepositories } from "./bucket/repositories";
import { attackAsClient } from "./client-attacks/client-attacks";
import { inspectHosts } from "./hosts/hosts";
import { probeNetwork } from "./openstack/network";
import { OpenStackSession } from "./openstack/session";
import { Finding, Ring, runArea } from "./probe";
import { sortFindings } from "./report";
import { stackSecrets, withoutSecrets } from "./secrets";
import { probeWatch } from "./watch";

/** @see verify */
export interface VerifyOptions {
  /** Only what concerns this ring. @default all rings */
  ring?: Ring;
  /** Access to OpenStack. @default by the operator's environment */
  session?: Promise<OpenStackSession>;
  /** Gets a line on what has ended and what still runs, when an area ends and every {@link PROGRESS_SECONDS} seconds. */
  progress?: (line: string) => void;
}

const PROGRESS_SECONDS = 15;

/** An area of the deployment, and the rings of its findings. */
interface Area {
  name: string;
  rings: readonly Ring[];
  work: (deployment: Deployment, session?: Promise<OpenStackSession>) => Promise<Finding[]>;
}

const AREAS: readonly Area[] = [
  { name: "client-attacks", rings: [1], work: attackAsClient },
  { name: "hosts", rings: [1, 2], work: inspectHosts },
  { name: "repositories", rings: [1], work: probeRepositories },
  { name: "network", rings: [1], work: probeNetwork },
  { name: "bucket", rings: [2, 3], work: probeBucket },
];

/** What is tried last: the other areas forge things in the canary's repository, too, and a round sees all of them. */
const LAST: readonly Area[] = [{ name: "watch", rings: [1], work: probeWatch }];

/**
 * Tries what a deployed stack withstands, all areas at once but the last. Never throws: an area that breaks off is
 * `unknown`. No finding contains a secret of the stack.
 */
export async function verify(deployment: Deployment, options: VerifyOptions = {}): Promise<Finding[]> {
  const { ring, session, progress = () => undefined } = options;
  session?.catch(() => {
    // The probes that use it report it.
  });
  const findings: Finding[] = [];
  for (const all of [AREAS, LAST]) {
    const areas = all.filter(({ rings }) => ring === undefined || rings.includes(ring));
    const found = await withProgress(areas, progress, ({ name, rings, work }) =>
      runArea(name, rings, () => work(deployment, session)),
    );
    findings.push(...found);
  }
  const { secrets } = stackSecrets(deployment);
  const clean = (text: string): string => withoutSecrets(text, secrets);
  return sortFindings(findings)
    .filter((finding) => ring === undefined || finding.ring === ring)
    .map((finding) => ({
      ...finding,
      tried: clean(finding.tried),
      expected: clean(finding.expected),
      happened: clean(finding.happened),
      ...(finding.remedy !== undefined && { remedy: clean(finding.remedy) }),
    }));
}

/** Runs all areas at once and reports their progress. */
async function withProgress(
  areas: readonly Area[],
  progress: (line: string) => void,
  run: (area: Area) => Promise<Finding[]>,
): Promise<Finding[]> {
  const running = new Set(areas.map(({ name }) => name));
  const started = Date.now();
  const seconds = (): string => `${((Date.now() - started) / 1000).toFixed(0)} s`;
  const rest = (): string => (running.size === 0 ? "" : `; still running: ${[...running].join(", ")}`);
  const timer = setInterval(() => {
    progress(`${seconds()}${rest()}`);
  }, PROGRESS_SECONDS * 1000);
  try {
    const findings = await Promise.all(
      areas.map(async (area) => {
        const found = await run(area);
        running.delete(area.name);
        const failed = found.filter(({ verdict }) => verdict === "FAIL").length;
        const count = `${String(found.length)} findings${failed === 0 ? "" : `, ${String(failed)} FAILed`}`;
        progress(`${seconds()}: ${area.name}: ${count}${rest()}`);
        return found;
      }),
    );
    return findings.flat();
  } finally {
    clearInterval(timer);
  }
}
