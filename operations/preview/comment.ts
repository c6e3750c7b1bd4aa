import { Code, codeSpan, cut, fit, Sentence, size } from "./markdown";
import { PreviewFormatError, readPreview, Step } from "./model";
import { alarms } from "./sections/alarms";
import { bucket } from "./sections/bucket";
import { clients } from "./sections/clients";
import { files } from "./sections/files";
import { hosts } from "./sections/hosts";
import { text } from "./sections/inputs";
import { keys } from "./sections/keys";
import { network } from "./sections/network";
import { retention } from "./sections/retention";
import { stepRow, tally } from "./sections/steps";

/** GitHub refuses a comment of more than 65,536 characters; this leaves room. In bytes, which are never fewer. */
export const LONGEST_COMMENT = 60_000;

/** Bytes for each part of the summary; what they leave goes to the list of steps. */
const BUDGET = { errors: 5_000, dangers: 8_000, section: 6_000, files: 12_000, warnings: 2_000 };

/** Characters of one line of a message. */
const LONGEST_LINE = 400;

/** The sections in their order; `danger` is the place of their dangers in the warning on top, the gravest first. */
const SECTIONS: {
  title: string;
  sentences: (steps: Step[], now: number) => Iterable<Sentence>;
  danger: number;
}[] = [
  { title: "Clients and repositories", sentences: clients, danger: 7 },
  { title: "Keys", sentences: keys, danger: 5 },
  { title: "Hosts", sentences: hosts, danger: 1 },
  { title: "Network", sentences: network, danger: 6 },
  { title: "Bucket", sentences: bucket, danger: 2 },
  { title: "Retention", sentences: retention, danger: 3 },
  { title: "Alarms", sentences: alarms, danger: 4 },
  { title: "Files on hosts", sentences: files, danger: 8 },
];

/** The hidden line by which a stack's comment is found again, so that it is updated and not added to. */
export function commentMarker(stack: string): string {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(stack)) {
    throw new PreviewFormatError(`"${stack}" is not the name of a stack`);
  }
  return `<!-- secure-backups preview: ${stack} -->`;
}

/** Lines of messages that Markdown leaves as they are, within a budget. */
function fenced(messages: string[], budget: number): string[] {
  const body = fit(
    messages.map((line) => cut(line, LONGEST_LINE)),
    budget,
    "",
  ).join("\n");
  const longest = Math.max(2, ...(body.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return [`${fence}text`, body, fence, ""];
}

/**
 * The comment for a pull request, in Markdown, from the parsed output of `pulumi preview --json`: what the update
 * would destroy, then which client gains or loses what, then every step. It holds no secret and no value that is not
 * meant for a reader, and is never longer than {@link LONGEST_COMMENT}.
 *
 * @param commit the commit that was previewed
 * @param now from when on twelve months are counted, in milliseconds since 1970. @default the clock
 * @throws PreviewFormatError if it is not a preview, or `stack` is not the name of a stack.
 */
export function renderPreviewComment(
  previewJson: unknown,
  stack: string,
  commit?: string,
  now = Date.now(),
): string {
  const preview = readPreview(previewJson);
  const { steps, errors, warnings, clean } = preview;
  const code: Code = (value) => codeSpan(clean(text(value)));
  const sections = SECTIONS.map((section) => ({ ...section, sentences: [...section.sentences(steps, now)] }));
  const lines = [commentMarker(stack), `## Preview of \`${stack}\``, ""];

  if (errors.length > 0) {
    lines.push("> [!CAUTION]", "> **The preview failed: this cannot be applied as it is.**", "");
    lines.push(
      ...fenced(
        errors.flatMap((message) => message.split("\n").map(clean)),
        BUDGET.errors,
      ),
    );
  }
  const dangers = sections
    .toSorted((a, b) => a.danger - b.danger)
    .flatMap(({ sentences }) => sentences.filter(({ danger }) => danger))
    .map(({ markdown }) => `> - ${markdown(code)}`);
  if (dangers.length > 0) {
    lines.push(
      "> [!WARNING]",
      "> **Something is destroyed, lost or exposed. Read this before you approve:**",
    );
    lines.push(">", ...fit(dangers, BUDGET.dangers, "> - "), "");
  }
  if (errors.length === 0 || steps.length > 0) {
    lines.push(`**${tally(preview)}**`, "");
  }
  for (const { title, sentences } of sections) {
    const shown = sentences
      .filter(({ danger }) => !danger)
      .flatMap(({ markdown, details }) => [
        `- ${markdown(code)}`,
        ...details.map((detail) => `  - ${detail(code)}`),
      ]);
    if (shown.length > 0) {
      lines.push(
        `### ${title}`,
        "",
        ...fit(shown, title === "Files on hosts" ? BUDGET.files : BUDGET.section),
        "",
      );
    }
  }
  if (warnings.length > 0) {
    lines.push("### Warnings", "", ...fenced(warnings.map(clean), BUDGET.warnings));
  }

  const isCommit = commit !== undefined && /^[0-9a-f]{7,64}$/.test(commit);
  const end = isCommit ? [`Previewed at commit ${commit.slice(0, 12)}.`, ""] : [];
  if (steps.length > 0) {
    lines.push(`<details><summary>Every step (${steps.length})</summary>`, "");
    lines.push("| step | type | name | properties that change |", "| --- | --- | --- | --- |");
    end.unshift("", "</details>", "");
    const left = LONGEST_COMMENT - size([...lines, ...end].join("\n"));
    lines.push(
      ...fit(
        steps.map((step) => stepRow(step)(code)),
        left - 100,
        "| ",
      ),
    );
  }
  return [...lines, ...end].join("\n");
}
