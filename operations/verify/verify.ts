import { Deployment } from "../deployment";
import { probeBucket } from "./bucket/bucket";
import { probeRepositories } from "./bucket/repositories";
import { attackAsClient } from "./client-attacks/client-attacks";
import { inspectHosts } from "./hosts/hosts";
import { probeNetwork } from "./openstack";
import { OpenStackSession } from "./openstack-session";
import { brokenOff, Finding, Ring } from "./probe";
import { sortFindings } from "./report";
import { stackSecrets, withoutSecrets } from "./secrets";

/** @see verify */
export interface VerifyOptions {
  /** Only what concerns this ring; default: all of them. */
  ring?: Ring;
  /** How OpenStack is asked; default: as the operator's environment says. */
  session?: Promise<OpenStackSession>;
  /** Told what has ended and what still runs, whenever a part ends and every {@link TELL_SECONDS} seconds. */
  progress?: (words: string) => void;
}

const TELL_SECONDS = 15;

/** A part of the deployment, and the rings that its findings belong to. */
interface Area {
  name: string;
  rings: readonly Ring[];
  probe: () => Promise<Finding[]>;
}

/**
 * Tries what a deployed stack withstands, all areas side by side. Never throws: an area that breaks off is `unknown`.
 * No text of a finding holds a secret of the stack.
 */
export async function verify(deployment: Deployment, options: VerifyOptions = {}): Promise<Finding[]> {
  const { ring, session, progress = () => undefined } = options;
  session?.catch(() => {
    // Whoever asks through it is told.
  });
  const areas: Area[] = [
    { name: "client-attacks", rings: [1], probe: () => attackAsClient(deployment) },
    { name: "hosts", rings: [1, 2], probe: () => inspectHosts(deployment) },
    { name: "repositories", rings: [1], probe: () => probeRepositories(deployment) },
    { name: "network", rings: [1], probe: () => probeNetwork(deployment, session) },
    { name: "bucket", rings: [2, 3], probe: () => probeBucket(deployment, session) },
  ];
  const wanted = areas.filter(({ rings }) => ring === undefined || rings.includes(ring));
  const findings = await inSight(wanted, progress);
  const { secrets } = stackSecrets(deployment);
  return sortFindings(findings)
    .filter((finding) => ring === undefined || finding.ring === ring)
    .map((finding) => ({
      ...finding,
      tried: withoutSecrets(finding.tried, secrets),
      expected: withoutSecrets(finding.expected, secrets),
      happened: withoutSecrets(finding.happened, secrets),
      ...(finding.remedy !== undefined && { remedy: withoutSecrets(finding.remedy, secrets) }),
    }));
}

/** Probes all areas side by side, and tells how far that is. */
async function inSight(areas: readonly Area[], progress: (words: string) => void): Promise<Finding[]> {
  const running = new Set(areas.map(({ name }) => name));
  const started = Date.now();
  const seconds = (): string => `${((Date.now() - started) / 1000).toFixed(0)} s`;
  const rest = (): string => (running.size === 0 ? "" : `; still at it: ${[...running].join(", ")}`);
  const timer = setInterval(() => {
    progress(`${seconds()}${rest()}`);
  }, TELL_SECONDS * 1000);
  try {
    const parts = await Promise.all(
      areas.map(async (area) => {
        const findings = await findingsOf(area);
        running.delete(area.name);
        const failed = findings.filter(({ verdict }) => verdict === "FAIL").length;
        const said = `${String(findings.length)} findings${failed === 0 ? "" : `, ${String(failed)} FAILed`}`;
        progress(`${seconds()}: ${area.name}: ${said}${rest()}`);
        return findings;
      }),
    );
    return parts.flat();
  } finally {
    clearInterval(timer);
  }
}

async function findingsOf({ name, rings, probe }: Area): Promise<Finding[]> {
  try {
    return await probe();
  } catch (error) {
    return rings.map((ring) =>
      brokenOff({ ring, id: `area.${name}`, tried: `everything about ${name}` }, error),
    );
  }
}
