import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseDocument } from "yaml";
import { ClientFile, FieldError, plainSecrets, shown } from "./errors";

const SUFFIX = ".yaml";

/** @see readClientFiles */
export interface ClientFiles {
  files: ClientFile[];
  errors: FieldError[];
}

/**
 * The clients of a folder, one a file `NAME.yaml`, in the order of their names. Hidden files are passed over, and
 * whatever else is no such file is an error: a client that is overlooked loses its access.
 *
 * @param folder As the configuration names it, relative to the project's folder.
 */
export function readClientFiles(folder: string): ClientFiles {
  const path = ["clientsFolder"];
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    const remedy = "give the folder of the clients' files, from the folder of Pulumi.yaml, or leave it out";
    return {
      files: [],
      errors: [{ path, message: `${shown(folder)} cannot be read (${reason(error)}); ${remedy}` }],
    };
  }
  const visible = names.filter((name) => !name.startsWith("."));
  if (visible.length === 0) {
    const message = `${shown(folder)} holds no client; put ${join(folder, `NAME${SUFFIX}`)} there for each, or leave it out`;
    return { files: [], errors: [{ path, message }] };
  }
  const read = visible.map((name) => readClientFile(join(folder, name)));
  return { files: read.flatMap(({ files }) => files), errors: read.flatMap(({ errors }) => errors) };
}

function readClientFile(file: string): ClientFiles {
  const wrong = (message: string): ClientFiles => ({ files: [], errors: [{ file, path: [], message }] });
  if (!file.endsWith(SUFFIX))
    return wrong(`is no client's file; name it NAME${SUFFIX}, or move it elsewhere`);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return wrong(`cannot be read (${reason(error)}); a client is a file of its own here`);
  }
  const value = parsed(text);
  if (value instanceof Error) return wrong(`is no YAML: ${value.message.split("\n")[0] ?? ""}`);
  const name = basename(file, SUFFIX);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { files: [{ file, value }], errors: [] };
  const client = { name, ...value };
  const errors = plainSecrets(client, [], (path) => secretField(client, path)).map((error) => ({
    ...error,
    file,
  }));
  if (client.name !== name) {
    const message = `${shown(client.name)} is not the name of its file; leave it out, or rename the file`;
    errors.push({ file, path: ["name"], message });
  }
  return { files: [{ file, value: client }], errors };
}

/** The value of a YAML document, or its first error, of which only the first line quotes nothing of the document. */
function parsed(text: string): unknown {
  const document = parseDocument(text);
  try {
    return document.errors[0] ?? document.toJS();
  } catch (error) {
    return error;
  }
}

/** Where a secret of a client that has a file belongs. */
function secretField({ name, ...client }: { name: unknown }, path: readonly PropertyKey[]): PropertyKey[] {
  const [list, index, ...rest] = path;
  if (list !== "repositories" || typeof index !== "number") return ["clientSecrets", String(name), ...path];
  const repository = (client as { repositories: { name?: unknown }[] }).repositories[index]?.name;
  return ["clientSecrets", String(name), "repositories", String(repository), ...rest];
}

/** What the system says of a file, without the path, which the error has already. */
function reason(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

type Raw = Record<string, unknown>;

/** The secrets of clients that have files, by client and repository. */
export type ClientSecrets = Readonly<
  Record<
    string,
    {
      ssh?: { privateKey: string } | undefined;
      repositories?: Readonly<Record<string, { password: string }>> | undefined;
    }
  >
>;

/** Puts each secret where the client's file would have it; what finds no place is an error. */
export function addSecrets(files: readonly ClientFile[], secrets: ClientSecrets): ClientFiles {
  const errors: FieldError[] = [];
  const wrong = (path: string[], message: string) =>
    errors.push({ path: ["clientSecrets", ...path], message });
  const remaining = new Set(Object.keys(secrets));
  const complete = files.map((client): ClientFile => {
    const value = client.value as Raw | null;
    const name = typeof value === "object" && typeof value?.["name"] === "string" ? value["name"] : undefined;
    const own = name !== undefined && Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    if (value === null || name === undefined || own === undefined) return client;
    remaining.delete(name);
    const passwords = new Map(Object.entries(own.repositories ?? {}));
    const repositories = (Array.isArray(value["repositories"]) ? value["repositories"] : []).map(
      (repository: Raw) => {
        const password = passwords.get(String((repository as Raw | null)?.["name"]));
        passwords.delete(String((repository as Raw | null)?.["name"]));
        return password === undefined ? repository : { ...repository, ...password };
      },
    );
    for (const repository of passwords.keys()) {
      wrong(
        [name, "repositories", repository],
        `is for no repository of ${client.file}; remove it, or correct its name`,
      );
    }
    const { ssh } = own;
    if (ssh !== undefined && typeof value["ssh"] !== "object") {
      wrong(
        [name, "ssh"],
        `is for a client that is reached by SSH, and ${client.file} has no ssh; remove it`,
      );
    }
    return {
      file: client.file,
      value: {
        ...value,
        ...(Array.isArray(value["repositories"]) && { repositories }),
        ...(typeof value["ssh"] === "object" && ssh !== undefined && { ssh: { ...value["ssh"], ...ssh } }),
      },
    };
  });
  for (const name of remaining) {
    wrong(
      [name],
      "is for no client that has a file in clientsFolder; remove it, or correct the client's name",
    );
  }
  return { files: complete, errors };
}
