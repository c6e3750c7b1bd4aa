/** The rings of defence; what each one holds is said in docs/threat-model.md. */
export type Ring = 1 | 2 | 3;

/**
 * How a probe ended. `pass`: what must hold was seen to hold. `FAIL`: it was seen not to hold. `unknown`: it could
 * not be found out, which is never shown as a pass and fails the run too. `open`: the configuration leaves this
 * open on purpose, and the preview says so too.
 */
export type Verdict = "pass" | "FAIL" | "unknown" | "open";

/** One line of the report. */
export interface Finding {
  ring: Ring;
  /** Stable and unique, in kebab-case and dotted by area: `s3.writer-deletes`, `sshd.forwarding-local`. */
  id: string;
  /** What was tried, in words that an operator understands. */
  tried: string;
  expected: string;
  happened: string;
  verdict: Verdict;
  /** What to do about it; given unless the verdict is `pass`. */
  remedy?: string;
}

/** How files of a host that were changed by hand come back: an update alone sees no reason to write them again. */
export const PUT_BACK =
  "put the host's files back: pulumi up --replace URN, with the URN of its Command from pulumi stack --show-urns; " +
  "and find out who changed them";

/** What to do about a host on which a program was replaced: an update there runs among what the intruder left. */
export const MAKE_ANEW =
  "make this host anew by docs/incident.md: whoever could replace the program was root on it, and what else he " +
  "changed cannot be told from within";

/** How a setting comes back that Pulumi reads at refresh. */
export const REFRESH = 'put it right by "pulumi up --refresh", and find out who changed it';

/** What a probe is about, said before it is tried. */
export interface ProbeAbout extends Pick<Finding, "ring" | "id" | "tried" | "expected"> {
  /** What to do where it does not hold. */
  remedy: string;
}

/** Where the probe looked and what it saw; `open` where the configuration leaves it open on purpose. */
export interface Seen {
  holds: boolean | "open";
  happened: string;
  /** What to do about just that; default: the probe's own remedy. */
  remedy?: string;
}

/** What an error says, on one line of a table. */
export function briefly(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").slice(0, 300);
}

/** What is said where a whole part broke off outside of any probe: nothing of it was found out. */
export function brokenOff(about: Pick<Finding, "ring" | "id" | "tried">, error: unknown): Finding {
  return {
    ...about,
    expected: "it can be tried",
    happened: `broke off: ${briefly(error)}`,
    verdict: "unknown",
    remedy: "see what happened; nothing of this part was found out",
  };
}

/**
 * What was seen decides nothing, and the probe's own remedy would: a version that may be patched, a deed whose doer the
 * service does not name.
 */
export class Undecided extends Error {}

/** What to do where a probe came to no end: the remedy of a failure would mend what may be right. */
const UNTRIED =
  "this says nothing about what was asked: mend what kept it from being tried, and run verify again";
const LATE =
  "this says nothing about what was asked: run verify again when hosts, network and services are less busy; where it " +
  "stays so, find out what does not answer";

/** No answer in time. */
class Late extends Error {}

/** How long a probe may take; one that takes longer has found nothing out. */
const PROBE_SECONDS = 150;

/**
 * Runs one probe. Whatever it throws, and a time that is up, make it `unknown`: only what was seen counts.
 *
 * @param seconds how long it may take
 */
export async function probe(
  about: ProbeAbout,
  attempt: () => Promise<Seen>,
  seconds = PROBE_SECONDS,
): Promise<Finding> {
  const { remedy, ...what } = about;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Late(`no answer within ${String(seconds)} s`));
    }, seconds * 1000);
  });
  try {
    const seen = await Promise.race([attempt(), late]);
    const { holds, happened } = seen;
    if (holds === true) return { ...what, happened, verdict: "pass" };
    return { ...what, happened, verdict: holds === "open" ? "open" : "FAIL", remedy: seen.remedy ?? remedy };
  } catch (error) {
    return {
      ...what,
      happened: `${error instanceof Undecided ? "undecided" : "could not be tried"}: ${briefly(error)}`,
      verdict: "unknown",
      remedy: error instanceof Undecided ? remedy : isLate(error) ? LATE : UNTRIED,
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Whether somebody's time was up: this probe's, or that of the call that it made. */
function isLate(error: unknown): boolean {
  if (error instanceof Late || (error as Error | undefined)?.name === "TimeoutError") return true;
  const { cause } = (error ?? {}) as { cause?: unknown };
  return cause !== undefined && isLate(cause);
}
