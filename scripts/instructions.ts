import { EXIT } from "../operations/exit-status";
import { instructionsFor } from "../operations/instructions";
import { readDeployment } from "../operations/read-deployment";
import { OperatorCommand, StackOptions, start } from "./command";

export const command = new OperatorCommand(
  "instructions",
  "Prints what the operator of a key-only client has to do, as a shell script that explains itself. It holds no secret.",
  { start: "npm run --silent instructions --" },
)
  .argument("<CLIENT>", "the client's name")
  .does(async (client: string, { stack }: StackOptions) => {
    process.stdout.write(instructionsFor(await readDeployment(stack), client));
    return EXIT.done;
  });

if (require.main === module) void start(command);
