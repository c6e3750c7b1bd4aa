/** Answers of an S3 service to failed calls. */

/** The answer to a failed call. */
export interface S3Answer {
  /** S3's own code, such as `AccessDenied`, or the operating system's, such as `ECONNREFUSED`. */
  readonly code: string;
  /** HTTP status; absent when no answer came. */
  readonly status?: number;
  readonly message: string;
}

/** Code, status and message of what a call threw. */
export function answerOf(error: unknown): S3Answer {
  const e = (typeof error === "object" && error !== null ? error : {}) as {
    name?: string;
    code?: string;
    message?: string;
    errors?: unknown[];
    $metadata?: { httpStatusCode?: number };
  };
  // Node tries each address of a host and wraps all errors.
  if (e.errors?.[0] !== undefined && e.$metadata?.httpStatusCode === undefined) {
    return answerOf(e.errors[0]);
  }
  const status = e.$metadata?.httpStatusCode;
  const code = (status === undefined ? e.code : undefined) ?? e.name ?? "unknown";
  return { code, message: e.message ?? String(error), ...(status === undefined ? {} : { status }) };
}

/** Whether the call got no answer. Only errors of calls have metadata. */
export function ofNoAnswer(error: unknown): boolean {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return $metadata !== undefined && $metadata.httpStatusCode === undefined;
}
