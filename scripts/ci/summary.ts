import * as fs from "node:fs";
import * as path from "node:path";

/** The part of a Jest report that this script reads. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  /** Test files that failed before their first test ran. */
  numRuntimeErrorTestSuites: number;
}

/** Adds up the reports that Jest left in a folder: one line a layer, the total last. */
function main(folder: string): boolean {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const file of fs.readdirSync(folder).sort()) {
    const report = JSON.parse(fs.readFileSync(path.join(folder, file), "utf8")) as Report;
    const passed = report.numPassedTests;
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    total.passed += passed;
    total.failed += failed;
    total.skipped += report.numPendingTests + report.numTodoTests;
    console.log(`layer ${path.basename(file, ".json")}: ${String(passed)} passed, ${String(failed)} failed`);
  }
  console.log(
    `${String(total.passed)} passed, ${String(total.failed)} failed, ${String(total.skipped)} skipped`,
  );
  return total.failed === 0 && total.skipped === 0 && total.passed > 0;
}

process.exitCode = main(process.argv[2] as string) ? 0 : 1;
