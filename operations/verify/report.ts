import { wrap } from "../printable";
import { Finding, Ring, Verdict } from "./probe";

/** The number of findings of a ring by verdict. */
export interface RingSummary extends Record<Verdict, number> {
  ring: Ring;
}

const VERDICTS: readonly Verdict[] = ["FAIL", "unknown", "open", "pass"];

/** The compromise that each ring withstands. */
const RINGS: Record<Ring, string> = {
  1: "a client is compromised",
  2: "the proxy is compromised, root included",
  3: "the cloud account is compromised",
};

/** Sorts findings by ring, then id. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => a.ring - b.ring || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** Counts the findings of each ring that has any. */
export function summarize(findings: readonly Finding[]): RingSummary[] {
  const rings = [...new Set(findings.map(({ ring }) => ring))].sort();
  return rings.map((ring) => {
    const count = (verdict: Verdict) =>
      findings.filter((finding) => finding.ring === ring && finding.verdict === verdict).length;
    return { ring, pass: count("pass"), FAIL: count("FAIL"), unknown: count("unknown"), open: count("open") };
  });
}

/**
 * 0: everything that was tried holds. 1: something does not. 2: nothing failed, but something could not be tried, or
 * nothing was. A ring that the configuration leaves open changes nothing.
 */
export function exitStatus(findings: readonly Finding[]): 0 | 1 | 2 {
  if (findings.some(({ verdict }) => verdict === "FAIL")) return 1;
  return findings.length === 0 || findings.some(({ verdict }) => verdict === "unknown") ? 2 : 0;
}

/**
 * The report for a terminal of `width` columns: the findings, failures first, then the counts of each ring.
 *
 * @param all whether to show what passed, too
 */
export function renderReport(findings: readonly Finding[], width: number, all = false): string {
  const sorted = sortFindings(findings);
  const shown = VERDICTS.filter((verdict) => all || verdict !== "pass");
  const blocks = shown.flatMap((verdict) =>
    sorted.filter((finding) => finding.verdict === verdict).map((finding) => block(finding, width)),
  );
  const passed = sorted.filter(({ verdict }) => verdict === "pass").length;
  return [
    ...blocks,
    ...summarize(sorted).flatMap((summary) => wrap(summaryLine(summary), width)),
    ...(all || passed === 0 ? [] : ["", `What passed is shown with --all (${String(passed)}).`]),
    "",
  ].join("\n");
}

function summaryLine({ ring, ...counts }: RingSummary): string {
  const labels: Record<Verdict, string> = {
    pass: "passed",
    FAIL: "FAILED",
    unknown: "could not be tried",
    open: "left open by the configuration",
  };
  const numbers = VERDICTS.filter((verdict) => verdict === "pass" || counts[verdict] > 0).map(
    (verdict) => `${String(counts[verdict])} ${labels[verdict]}`,
  );
  return `Ring ${String(ring)}, ${RINGS[ring]}: ${numbers.join(", ")}`;
}

/** One finding: its verdict and id, then what was tried and what happened. */
function block({ ring, id, tried, expected, happened, verdict, remedy }: Finding, width: number): string {
  const fields = Object.entries({
    tried,
    expected,
    happened,
    ...(verdict === "pass" ? {} : { "what to do": remedy ?? "see the handbook" }),
  });
  const indent = " ".repeat(4);
  return [
    ...wrap(`${verdict} ${id} (ring ${String(ring)})`, width),
    ...fields.flatMap(([name, text]) =>
      wrap(`${name}: ${text}`, width - indent.length).map((line) => indent + line),
    ),
    "",
  ].join("\n");
}
