import { printable } from "../lib/printable";
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
 * The report for a terminal of `width` columns: a table and a line of numbers for each ring, and at its end, where the
 * reader is, all that is not passed.
 */
export function renderReport(findings: readonly Finding[], width: number): string {
  const sorted = sortFindings(findings);
  const rings = summarize(sorted).map((summary) => {
    const rows = sorted.filter(({ ring }) => ring === summary.ring);
    const heading = `Ring ${String(summary.ring)}: ${RINGS[summary.ring]}`;
    return `${heading}\n${"=".repeat(heading.length)}\n\n${table(rows, width)}\n${summaryLine(summary)}\n`;
  });
  return [...rings, ...remedies(sorted, width)].join("\n");
}

function summaryLine({ ring, ...counts }: RingSummary): string {
  const words: Record<Verdict, string> = {
    pass: "passed",
    FAIL: "FAILED",
    unknown: "could not be tried",
    open: "left open by the configuration",
  };
  const said = VERDICTS.toReversed()
    .filter((verdict) => verdict === "pass" || counts[verdict] > 0)
    .map((verdict) => `${String(counts[verdict])} ${words[verdict]}`);
  return `Ring ${String(ring)}: ${said.join(", ")}`;
}

const VERDICT_WIDTH = "unknown".length;
const GAP = "  ";
const LEAST_COLUMN = 15;

function table(rows: readonly Finding[], width: number): string {
  const column = Math.max(LEAST_COLUMN, Math.floor((width - VERDICT_WIDTH - 3 * GAP.length) / 3));
  const line = (cells: readonly string[]): string => {
    const [verdict = "", ...texts] = cells;
    const wrapped = texts.map((text) => wrap(text, column));
    const height = Math.max(...wrapped.map((lines) => lines.length));
    return Array.from({ length: height }, (_, at) =>
      [
        (at === 0 ? verdict : "").padEnd(VERDICT_WIDTH),
        ...wrapped.map((lines) => (lines[at] ?? "").padEnd(column)),
      ]
        .join(GAP)
        .trimEnd(),
    ).join("\n");
  };
  const rule = ["-".repeat(VERDICT_WIDTH), ...Array<string>(3).fill("-".repeat(column))].join(GAP);
  return [
    line(["", "tried", "expected", "happened"]),
    rule,
    ...rows.map(({ verdict, tried, expected, happened }) => line([verdict, tried, expected, happened])),
    "",
  ].join("\n");
}

/** What is not passed once more, with its id and what to do; the worst first. */
function remedies(rows: readonly Finding[], width: number): string[] {
  return VERDICTS.filter((verdict) => verdict !== "pass").flatMap((verdict) =>
    rows
      .filter((row) => row.verdict === verdict)
      .map(({ id, happened, remedy }) =>
        [
          `${verdict} ${id}`,
          ...wrap(happened, width - 4).map((text) => `    ${text}`),
          ...wrap(`what to do: ${remedy ?? "see the handbook"}`, width - 4).map((text) => `    ${text}`),
          "",
        ].join("\n"),
      ),
  );
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
