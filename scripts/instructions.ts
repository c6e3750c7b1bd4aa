import { parseArgs } from "node:util";
import { instructionsFor } from "../operations/instructions";
import { enterLocalCloud } from "./dev/local-stack";
import { readDeployment } from "../operations/read-deployment";
import { printableLines } from "../operations/printable";

const USAGE = `usage: npm run --silent instructions -- [--stack STACK] CLIENT

Prints what the operator of a key-only client has to do, as a shell script that explains itself. It holds no secret.

  CLIENT           the client's name
  --stack STACK    the stack; default: the one that is selected
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { stack: { type: "string" }, help: { type: "boolean" } },
    allowPositionals: true,
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [name] = positionals;
  if (name === undefined || positionals.length > 1) {
    process.stderr.write(USAGE);
    return 64;
  }
  await enterLocalCloud(values.stack);
  process.stdout.write(instructionsFor(await readDeployment(values.stack), name));
  return 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${printableLines(`instructions: ${(error as Error).message}`)}\n`);
    process.exitCode = 1;
  },
);
