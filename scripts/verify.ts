import { parseArgs } from "node:util";
import { enterLocalCloud } from "./dev/local-stack";
import { readDeployment } from "../operations/read-deployment";
import { openStackSession, openStackSettings } from "../operations/verify/openstack/session";
import { Ring } from "../operations/verify/probe";
import { exitStatus, renderReport, summarize } from "../operations/verify/report";
import { verify } from "../operations/verify/verify";

const USAGE = `usage: npm run verify [-- --stack STACK --ring N --all --json]

Tries on a deployed stack what an intruder would try, and looks at how it is set up. It may run on production: it
writes a few small objects into the repository of its own canary client, and takes them away again.
  --stack STACK   the stack; default: the one that is selected
  --ring N        only ring 1 (a client is taken), 2 (the proxy is taken) or 3 (the cloud account is taken)
  --all           show what passed, too
  --json          { findings, summary } instead of a report

Exit status: 0 all that was tried holds; 1 something FAILed; 2 nothing failed, but something could not be tried;
64 the command line is not understood.
`;

const USAGE_STATUS = 64;
const UNTRIED_STATUS = 2;
const MOST_COLUMNS = 100;

class UsageError extends Error {}

interface Request {
  stack?: string;
  ring?: Ring;
  all: boolean;
  json: boolean;
  help: boolean;
}

function parseRequest(args: string[]): Request {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        stack: { type: "string" },
        ring: { type: "string" },
        all: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { stack, ring, all = false, json = false, help = false } = values;
  if (ring !== undefined && !/^[123]$/.test(ring))
    throw new UsageError(`--ring ${ring}: there are 1, 2 and 3`);
  return { stack, ring: ring === undefined ? undefined : (Number(ring) as Ring), all, json, help };
}

async function main(args: string[]): Promise<number> {
  const { stack, ring, all, json, help } = parseRequest(args);
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  await enterLocalCloud(stack);
  const deployment = await readDeployment(stack);
  const started = Date.now();
  console.error("verify: this takes up to two minutes");
  const findings = await verify(deployment, {
    ring,
    session: openStackSettings(stack).then(openStackSession),
    progress: (words) => {
      console.error(`verify: ${words}`);
    },
  });
  if (json) {
    process.stdout.write(`${JSON.stringify({ findings, summary: summarize(findings) }, undefined, 2)}\n`);
  } else {
    const width = process.stdout.isTTY ? Math.min(process.stdout.columns, MOST_COLUMNS) : MOST_COLUMNS;
    process.stdout.write(`\n${renderReport(findings, width, all)}`);
  }
  console.error(
    `verify: ${String(findings.length)} findings in ${((Date.now() - started) / 1000).toFixed(0)} s`,
  );
  return exitStatus(findings);
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    console.error(`verify: ${error instanceof Error ? error.message : String(error)}`);
    if (error instanceof UsageError) console.error(`\n${USAGE}`);
    process.exitCode = error instanceof UsageError ? USAGE_STATUS : UNTRIED_STATUS;
  },
);
