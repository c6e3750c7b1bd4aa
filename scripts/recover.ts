import { enterLocalCloud } from "./dev/local-stack";
import { readDeployment } from "../operations/read-deployment";
import { UsageError } from "../operations/usage-error";
import { parseRequest, USAGE } from "../operations/recover/arguments";
import { recoverMany } from "../operations/recover/many";
import { recover } from "../operations/recover/recover";
import { printableLines } from "../operations/printable";

async function main(args: string[]): Promise<number> {
  const request = parseRequest(args, Date.now());
  if (request === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  await enterLocalCloud(request.stack);
  const deployment = await readDeployment(request.stack);
  return "repository" in request
    ? await recover(deployment, request, console.log)
    : await recoverMany(deployment, request, console.log);
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
