import * as pulumi from "@pulumi/pulumi";
import { ConfigError, Mistake, NAMESPACE, Path, SECRET, fieldName } from "./errors";
import { checkStackConfig } from "./parse";
import { SECRET_FIELDS } from "./schema";
import { StackConfig } from "./types";

/**
 * The configuration of the stack that is being updated: the only place that reads it from Pulumi.
 *
 * @throws pulumi.RunError that lists every mistake; Pulumi prints it without a stack trace.
 */
export function readStackConfig(): StackConfig {
  const prefix = `${NAMESPACE}:`;
  const entries = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  const raw = Object.fromEntries(entries.map(([key, value]) => [key.slice(prefix.length), parsed(value)]));
  const plain = Object.entries(raw)
    .filter(([key]) => !hasEncrypted(prefix + key))
    .flatMap(([key, value]) => plainSecrets(value, [key]));
  const result = checkStackConfig(raw);
  if (!Array.isArray(result) && plain.length === 0) return result;
  const mistakes = [...(Array.isArray(result) ? result : []), ...plain];
  throw new pulumi.RunError(new ConfigError(mistakes).message);
}

/** Pulumi hands over lists and mappings as JSON, and whatever else as text: `true` for true. */
function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * Whether something under this top-level key is encrypted in the stack's file. Pulumi does not tell which of the
 * values below it. Its function for this is there at run time, but not among its declared types.
 */
function hasEncrypted(key: string): boolean {
  return (pulumi.runtime as unknown as { isConfigSecret(key: string): boolean }).isConfigSecret(key);
}

function plainSecrets(value: unknown, path: Path): Mistake[] {
  if (typeof value !== "object" || value === null) return [];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, inner]) => {
    const here = [...path, key];
    if (typeof key !== "string" || !SECRET_FIELDS.has(key)) return plainSecrets(inner, here);
    if (typeof inner !== "string" || inner === "") return [];
    const command = `pulumi config set --secret --path '${fieldName(here)}'`;
    const message = `${SECRET} is in the stack's file in plain text; take a new secret and encrypt it: ${command}`;
    return [{ path: here, message }];
  });
}
