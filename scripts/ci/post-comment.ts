import { text } from "node:stream/consumers";
import { EXIT } from "../../operations/exit-status";
import { destination, postComment } from "../../operations/preview/post";
import { OperatorCommand, start } from "../command";

const command = new OperatorCommand(
  "post-comment",
  "Posts the comment on standard input to the pull request of the GitHub workflow that runs it.",
  { start: "tsx scripts/ci/post-comment.ts", stack: false },
)
  .argument("<STACK>")
  .does(async (stack: string) => {
    const done = await postComment(destination(process.env), stack, await text(process.stdin));
    process.stderr.write(`post-comment: the comment was ${done}\n`);
    return EXIT.done;
  });

void start(command);
