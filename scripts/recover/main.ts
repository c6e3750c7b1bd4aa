import { enterLocalCloud } from "../lib/local-stack";
import { readOperations } from "../lib/operations";
import { UsageError } from "../lib/usage-error";
import { parseRequest, USAGE } from "./arguments";
import { recoverMany } from "./many";
import { recover } from "./recover";
import { printableLines } from "../lib/printable";

async function main(args: string[]): Promise<number> {
  const request = parseRequest(args, Date.now());
  if (request === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  await enterLocalCloud(request.stack);
  const operations = await readOperations(request.stack);
  return "repository" in request
    ? await recover(operations, request, console.log)
    : await recoverMany(operations, request, console.log);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(printableLines(`recover: ${error instanceof Error ? error.message : String(error)}`));
    if (error instanceof UsageError) console.error(`\n${USAGE}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
