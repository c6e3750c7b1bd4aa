/** Where the gate finds a repository's objects in S3, and keeps what it writes about it. */
import { isObjectId, OBJECT_TYPES, type ObjectType } from "../objects";

/** A repository, by the names that the configuration gives it. */
export interface RepositoryName {
  readonly client: string;
  readonly repository: string;
}

/** `CLIENT/REPOSITORY`, as logs and folders name it. */
export const nameOf = ({ client, repository }: RepositoryName): string => `${client}/${repository}`;

/** Things of repositories, by these names. */
export const byName = <T extends RepositoryName>(all: readonly T[]): ReadonlyMap<string, T> =>
  new Map(all.map((one) => [nameOf(one), one]));

/** The folder of what the gate remembers and writes down. */
export const KEEPERS = ".keeper/";

/** The objects of the gate itself, of a repository. */
export const keptKey = (name: RepositoryName, file: "state.json" | "memory" | "plan.json"): string =>
  `${KEEPERS}${nameOf(name)}/${file}`;

/** The folder of a repository's journal. */
export const journalFolder = (name: RepositoryName): string => `${KEEPERS}${nameOf(name)}/journal/`;

/** The folder that only the bucket's owner may write to. */
export const OWNERS = ".owner/";

/** The result of the operator's last `verify`. */
export const VERIFY_RECORD = `${OWNERS}verify.json`;

/** By this the owner asks for a test of the alarms; only its time counts. */
export const ALARMS_TEST = `${OWNERS}alarms-test`;

/** What only the bucket's owner may write about a repository. */
export const ownerKey = (name: RepositoryName, file: "hold" | "approval.json" | "run"): string =>
  `${OWNERS}${nameOf(name)}/${file}`;

/** The key of a repository's configuration. */
export const configKey = (name: RepositoryName): string => `${nameOf(name)}/config`;

/** The folder of all objects of one type. */
export const typeFolder = (name: RepositoryName, type: ObjectType): string => `${nameOf(name)}/${type}/`;

/**
 * The key of an object.
 *
 * @throws Error for an ID that restic does not give: no other key can be named
 */
export function objectKey(name: RepositoryName, type: ObjectType, id: string): string {
  if (!isObjectId(id) || !OBJECT_TYPES.includes(type)) throw new Error("this is no object of a repository");
  return typeFolder(name, type) + (type === "data" ? `${id.slice(0, 2)}/${id}` : id);
}

/**
 * The ID of an object from what follows its type's folder in its key. What restic does not name so stays as it is and is
 * no ID; a pack outside of its folder gets `./` before it, because its name alone would be one.
 */
export function idOf(type: ObjectType, rest: string): string {
  if (type !== "data") return rest;
  const id = rest.slice(3);
  if (isObjectId(id) && rest === `${id.slice(0, 2)}/${id}`) return id;
  return isObjectId(rest) ? `./${rest}` : rest;
}

/** The instance of a repository's worker: `systemd-escape CLIENT/REPOSITORY`, for the names that a configuration allows. */
export const instanceOf = (name: RepositoryName): string =>
  nameOf(name)
    .replace(/[^a-z0-9/]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16)}`)
    .replace("/", "-");
