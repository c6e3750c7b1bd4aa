import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { EXIT } from "../../operations/exit-status";
import { renderPreviewComment } from "../../operations/preview/comment";
import { parsePreview } from "../../operations/preview/output";
import { OperatorCommand, start } from "../command";

const command = new OperatorCommand(
  "preview-comment",
  "Prints the comment on the output of `pulumi preview --json`, which it reads on standard input.",
  { start: "tsx scripts/ci/preview-comment.ts", stack: false },
)
  .argument("<STACK>")
  .option("--commit <SHA>", "the commit that was previewed")
  .option("--errors <FILE>", "the preview failed, with this standard error")
  .does(async (stack: string, { commit, errors }: { commit?: string; errors?: string }) => {
    const output = await text(process.stdin);
    const preview = parsePreview(output, errors === undefined ? undefined : readFileSync(errors, "utf8"));
    process.stdout.write(renderPreviewComment(preview, stack, commit));
    return EXIT.done;
  });

void start(command);
