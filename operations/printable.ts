import { visible } from "../keeper/printable";

/** A string of unknown origin, such as a key, without characters that control the terminal. */
export const printable = visible;

/** The same for several lines. All that is printed for the operator passes through it. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/**
 * A time as it is printed, in UTC.
 *
 * @param ms milliseconds since 1970
 */
export function moment(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
