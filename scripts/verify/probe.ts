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
