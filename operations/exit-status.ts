/** How every command of the project ends. */
export const EXIT = {
  /** It is done, or all that was tried holds. */
  done: 0,
  /** It failed, or something does not hold. */
  failed: 1,
  /** Nothing is known to be wrong, but something could not be found out. */
  unknown: 2,
  /** The command line was not understood; nothing was done. */
  usage: 64,
} as const;

/** A command line that is not understood: the command ends with {@link EXIT}`.usage`. */
export class UsageError extends Error {}
