import * as fs from "node:fs";

/**
 * Replaces a file at once: a program that reads it gets the old content or the new one.
 *
 * @param mode of the file. @default what the umask leaves of 0666
 */
export function replaceFile(file: string, content: string, mode = 0o666): void {
  const made = `${file}.${String(process.pid)}`;
  fs.writeFileSync(made, content, { mode });
  fs.renameSync(made, file);
}
