import { Operations } from "../../plan";
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
}

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
export async function verify(operations: Operations, options: VerifyOptions = {}): Promise<Finding[]> {
  const { ring, session } = options;
  session?.catch(() => {
    // Whoever asks through it is told.
  });
  const areas: Area[] = [
    { name: "client-attacks", rings: [1], probe: () => attackAsClient(operations) },
    { name: "hosts", rings: [1, 2], probe: () => inspectHosts(operations) },
    { name: "repositories", rings: [1], probe: () => probeRepositories(operations) },
    { name: "network", rings: [1], probe: () => probeNetwork(operations, session) },
    { name: "bucket", rings: [2, 3], probe: () => probeBucket(operations, session) },
  ];
  const wanted = areas.filter(({ rings }) => ring === undefined || rings.includes(ring));
  const findings = (await Promise.all(wanted.map(findingsOf))).flat();
  const { secrets } = stackSecrets(operations);
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

async function findingsOf({ name, rings, probe }: Area): Promise<Finding[]> {
  try {
    return await probe();
  } catch (error) {
    return rings.map((ring) =>
      brokenOff({ ring, id: `area.${name}`, tried: `everything about ${name}` }, error),
    );
  }
}
