/** The command lines of `npm run freeze` and `npm run thaw`. */
import { parseArgs } from "node:util";
import { UsageError } from "../usage-error";

export const USAGE = {
  freeze: `usage: npm run freeze -- [--stack STACK] CLIENT…
       npm run freeze -- [--stack STACK] --all

Shuts clients out: writes "frozen: true" into the configuration, ends their access on the proxy at once, then runs
the update without contacting any client. Prints the names of those that were not frozen before, one a line.

  --all           every client
  --stack STACK   the stack; default: the one that is selected
`,
  thaw: `usage: npm run thaw -- [--stack STACK] [--new-keys] CLIENT…
       npm run thaw -- [--stack STACK] [--new-keys] --all

Lets clients in again: writes "frozen: false" into the configuration and runs the update.

  --new-keys      replaces the keys of all their repositories first: the old ones may be in somebody's hands
  --all           every client
  --stack STACK   the stack; default: the one that is selected
`,
} as const;

/** What the operator asks for. */
export interface FreezeRequest {
  /** `"all"`: every client of the configuration. */
  clients: string[] | "all";
  /** Default: the selected one. */
  stack?: string;
  newKeys: boolean;
}

/**
 * Reads the command line; `"help"` where that is asked for.
 *
 * @throws UsageError that names the option and what to write
 */
export function parseFreeze(command: keyof typeof USAGE, args: string[]): FreezeRequest | "help" {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      options: {
        stack: { type: "string" },
        all: { type: "boolean" },
        help: { type: "boolean" },
        ...(command === "thaw" ? { "new-keys": { type: "boolean" } as const } : {}),
      },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const { values, positionals } = parsed;
  const options = values as { stack?: string; all?: boolean; help?: boolean; "new-keys"?: boolean };
  if (options.help === true) return "help";
  if (options.all === true && positionals.length > 0) {
    throw new UsageError("--all means every client: leave the names out");
  }
  if (options.all !== true && positionals.length === 0) {
    throw new UsageError("name the clients, or --all");
  }
  return {
    clients: options.all === true ? "all" : [...new Set(positionals)],
    newKeys: options["new-keys"] === true,
    ...(options.stack === undefined ? {} : { stack: options.stack }),
  };
}
