import * as fs from "node:fs";
import * as path from "node:path";
import { expect, test } from "@jest/globals";
import { statusSchema } from "../../keeper/status/schema";
import { ROOT } from "../../operations/transport/run";
import { jsonSchemas } from "../../scripts/dev/status-schema";
import { hostileStatus, manyStatus, sampleStatus, wellStatus } from "../harness/sample-status";

// `npx tsx scripts/dev/status-schema.ts` writes it again.
test.each(Object.entries(jsonSchemas()))(
  "docs/%s.schema.json is the schema of the program",
  (name, schema) => {
    const published = fs.readFileSync(path.join(ROOT, `docs/${name}.schema.json`), "utf8");
    expect(JSON.parse(published)).toEqual(schema);
  },
);

test.each([
  ["well", wellStatus()],
  ["amiss", sampleStatus()],
  ["large", manyStatus(60)],
  ["hostile", hostileStatus()],
])("the sample status that is %s fits the schema", (_, status) => {
  expect(statusSchema.parse(JSON.parse(JSON.stringify(status)))).toEqual(status);
});
