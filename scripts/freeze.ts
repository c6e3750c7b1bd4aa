import { freeze, thaw } from "../operations/freeze/freeze";
import { chosenClients } from "../operations/freeze/arguments";
import { OperatorCommand, StackOptions, start } from "./command";

interface Options extends StackOptions {
  all?: boolean;
  newKeys?: boolean;
}

const CLIENTS = ["[CLIENT...]", "the clients' names"] as const;
const ALL = ["--all", "every client"] as const;

export const freezeCommand = new OperatorCommand(
  "freeze",
  'Shuts clients out: writes "frozen: true" into the configuration, ends their access on the proxy at once, then runs the ' +
    "update without contacting any client. Prints the names of those that were not frozen before, one a line.",
  { start: "npm run --silent freeze --" },
)
  .argument(...CLIENTS)
  .option(...ALL)
  .does((names: string[], { stack, all }: Options) => freeze(chosenClients(names, all), stack));

export const thawCommand = new OperatorCommand(
  "thaw",
  'Lets clients in again: writes "frozen: false" into the configuration and runs the update.',
)
  .argument(...CLIENTS)
  .option(...ALL)
  .option(
    "--new-keys",
    "replaces the keys of all their repositories first: an attacker may have the old ones",
  )
  .does((names: string[], { stack, all, newKeys = false }: Options) =>
    thaw(chosenClients(names, all), newKeys, stack),
  );

if (require.main === module) {
  const [which, ...args] = process.argv.slice(2);
  void start(which === "thaw" ? thawCommand : freezeCommand, args);
}
