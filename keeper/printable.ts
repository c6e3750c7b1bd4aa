/** Text that an attacker may have written, and how it is shown safely. */

/**
 * A text on one line; characters that control a terminal or the direction of writing become `?`.
 *
 * @param most Characters after which it is cut.
 */
export const printable = (text: string, most: number): string =>
  text
    .trim()
    // Each run of spaces is looked at once: an attacker's may be megabytes long.
    .replace(/\s+/g, (spaces) => (/[\r\n\u2028\u2029]/.test(spaces) ? " | " : spaces))
    .replace(/\p{C}/gu, "?")
    .slice(0, most);

/**
 * A text with an escape such as `\u{202e}` in place of each character that controls a terminal or the direction of
 * writing, ends a line or shows nothing.
 */
export const visible = (text: string): string =>
  text.replace(/[\p{C}\p{Zl}\p{Zp}\p{DI}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);

/** JSON in lines with the same characters escaped as JSON has it: a program reads the same, a terminal does nothing. */
export const visibleJson = (json: string): string =>
  json.replace(/(?!\n)[\p{C}\p{Zl}\p{Zp}\p{DI}]/gu, (char) =>
    char
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );

/** What something that was thrown says: any text, which may be an attacker's. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
