import * as pulumi from "@pulumi/pulumi";
import { readClientFiles } from "./client-files";
import { ConfigError, NAMESPACE, plainSecrets } from "./errors";
import { checkStackConfig } from "./parse";
import { StackConfig } from "./types";

/**
 * The configuration of the stack that is being updated: the only place that reads it from Pulumi.
 *
 * @throws pulumi.RunError that lists every error; Pulumi prints it without a stack trace.
 */
export function readStackConfig(): StackConfig {
  const prefix = `${NAMESPACE}:`;
  const entries = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  const raw = Object.fromEntries(entries.map(([key, value]) => [key.slice(prefix.length), parsed(value)]));
  const plain = Object.entries(raw)
    .filter(([key]) => !hasEncrypted(prefix + key))
    .flatMap(([key, value]) => plainSecrets(value, [key], (path) => path));
  const folder = raw["clientsFolder"];
  const read = typeof folder === "string" && folder !== "" ? readClientFiles(folder) : undefined;
  const result = checkStackConfig(raw, read?.files);
  const errors = [...(Array.isArray(result) ? result : []), ...(read?.errors ?? []), ...plain];
  if (Array.isArray(result) || errors.length > 0) {
    throw new pulumi.RunError(new ConfigError(errors).message);
  }
  const warning = sizeWarning(Buffer.byteLength(JSON.stringify(pulumi.runtime.allConfig())));
  if (warning !== undefined) void pulumi.log.warn(warning);
  return result;
}

/** What Linux accepts for one environment variable, in which Pulumi hands all configuration to the program. */
const MOST_BYTES = 128 * 1024;
const MANY_BYTES = 96 * 1024;

/** What to say of a configuration of so many bytes, before it is one with which the program does not start. */
export function sizeWarning(bytes: number): string | undefined {
  if (bytes < MANY_BYTES) return undefined;
  return (
    `the configuration has ${Math.ceil(bytes / 1024)} KiB, and with more than ${MOST_BYTES / 1024} KiB Pulumi does not start ` +
    '("argument list too long"); move clients into files of their own, see clientsFolder in Pulumi.prod.yaml'
  );
}

/** Pulumi hands over lists and mappings as JSON, and everything else as strings: `true` for true. */
function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * Whether something under this top-level key is encrypted in the stack's file. Pulumi does not report which of
 * the values below it. Its function for this is there at run time, but not among its declared types.
 */
function hasEncrypted(key: string): boolean {
  return (pulumi.runtime as unknown as { isConfigSecret(key: string): boolean }).isConfigSecret(key);
}
