/** What reaches a host: its files, the script that installs them, and what a preview shows of it. All of it is pure. */
export { environmentLine, renderEnvironment } from "./client/environment";
export { clientInstall } from "./client/install";
export { type KeyOnlyRepository, renderInstructions } from "./client/instructions";
export {
  CLIENT_FILES,
  clientPaths,
  type ClientRepository,
  type ClientValues,
  repositoryDir,
  repositoryFiles,
  type RepositoryValues,
  SETTINGS,
} from "./client/manifest";
export { hookFiles, isScheduled, timerFiles } from "./client/runs";
export { excludeLine, renderExcludes, renderPaths } from "./client/selection";
export { renderSshConfig } from "./client/ssh-config";
export { RECORDS, RUN, timerSpec, UNITS, UNITS_SIGNATURE } from "./client/units";
export {
  cameToItsEnd,
  type HostInstall,
  hostScript,
  INSTALL_COMMAND,
  inPosixShell,
  shellQuote,
} from "./install";
export { type FileSpec, rendered } from "./manifest";
export { type Bundle, bundleKeeper } from "./keeper/bundle";
export { keeperInstall, keeperProgramInstall } from "./keeper/install";
export {
  alarmWaysInWords,
  KEEPER_FILES,
  KEEPER_PROGRAM,
  KEEPER_SETTINGS,
  type KeeperRepository,
  type KeeperValues,
  keeperDirs,
  keeperPaths,
  keptInWords,
  keptName,
  passwordFile,
  PASSWORDS,
} from "./keeper/manifest";
export { renderKeeperSshd } from "./keeper/sshd";
export { STATUS_PAGES } from "./keeper/units";
export {
  AUTHORIZED_KEYS,
  CANARY,
  CLIENT_SETTINGS,
  fingerprint,
  type Grant,
  grantsOf,
  LIBRARY,
  PROXY_HOME,
  PROXY_USER,
  repositoryAddress,
  stackIdentity,
} from "./names";
export { authorizedKeysLine, renderAuthorizedKeys } from "./proxy/authorized-keys";
export { proxyInstall } from "./proxy/install";
export { type ProxyLimits, proxyLimits, RCLONE_PER_REPOSITORY } from "./proxy/limits";
export { PROXY_FILES, PROXY_PATHS } from "./proxy/manifest";
export { rcloneConfigValue, renderRcloneConfig } from "./proxy/rclone-conf";
export { renderSshdConfig } from "./proxy/sshd";
export { FILES_TYPE, type FileSummary, type InstallSummary, readSummary } from "./summary";
export { renderUserData } from "./user-data";
