/** The namespace of this project's keys in a stack's configuration, which is the project's name. */
export const NAMESPACE = "secure-backups";

/** Where a value stands: keys and list indexes from the top of the configuration down. */
export type Path = readonly PropertyKey[];

/** A client that stands in a file of its own. */
export interface ClientFile {
  /** As the configuration names its folder, for errors. */
  file: string;
  /** What it holds, unchecked. */
  value: unknown;
}

/** Fields whose values are secret, wherever they stand. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(["secretAccessKey", "password", "privateKey"]);

/** Fields that are secret in one place: the URL of a program to download is none. */
const SECRET_PLACES = /^alarms\.(?:webhooks\.[0-9]+\.url|ping)$/;

const isSecret = (path: Path): boolean =>
  SECRET_FIELDS.has(String(path.at(-1))) || SECRET_PLACES.test(path.map(String).join("."));

/** One error of the user: where, and what is wrong with which remedy. */
export interface FieldError {
  /** The file that `path` begins in; absent: the stack's configuration. */
  file?: string | undefined;
  path: Path;
  /** The value (never a secret one), what is wrong with it, and after a semicolon what to do. */
  message: string;
}

/** Every error found in a stack's configuration. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One line per error: `secure-backups:FIELD: VALUE what is wrong; remedy`, or `FILE: FIELD` in the field's place. */
  readonly lines: readonly string[];

  constructor(errors: readonly FieldError[]) {
    const lines = errors.map((error) => `${placeOf(error)}: ${error.message}`);
    const count = lines.length === 1 ? "1 error" : `${lines.length} errors`;
    super([`invalid configuration: ${count}`, ...lines.map((line) => `  ${line}`)].join("\n"));
    this.lines = lines;
  }
}

/** The field as `pulumi config set --path` takes it: `secure-backups:clients[1].repositories[0].name`. */
export function fieldName(path: Path): string {
  const [first, ...rest] = path;
  if (first === undefined) return NAMESPACE;
  return `${NAMESPACE}:${escaped(String(first))}${rest.map(step).join("")}`;
}

/** Where an error is: the field of the stack's configuration, or `FILE: FIELD`. */
export function placeOf({ file, path }: Pick<FieldError, "file" | "path">): string {
  if (file === undefined) return fieldName(path);
  const field = path.map(step).join("").replace(/^\./, "");
  return field === "" ? escaped(file) : `${escaped(file)}: ${field}`;
}

function step(part: PropertyKey): string {
  if (typeof part === "number") return `[${part}]`;
  const key = String(part);
  return /^[\w-]+$/.test(key) ? `.${key}` : `[${quoted(key)}]`;
}

/**
 * The secrets that stand in plain text in this value; `encrypted` returns for the path of a secret the
 * field of the configuration that it belongs into, encrypted.
 */
export function plainSecrets(value: unknown, path: Path, encrypted: (path: Path) => Path): FieldError[] {
  if (typeof value !== "object" || value === null) return [];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, inner]) => {
    const here = [...path, key];
    if (!isSecret(here)) return plainSecrets(inner, here, encrypted);
    if (typeof inner !== "string" || inner === "") return [];
    const command = `pulumi config set --secret --path '${fieldName(encrypted(here))}'`;
    const message = `${SECRET} is in plain text; take a new secret and encrypt it: ${command}`;
    return [{ path: here, message }];
  });
}

const SHOWN_CHARACTERS = 100;

/**
 * A value as an error may show it: a short string in quotes, on one line; of lists and mappings only that they are
 * some, for they may hold secrets; of a private key in the wrong field and of a URL with a password nothing.
 */
export function shown(value: unknown): string {
  if (typeof value === "string") return /PRIVATE KEY|:\/\/[^/]*@/.test(value) ? SECRET : quoted(value);
  if (value === null) return "empty value";
  if (Array.isArray(value)) return "list";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "object" ? "mapping" : typeof value;
}

/** What an error shows instead of a secret value. */
export const SECRET = "(secret)";

function quoted(text: string): string {
  const characters = Array.from(text);
  const cut = characters.length > SHOWN_CHARACTERS;
  return escaped(JSON.stringify(cut ? `${characters.slice(0, SHOWN_CHARACTERS).join("")}…` : text));
}

function escaped(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
