/** The forms of fields of which every key is made. */
import { z } from "zod";
import { SECRET, shown } from "../errors";
import { cidrProblem } from "../values/addresses";
import { commandProblem } from "../values/backups";
import { privateKeyProblem } from "../values/keys";
import type { Problem } from "../values/problem";

export const MAPPING = "a mapping";

export type Rule = (text: string) => Problem;

/** A value as an error may show it where a string may be a secret. */
export const withoutText = (value: unknown): string => (typeof value === "string" ? "string" : shown(value));

/** What is wrong with a value of another type: a string in a mapping's place is not shown, for it may be a secret. */
export function missingOrWrong(
  value: unknown,
  wanted: string,
  give: string,
  display = wanted === MAPPING ? withoutText : shown,
): string {
  if (value === undefined) return `missing; ${give}`;
  if (value === null || value === "") return `empty; ${give}`;
  return `${display(value)} is not ${wanted}; ${give}`;
}

/** A field that holds a string. `give` is the remedy where it is missing; only the first broken rule is reported. */
function textField(give: string, secret: boolean, rules: readonly Rule[]) {
  const display = secret ? () => SECRET : shown;
  return z
    .string({
      error: ({ input }) =>
        typeof input === "number" || typeof input === "boolean"
          ? `${display(input)} must be a string; quote it${secret ? "" : `: "${input}"`}`
          : input === undefined || input === null
            ? missingOrWrong(input, "", give)
            : `${display(input)} is not a string; ${give}`,
    })
    .superRefine((text, context) => {
      const problem =
        text === "" ? `empty; ${give}` : rules.map((rule) => rule(text)).find((found) => found !== undefined);
      if (problem === undefined) return;
      context.addIssue({ code: "custom", message: text === "" ? problem : `${display(text)} ${problem}` });
    });
}

const noControl: Rule = (text) =>
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(text)
    ? "has a control character or a line break, which cannot stand in a host's files; remove it"
    : undefined;

/** What the annotated example leaves to its user. */
const filledIn: Rule = (text) =>
  text.startsWith("FILL-IN") ? "is a placeholder of the example; replace it with your value" : undefined;

export const text = (give: string, ...rules: Rule[]) =>
  textField(give, false, [noControl, ...rules, filledIn]);
export const secret = (give: string, ...rules: Rule[]) =>
  textField(give, true, [noControl, ...rules, filledIn]);
export const privateKey = textField("give a private SSH key", true, [
  (key) => noControl(key.replaceAll("\n", "")),
  privateKeyProblem,
]);

/** A program of `/bin/sh`, of one line or several. */
export const script = (give: string) => textField(give, false, [commandProblem, filledIn]);

export const flag = () =>
  z.boolean({
    error: ({ input }) => missingOrWrong(input, "true or false", "write true or false without quotes"),
  });

/** A whole number of `what` between two bounds. */
export function within(
  what: string,
  least: number,
  most: number,
  give = `write a number from ${String(least)} to ${String(most)} without quotes`,
) {
  const error = ({ input }: { input?: unknown }) => missingOrWrong(input, what, give);
  return z
    .number({ error })
    .refine((value) => Number.isInteger(value) && value >= least && value <= most, { error });
}

export const port = () => within("a port", 1, 65535);

export function list<T extends z.ZodType>(item: T, give: string, least = 0, display = shown) {
  return z
    .array(item, { error: ({ input }) => missingOrWrong(input, "a list", give, display) })
    .min(least, { error: `empty list; ${give}` });
}

/** A list of strings without duplicates. */
export function textList(item: ReturnType<typeof text>, give: string, least = 0) {
  return list(item, give, least).superRefine(
    (items, context) => {
      items.forEach((value, index) => {
        const first = items.indexOf(value);
        if (typeof value !== "string" || first === index) return;
        const message = `${shown(value)} is already in this list, at [${first}]; remove one of the two`;
        context.addIssue({ code: "custom", path: [index], message });
      });
    },
    { when: ({ value }) => Array.isArray(value) },
  );
}

/** What the error of an unknown key has to know; it travels as JSON in the issue's message. */
export interface KnownKeys {
  known: string[];
  elsewhere: Readonly<Record<string, string>>;
}

/** A mapping that knows exactly these keys. `elsewhere` says why a key that is known in another place is not here. */
export function mapping<T extends z.ZodRawShape>(
  shape: T,
  give: string,
  elsewhere: KnownKeys["elsewhere"] = {},
) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? JSON.stringify({ known: Object.keys(shape), elsewhere } satisfies KnownKeys)
        : missingOrWrong(issue.input, MAPPING, give),
  });
}

/** One of several forms: `pick` finds out from the raw value which one the user means, so that errors are about that. */
export function oneOf<T>(pick: (raw: Readonly<Record<string, unknown>>) => z.ZodType<T> | string) {
  return z.unknown().transform((raw, context): T => {
    const form = pick(typeof raw === "object" && raw !== null ? { ...raw } : {});
    if (typeof form === "string") {
      context.addIssue({ code: "custom", message: form });
      return z.NEVER;
    }
    const result = form.safeParse(raw);
    if (result.success) return result.data;
    for (const { path, message, ...issue } of result.error.issues) {
      context.issues.push({ ...issue, path: [...path], message, input: raw } as z.core.$ZodRawIssue);
    }
    return z.NEVER;
  });
}

const CIDR_EXAMPLE = 'for example ["192.0.2.0/24"]';
const cidr = text("give a network in CIDR notation", cidrProblem);
export const cidrs = (whose: string, least = 0) => textList(cidr, `list ${whose}, ${CIDR_EXAMPLE}`, least);

/** A mapping with keys of the user's choice. */
export function byName<T extends z.ZodType>(item: T, give: string) {
  return z.record(z.string(), item, { error: ({ input }) => missingOrWrong(input, MAPPING, give) });
}
