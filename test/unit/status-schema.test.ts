import * as fs from "node:fs";
import * as path from "node:path";
import { expect, test } from "@jest/globals";
import { statusSchema } from "../../keeper/status/schema";
import { ROOT } from "../../operations/transport/run";
import { statusJsonSchema } from "../../scripts/dev/status-schema";
import { hostileStatus, manyStatus, sampleStatus, wellStatus } from "../harness/sample-status";

// `npx tsx scripts/dev/status-schema.ts` writes it again.
test("docs/status.schema.json is the schema of the status", () => {
  const published = fs.readFileSync(path.join(ROOT, "docs/status.schema.json"), "utf8");
  expect(JSON.parse(published)).toEqual(statusJsonSchema());
});

test.each([
  ["well", wellStatus()],
  ["amiss", sampleStatus()],
  ["large", manyStatus(60)],
  ["hostile", hostileStatus()],
])("the sample status that is %s fits the schema", (_, status) => {
  expect(statusSchema.parse(JSON.parse(JSON.stringify(status)))).toEqual(status);
});
