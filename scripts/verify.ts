import { Option } from "commander";
import { EXIT } from "../operations/exit-status";
import { Ring } from "../operations/verify/probe";
import { VerifyRequest, verifyStack } from "../operations/verify/verify-stack";
import { OperatorCommand, start } from "./command";

const ring = new Option(
  "--ring <N>",
  "ring 1 (the client), 2 (the proxy) or 3 (the cloud account) alone",
).choices(["1", "2", "3"]);

export const command = new OperatorCommand(
  "verify",
  "Tries on a deployed stack what an attacker would try, and inspects its settings. It is safe in production: it " +
    "writes a few small objects to the repository of the stack's own canary client, and removes them. Its result is left " +
    "in the bucket, for the status.",
  { failure: EXIT.unknown },
)
  .addOption(ring)
  .option("--all", "show what passed, too")
  .option("--json", "{ findings, summary } instead of a report")
  .does(({ ring, ...request }: Omit<VerifyRequest, "ring"> & { ring?: string }) =>
    verifyStack({ ...request, ...(ring !== undefined && { ring: Number(ring) as Ring }) }),
  );

if (require.main === module) void start(command);
