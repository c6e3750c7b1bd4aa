import { RepositorySettings } from "../../config";
import { CLIENT_SETTINGS, repositoryAddress } from "../names";
import { runVariables } from "./runs";

const CACHE_DIR = "/var/cache/restic-backup";

/**
 * One `NAME=value` line that sh's `.` and systemd's EnvironmentFile read alike. Throws for what one of them
 * cannot take: a NUL, another control character than tab and newline, and half of a surrogate pair.
 */
export function environmentLine(name: string, value: string): string {
  if (/(?![\t\n])[\p{Control}\p{Surrogate}]/u.test(value)) {
    throw new Error(`${name} has a control character, which an environment file cannot hold`);
  }
  // Old systemd reads a backslash in single quotes as an escape; in double quotes all agree on it.
  const word = value.replace(/['\\]|[^'\\]+/g, (part) => {
    if (part === "'") return `"'"`;
    return part === "\\" ? String.raw`"\\"` : `'${part}'`;
  });
  return `${name}=${word === "" ? "''" : word}\n`;
}

/** Where the operator of a key-only client keeps a repository's password. */
export function passwordFile(repository: string): string {
  return `${CLIENT_SETTINGS}/${repository}/password`;
}

/** The environment of one repository; without a password when its operator keeps that in a file beside it. */
export function renderEnvironment(
  { bucket, client }: { bucket: string; client: string },
  repository: RepositorySettings & { password?: string },
): string {
  const { name, password } = repository;
  return (
    environmentLine("RESTIC_REPOSITORY", repositoryAddress(bucket, client, name)) +
    (password === undefined
      ? environmentLine("RESTIC_PASSWORD_FILE", passwordFile(name))
      : environmentLine("RESTIC_PASSWORD", password)) +
    environmentLine("RESTIC_CACHE_DIR", CACHE_DIR) +
    runVariables(client, repository)
      .map(([name, value]) => environmentLine(name, value))
      .join("")
  );
}
