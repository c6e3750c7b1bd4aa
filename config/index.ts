export { ConfigError } from "./errors";
export { parseStackConfig } from "./parse";
export { readStackConfig } from "./read";
export * from "./types";
export { hostCidr, parseEndpoint } from "./values";
