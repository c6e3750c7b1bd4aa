import { isDeepStrictEqual } from "node:util";
import { FileSummary, readSummary } from "../../../hosts/summary";
import { clauses, Markdown, say, note, nothing, Sentence } from "../markdown";
import { Inputs, Step } from "../model";
import { isUnknown } from "../secrets";
import { byOp, change, listed, ofType, without } from "./inputs";

function fileChange(path: string, was: FileSummary | undefined, is: FileSummary | undefined): Markdown {
  const [old, now] = [was?.concerns ?? [], is?.concerns ?? []];
  const [gained, lost] = [without(now, old), without(old, now)];
  const access = new Set([was, is].flatMap((file) => (file ? [`${file.mode} ${file.owner}`] : [])));
  const content = was?.digest === is?.digest ? say`keeps its content` : say`changed`;
  return clauses([
    say`${path} ${!was ? say`added` : !is ? say`removed` : content} (${[...access].join(" → ")})`,
    listed(was ? say`gains` : say`with`, gained),
    listed(is ? say`loses` : say`with`, lost),
    gained.length + lost.length === 0 ? listed(say`with`, now) : nothing,
  ]);
}

/** What changes between the inputs of a host's summary of files. */
function changedFiles(before: Inputs, after: Inputs): Markdown[] {
  const [was, is] = [readSummary(before), readSummary(after)];
  const paths = [...new Set([...Object.keys(was.files), ...Object.keys(is.files)])].sort();
  const lines = paths
    .filter((path) => !isDeepStrictEqual(was.files[path], is.files[path]))
    .map((path) => fileChange(path, was.files[path], is.files[path]));
  if (was.title !== is.title) {
    lines.unshift(was.title === "" ? say`${is.title}` : change(was.title, is.title));
  }
  return lines.length > 0 ? lines : [say`the install script changes, no file does`];
}

function details(command: Step, files: Step | undefined): Markdown[] {
  if (files === undefined) {
    return [command.op === "replace" ? say`the same files are installed again` : say`no file changes`];
  }
  if (Object.values(files.after).some(isUnknown)) {
    return [say`its program and files depend on keys that are created during the update`];
  }
  // Version 0.1.0 recorded the files of a host in its command, a line each.
  if (files.op === "create" && command.op !== "create") {
    const { title, files: now } = readSummary(files.after);
    const before = typeof command.before["create"] === "string" ? command.before["create"] : "";
    const added = Object.entries(now).filter(([path]) => !before.includes(` ${path} `));
    return [
      say`its files are recorded in a new form and written again: ${title}`,
      ...added.map(([path, file]) => fileChange(path, undefined, file)),
    ];
  }
  return changedFiles(files.before, files.after);
}

/** For each host on which a command runs, which files change on it and for whom. */
export function* files(steps: Step[]): Iterable<Sentence> {
  const summaries = new Map(ofType(steps, "files").map((step) => [step.name, step]));
  for (const command of ofType(steps, "command")) {
    const { op, name } = command;
    for (const sentence of byOp(op, {
      create: note`${name} is set up for the first time:`,
      update: note`${name} is updated:`,
      replace: note`${name} is set up again:`,
    })) {
      yield { ...sentence, details: details(command, summaries.get(name)) };
    }
  }
}
