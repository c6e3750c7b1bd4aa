import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

const folders = new Set<string>();
let watching = false;

/**
 * Gives `work` a new folder that only this user can read. It is removed when the work is done, and when an uncaught error
 * or a signal ends this process before: such folders hold keys.
 */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  watch();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "secure-backups-"));
  folders.add(folder);
  try {
    return await work(folder);
  } finally {
    remove(folder);
  }
}

function remove(folder: string): void {
  fs.rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** A signal without a handler ends Node at once, without an `exit` event. */
function watch(): void {
  if (watching) return;
  watching = true;
  process.on("exit", () => {
    for (const folder of folders) remove(folder);
  });
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      // After the other handlers, which end the programs that this process started.
      setImmediate(() => process.exit(128 + os.constants.signals[signal]));
    });
  }
}
