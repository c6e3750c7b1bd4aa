import { danger, list, Markdown, say, note, Sentence } from "../markdown";
import { Op, Step } from "../model";
import { byOp, ofType, texts, TYPE, without } from "./inputs";

/** The key from which the passwords of all repositories are derived. */
const ROOT_KEY = "repository-root";

const REPOSITORY_KEYS: [Op, (names: Markdown) => Sentence][] = [
  ["replace", (names) => note`rotated keys: ${names}`],
  ["create", (names) => note`new keys: ${names}`],
  ["delete", (names) => note`removed keys: ${names}`],
];

/** Which repositories the proxy opens to their keys: known even where the keys are created during the update. */
function* admitted({ name, before, after }: Step): Iterable<Sentence> {
  const [was, is] = [texts(before.repositories), texts(after.repositories)];
  const [more, fewer] = [without(is, was), without(was, is)];
  if (more.length > 0) yield note`proxy ${after.name ?? name} now admits ${list(more)}`;
  if (fewer.length > 0) yield note`proxy ${after.name ?? name} no longer admits ${list(fewer)}`;
}

/** A key that is not a repository's: a host's, the operator's, the canary's, or the root key. */
function* otherKey({ name, op, parentType }: Step): Iterable<Sentence> {
  if (parentType === TYPE.host) {
    yield* byOp(op, {
      replace: danger`the SSH host key ${name} is replaced: clients that have pinned the old one refuse the host`,
    });
    return;
  }
  const verb = op === "replace" ? say`replaced` : say`deleted`;
  const lost =
    name === ROOT_KEY
      ? danger`the root key ${name} is ${verb}: every repository password derived from it changes, and **without a copy of it the backups made until now can no longer be read**`
      : danger`the key ${name} is ${verb}`;
  yield* byOp(op, { create: note`new key: ${name}`, replace: lost, delete: lost });
}

/** Which keys come and go, and which of them the proxy admits. */
export function* keys(steps: Step[]): Iterable<Sentence> {
  for (const step of ofType(steps, "proxy").filter(({ op }) => op === "create" || op === "update")) {
    yield* admitted(step);
  }
  const all = ofType(steps, "privateKey");
  const ofRepositories = all.filter(({ parentType }) => parentType === TYPE.clientKeys);
  for (const [op, sentence] of REPOSITORY_KEYS) {
    const names = ofRepositories.filter((step) => step.op === op).map(({ name }) => name);
    if (names.length > 0) yield sentence(list(names));
  }
  for (const step of all.filter((step) => !ofRepositories.includes(step))) {
    yield* otherKey(step);
  }
}
