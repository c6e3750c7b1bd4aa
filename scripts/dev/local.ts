import { attach } from "../../operations/transport/run";
import { OperatorCommand, start } from "../command";
import { IN_LOCAL_CLOUD } from "./cloud";
import { LocalStack } from "./local-stack";

export const command = new OperatorCommand(
  "local",
  "Runs a command on the stack of the demo: in the local cloud's network, with that stack selected, and its state, " +
    "passphrase and programs: npm run local -- npm run verify. Its exit status is that of the command.",
  { stack: false },
)
  .argument("<COMMAND>")
  .argument("[ARGUMENTS...]")
  .passThroughOptions()
  .does(async (program: string, args: string[]) => {
    const stack = new LocalStack();
    await stack.open();
    return await attach(() => [...IN_LOCAL_CLOUD, program, ...args], stack.environment());
  });

if (require.main === module) void start(command);
