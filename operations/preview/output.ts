import { PreviewFormatError } from "./model";

/** The part of a preview that reading its output may add to. */
interface Document {
  diagnostics?: { severity?: string; message?: string }[] | null;
}

/** Finds the document in Pulumi's output: policy packs and plugins write lines of their own before and after it. */
function findDocument(output: string): { document?: Document; around: string } {
  // Pulumi indents it: its first and its last line are a brace alone, or it is one line.
  const ends = [...output.matchAll(/^\}(?=\s*$)/gm)].map(({ index }) => index + 1).reverse();
  for (const { index: begin } of output.matchAll(/^\{/gm)) {
    const line = output.indexOf("\n", begin);
    for (const end of [line === -1 ? output.length : line, ...ends.filter((end) => end > begin)]) {
      try {
        const document = JSON.parse(output.slice(begin, end)) as Document;
        if (["steps", "diagnostics", "changeSummary"].some((key) => key in document)) {
          return { document, around: `${output.slice(0, begin).trim()}\n${output.slice(end).trim()}`.trim() };
        }
      } catch {
        // Lines of other programs begin or end with a brace, too.
      }
    }
  }
  return { around: output.trim() };
}

/**
 * Parses the output of `pulumi preview --json`; other lines around the document become a warning in it. If Pulumi failed,
 * `errors` is its standard error: it becomes an error of the document, unless that reports one itself.
 *
 * @throws PreviewFormatError if Pulumi did not fail and its output holds no such document.
 */
export function parsePreview(output: string, errors?: string): Document {
  const { document, around } = findDocument(output);
  if (document === undefined && errors === undefined) {
    throw new PreviewFormatError(
      "standard input is not JSON: it must be the output of `pulumi preview --json`",
    );
  }
  const diagnostics = [...(document?.diagnostics ?? [])];
  if (document !== undefined && around !== "") {
    diagnostics.push({ severity: "warning", message: around });
  }
  if (errors !== undefined && !diagnostics.some(({ severity }) => severity === "error")) {
    const message = [errors.trim(), document === undefined ? around : ""].filter((part) => part !== "");
    diagnostics.push({
      severity: "error",
      message: message.join("\n") || "pulumi preview failed without a message",
    });
  }
  return { ...document, diagnostics };
}
