import { createHash } from "node:crypto";

/** Pulumi's mark of an encoded secret: an object with this key, whatever its other keys hold. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
/** What `pulumi preview --json` writes where a secret is. */
const SECRET = "[secret]";
/** What it writes where a value is known only while the update runs. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Inputs whose text is a secret, or stands beside one, however a preview was made (`--show-secrets` too). */
const SECRET_INPUTS =
  /^(connection|environment|stdin|userData|password|passphrase|secret|secretAccessKey|privateKey.*|__provider)$/;

/** Below this length a secret is not searched for in other text: it would hit ordinary words. */
const SHORTEST_SECRET = 6;

/** What a step does with a resource. */
export type Op = "delete" | "replace" | "update" | "create" | "other";

/** One resource that a preview would change, without any secret. */
export interface Step {
  op: Op;
  /** The operation in the engine's own word. */
  engineOp: string;
  urn: string;
  /** The resource's own type, e.g. `command:remote:Command`. */
  type: string;
  /** The name in the program: the end of the URN. */
  name: string;
  /** Type of the resource's parent; empty for the stack's own children. */
  parentType: string;
  /** Whether the engine refuses to destroy it. */
  protected: boolean;
  before: Record<string, unknown>;
  after: Record<string, unknown>;
  /** The properties that change, sorted; where the engine names none, found by comparison. */
  changes: string[];
  /** The properties that force a replacement. */
  reasons: string[];
}

/** A preview as the comment needs it. */
export interface Preview {
  steps: Step[];
  /** Resources that stay as they are. */
  unchanged: number;
  /** Errors that made the preview fail. */
  errors: string[];
  /** What the program and the engine warn of. */
  warnings: string[];
  /** Turns any text of the preview into one that may be shown: no secret, nothing encoded, no control character. */
  clean: (text: string) => string;
}

/** Not what `pulumi preview --json` prints. */
export class PreviewFormatError extends Error {}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Adds every text inside a secret value. */
function collectTexts(value: unknown, found: Set<string>): void {
  if (typeof value === "string") {
    for (const text of [value, ...value.split("\n")].map((line) => line.trim())) {
      if (text.length >= SHORTEST_SECRET && text !== SECRET && text !== UNKNOWN) {
        found.add(text);
      }
    }
    if (value.startsWith('"') || value.startsWith("{") || value.startsWith("[")) {
      try {
        collectTexts(JSON.parse(value), found);
      } catch {
        return;
      }
    }
  } else if (Array.isArray(value)) {
    value.forEach((item) => {
      collectTexts(item, found);
    });
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (key !== SIGNATURE) {
        collectTexts(item, found);
      }
    }
  }
}

/** The value with each secret inside replaced by a mark; the secrets' texts go to `found`. */
function redact(value: unknown, secretKeys: ReadonlySet<string>, found: Set<string>): unknown {
  if (Array.isArray(value)) {
    return value.map((item) => redact(item, secretKeys, found));
  }
  if (!isObject(value)) {
    return value;
  }
  if (SIGNATURE in value) {
    collectTexts(value, found);
    return SECRET;
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (SECRET_INPUTS.test(key) || secretKeys.has(key)) {
        if (key !== "__provider" && key !== "connection") {
          collectTexts(item, found);
        } else if (key === "connection") {
          redact(item, secretKeys, found);
        }
        return [key, item === UNKNOWN ? UNKNOWN : `${SECRET} ${digest(JSON.stringify(item))}`];
      }
      return [key, redact(item, secretKeys, found)];
    }),
  );
}

/** Enough of a digest to tell two values apart. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

/** Whether a value of a preview is known only while the update runs. */
export function isUnknown(value: unknown): boolean {
  return typeof value === "string" && value.includes(UNKNOWN);
}

/** The fingerprint of a public key, which is there to be compared; else whatever could be an encoded value. */
const FINGERPRINT_OR_RUN = /\bSHA256:[A-Za-z0-9+/]{43}(?![A-Za-z0-9+/=_-])|[A-Za-z0-9+/=_-]{32,}/g;

function looksEncoded(run: string): boolean {
  if (/^[0-9a-fA-F]+$/.test(run)) {
    return true;
  }
  const mixed = /[A-Z]/.test(run) && /[a-z]/.test(run) && /[0-9]/.test(run);
  const path = run.startsWith("/") && run.split("/").every((part) => part.length < 32);
  return mixed && !path;
}

function escapeInvisible(text: string): string {
  return text.replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}/gu,
    (char) => (char === "\n" ? "\u23ce" : `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`),
  );
}

function cleaner(secrets: ReadonlySet<string>): (text: string) => string {
  const longestFirst = [...secrets].sort((a, b) => b.length - a.length);
  return (text) => {
    let shown = text;
    for (const secret of longestFirst) {
      shown = shown.replaceAll(secret, "(secret)");
    }
    shown = shown
      .replace(/-----BEGIN [\s\S]*?(-----END [^-]*-----|$)/g, "(secret)")
      .replaceAll(SECRET, "(secret)")
      .replaceAll(UNKNOWN, "(known later)")
      .replace(FINGERPRINT_OR_RUN, (run) =>
        !run.startsWith("SHA256:") && looksEncoded(run) ? `#${digest(run)}` : run,
      );
    return escapeInvisible(shown);
  };
}

