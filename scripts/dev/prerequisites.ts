/** What stack and tests stand on: toolchain and local cloud, got or built where they are missing. */
import { ensurePrerequisites } from "./local-stack";

ensurePrerequisites().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
