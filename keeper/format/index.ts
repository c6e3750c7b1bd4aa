/**
 * A reader of restic's repository format, versions 1 and 2, for bytes that an attacker may have written: it accepts
 * what restic writes, in the one way restic reads it, within bounds; all else is a `FormatError`.
 */
export { type Key, open, seal } from "./crypto";
export {
  type Config,
  type Lock,
  type Snapshot,
  readConfig,
  readLock,
  readSnapshot,
  unpack,
} from "./documents";
export { FormatError } from "./error";
export { type IndexFile, type IndexedPack, readIndex } from "./index-file";
export { type KeyFile, openKey, readKey } from "./key";
export { type Blob, packSize, readPack } from "./pack";