const OPS: Record<string, Op> = {
  create: "create",
  import: "create",
  update: "update",
  delete: "delete",
  discard: "delete",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
  "discard-replaced": "replace",
  "import-replacement": "replace",
};

function typeOf(urn: unknown): string {
  const chain = typeof urn === "string" ? (urn.split("::")[2] ?? "") : "";
  const type = chain.split("$").pop() ?? "";
  return type === "pulumi:pulumi:Stack" ? "" : type;
}

function changedProperties(step: Json, before: Json, after: Json): string[] {
  const named = isObject(step.detailedDiff) ? Object.keys(step.detailedDiff) : strings(step.diffReasons);
  if (named.length > 0) {
    return [...new Set(named.map((path) => path.replace(/[.[].*/s, "")))].sort();
  }
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => !key.startsWith("__") || key === "__provider")
    .filter((key) => !equal(before[key], after[key]))
    .sort();
}

/** Whether two values of a preview are one and the same. */
export function equal(a: unknown, b: unknown): boolean {
  const sorted = (value: unknown): unknown =>
    isObject(value)
      ? Object.fromEntries(
          Object.keys(value)
            .sort()
            .map((key) => [key, sorted(value[key])]),
        )
      : Array.isArray(value)
        ? value.map(sorted)
        : value;
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function readStep(step: Json, found: Set<string>): Step | undefined {
  if (typeof step.op !== "string" || typeof step.urn !== "string") {
    throw new PreviewFormatError("a step of the preview has no op or no urn");
  }
  if (step.op === "same") {
    return undefined;
  }
  const states = [step.oldState, step.newState].map((state) => (isObject(state) ? state : {}));
  const secretKeys = new Set(states.flatMap((state) => strings(state.additionalSecretOutputs)));
  const [before, after] = states.map((state) => {
    redact(state.outputs, secretKeys, found);
    const inputs = redact(state.inputs, secretKeys, found);
    return isObject(inputs) ? inputs : {};
  }) as [Json, Json];
  const parent = states.map((state) => state.parent).find((urn) => typeof urn === "string");
  const op = OPS[step.op] ?? "other";
  return {
    op,
    engineOp: step.op,
    urn: step.urn,
    type: typeOf(step.urn),
    name: step.urn.split("::").slice(3).join("::"),
    parentType: typeOf(parent),
    protected: states[0]?.protect === true,
    before,
    after,
    changes: op === "update" || op === "replace" ? changedProperties(step, before, after) : [],
    reasons: strings(step.replaceReasons).sort(),
  };
}

/** The halves of a replacement, which the engine may list apart, are one step here. */
function mergeHalves(steps: Step[]): Step[] {
  const byUrn = new Map<string, Step>();
  for (const step of steps) {
    const known = byUrn.get(step.urn);
    const replaces = known && [known.op, step.op].every((op) => op !== "other");
    if (!replaces) {
      byUrn.set(step.urn, step);
      continue;
    }
    const before = Object.keys(known.before).length > 0 ? known.before : step.before;
    const after = Object.keys(step.after).length > 0 ? step.after : known.after;
    byUrn.set(step.urn, {
      ...known,
      op: "replace",
      engineOp: "replace",
      protected: known.protected || step.protected,
      before,
      after,
      changes: [...new Set([...known.changes, ...step.changes])].sort(),
      reasons: [...new Set([...known.reasons, ...step.reasons])].sort(),
    });
  }
  return [...byUrn.values()];
}

const OP_ORDER: Op[] = ["delete", "replace", "update", "create", "other"];

/**
 * Reads what `pulumi preview --json` printed. The steps come back in an order of their own (the engine's
 * depends on timing), and no secret is left in them.
 *
 * @throws PreviewFormatError if it is not a preview.
 */
export function readPreview(json: unknown): Preview {
  if (!isObject(json) || (json.steps !== undefined && json.steps !== null && !Array.isArray(json.steps))) {
    throw new PreviewFormatError(
      "this is not the output of `pulumi preview --json`: it has no list of steps",
    );
  }
  const found = new Set<string>();
  const all = ((json.steps ?? []) as unknown[]).map((step) => readStep(isObject(step) ? step : {}, found));
  const steps = mergeHalves(all.filter((step) => step !== undefined)).sort(
    (a, b) => OP_ORDER.indexOf(a.op) - OP_ORDER.indexOf(b.op) || (a.urn < b.urn ? -1 : a.urn > b.urn ? 1 : 0),
  );
  const diagnostics = Array.isArray(json.diagnostics) ? json.diagnostics.filter(isObject) : [];
  const messages = (severity: string): string[] => {
    const texts = diagnostics
      .filter((diagnostic) => diagnostic.severity === severity)
      .map(({ message }) => (typeof message === "string" ? message.trim() : ""))
      .map((message) => message.replace(/^(error|warning): /, ""));
    return [...new Set(texts)].filter((message) => message !== "");
  };
  const summary = isObject(json.changeSummary) ? json.changeSummary : {};
  return {
    steps,
    unchanged: typeof summary.same === "number" ? summary.same : 0,
    errors: messages("error").filter((message) => message !== "preview failed"),
    warnings: messages("warning").filter(
      (message) => !/^(using pulumi-|provider config warning)/.test(message),
    ),
    clean: cleaner(found),
  };
}
