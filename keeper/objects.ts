/** The objects of a restic repository, as the keeper names them. */

/** The types of objects below a repository; `config` is a single object. */
export const OBJECT_TYPES = ["keys", "locks", "snapshots", "index", "data"] as const;
export type ObjectType = (typeof OBJECT_TYPES)[number];

/** The current version of one object of a repository. */
export interface StoredObject {
  readonly type: ObjectType;
  /** Name of the object: the SHA-256 of its content in hexadecimal, if it is honest. */
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  /** The version that S3 gave it; what is admitted is this version and no other. */
  readonly versionId: string;
  /** When S3 first had an object of this name, in milliseconds since 1970. */
  readonly arrived: number;
}

/** Whether it is a name as restic gives them. */
export const isObjectId = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);
