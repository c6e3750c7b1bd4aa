/** The keys that open the proxy: exactly the stack's, and each for one repository of its own. */
import { authorizedKeysLine, CANARY, Grant, PROXY_USER } from "../../../files";
import { Operations } from "../../../plan";
import { Finding, PUT_BACK } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";

/** Where sshd finds the keys of the proxy's user. */
export const AUTHORIZED_KEYS = `/etc/ssh/authorized_keys.d/${PROXY_USER}`;

/** The lines of authorized_keys that the stack's grants give. */
export function wantedKeyLines({ bucket, clients, canary }: Operations): string[] {
  const grants: Grant[] = [
    ...clients
      .filter(({ frozen }) => !frozen)
      .flatMap(({ name, repositories }) =>
        repositories.map((repository) => ({
          client: name,
          repository: repository.name,
          publicKey: repository.publicKey,
        })),
      ),
    { ...CANARY, publicKey: canary.publicKey },
  ];
  return grants.map((grant) => authorizedKeysLine(grant, bucket.bucket));
}

/** Judges the lines of that file. */
export function judgeAuthorizedKeys(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  const remedy = `${PUT_BACK}: who could was root on the proxy`;
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
        const wanted = wantedKeyLines(operations);
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

const keyOf = (line: string): string => /ssh-\S+ [A-Za-z0-9+/=]+/.exec(line)?.[0] ?? line;

/** In which way the lines of authorized_keys are not the wanted ones. A comment grants nothing. */
export function keyLineProblems(lines: readonly string[], wanted: readonly string[]): string[] {
  const found = lines.filter((line) => !line.startsWith("#"));
  const name = (line: string) => line.split(" ").at(-1) ?? line;
  const changed = (line: string, expected: string) =>
    !/^(\S*,)?restrict[, ]/.test(line)
      ? `the line of ${name(expected)} is without restrict`
      : !line.includes("--append-only ")
        ? `the line of ${name(expected)} is without --append-only`
        : `the line of ${name(expected)} is changed: ${line.replace(/ ssh-.*$/, "")}`;
  return [
    ...found
      .filter((line) => !wanted.includes(line))
      .map((line) => {
        const expected = wanted.find((other) => keyOf(other) === keyOf(line));
        return expected === undefined
          ? `a key that is nobody's: ${line.slice(0, 200)}`
          : changed(line, expected);
      }),
    ...wanted
      .filter((line) => !found.some((other) => keyOf(other) === keyOf(line)))
      .map((line) => `the line of ${name(line)} is missing`),
  ];
}

/** Keys with two lines, and repositories that two keys open or that lie within another. */
export function sharedAccess(lines: readonly string[]): string[] {
  const entries = lines.map((line) => ({
    key: keyOf(line),
    repository: /s3-resticrepo:([^" ]*)/.exec(line)?.[1] ?? "",
  }));
  return entries.flatMap(({ key, repository }, at) =>
    entries.slice(at + 1).flatMap((other) => {
      if (key === other.key) return [`one key opens ${repository} and ${other.repository}`];
      const [short = "", long = ""] = [repository, other.repository].sort((a, b) => a.length - b.length);
      return long === short || long.startsWith(`${short}/`) || short === ""
        ? [`two keys open ${short === "" ? "everything" : short}`]
        : [];
    }),
  );
}
