/** Pure renderers of every file that reaches a host. */
export { bucketPolicy, keystonePrincipal } from "../plan/bucket-policy";
export * from "./client/client";
export {
  cameToItsEnd,
  type HostInstall,
  hostScript,
  INSTALL_COMMAND,
  inPosixShell,
  shellQuote,
} from "./install";
export * from "./client/instructions";
export * from "./names";
export * from "./proxy/proxy";
export * from "./user-data";
export * from "./summary";
