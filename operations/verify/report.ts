import { printable } from "../printable";
import { Finding, Ring, Verdict } from "./probe";

/** How many findings of a ring ended how. */
export interface RingSummary extends Record<Verdict, number> {
  ring: Ring;
}

const VERDICTS: readonly Verdict[] = ["FAIL", "unknown", "open", "pass"];

/** What a ring withstands, as its heading says it. */
const RINGS: Record<Ring, string> = {
  1: "a client is taken",
  2: "the proxy is taken, root included",
  3: "the cloud account is taken",
};

/** Findings by ring, then id: the same deployment gives the same order. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => a.ring - b.ring || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** The numbers of each ring that has findings. */
export function summarize(findings: readonly Finding[]): RingSummary[] {
  const rings = [...new Set(findings.map(({ ring }) => ring))].sort();
  return rings.map((ring) => {
    const count = (verdict: Verdict) =>
      findings.filter((finding) => finding.ring === ring && finding.verdict === verdict).length;
    return { ring, pass: count("pass"), FAIL: count("FAIL"), unknown: count("unknown"), open: count("open") };
  });
}

/**
 * 0: all that was tried holds. 1: something does not. 2: nothing is known not to hold, but something could not be
 * tried. A ring that the configuration leaves open changes nothing. Nothing tried at all is no success either.
 */
export function exitStatus(findings: readonly Finding[]): 0 | 1 | 2 {
  if (findings.some(({ verdict }) => verdict === "FAIL")) return 1;
  return findings.length === 0 || findings.some(({ verdict }) => verdict === "unknown") ? 2 : 0;
}

/**
 * The report for a terminal of `width` columns: what is amiss, the worst first, each with all that is known of it; what
 * passed only where it is asked for; and the numbers of each ring.
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
  const words: Record<Verdict, string> = {
    pass: "passed",
    FAIL: "FAILED",
    unknown: "could not be tried",
    open: "left open by the configuration",
  };
  const said = VERDICTS.filter((verdict) => verdict === "pass" || counts[verdict] > 0).map(
    (verdict) => `${String(counts[verdict])} ${words[verdict]}`,
  );
  return `Ring ${String(ring)}, ${RINGS[ring]}: ${said.join(", ")}`;
}

/** One finding: its verdict and name, and below it what was tried and seen. */
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

/** Breaks a text into lines of at most `width` characters, between words where it can. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter(Boolean).map(printable)) {
    let rest = word;
    if (line !== "" && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = "";
    }
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    line = line === "" ? rest : `${line} ${rest}`;
  }
  return line === "" && lines.length > 0 ? lines : [...lines, line];
}
