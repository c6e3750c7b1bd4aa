/** The namespace of this project's keys in a stack's configuration, which is the project's name. */
export const NAMESPACE = "secure-backups";

/** Where a value stands: keys and list indexes from the top of the configuration down. */
export type Path = readonly PropertyKey[];

/** One mistake of the user: where, and what is wrong with which remedy. */
export interface Mistake {
  path: Path;
  /** The value (never a secret one), what is wrong with it, and after a semicolon what to do. */
  message: string;
}

/** Every mistake found in a stack's configuration. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One line a mistake: `secure-backups:FIELD: VALUE what is wrong; remedy`. */
  readonly lines: readonly string[];

  constructor(mistakes: readonly Mistake[]) {
    const lines = mistakes.map((mistake) => `${fieldName(mistake.path)}: ${mistake.message}`);
    const count = lines.length === 1 ? "1 mistake" : `${lines.length} mistakes`;
    super([`the stack's configuration has ${count}:`, ...lines.map((line) => `  ${line}`)].join("\n"));
    this.lines = lines;
  }
}

/** The field as `pulumi config set --path` takes it: `secure-backups:clients[1].repositories[0].name`. */
export function fieldName(path: Path): string {
  const [first, ...rest] = path;
  if (first === undefined) return NAMESPACE;
  const parts = rest.map((part) => {
    if (typeof part === "number") return `[${part}]`;
    const key = String(part);
    return /^[\w-]+$/.test(key) ? `.${key}` : `[${quoted(key)}]`;
  });
  return `${NAMESPACE}:${escaped(String(first))}${parts.join("")}`;
}

const SHOWN_CHARACTERS = 100;

/**
 * A value as an error may show it: a short text in quotes, on one line; of lists and mappings only that they are
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
