/**
 * The value of a record's key; `undefined`: it has none. The key may be an attacker's, such as `constructor`, which every
 * object has from its prototype.
 */
export const ownValue = <T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
