import { login } from "../operations/ssh";
import { OperatorCommand, StackOptions, start } from "./command";

export const command = new OperatorCommand(
  "ssh",
  "Logs in to the proxy or a client as the operator, with the key and the pinned host key from the stack's state. Its " +
    "exit status is that of ssh.",
  { start: "npm run --silent ssh --" },
)
  .option("--identity <FILE>", "a private key to log in with (default: the one in the stack's state)")
  .argument("<HOST>", "the name of the proxy or of a client; an unknown one prints all names")
  .argument("[COMMAND...]", "runs there in /bin/sh instead of a login shell; options after HOST belong to it")
  .passThroughOptions()
  .does((host: string, words: string[], { stack, identity }: StackOptions & { identity?: string }) =>
    login({ host, words, stack, identity }),
  );

if (require.main === module) void start(command);
