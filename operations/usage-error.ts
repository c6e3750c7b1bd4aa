/** A command line that is not understood. */
export class UsageError extends Error {}
