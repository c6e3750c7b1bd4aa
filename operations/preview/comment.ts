import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { cut, fit, size } from "./markdown";
import { PreviewFormatError, readPreview } from "./model";
import { explain, stepRows, tally } from "./sections";

/** GitHub refuses a comment of more than 65,536 characters; this leaves room. In bytes, which are never fewer. */
export const LONGEST_COMMENT = 60_000;

/** Bytes for each part of the summary; what they leave goes to the list of steps. */
const BUDGET = { errors: 5_000, dangers: 8_000, section: 6_000, files: 12_000, warnings: 2_000 };

/** Characters of one line of a message. */
const LONGEST_LINE = 400;

/** What is known beside the preview itself. */
export interface CommentContext {
  /** The commit that was previewed. */
  commit?: string;
}

/** The hidden line by which a stack's comment is found again, so that it is updated and not added to. */
export function commentMarker(stack: string): string {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(stack)) {
    throw new PreviewFormatError(`"${stack}" is not the name of a stack`);
  }
  return `<!-- secure-backups preview: ${stack} -->`;
}

/** Text that Markdown leaves as it is. */
function fenced(text: string): string[] {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return [`${fence}text`, text, fence];
}

/**
 * The comment for a pull request, in Markdown, from the parsed output of `pulumi preview --json`: what the update
 * would destroy, then who gains or loses what, then every step. It holds no secret and no value that is not
 * meant for a reader, and is never longer than {@link LONGEST_COMMENT}.
 *
 * @throws PreviewFormatError if it is no preview, or `stack` is no stack's name.
 */
export function renderPreviewComment(
  previewJson: unknown,
  stack: string,
  context: CommentContext = {},
): string {
  const preview = readPreview(previewJson);
  const { dangers, files, ...sections } = explain(preview);
  const lines = [commentMarker(stack), `## Preview of \`${stack}\``, ""];

  if (preview.errors.length > 0) {
    const messages = preview.errors.flatMap((message) => message.split("\n").map(preview.clean));
    const shown = fit(
      messages.map((line) => cut(line, LONGEST_LINE)),
      BUDGET.errors,
      "",
    );
    lines.push("> [!CAUTION]", "> **The preview failed: this cannot be applied as it is.**", "");
    lines.push(...fenced(shown.join("\n")), "");
  }
  if (dangers.length > 0) {
    const shown = fit(
      dangers.map((line) => `> - ${line}`),
      BUDGET.dangers,
      "> - ",
    );
    lines.push(
      "> [!WARNING]",
      "> **Something is destroyed, lost or laid open. Read this before you approve:**",
      ">",
    );
    lines.push(...shown, "");
  }
  if (preview.errors.length === 0 || preview.steps.length > 0) {
    lines.push(`**${tally(preview)}**`, "");
  }

  const titles: [keyof typeof sections, string][] = [
    ["clients", "Clients and repositories"],
    ["keys", "Keys"],
    ["hosts", "Hosts"],
    ["network", "Network"],
    ["bucket", "Bucket"],
  ];
  for (const [key, title] of titles) {
    if (sections[key].length > 0) {
      lines.push(
        `### ${title}`,
        "",
        ...fit(
          sections[key].map((line) => `- ${line}`),
          BUDGET.section,
        ),
        "",
      );
    }
  }
  if (files.length > 0) {
    const shown = files.flatMap(({ title, lines }) => [`- ${title}:`, ...lines.map((line) => `  - ${line}`)]);
    lines.push("### Files on hosts", "", ...fit(shown, BUDGET.files), "");
  }
  if (preview.warnings.length > 0) {
    const shown = preview.warnings.map((line) => cut(preview.clean(line), LONGEST_LINE));
    lines.push("### Warnings", "", ...fenced(fit(shown, BUDGET.warnings, "").join("\n")), "");
  }

  const rows = stepRows(preview);
  const end = ["", "</details>", ""];
  if (context.commit !== undefined && /^[0-9a-f]{7,64}$/.test(context.commit)) {
    end.push(`Previewed at commit ${context.commit.slice(0, 12)}.`, "");
  }
  if (rows.length > 0) {
    lines.push(`<details><summary>Every step (${rows.length})</summary>`, "");
    lines.push("| step | type | name | properties that change |", "| --- | --- | --- | --- |");
    const left = LONGEST_COMMENT - size([...lines, ...end].join("\n"));
    lines.push(...fit(rows, left - 100, "| "), ...end);
  } else {
    lines.push(...end.slice(3));
  }
  return lines.join("\n");
}

