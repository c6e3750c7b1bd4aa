/** Pure renderers of every file that reaches a host. */
export { bucketPolicy, keystonePrincipal } from "./bucket-policy";
export * from "./client";
export {
  type Artifact,
  cameToItsEnd,
  type HostInstall,
  hostScript,
  inPosixShell,
  installCommand,
  shellQuote,
} from "./install";
export * from "./instructions";
export * from "./names";
export * from "./proxy";
export * from "./user-data";
