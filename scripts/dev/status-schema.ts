/** Writes docs/status.schema.json, the JSON Schema of the status. */
import * as fs from "node:fs";
import * as path from "node:path";
import { z } from "zod";
import { statusSchema } from "../../keeper/status/schema";

/** Readers take a later version's further properties for none: the schema forbids no property. */
export const statusJsonSchema = (): object => z.toJSONSchema(statusSchema, { io: "input" });

async function main(): Promise<void> {
  // Jest cannot load it, and has no need to.
  const prettier = await import("prettier");
  const file = path.join(__dirname, "../../docs/status.schema.json");
  const settings = await prettier.resolveConfig(file);
  const text = JSON.stringify(statusJsonSchema());
  fs.writeFileSync(file, await prettier.format(text, { ...settings, filepath: file }));
}

if (require.main === module) void main();
