/** What the gate answers instead of doing what it was asked. */
export class Refusal extends Error {
  /**
   * @param status of HTTP; restic repeats its request on all but 403 and 416
   * @param message one line
   */
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}
