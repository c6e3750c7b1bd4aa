/**
 * JSON objects of restic, read so that restic cannot read something else: its decoder takes names in any case, and of
 * a name that stands twice some of both; here both are errors.
 */
import { constants } from "node:buffer";
import { FormatError } from "./error";

/** What a member has to be. */
export interface Member {
  readonly is: (value: unknown) => boolean;
  /** @default false */
  readonly optional?: boolean;
}
export type Members = Readonly<Record<string, Member>>;

/** Bytes as a string of one character a byte. */
export function latin1(bytes: Buffer): string {
  if (bytes.length > constants.MAX_STRING_LENGTH) throw new FormatError("it is too large to be read");
  return bytes.toString("latin1");
}

/** How deeply a document may be nested; restic's decoder takes ten thousand, restic writes three. */
const MAX_DEPTH = 100;

/** The members of a JSON text, counted; names that stand twice count twice. */
function countNames(text: string): number {
  let names = 0;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (quoted) {
      if (character === "\\") at += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === ":") names += 1;
    else if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth -= 1;
    // restic's decoder takes neither for an integer, and its files have no other numbers.
    else if (character === "." || (/[eE]/.test(character) && /\d/.test(text[at - 1] as string))) {
      throw new FormatError("it has a number that is no integer");
    }
    if (depth > MAX_DEPTH) throw new FormatError("it is nested too deeply");
  }
  return names;
}

/** The members of a value, counted. */
function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const inner: unknown[] = Object.values(value);
  const own = Array.isArray(value) ? 0 : inner.length;
  return inner.reduce<number>((members, each) => members + countMembers(each), own);
}

/** Whether a value is an object with these members; others are allowed where restic would not take them for these. */
export function hasMembers(value: unknown, members: Members): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const known = new Set(Object.keys(members).map((name) => name.toLowerCase()));
  return (
    Object.keys(value).every(
      (name) => Object.hasOwn(members, name) || (/^[a-z_]+$/.test(name) && !known.has(name)),
    ) &&
    Object.entries(members).every(([name, { is, optional = false }]) =>
      Object.hasOwn(value, name) ? is((value as Record<string, unknown>)[name]) : optional,
    )
  );
}

/**
 * @param limit most bytes
 * @throws FormatError if it is no JSON object with these members
 */
export function readObject(plain: Buffer, limit: number, members: Members): Record<string, unknown> {
  if (plain.length > limit) throw new FormatError(`it has more than ${limit} bytes`);
  const text = plain.toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FormatError("it is no JSON");
  }
  if (!hasMembers(value, members))
    throw new FormatError("it lacks a member that restic writes, or has an invalid one");
  if (countNames(text) !== countMembers(value)) throw new FormatError("it has two members of one name");
  return value;
}

export const isString = (value: unknown): value is string => typeof value === "string";
export const isStrings = (value: unknown): boolean => Array.isArray(value) && value.every(isString);
export const isBoolean = (value: unknown): boolean => typeof value === "boolean";
export const isId = (value: unknown): boolean => isString(value) && /^[0-9a-f]{64}$/.test(value);

/** Whether it is an integer from 0 to `most`. */
export const isNatural =
  (most: number) =>
  (value: unknown): value is number =>
    Number.isSafeInteger(value) && Object.is(Math.abs(value as number), value) && (value as number) <= most;

const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](\d\d):(\d\d))$/;

/** Whether it is a time as restic writes it: RFC 3339, a day that exists. */
export function isTime(value: unknown): boolean {
  const [, ...parts] = (isString(value) ? TIME.exec(value) : undefined) ?? [];
  if (parts.length === 0) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zoneHour = 0, zoneMinute = 0] =
    parts.map((part) => Number(part || 0));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return (
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    Math.max(hour, zoneHour) < 24 &&
    Math.max(minute, second, zoneMinute) < 60
  );
}
