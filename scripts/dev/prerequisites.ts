/** What stack and tests stand on: toolchain and local cloud, got or built where they are missing. */
import { ensureGround } from "./local-stack";

ensureGround().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
