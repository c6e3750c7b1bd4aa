export { ConfigError, shown } from "./errors";
export { parseStackConfig } from "./parse";
export { readStackConfig } from "./read";
export * from "./types";
export { hostCidr, isIpv6Alone, isRsaKey, KERNEL_FOLDERS, parseEndpoint, urlPort } from "./values";
