import { enterLocalCloud } from "../lib/local-stack";
import { readOperations } from "../lib/operations";
import { parseRequest, USAGE, UsageError } from "./arguments";
import { recover } from "./recover";
import { printableLines } from "../lib/printable";

async function main(args: string[]): Promise<number> {
  const request = parseRequest(args, Date.now());
  if (request === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  await enterLocalCloud(request.stack);
  return await recover(await readOperations(request.stack), request, console.log);
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
