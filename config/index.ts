export { ConfigError, shown } from "./errors";
export { parseStackConfig } from "./parse";
export { readStackConfig } from "./read";
export * from "./types";
export { hostCidr, isIpv6Alone, networksOf } from "./values/addresses";
export { parseEndpoint, urlHost, urlPort } from "./values/endpoints";
export { isRsaKey } from "./values/keys";
export { KERNEL_FOLDERS } from "./values/paths";
