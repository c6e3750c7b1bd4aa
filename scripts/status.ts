import { EXIT } from "../operations/exit-status";
import { status, type StatusRequest } from "../operations/status/status";
import { OperatorCommand, start } from "./command";

export const command = new OperatorCommand(
  "status",
  "Shows how all backups are, what is amiss first. Reads what the keeper left in the bucket, with the owner's keys; the " +
    "keeper's host is not contacted. Without a keeper it lists the bucket itself.",
  { failure: EXIT.unknown },
)
  .option("--json", "the document itself, see docs/status.schema.json (npm run --silent status -- --json)")
  .option("--html <FILE>", "writes a page that needs nothing else to FILE, besides")
  .option("--watch", "shows it every 30 seconds, until Ctrl-C")
  .addHelpText(
    "after",
    `
Exit status: 0 all is well; 1 something is amiss; 2 the status is older than it should be, or cannot be read.`,
  )
  .does((request: StatusRequest) => status(request));

if (require.main === module) void start(command);
