/** The keys that open the proxy: exactly the stack's, and each for one repository of its own. */
import { Deployment } from "../../deployment";
import { AUTHORIZED_KEYS, authorizedKeysLine, grantsOf } from "../../../hosts";
import { Finding, PUT_BACK } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";

/** Judges the lines of that file. */
export function judgeAuthorizedKeys(deployment: Deployment, facts: HostFacts): Promise<Finding[]> {
  const remedy = `${PUT_BACK}: only root on the proxy can change it`;
  return Promise.all([
    judge(
      {
        ring: 1,
        id: "authorized-keys.exact",
        tried: `the lines of ${AUTHORIZED_KEYS}`,
        expected: "those of the stack's repositories and the canary, and no other",
        remedy,
      },
      () => {
        const wanted = grantsOf(deployment.clients, deployment.canary).map((grant) =>
          authorizedKeysLine(grant, deployment.bucket.bucket),
        );
        return seen(
          keyLineProblems(linesOf(facts("authorized_keys")), wanted),
          `${String(wanted.length)} lines, as expected`,
        );
      },
    ),
    judge(
      {
        ring: 1,
        id: "authorized-keys.separate",
        tried: "the keys and repositories in these lines",
        expected: "no key opens two repositories, no repository has two keys, none lies within another",
        remedy,
      },
      () => {
        const lines = linesOf(facts("authorized_keys")).filter((line) => !line.startsWith("#"));
        return seen(
          sharedAccess(lines),
          `${String(lines.length)} keys, ${String(lines.length)} repositories`,
        );
      },
    ),
  ]);
}

/** Characters of the longest line that can be one of ours; an attacker who is root there can write longer ones, and any number. */
const LONGEST_LINE = 4096;

const keyOf = (line: string): string =>
  (line.length > LONGEST_LINE ? undefined : /ssh-\S+ [A-Za-z0-9+/=]+/.exec(line)?.[0]) ?? line;

/** In which way the lines of authorized_keys are not the wanted ones. A comment grants nothing. */
export function keyLineProblems(lines: readonly string[], wanted: readonly string[]): string[] {
  const found = lines.filter((line) => !line.startsWith("#"));
  const [wantedLines, wantedKeys] = [new Set(wanted), new Map(wanted.map((line) => [keyOf(line), line]))];
  const foundKeys = new Set(found.map(keyOf));
  const name = (line: string) => line.split(" ").at(-1) ?? line;
  const changed = (line: string, expected: string) =>
    !/^(\S*,)?restrict[, ]/.test(line)
      ? `the line of ${name(expected)} is without restrict`
      : !line.includes("--append-only ")
        ? `the line of ${name(expected)} is without --append-only`
        : `the line of ${name(expected)} is changed: ${line.replace(/ ssh-.*$/, "")}`;
  return [
    ...found
      .filter((line) => !wantedLines.has(line))
      .map((line) => {
        const expected = wantedKeys.get(keyOf(line));
        return expected === undefined
          ? `a key that is not the stack's: ${line.slice(0, 200)}`
          : changed(line, expected);
      }),
    ...wanted
      .filter((line) => !foundKeys.has(keyOf(line)))
      .map((line) => `the line of ${name(line)} is missing`),
  ];
}

/** Keys with two lines, and repositories that two keys open or that lie within another. */
export function sharedAccess(lines: readonly string[]): string[] {
  const opens = new Map<string, string>();
  const openedBy = new Map<string, string>();
  const problems = new Set<string>();
  for (const line of lines) {
    const key = keyOf(line);
    const [, path = ""] = /s3-resticrepo:([^" ]{0,1024})/.exec(line) ?? [];
    // Without the slash at its end a line opens the same.
    const repository = path.replace(/\/$/, "");
    const other = opens.get(key);
    if (other === undefined) opens.set(key, repository);
    else problems.add(`one key opens ${other} and ${repository}`);
    const first = openedBy.get(repository);
    if (first === undefined) openedBy.set(repository, key);
    else if (first !== key && repository !== "") problems.add(`two keys open ${repository}`);
  }
  if (openedBy.has("") && opens.size > 1) problems.add("two keys open everything");
  for (const [repository, key] of openedBy) {
    for (let end = repository.lastIndexOf("/"); end > 0; end = repository.lastIndexOf("/", end - 1)) {
      const above = repository.slice(0, end);
      if (![undefined, key].includes(openedBy.get(above))) problems.add(`two keys open ${above}`);
    }
  }
  return [...problems];
}
