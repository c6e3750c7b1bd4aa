import { destroy } from "../operations/destroy";
import { OperatorCommand, StackOptions, start } from "./command";

export const command = new OperatorCommand(
  "destroy",
  "Destroys the stack: says what goes and what stays, writes the keys of the backups to a file below " +
    "~/.local/state/secure-backups, asks, and does it. The root key goes last, and only with a bucket that is empty " +
    "or that s3.givenUp gives up.",
)
  .option("--yes", "does not ask")
  .does(({ stack, yes = false }: StackOptions & { yes?: boolean }) => destroy(stack, yes));

if (require.main === module) void start(command);
