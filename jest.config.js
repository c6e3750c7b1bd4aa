/** One Jest project for each test layer: `jest --selectProjects unit|host|e2e`. */
const project = (name, timeoutSeconds) => ({
  displayName: name,
  rootDir: __dirname,
  testEnvironment: "node",
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  testTimeout: timeoutSeconds * 1000,
  transform: {
    "\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2022" }, module: { type: "commonjs" } }],
  },
});

module.exports = {
  projects: [project("unit", 30), project("host", 300), project("e2e", 1800)],
};
