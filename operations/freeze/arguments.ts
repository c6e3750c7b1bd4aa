import { UsageError } from "../exit-status";

/** `"all"`: every client of the configuration. */
export type ChosenClients = string[] | "all";

/**
 * The clients that a command line names, each once.
 *
 * @throws UsageError unless it has either names or `--all`
 */
export function chosenClients(names: readonly string[], all = false): ChosenClients {
  if (all && names.length > 0) throw new UsageError("--all means every client: leave the names out");
  if (!all && names.length === 0) throw new UsageError("name the clients, or --all");
  return all ? "all" : [...new Set(names)];
}
