import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../../operations/transport/run";

/** The version from which a stack is updated, and its commit. */
export const VERSION_BEFORE = JSON.parse(
  fs.readFileSync(path.join(__dirname, "version-before.json"), "utf8"),
) as { version: string; commit: string };

/** Seconds for `npm ci`. */
const INSTALL_SECONDS = 300;

/**
 * Writes that version's files, with its own dependencies, into an empty folder.
 *
 * @throws Error that says what to fetch, where this clone does not have the commit
 */
export async function checkOutVersionBefore(folder: string): Promise<void> {
  const { version, commit } = VERSION_BEFORE;
  const known = await run("git", ["cat-file", "-e", `${commit}^{commit}`], { accept: "any" });
  if (known.code !== 0) {
    throw new Error(
      `the upgrade begins with version ${version}, and this clone does not have its commit: ` +
        `git fetch --unshallow, or git fetch origin ${commit}`,
    );
  }
  const archive = path.join(folder, "archive.tar");
  await run("git", ["archive", "--output", archive, commit]);
  await run("tar", ["--extract", "--file", archive, "--directory", folder]);
  fs.rmSync(archive);
  await run("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], { timeout: INSTALL_SECONDS });
}
