/** One Jest project for each test layer: `jest --selectProjects unit|keeper|host|e2e|releases|upgrade`. */
const project = (name) => ({
  displayName: name,
  rootDir: __dirname,
  testEnvironment: "node",
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  transform: {
    "\\.ts$": [
      "@swc/jest",
      { jsc: { parser: { syntax: "typescript" }, target: "es2022" }, module: { type: "commonjs" } },
    ],
  },
});

module.exports = {
  projects: ["unit", "keeper", "host", "e2e", "releases", "upgrade"].map(project),
  // Milliseconds for one test. Jest takes no limit for one project alone: slower layers raise it in their files.
  testTimeout: 60_000,
};
