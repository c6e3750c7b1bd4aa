import { NameOrId } from "../config";

/** OpenStack's resource identifiers: what tells an id from a name in the configuration. */
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** The argument of an OpenStack look-up for a thing that is configured by name or ID, e.g. `{ networkId: … }`. */
export function nameOrId<Key extends string>(
  idField: Key,
  value: NameOrId,
): { name: string } | Record<Key, string> {
  if (typeof value !== "string") return { [idField]: value.id } as Record<Key, string>;
  return UUID.test(value) ? ({ [idField]: value } as Record<Key, string>) : { name: value };
}
