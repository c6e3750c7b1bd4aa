import { readDeployment } from "../operations/read-deployment";
import { RecoverOptions, recoverRequest } from "../operations/recover/arguments";
import { recoverMany } from "../operations/recover/many";
import { recover } from "../operations/recover/recover";
import { OperatorCommand, start } from "./command";

export const command = new OperatorCommand(
  "recover",
  "Restores a repository to its state at TIME, whatever was deleted, overwritten or added since. Without --apply it " +
    "shows what would be done and the snapshots at that time, and changes nothing.",
  { rest: "RESTIC-ARGUMENTS…" },
)
  .option("--client <CLIENT>", "the client's name; required without --all")
  .option(
    "--repository <REPOSITORY>",
    "the repository; required with RESTIC-ARGUMENTS (default: all that the bucket has of the client)",
  )
  .option("--all", "every repository of every client, removed ones too")
  .option(
    "--at <TIME>",
    'required: date, time and zone, such as 2026-11-20T03:00:00Z or "2026-11-20 03:00 +01:00"',
  )
  .option("--apply", "does it, and lets restic check the repository; nothing is deleted by it")
  .addHelpText(
    "after",
    `
RESTIC-ARGUMENTS run restic on the repository at that time, read-only, on this machine:
  … -- snapshots
  … -- restore ID --target DIRECTORY`,
  )
  .does(async (options: RecoverOptions) => {
    const request = recoverRequest(options, command.rest, Date.now());
    const deployment = await readDeployment(request.stack);
    return "repository" in request
      ? await recover(deployment, request, console.log)
      : await recoverMany(deployment, request, console.log);
  });

if (require.main === module) void start(command);
