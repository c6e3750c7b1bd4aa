/**
 * Changes `frozen` of clients in the files of the configuration: in the list of the stack's file, or in the clients' own
 * files. Every other byte stays the same.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Document, isMap, isScalar, isSeq, parseDocument, Scalar, YAMLMap } from "yaml";
import { NAMESPACE } from "../../config/errors";

const CLIENTS = `${NAMESPACE}:clients`;

/** The folder, from that of Pulumi.yaml, with a file `NAME.yaml` for each client that is not in the list. */
const CLIENTS_FOLDER = `${NAMESPACE}:clientsFolder`;

const SUFFIX = ".yaml";

/** A file of the configuration. */
export interface Source {
  file: string;
  text: string;
}

/** A client as the configuration has it. */
export interface ConfiguredClient {
  name: string;
  frozen: boolean;
  /** By the name of the repository; only where its operator gave one. */
  publicKeys: Record<string, string>;
}

/** Where a client stands. */
interface Place {
  name: string;
  source: Source;
  map: YAMLMap;
}

/** A replacement for what stands from `start` to `end`. */
interface Edit {
  start: number;
  end: number;
  text: string;
}

/**
 * Reads the stack's file and those of its clients.
 *
 * @param file the Pulumi.STACK.yaml
 * @param project the folder of Pulumi.yaml
 */
export function readSources(file: string, project: string): Source[] {
  const stack = { file, text: fs.readFileSync(file, "utf8") };
  const folder: unknown = parsed(stack).getIn(["config", CLIENTS_FOLDER]);
  if (typeof folder !== "string") return [stack];
  const clients = fs.readdirSync(path.resolve(project, folder)).sort();
  return [
    stack,
    ...clients
      .filter((name) => name.endsWith(SUFFIX) && !name.startsWith("."))
      .map((name) => path.resolve(project, folder, name))
      .map((file) => ({ file, text: fs.readFileSync(file, "utf8") })),
  ];
}

/**
 * The clients of a configuration.
 *
 * @param sources the stack's file, and those of clients
 * @throws Error where a file is not YAML, or a client is not a mapping
 */
export function configuredClients(sources: readonly Source[]): ConfiguredClient[] {
  return places(sources).map(({ name, map }) => {
    const { frozen, repositories } = map.toJSON() as {
      frozen?: unknown;
      repositories?: { name?: unknown; publicKey?: unknown }[];
    };
    const publicKeys = (repositories ?? []).flatMap(({ name, publicKey }) =>
      typeof publicKey === "string" ? [[String(name), publicKey] as const] : [],
    );
    return { name, frozen: frozen === true, publicKeys: Object.fromEntries(publicKeys) };
  });
}

/**
 * The files in which something changes when `frozen` of these clients is set.
 *
 * @throws Error that lists the clients that there are, where a name is unknown
 */
export function withFrozen(sources: readonly Source[], names: readonly string[], frozen: boolean): Source[] {
  const all = places(sources);
  const known = all.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `the configuration has no client ${unknown.join(", ")}: its clients are ${known.join(", ")}`,
    );
  }
  return sources.flatMap((source) => {
    const here = all.filter((place) => place.source === source && names.includes(place.name));
    if (here.length === 0) return [];
    const text = here
      .map(({ map }) => editOf(source.text, map, frozen))
      .sort((one, other) => other.start - one.start)
      .reduce((rest, { start, end, text }) => rest.slice(0, start) + text + rest.slice(end), source.text);
    const changed = { ...source, text };
    const wanted = parsed(source).toJS() as Value;
    const listed = wanted.config?.[CLIENTS];
    for (const client of listed ?? [wanted]) {
      if (listed === undefined || names.includes(client.name ?? "")) client.frozen = frozen;
    }
    if (!isDeepStrictEqual(parsed(changed).toJS(), wanted)) {
      throw new Error(
        `${source.file}: found no place to write "frozen: ${String(frozen)}" for ` +
          `${here.map(({ name }) => name).join(", ")}: write it by hand`,
      );
    }
    return [changed];
  });
}

/** The part of a file that matters here: the stack's, or a client's. */
interface Value {
  config?: Record<string, Value[] | undefined>;
  name?: string;
  frozen?: boolean;
}

function parsed({ file, text }: Source): Document {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new Error(`${file} is no YAML: ${error.message.split("\n")[0] ?? ""}`);
  return document;
}

function places([stack, ...clients]: readonly Source[]): Place[] {
  return [
    ...(stack === undefined ? [] : listed(stack, clients.length > 0)),
    ...clients.map((source): Place => {
      const map: unknown = parsed(source).contents;
      const name = path.basename(source.file, SUFFIX);
      if (isMap(map)) return { name, source, map };
      throw new Error(`${source.file} is no mapping`);
    }),
  ];
}

function listed(source: Source, mayLack: boolean): Place[] {
  const list: unknown = parsed(source).getIn(["config", CLIENTS], true);
  if (list === undefined && mayLack) return [];
  if (!isSeq(list)) throw new Error(`${source.file}: ${CLIENTS} is no list`);
  return list.items.map((map, index) => {
    const name: unknown = isMap(map) ? map.get("name") : undefined;
    if (isMap(map) && typeof name === "string") return { name, source, map };
    throw new Error(`${source.file}: ${CLIENTS}[${String(index)}] is no mapping with a name of its own`);
  });
}

function editOf(text: string, map: YAMLMap, frozen: boolean): Edit {
  const nodeOf = (key: string): { key: Scalar; value?: Scalar } | undefined => {
    const pair = map.items.find((item) => isScalar(item.key) && item.key.value === key);
    return pair && { key: pair.key as Scalar, ...(isScalar(pair.value) && { value: pair.value }) };
  };
  const given = nodeOf("frozen");
  const value = given?.value?.range;
  if (given !== undefined && value) {
    const [start, end] = value;
    if (start < end) return { start, end, text: String(frozen) };
    // A comment may stand where the absent value would begin.
    const after = text.indexOf(":", given.key.range?.[1]) + 1;
    return { start: after, end: after, text: ` ${String(frozen)}` };
  }
  const line = `frozen: ${String(frozen)}`;
  const name = nodeOf("name");
  const nameEnd = name?.value?.range?.[1];
  const [first] = (name?.key ?? (map.items[0]?.key as Scalar)).range as [number, number, number];
  const indent = " ".repeat(first - (text.lastIndexOf("\n", first - 1) + 1));
  // A file of its own may leave the name to the file's.
  if (nameEnd === undefined)
    return { start: first, end: first, text: map.flow ? `${line}, ` : `${line}\n${indent}` };
  if (map.flow) return { start: nameEnd, end: nameEnd, text: `, ${line}` };
  const lineEnd = text.indexOf("\n", nameEnd);
  const at = lineEnd === -1 ? text.length : lineEnd;
  return { start: at, end: at, text: `\n${indent}${line}` };
}
