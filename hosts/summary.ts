/** What a preview shows of the files of one host: nothing of it is secret, and it holds no file's content. */

/** The type of the component resource whose inputs are the summary of what was last installed on a host. */
export const FILES_TYPE = "secure-backups:hosts:Files";

/** One file of an install. */
export interface FileSummary {
  /** Four octal digits. */
  mode: string;
  /** `root:root` and so on. */
  owner: string;
  /** Twelve hex digits of the content's SHA-256, keyed where the content is secret. */
  digest: string;
  /** What the file grants or names, a line each. */
  concerns: string[];
}

/** All that an install puts on a host. */
export interface InstallSummary {
  title: string;
  /** Digest of the whole script. */
  script: string;
  /** By path. */
  files: Record<string, FileSummary>;
}

/** The inputs of a {@link FILES_TYPE}: paths are its fields, for Pulumi names the fields that change. */
export type SummaryInputs = { install: Omit<InstallSummary, "files"> } & Record<`/${string}`, FileSummary>;

/** The summary that a resource's inputs in `pulumi preview --json` hold; what is not known yet is left out. */
export function readSummary(inputs: unknown): InstallSummary {
  const fields = Object.entries((inputs ?? {}) as Partial<SummaryInputs>);
  // A value that is not known yet is a string.
  const known = Object.fromEntries(fields.filter(([, value]) => typeof value === "object"));
  const { install, ...files } = known as
    SummaryInputs | (Record<string, FileSummary> & { install: undefined });
  return { title: install?.title ?? "", script: install?.script ?? "", files };
}
