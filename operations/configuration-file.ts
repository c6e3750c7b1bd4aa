import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "./transport/run";

/**
 * The file from which Pulumi reads the stack's configuration.
 *
 * @param stack its name, with or without organization and project
 * @throws Error where this checkout has no such file
 */
export function configurationFile(stack: string): string {
  const file =
    process.env.PULUMI_OPTION_CONFIG_FILE ?? path.join(ROOT, `Pulumi.${stack.split("/").at(-1) ?? ""}.yaml`);
  if (!fs.existsSync(file))
    throw new Error(`there is no ${file}: work in a checkout that has the stack's file`);
  return file;
}