/**
 * What to render when Pulumi failed: its own report where it printed one, else what it wrote to standard error
 * before it could.
 */
export function failedPreview(json: unknown, errors: string): unknown {
  const reported =
    typeof json === "object" && json !== null ? (json as { diagnostics?: unknown }).diagnostics : [];
  const diagnostics = Array.isArray(reported) ? (reported as unknown[]) : [];
  const told = diagnostics.some((item) => (item as { severity?: unknown } | null)?.severity === "error");
  const message = errors.trim() === "" ? "pulumi preview failed without a word" : errors;
  return told
    ? json
    : { ...(json as object | undefined), diagnostics: [...diagnostics, { severity: "error", message }] };
}

/**
 * Finds the document in what Pulumi printed: policy packs and plugins write lines of their own before and after it.
 *
 * @returns the document, and all the text around it; `undefined` where there is none
 */
function findJson(output: string): { json: object; around: string } | undefined {
  // Pulumi indents it: its first and its last line are a brace alone, or it is one line.
  const ends = [...output.matchAll(/^\}(?=\s*$)/gm)].map(({ index }) => index + 1).reverse();
  for (const { index: begin } of output.matchAll(/^\{/gm)) {
    const line = output.indexOf("\n", begin);
    for (const end of [line === -1 ? output.length : line, ...ends.filter((end) => end > begin)]) {
      try {
        const json = JSON.parse(output.slice(begin, end)) as object;
        if ("steps" in json || "diagnostics" in json || "changeSummary" in json) {
          return { json, around: `${output.slice(0, begin).trim()}\n${output.slice(end).trim()}`.trim() };
        }
      } catch {
        // A line of somebody else's begins or ends with a brace, too.
      }
    }
  }
  return undefined;
}

/**
 * What `pulumi preview --json` printed, parsed; text around the document becomes a warning of it. `errors` is what
 * Pulumi wrote to standard error where it failed: then there is something to render whatever it printed.
 *
 * @throws PreviewFormatError if it did not fail and its output is not JSON.
 */
export function parsePreview(output: string, errors?: string): unknown {
  const { json, around } = findJson(output) ?? { json: undefined, around: output.trim() };
  if (json === undefined) {
    if (errors === undefined) {
      throw new PreviewFormatError(
        "standard input is not JSON: it must be what `pulumi preview --json` prints",
      );
    }
    return failedPreview(undefined, [errors.trim(), around].filter((text) => text !== "").join("\n"));
  }
  const told = around === "" ? [] : [{ severity: "warning", message: around }];
  const { diagnostics = [] } = json as { diagnostics?: unknown[] };
  const whole = told.length === 0 ? json : { ...json, diagnostics: [...diagnostics, ...told] };
  return errors === undefined ? whole : failedPreview(whole, errors);
}

function main(): void {
  const { values } = parseArgs({
    options: { stack: { type: "string" }, commit: { type: "string" }, errors: { type: "string" } },
  });
  if (values.stack === undefined) {
    throw new PreviewFormatError(
      "usage: preview-comment.ts --stack STACK [--commit SHA] [--errors FILE] < preview.json",
    );
  }
  const errors = values.errors === undefined ? undefined : readFileSync(values.errors, "utf8");
  const json = parsePreview(readFileSync(0, "utf8"), errors);
  process.stdout.write(renderPreviewComment(json, values.stack, { commit: values.commit }));
}

if (require.main === module) {
  try {
    main();
  } catch (error) {
    process.stderr.write(`preview-comment: ${error instanceof Error ? error.message : "failed"}\n`);
    process.exitCode = 1;
  }
}
