import { Argument } from "commander";
import { keeper, KeeperRequest, REQUESTS } from "../operations/retention/keeper";
import { readDeployment } from "../operations/read-deployment";
import { OperatorCommand, StackOptions, start } from "./command";

export const command = new OperatorCommand(
  "keeper",
  "Shows what the keeper does with repositories, and decides what it leaves to the operator. Works on the bucket with " +
    "the owner's keys; the keeper's host is not contacted.",
)
  .addArgument(new Argument("<REQUEST>", "what to do").choices(REQUESTS))
  .argument("<CLIENT[/REPOSITORY]>", "one repository, or all of a client")
  .option("--yes", "approve: does not ask")
  .addHelpText(
    "after",
    `
status   how the last runs went, when all data was read, what was found, and why anything stands still
plan     which snapshots would be forgotten, when they arrived, and why they are not
approve  shows the plan that waits, asks, and lets the keeper forget exactly what was shown
run      lets the next round do at once what is not due yet; a round begins every hour
hold     nothing is forgotten or pruned from now on
release  ends that`,
  )
  .does(
    async (
      request: KeeperRequest,
      target: string,
      { stack, yes = false }: StackOptions & { yes?: boolean },
    ) => keeper(await readDeployment(stack), request, target, yes),
  );

if (require.main === module) void start(command);
