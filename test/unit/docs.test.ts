/** What the documents promise about the project itself. */
import * as fs from "node:fs";
import * as path from "node:path";
import { expect, test } from "@jest/globals";
import { SEVERITY } from "../../keeper/status/alarms";
import { ALARM_KINDS } from "../../keeper/status/schema";
import { ROOT } from "../../operations/transport/run";

const DOCUMENTS = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...fs
    .readdirSync(path.join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

const read = (file: string): string => fs.readFileSync(path.join(ROOT, file), "utf8");

/** A heading's anchor as GitHub makes it. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

test("every test that the threat model names exists", () => {
  const named = [
    ...read("docs/threat-model.md")
      .replace(/\n\s+/g, " ")
      .matchAll(/`(test\/[^`]+)` "([^"]+)"/g),
  ];
  expect(named.length).toBeGreaterThan(20);
  const missing = named.filter(([, file = "", title = ""]) => !read(file).includes(`"${title}"`));
  expect(missing.map(([text]) => text)).toEqual([]);
});

test("every link within the documents leads somewhere", () => {
  const broken = DOCUMENTS.flatMap((document) =>
    [...read(document).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
      .filter(([, file = "", fragment]) => {
        const target = file === "" ? document : path.join(path.dirname(document), file);
        if (!fs.existsSync(path.join(ROOT, target))) return true;
        if (fragment === undefined) return false;
        const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchor(heading));
        return !headings.includes(fragment);
      })
      .map(([link]) => `${document}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test("every npm script that the documents use exists", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const used = DOCUMENTS.flatMap((document) =>
    [...read(document).matchAll(/npm run (?:--silent )?([a-z][a-z:-]*)/g)].map(([, name]) => name as string),
  );
  expect([...new Set(used)].filter((name) => !(name in scripts))).toEqual([]);
});

test("the handbook says of each alarm who is told what, and what to do then", () => {
  const [, chapter = ""] = read("docs/handbook.md").split("\n## Who is told what, and what to do then\n");
  const [table = ""] = chapter.split("\n## ");
  const rows = [...table.matchAll(/^\| `([a-z-]+)` +\| (.+?) +\| (.+?) +\|$/gm)];
  expect(rows.map(([, kind]) => kind).sort()).toEqual([...ALARM_KINDS].sort());
  const critical = rows.filter(([, , when = ""]) => when.startsWith("critical: ")).map(([, kind]) => kind);
  expect(critical.sort()).toEqual(ALARM_KINDS.filter((kind) => SEVERITY[kind] === "critical").sort());
});
