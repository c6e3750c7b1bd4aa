/** The form of a role's manifest: what stands at each path of its hosts. */

/** A file on a host. */
export interface HostFile {
  path: string;
  /** `root:root` and so on. */
  owner: string;
  /** Four octal digits. */
  mode: string;
  content: string;
  /** Whether it travels packed. @default false */
  packed?: boolean;
  /**
   * For a secret content: what its digest is keyed with, since a weak secret could be guessed from a plain digest.
   * As strong as a key, and of the same life as the file.
   */
  digestKey?: string;
  /** Not secret: lines for a person, each one thing that this file grants or names. */
  concerns?: string[];
  /**
   * What every version of this file has held and what no file of another program at this path holds: a file without it
   * is never replaced. Absent: the path itself, or the folder that holds it, is known to belong to the stack.
   */
  signature?: string;
}

/** A file of a manifest: the only place of its path, owner and mode. */
export interface FileSpec<Values> extends Pick<HostFile, "path" | "owner" | "mode" | "signature"> {
  /** @throws Error for values that cannot be rendered */
  content: (values: Values) => string;
  /** Present where the content is secret. */
  digestKey?: (values: Values) => string;
  concerns?: (values: Values) => string[];
}

/** The file with these values. */
export function rendered<Values>(spec: FileSpec<Values>, values: Values): HostFile {
  return {
    ...spec,
    content: spec.content(values),
    digestKey: spec.digestKey?.(values),
    concerns: spec.concerns?.(values),
  };
}
