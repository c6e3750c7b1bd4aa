import { isDeepStrictEqual } from "node:util";
import { clauses, danger, list, Markdown, say, note, nothing, Sentence } from "../markdown";
import { Inputs, Step } from "../model";
import { isRecord } from "../secrets";
import {
  change,
  changes,
  listed,
  ofType,
  records,
  sshTarget,
  targetChange,
  text,
  texts,
  without,
} from "./inputs";

interface Repository {
  name: string;
  paths: string[];
  excludes: string[];
  /** All other settings. */
  settings: Inputs;
}

interface Client {
  name: string;
  kind: string;
  /** How a client of kind `existing` is reached; absent for the others. */
  ssh: unknown;
  frozen: boolean;
  repositories: Repository[];
}

function readClient({ kind, ssh, frozen, repositories }: Inputs, name: string): Client {
  return {
    name,
    kind: text(kind),
    ssh,
    frozen: frozen === true,
    // The address repeats the names of client and repository.
    repositories: records(repositories).map(({ name, address, paths, excludes, ...settings }) => ({
      name: text(name),
      paths: texts(paths),
      excludes: texts(excludes),
      settings,
    })),
  };
}

/** What is removed and what is added under another name, where it is certain that the one became the other. */
function renames<T extends { name: string }>(removed: T[], added: T[]): Map<T, T> {
  const isSame =
    (one: T) =>
    (other: T): boolean =>
      isDeepStrictEqual({ ...one, name: "" }, { ...other, name: "" });
  return new Map(
    removed.flatMap((item): [T, T][] => {
      const [heir, ...others] = added.filter(isSame(item));
      return heir && others.length === 0 && removed.filter(isSame(item)).length === 1 ? [[item, heir]] : [];
    }),
  );
}

function describe({ name, paths, excludes, settings }: Repository): Markdown {
  const where = paths.length > 0 ? list(paths) : say`no path`;
  const schedule = settings.schedule === undefined ? nothing : say`, schedule ${settings.schedule}`;
  return say`${name} (${where}${listed(say`, without`, excludes)}${schedule})`;
}

/** The commands that a client runs for a repository, by what they are for. */
function commands({ settings }: Repository): Map<string, string> {
  return new Map(
    ["before", "after", "stdin"].flatMap((hook): [string, string][] => {
      const value = settings[hook];
      return isRecord(value) ? [[hook, text(value.command)]] : [];
    }),
  );
}

/** What a change of a repository makes its client run as root. */
function* newCommands(client: string, was: Repository | undefined, is: Repository): Iterable<Sentence> {
  const before = was === undefined ? new Map<string, string>() : commands(was);
  for (const [hook, command] of commands(is)) {
    if (before.get(hook) !== command) {
      yield danger`client ${client} runs a new command as root, ${hook} of repository ${is.name}: ${command}`;
    }
  }
}

/** Whether the client no longer backs the repository up by itself. */
const losesSchedule = (was: Repository, is: Repository): boolean =>
  was.settings.schedule !== undefined && was.settings.schedule !== "none" && is.settings.schedule === "none";

const orNone = (repositories: unknown[]): Markdown =>
  repositories.length > 0 ? list(repositories) : say`no repository`;

function* repositoryChanges(client: string, before: Repository[], after: Repository[]): Iterable<Sentence> {
  const named = (repositories: Repository[], { name }: Repository) =>
    repositories.find((item) => item.name === name);
  const removed = before.filter((item) => !named(after, item));
  const added = after.filter((item) => !named(before, item));
  const renamed = renames(removed, added);
  for (const repository of removed) {
    const heir = renamed.get(repository);
    const address = `${client}/${repository.name}`;
    if (heir) {
      yield note`repository ${address} is renamed ${heir.name}: a new, empty repository with a new key; its earlier backups stay under the old name`;
    } else {
      yield note`repository ${address} is removed`;
      yield danger`repository ${address} accepts no more backups; its existing backups stay in the bucket`;
    }
  }
  for (const repository of added.filter((item) => ![...renamed.values()].includes(item))) {
    yield note`client ${client} gets repository ${describe(repository)}`;
    yield* newCommands(client, undefined, repository);
  }
  for (const is of after) {
    const was = named(before, is);
    if (!was) continue;
    const settings = [...new Set([...Object.keys(was.settings), ...Object.keys(is.settings)])];
    const changed = clauses([
      listed(say`also backs up`, without(is.paths, was.paths)),
      listed(say`no longer backs up`, without(was.paths, is.paths)),
      listed(say`now excludes`, without(is.excludes, was.excludes)),
      listed(say`no longer excludes`, without(was.excludes, is.excludes)),
      ...settings
        .filter((key) => !isDeepStrictEqual(was.settings[key], is.settings[key]))
        .map((key) => say`${key}: ${change(was.settings[key], is.settings[key])}`),
    ]);
    if (changed !== nothing) {
      yield note`repository ${`${client}/${is.name}`} ${changed}`;
    }
    yield* newCommands(client, was, is);
    if (losesSchedule(was, is)) {
      yield danger`client ${client} no longer backs up repository ${is.name} by itself`;
    }
  }
}

function* clientChanges(step: Step): Iterable<Sentence> {
  const { name, before, after } = step;
  const [was, is] = [readClient(before, name), readClient(after, name)];
  if (was.kind !== is.kind) {
    yield note`client ${name} changes its kind: ${change(was.kind, is.kind)}`;
  }
  if (is.kind !== "key-only" && changes(step, "ssh")) {
    const target = targetChange(was.ssh, is.ssh, [was.kind, is.kind]);
    yield danger`client ${name}: its passwords and keys are sent to another machine: ${target}`;
  }
  if (!was.frozen && is.frozen) {
    yield note`client ${name} is frozen: its keys stop working, its machine is not changed`;
  } else if (was.frozen && !is.frozen) {
    yield note`client ${name} is no longer frozen: its keys work again`;
  }
  yield* repositoryChanges(name, was.repositories, is.repositories);
}

/** Which clients and repositories come, go and change. */
export function* clients(steps: Step[]): Iterable<Sentence> {
  const all = ofType(steps, "client");
  const removed = all.filter(({ op }) => op === "delete").map(({ before, name }) => readClient(before, name));
  const added = all.filter(({ op }) => op === "create").map(({ after, name }) => readClient(after, name));
  const renamed = renames(removed, added);
  for (const client of removed) {
    const heir = renamed.get(client);
    if (heir) {
      yield note`client ${client.name} is renamed ${heir.name}: new keys and new, empty repositories; its earlier backups stay under the old name`;
    } else {
      const repositories = orNone(client.repositories.map(({ name }) => name));
      yield note`client ${client.name} (${client.kind}) is removed, with ${repositories}`;
      yield danger`client ${client.name} can no longer back up; its backups stay in the bucket`;
    }
  }
  for (const { name, kind, ssh, frozen, repositories } of added) {
    if ([...renamed.values()].some((heir) => heir.name === name)) continue;
    const where = ssh === undefined ? nothing : say` at ${sshTarget(ssh)}`;
    const state = frozen ? say`, frozen` : nothing;
    yield note`client ${name} (${kind}${where}) is added${state}, with ${orNone(repositories.map(describe))}`;
    for (const repository of repositories) yield* newCommands(name, undefined, repository);
  }
  for (const step of all.filter(({ op }) => op === "update" || op === "replace")) {
    yield* clientChanges(step);
  }
}
