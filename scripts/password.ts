import { text } from "node:stream/consumers";
import { EXIT, UsageError } from "../operations/exit-status";
import { derivedPassword } from "../operations/password";
import { OperatorCommand, start } from "./command";

export const command = new OperatorCommand(
  "password",
  "Prints the derived password of a repository, also of one that is no longer in the configuration. Reads the root key " +
    "on standard input: pulumi stack output repositoryRootKey --show-secrets | npm run --silent password CLIENT/REPOSITORY",
  { start: "npm run --silent password --", stack: false },
)
  .argument("<CLIENT/REPOSITORY>")
  .does(async (repository: string) => {
    if (process.stdin.isTTY) throw new UsageError("give the root key on standard input");
    process.stdout.write(`${derivedPassword(await text(process.stdin), repository)}\n`);
    return EXIT.done;
  });

if (require.main === module) void start(command);
