/** Writes docs/status.schema.json and docs/message.schema.json, the JSON Schemas of the status and of messages of alarms. */
import * as fs from "node:fs";
import * as path from "node:path";
import { z } from "zod";
import { messageSchema } from "../../keeper/alarms/message";
import { statusSchema } from "../../keeper/status/schema";

/** By name. Readers take a later version's further properties for none: the schemas forbid no property. */
export const jsonSchemas = (): Record<string, object> => ({
  status: z.toJSONSchema(statusSchema, { io: "input" }),
  message: z.toJSONSchema(messageSchema, { io: "input" }),
});

async function main(): Promise<void> {
  // Jest cannot load it, and has no need to.
  const prettier = await import("prettier");
  for (const [name, schema] of Object.entries(jsonSchemas())) {
    const file = path.join(__dirname, `../../docs/${name}.schema.json`);
    const settings = await prettier.resolveConfig(file);
    fs.writeFileSync(file, await prettier.format(JSON.stringify(schema), { ...settings, filepath: file }));
  }
}

if (require.main === module) void main();
