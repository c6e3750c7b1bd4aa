import { basename } from "node:path";
import { Artifact } from "../../config";
import { assembleInstall, HostInstall } from "../install";
import { FileSpec, rendered } from "../manifest";
import { Bundle } from "./bundle";
import {
  KEEPER_FILES as FILES,
  KEEPER_PROGRAM,
  keeperDirs,
  keptName,
  KeeperValues,
  passwordFile,
  PASSWORDS,
} from "./manifest";
import { WATCHER } from "./units";

/** The install of the keeper's program: a command of its own, for it is large and changes with a version alone. */
export function keeperProgramInstall({ content, sha256 }: Bundle): HostInstall {
  return assembleInstall({
    title: `program of the keeper: sha256 ${sha256}`,
    hostScripts: ["keeper/gate.sh", "keeper/program.sh"],
    parameters: { SB_PROGRAM: KEEPER_PROGRAM.path, SB_PROGRAM_SHA256: sha256 },
    groups: { program: [{ ...KEEPER_PROGRAM, content, packed: true }] },
  });
}

/**
 * The install of the keeper: Node, restic, settings, S3 keys, ways of alarms, a password for each repository, units; ends
 * the work on repositories that are gone and on those of frozen clients, and restarts the gate where something of it changed.
 *
 * @throws Error for values that cannot be rendered
 */
export function keeperInstall({
  host,
  node,
  restic,
  ...values
}: KeeperValues & { host: string; node: Artifact; restic: Artifact }): HostInstall {
  const { settings, repositories } = values;
  const put = (spec: FileSpec<KeeperValues>) => rendered(spec, values);
  const program = (name: string, { version, sha256, url }: Artifact) =>
    `${name} ${version} (sha256 ${sha256.slice(0, 12)}) from ${url}`;
  return assembleInstall({
    title: `keeper ${host}: ${program("node", node)}, ${program("restic", restic)}`,
    hostScripts: ["sshd.sh", "clock.sh", "keeper/gate.sh", "keeper/keeper.sh"],
    parameters: {
      SB_PROGRAM: KEEPER_PROGRAM.path,
      SB_PASSWORDS: PASSWORDS,
      SB_WATCHER: WATCHER,
      SB_REPOSITORIES: repositories.map(keptName).join(" "),
      SB_LIVE: settings.repositories
        .filter(({ frozen }) => !frozen)
        .map(keptName)
        .join(" "),
      SB_S3_ENDPOINT: settings.s3.endpoint,
      SB_DONE: "Passwords and settings are already those of this update",
      SB_SSHD_FILE: basename(FILES.sshdConfig.path),
      SB_NODE_VERSION: node.version,
      SB_NODE_URL: node.url,
      SB_NODE_SHA256: node.sha256,
      SB_RESTIC_VERSION: restic.version,
      SB_RESTIC_URL: restic.url,
      SB_RESTIC_SHA256: restic.sha256,
    },
    groups: {
      dirs: keeperDirs(repositories),
      passwords: repositories.map((repository) => rendered(passwordFile(repository), repository)),
      settings: [put(FILES.settings), put(FILES.s3), put(FILES.alarms), put(FILES.instances)],
      sshd_config: [put(FILES.sshdConfig)],
      units: [
        put(FILES.round),
        put(FILES.gateUnit),
        put(FILES.workerUnit),
        put(FILES.dueUnit),
        put(FILES.roundUnit),
        put(FILES.roundTimer),
        put(FILES.watchUnit),
        put(FILES.watchTimer),
      ],
    },
  });
}
