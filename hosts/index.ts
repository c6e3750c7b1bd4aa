/** Pure renderers of every file that reaches a host. */
export { bucketPolicy, keystonePrincipal } from "../plan/bucket-policy";
export * from "./client/client";
export {
  type Artifact,
  cameToItsEnd,
  type HostInstall,
  hostScript,
  inPosixShell,
  installCommand,
  shellQuote,
} from "./install";
export * from "./client/instructions";
export * from "./names";
export * from "./proxy/proxy";
export * from "./user-data";
