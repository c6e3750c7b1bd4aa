import { readdirSync } from "node:fs";
import js from "@eslint/js";
import tseslint from "typescript-eslint";

const ROOMS = ["config", "plan", "hosts", "s3", "keeper", "components", "operations", "scripts", "test"];

/** What each room may import of the others, see docs/architecture.md. */
const MAY_IMPORT = {
  config: [],
  plan: ["config", "hosts", "s3/settings", "keeper/settings", "keeper/retention"],
  hosts: ["config", "keeper/settings"],
  s3: ["config", "plan/bucket-policy"],
  keeper: ["config", "s3"],
  components: ["config", "plan", "hosts", "s3", "keeper/settings", "operations/deployment"],
  operations: ["config", "plan", "hosts", "s3", "keeper"],
};

const OPERATIONS = readdirSync(`${import.meta.dirname}/operations`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "transport")
  .map(({ name }) => name);

const TEST = "/test/";

const alternatives = (names) => `(${names.join("|") || "(?!)"})(/|$)`;
const roomsBut = (allowed) => `^(\\.\\./)+(?!${alternatives(allowed)})${alternatives(ROOMS)}`;

/** A configuration that forbids some imports of relative paths. */
const forbid = (files, message, ...regexes) => ({
  files,
  rules: {
    "no-restricted-imports": [
      "error",
      { patterns: regexes.map((regex) => ({ regex, message: `${message} (docs/architecture.md)` })) },
    ],
  },
});

export default tseslint.config(
  { ignores: ["node_modules/", "bin/", "coverage/"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["**/*.js"],
    languageOptions: {
      sourceType: "commonjs",
      globals: { module: "writable", require: "readonly", __dirname: "readonly" },
    },
  },
  ...Object.entries(MAY_IMPORT).map(([room, allowed]) =>
    forbid([`${room}/**/*.ts`], `${room}/ may not import this`, roomsBut(allowed)),
  ),
  forbid(
    ["operations/*.ts", "operations/transport/*.ts"],
    "what operations share may not import this",
    roomsBut(MAY_IMPORT.operations),
    `^\\.{1,2}/${alternatives(OPERATIONS)}`,
  ),
  ...OPERATIONS.map((name) =>
    forbid(
      [`operations/${name}/**/*.ts`],
      `operations/${name}/ may not import this`,
      roomsBut(MAY_IMPORT.operations),
      `^(\\.\\./)+${alternatives(OPERATIONS.filter((other) => other !== name))}`,
    ),
  ),
  forbid(
    ["index.ts"],
    "the program may not import this",
    `^\\./${alternatives(["operations", "scripts", "test"])}`,
  ),
  forbid(["scripts/*.ts"], "a command may not import this", "^\\./(?!command$)", TEST),
  forbid(["scripts/ci/*.ts"], "a command may not import this", "^\\.\\./(?!command$|\\.\\./)", TEST),
  forbid(["test/harness/*.ts"], "harnesses import no test", "^\\.\\./[^.]"),
);
