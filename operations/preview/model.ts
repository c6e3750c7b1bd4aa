import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { Secrets } from "./secrets";

/** What a step does with a resource. */
export type Op = "delete" | "replace" | "update" | "create" | "other";

/** The inputs of a resource. */
export type Inputs = Record<string, unknown>;

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
  before: Inputs;
  after: Inputs;
  /** The properties that change, sorted; where the engine names none, found by comparison. */
  changes: string[];
  /** The properties that force a replacement, sorted. */
  reasons: string[];
}

/** A preview as the comment needs it. */
export interface Preview {
  steps: Step[];
  /** Resources that stay as they are. */
  unchanged: number;
  /** Errors that made the preview fail. */
  errors: string[];
  /** Warnings of the program and the engine. */
  warnings: string[];
  /** Turns any string of the preview into one that may be shown: no secret, nothing encoded, no control character. */
  clean: (value: string) => string;
}

/** Not what `pulumi preview --json` prints. */
export class PreviewFormatError extends Error {}

const object = z.record(z.string(), z.unknown()).nullish();
const strings = z.array(z.string()).nullish();
const stateFormat = z.object({
  inputs: object,
  outputs: object,
  parent: z.string().nullish(),
  protect: z.boolean().nullish(),
  additionalSecretOutputs: strings,
});
const stepFormat = z.object({
  op: z.string(),
  urn: z.string(),
  oldState: stateFormat.nullish(),
  newState: stateFormat.nullish(),
  detailedDiff: object,
  diffReasons: strings,
  replaceReasons: strings,
});
/** What `pulumi preview --json` prints, as far as it is read. */
const previewFormat = z.object({
  steps: z.array(stepFormat).nullish(),
  diagnostics: z.array(z.object({ severity: z.string().nullish(), message: z.string().nullish() })).nullish(),
  changeSummary: z.object({ same: z.number().nullish() }).nullish(),
});

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
const OP_ORDER: Op[] = ["delete", "replace", "update", "create", "other"];

const sortedSet = (values: string[]): string[] => [...new Set(values)].sort();

/** The type at the end of a URN's chain of types; empty for the stack's own and for no URN. */
function typeOf(urn: string): string {
  const type = urn.split("::")[2]?.split("$").pop() ?? "";
  return type === "pulumi:pulumi:Stack" ? "" : type;
}

function changedProperties(step: z.infer<typeof stepFormat>, before: Inputs, after: Inputs): string[] {
  const named = step.detailedDiff ? Object.keys(step.detailedDiff) : (step.diffReasons ?? []);
  if (named.length > 0) {
    return sortedSet(named.map((path) => path.replace(/[.[].*/s, "")));
  }
  return sortedSet([...Object.keys(before), ...Object.keys(after)])
    .filter((key) => !key.startsWith("__") || key === "__provider")
    .filter((key) => !isDeepStrictEqual(before[key], after[key]));
}

function readStep(step: z.infer<typeof stepFormat>, secrets: Secrets): Step {
  const states = [step.oldState, step.newState];
  const secretKeys = new Set(states.flatMap((state) => state?.additionalSecretOutputs ?? []));
  const [before, after] = states.map((state) => {
    secrets.redact(state?.outputs, secretKeys);
    return secrets.redact(state?.inputs ?? {}, secretKeys);
  }) as [Inputs, Inputs];
  const op = OPS[step.op] ?? "other";
  return {
    op,
    engineOp: step.op,
    urn: step.urn,
    type: typeOf(step.urn),
    name: step.urn.split("::").slice(3).join("::"),
    parentType: typeOf(step.oldState?.parent ?? step.newState?.parent ?? ""),
    protected: step.oldState?.protect === true,
    before,
    after,
    changes: op === "update" || op === "replace" ? changedProperties(step, before, after) : [],
    reasons: sortedSet(step.replaceReasons ?? []),
  };
}

/** The halves of a replacement, which the engine may list apart, are one step here. */
function mergeHalves(steps: Step[]): Step[] {
  const byUrn = new Map<string, Step>();
  for (const step of steps) {
    const known = byUrn.get(step.urn);
    if (!known || known.op === "other" || step.op === "other") {
      byUrn.set(step.urn, step);
      continue;
    }
    const isEmpty = (inputs: Inputs): boolean => Object.keys(inputs).length === 0;
    byUrn.set(step.urn, {
      ...known,
      op: "replace",
      engineOp: "replace",
      protected: known.protected || step.protected,
      before: isEmpty(known.before) ? step.before : known.before,
      after: isEmpty(step.after) ? known.after : step.after,
      changes: sortedSet([...known.changes, ...step.changes]),
      reasons: sortedSet([...known.reasons, ...step.reasons]),
    });
  }
  return [...byUrn.values()];
}

/**
 * Reads what `pulumi preview --json` printed. The steps come back in an order of their own (the engine's
 * depends on timing), and no secret is left in them.
 *
 * @throws PreviewFormatError if it is not a preview.
 */
export function readPreview(json: unknown): Preview {
  const { data, error } = previewFormat.safeParse(json);
  if (data === undefined) {
    throw new PreviewFormatError(
      `this is not the output of \`pulumi preview --json\`:\n${z.prettifyError(error)}`,
    );
  }
  const secrets = new Secrets();
  const read = (data.steps ?? []).filter(({ op }) => op !== "same").map((step) => readStep(step, secrets));
  const steps = mergeHalves(read).sort(
    (a, b) => OP_ORDER.indexOf(a.op) - OP_ORDER.indexOf(b.op) || (a.urn < b.urn ? -1 : 1),
  );
  /** The messages of one severity, without those of Pulumi itself that say nothing new. */
  const messages = (severity: string, empty: RegExp): string[] => {
    const all = (data.diagnostics ?? [])
      .filter((diagnostic) => diagnostic.severity === severity)
      .map(({ message }) => (message ?? "").trim().replace(/^(error|warning): /, ""));
    return [...new Set(all)].filter((message) => message !== "" && !empty.test(message));
  };
  return {
    steps,
    unchanged: data.changeSummary?.same ?? 0,
    errors: messages("error", /^preview failed$/),
    warnings: messages("warning", /^(using pulumi-|provider config warning)/),
    clean: secrets.cleaner(),
  };
}
