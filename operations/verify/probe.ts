import { messageOf } from "../../keeper/printable";

/** The rings of defence; docs/threat-model.md says what each one withstands. */
export type Ring = 1 | 2 | 3;

/**
 * The result of a probe. `pass`: the expected was observed. `FAIL`: the opposite was observed. `unknown`: neither could
 * be observed, which is never shown as a pass and fails the run too. `open`: the configuration leaves this open on
 * purpose, and the preview says so too.
 */
export type Verdict = "pass" | "FAIL" | "unknown" | "open";

/** What a probe is about. */
export interface ProbeAbout {
  ring: Ring;
  /** Stable and unique, in kebab-case and dotted by area: `s3.writer-deletes`, `sshd.forwarding-local`. */
  id: string;
  /** What is tried, in words that an operator understands. */
  tried: string;
  expected: string;
  /** What to do where it does not hold. */
  remedy: string;
}

/** What a probe observed; `open` where the configuration leaves it open on purpose. */
export interface Seen {
  holds: boolean | "open";
  happened: string;
  /** @default the probe's own remedy */
  remedy?: string;
}

/** One thing to try, and how to judge it. */
export interface Probe extends ProbeAbout {
  /** Tries it; whatever it throws makes the finding `unknown`. */
  attempt: () => Seen | Promise<Seen>;
  /** Seconds after which the finding is `unknown`. @default 150 */
  seconds?: number;
}

/** One line of the report. */
export interface Finding extends Omit<ProbeAbout, "remedy"> {
  happened: string;
  verdict: Verdict;
  /** Given unless the verdict is `pass`. */
  remedy?: string;
}

/** How to restore files of a host that were changed by hand: an update alone has no reason to write them again. */
export const PUT_BACK =
  "restore the host's files: pulumi up --replace URN, with the URN of its Command from pulumi stack --show-urns; " +
  "then find out who changed them";

/** What to do about a host on which a program was replaced: an update there would run on a compromised system. */
export const REBUILD =
  "rebuild this host by docs/incident.md: only root could replace the program, so the host can no longer be trusted";

/** How to restore a setting that Pulumi reads at refresh. */
export const REFRESH = 'restore it by "pulumi up --refresh", and find out who changed it';

/** What was observed decides nothing, but the probe's own remedy would: a version that may be patched, for instance. */
export class Undecided extends Error {
  /** @param remedy what to do in place of the probe's remedy. @default the probe's */
  constructor(
    message: string,
    readonly remedy?: string,
  ) {
    super(message);
  }
}

/** The remedies where a probe has no result: that of a failure would change what may be right. */
const NOT_TRIED = "this is no result: fix what prevented the probe, and run verify again";
const TIMED_OUT =
  "this is no result: run verify again when hosts, network and services are less busy; if it happens again, find out " +
  "what does not answer";

/** The probe's own time was up. */
class Timeout extends Error {
  override name = "TimeoutError";
}

/** An error's message on one line, cut to 300 characters. */
export function briefly(error: unknown): string {
  const text = messageOf(error);
  return text.replace(/\s+/g, " ").slice(0, 300);
}

/** Runs one probe; never throws. */
export async function runProbe(probe: Probe): Promise<Finding> {
  return await started(probe).finding;
}

/**
 * Runs probes one after the other. Each begins only when the attempt before has ended: an attempt may go on after its
 * probe's time is up.
 */
export async function inTurn(probes: readonly Probe[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const probe of probes) {
    const { finding, attempted } = started(probe);
    findings.push(await finding);
    await attempted.catch(() => undefined);
  }
  return findings;
}

function started(probe: Probe): { finding: Promise<Finding>; attempted: Promise<unknown> } {
  const attempted = Promise.resolve().then(probe.attempt);
  return { finding: judged(probe, attempted), attempted };
}

async function judged(
  { ring, id, tried, expected, remedy, seconds = 150 }: Probe,
  attempted: Promise<Seen>,
): Promise<Finding> {
  const about = { ring, id, tried, expected };
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Timeout(`no answer within ${String(seconds)} s`));
    }, seconds * 1000);
  });
  try {
    const seen = await Promise.race([attempted, timeout]);
    const { holds, happened } = seen;
    if (holds === true) return { ...about, happened, verdict: "pass" };
    return { ...about, happened, verdict: holds === "open" ? "open" : "FAIL", remedy: seen.remedy ?? remedy };
  } catch (error) {
    const undecided = error instanceof Undecided;
    return {
      ...about,
      happened: `${undecided ? "undecided" : "could not be tried"}: ${briefly(error)}`,
      verdict: "unknown",
      remedy: undecided ? (error.remedy ?? remedy) : isTimeout(error) ? TIMED_OUT : NOT_TRIED,
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the probe's time was up, or that of a call that it made. */
function isTimeout(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: string; cause?: unknown };
  return name === "TimeoutError" || (cause !== undefined && isTimeout(cause));
}

/** Runs a whole area; where it throws outside of any probe, it has one `unknown` finding in each of its rings. */
export async function runArea(
  name: string,
  rings: readonly Ring[],
  work: () => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    return rings.map((ring) => ({
      ring,
      id: `area.${name}`,
      tried: `all probes of ${name}`,
      expected: "they can be tried",
      happened: `broke off: ${briefly(error)}`,
      verdict: "unknown",
      remedy: "fix the cause and run verify again: this area has no results",
    }));
  }
}
