/** `frozen` of clients in a stack's configuration, changed in its text: every other byte stays as it is. */
import { isDeepStrictEqual } from "node:util";
import { isMap, isScalar, isSeq, parseDocument, Scalar, YAMLMap } from "yaml";
import { NAMESPACE } from "../../config/errors";

const CLIENTS = `${NAMESPACE}:clients`;

/** A client as the configuration has it. */
export interface ConfiguredClient {
  name: string;
  frozen: boolean;
  /** By the name of the repository; only where its operator gave one. */
  publicKeys: Record<string, string>;
}

/** A text to put in the place of what stands from `start` to `end`. */
interface Edit {
  start: number;
  end: number;
  text: string;
}

/**
 * The clients of a configuration.
 *
 * @param text of a Pulumi.STACK.yaml
 * @throws Error where the text is no such file, or its clients are not written out as a list of mappings
 */
export function configuredClients(text: string): ConfiguredClient[] {
  return clientMaps(text).map((map) => {
    const { name, frozen, repositories } = map.toJSON() as {
      name: string;
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
 * The configuration with `frozen` of these clients set.
 *
 * @throws Error that lists the clients there are, where one of the names is none
 */
export function withFrozen(text: string, names: readonly string[], frozen: boolean): string {
  const maps = new Map(clientMaps(text).map((map) => [map.get("name") as string, map]));
  const unknown = names.filter((name) => !maps.has(name));
  if (unknown.length > 0) {
    throw new Error(
      `the configuration has no client ${unknown.join(", ")}: its clients are ${[...maps.keys()].join(", ")}`,
    );
  }
  const changed = names
    .map((name) => editOf(text, maps.get(name) as YAMLMap, frozen))
    .sort((one, other) => other.start - one.start)
    .reduce((rest, { start, end, text }) => rest.slice(0, start) + text + rest.slice(end), text);

  const wanted = parseDocument(text).toJS() as {
    config: Record<string, { name: string; frozen?: boolean }[]>;
  };
  for (const client of wanted.config[CLIENTS] ?? []) if (names.includes(client.name)) client.frozen = frozen;
  if (!isDeepStrictEqual(parseDocument(changed).toJS(), wanted)) {
    throw new Error(
      `cannot tell where to write "frozen: ${String(frozen)}" for ${names.join(", ")}: write it by hand, below the client's name`,
    );
  }
  return changed;
}

function clientMaps(text: string): YAMLMap[] {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined)
    throw new Error(`the configuration is no YAML: ${error.message.split("\n")[0] ?? ""}`);
  const list: unknown = document.getIn(["config", CLIENTS], true);
  if (!isSeq(list)) throw new Error(`${CLIENTS} is no list in the configuration`);
  return list.items.map((item, index) => {
    if (isMap(item) && typeof item.get("name") === "string") return item;
    throw new Error(`${CLIENTS}[${String(index)}] is no mapping with a name of its own`);
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
    // Where a value that is absent would begin, a comment may stand.
    const after = text.indexOf(":", given.key.range?.[1]) + 1;
    return { start: after, end: after, text: ` ${String(frozen)}` };
  }
  const name = nodeOf("name") as { key: Scalar; value: Scalar };
  const [nameStart] = name.key.range as [number, number, number];
  const [, nameEnd] = name.value.range as [number, number, number];
  if (map.flow) return { start: nameEnd, end: nameEnd, text: `, frozen: ${String(frozen)}` };
  const column = nameStart - (text.lastIndexOf("\n", nameStart - 1) + 1);
  const lineEnd = text.indexOf("\n", nameEnd);
  const at = lineEnd === -1 ? text.length : lineEnd;
  return { start: at, end: at, text: `\n${" ".repeat(column)}frozen: ${String(frozen)}` };
}
