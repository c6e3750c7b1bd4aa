import * as fs from "node:fs";
import * as path from "node:path";
import { stripVTControlCharacters } from "node:util";

/** The part of a Jest report that this script reads. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  /** Test files that failed before their first test ran. */
  numRuntimeErrorTestSuites: number;
  testResults: {
    /** The file. */
    name: string;
    /** Milliseconds since 1970. */
    startTime: number;
    endTime: number;
    /** What failed in a file, its tests or what is around them; empty where nothing did. */
    message: string;
    assertionResults: {
      status: string;
      fullName: string;
      failureMessages: string[];
      /** Milliseconds. */
      duration?: number | null;
    }[];
  }[];
}

/** Lines of one failure: a comparison, or what a program printed at its end. */
const FAILURE_LINES = 60;

/** A single test that takes so many seconds stands in the table beside its file. */
const SLOW_SECONDS = 20;

/** The table of docs/figures.md: how long each file of a layer took, the slowest first, with its slow tests. */
function times(layer: string, { testResults }: Report): string[] {
  const row = (what: string, milliseconds: number) =>
    `| ${layer} | ${what} | ${(milliseconds / 1000).toFixed(1)} |`;
  return testResults
    .map((file) => ({ ...file, took: file.endTime - file.startTime }))
    .sort((one, other) => other.took - one.took)
    .flatMap(({ name, took, assertionResults }) => [
      row(path.relative(process.cwd(), name), took),
      ...assertionResults.flatMap(({ fullName, duration }) =>
        (duration ?? 0) < SLOW_SECONDS * 1000 ? [] : [row(`- ${fullName}`, duration ?? 0)],
      ),
    ]);
}

/** What failed and why; Jest itself says so in the midst of its output. */
function failures({ testResults }: Report): string[] {
  return testResults.flatMap(({ message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === "failed");
    if (failed.length === 0) return message === "" ? [] : [message];
    return failed.map(({ fullName, failureMessages }) => `${fullName}\n${failureMessages.join("\n")}`);
  });
}

/** Adds up the reports that Jest left in a folder: what failed, times, then one line a layer, the total last. */
function main(folder: string): boolean {
  const layers: string[] = [];
  const table: string[] = [];
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const file of fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()) {
    const report = JSON.parse(fs.readFileSync(path.join(folder, file), "utf8")) as Report;
    const passed = report.numPassedTests;
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    total.passed += passed;
    total.failed += failed;
    total.skipped += report.numPendingTests + report.numTodoTests;
    const layer = path.basename(file, ".json");
    layers.push(`layer ${layer}: ${String(passed)} passed, ${String(failed)} failed`);
    table.push(...times(layer, report));
    for (const failure of failures(report)) {
      console.log(
        `\nFAILED: ${stripVTControlCharacters(failure).trim().split("\n").slice(0, FAILURE_LINES).join("\n")}`,
      );
    }
  }
  console.log(
    `\n${["| layer | file, and its slow tests | seconds |", "| --- | --- | ---: |", ...table].join("\n")}`,
  );
  console.log(`\n${layers.join("\n")}`);
  console.log(
    `${String(total.passed)} passed, ${String(total.failed)} failed, ${String(total.skipped)} skipped`,
  );
  return total.failed === 0 && total.skipped === 0 && total.passed > 0;
}

process.exitCode = main(process.argv[2] as string) ? 0 : 1;
