/** Text that an attacker may have written, as one line that is safe to log. */

/**
 * A text on one line; characters that control a terminal or the direction of writing become `?`.
 *
 * @param most Characters after which it is cut.
 */
export const printable = (text: string, most: number): string =>
  text
    .trim()
    .replace(/\s*[\r\n]+\s*/g, " | ")
    .replace(/\p{C}/gu, "?")
    .slice(0, most);
