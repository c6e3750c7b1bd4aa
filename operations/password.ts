import { repositoryPassword } from "../plan/keys";
import { UsageError } from "./exit-status";

/** The key as the stack holds it: PEM ends with one line end, whatever a pipe or a safe did to it. */
export function normalizedRootKey(input: string): string {
  return `${input.trim()}\n`;
}

/**
 * The derived password of a repository.
 *
 * @param input the root key, PEM
 * @param repository `CLIENT/REPOSITORY`
 * @throws UsageError where that is not the form; Error where the input is no key
 */
export function derivedPassword(input: string, repository: string): string {
  const [, client, name] = /^([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(repository) ?? [];
  if (client === undefined || name === undefined) {
    throw new UsageError(`${JSON.stringify(repository)} is not of the form CLIENT/REPOSITORY`);
  }
  if (!/^\s*-----BEGIN [A-Z ]+-----\n[\s\S]+-----END [A-Z ]+-----\s*$/.test(input)) {
    throw new Error("standard input is not the root key: it begins with -----BEGIN");
  }
  return repositoryPassword(normalizedRootKey(input), client, name);
}
