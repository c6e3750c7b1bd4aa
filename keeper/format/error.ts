/** Bytes that restic does not write. The message is one sentence and repeats nothing of what the bytes say. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
