/** Files of the keeper's host. */
import * as fs from "node:fs/promises";
import * as path from "node:path";

/**
 * Reads a file of JSON.
 *
 * @throws Error where it is none; nothing of its content is quoted, which may be a secret
 */
export async function readJson(file: string): Promise<unknown> {
  const content = await fs.readFile(file, "utf8");
  try {
    return JSON.parse(content);
  } catch {
    // The parser's own message quotes what it read.
    throw new Error(`${path.basename(file)} is no JSON`);
  }
}
