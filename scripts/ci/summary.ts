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
    /** What failed in a file, its tests or what is around them; empty where nothing did. */
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

/** Lines of one failure: a comparison, or what a program printed at its end. */
const FAILURE_LINES = 60;

/** What failed and why; Jest itself says so in the midst of its output. */
function failures({ testResults }: Report): string[] {
  return testResults.flatMap(({ message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === "failed");
    if (failed.length === 0) return message === "" ? [] : [message];
    return failed.map(({ fullName, failureMessages }) => `${fullName}\n${failureMessages.join("\n")}`);
  });
}

/** Adds up the reports that Jest left in a folder: what failed, then one line a layer, the total last. */
function main(folder: string): boolean {
  const layers: string[] = [];
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const file of fs.readdirSync(folder).sort()) {
    const report = JSON.parse(fs.readFileSync(path.join(folder, file), "utf8")) as Report;
    const passed = report.numPassedTests;
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    total.passed += passed;
    total.failed += failed;
    total.skipped += report.numPendingTests + report.numTodoTests;
    layers.push(`layer ${path.basename(file, ".json")}: ${String(passed)} passed, ${String(failed)} failed`);
    for (const failure of failures(report)) {
      console.log(
        `\nFAILED: ${stripVTControlCharacters(failure).trim().split("\n").slice(0, FAILURE_LINES).join("\n")}`,
      );
    }
  }
  console.log(`\n${layers.join("\n")}`);
  console.log(
    `${String(total.passed)} passed, ${String(total.failed)} failed, ${String(total.skipped)} skipped`,
  );
  return total.failed === 0 && total.skipped === 0 && total.passed > 0;
}

process.exitCode = main(process.argv[2] as string) ? 0 : 1;
