/** The keeper's program as one file. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { buildSync } from "esbuild";

/** The keeper's program. */
export interface Bundle {
  content: string;
  /** Of the content, in hexadecimal. */
  sha256: string;
}

/**
 * Bundles the program and all that it imports. The same sources give the same bytes, wherever the checkout is.
 * @throws Error where a source cannot be compiled
 */
export function bundleKeeper(): Bundle {
  const root = join(__dirname, "../..");
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints: ["keeper/main.ts"],
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    minify: true,
    legalComments: "eof",
    logLevel: "silent",
  });
  const content = outputFiles[0]?.text ?? "";
  return { content, sha256: createHash("sha256").update(content, "utf8").digest("hex") };
}
