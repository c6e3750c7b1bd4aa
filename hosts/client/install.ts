import { createHash } from "node:crypto";
import { Artifact } from "../../config";
import { assembleInstall, HostEntry, HostInstall } from "../install";
import { FileSpec, rendered } from "../manifest";
import { CLIENT_SETTINGS, plainName } from "../names";
import {
  CLIENT_FILES,
  ClientValues,
  repositoryDir,
  repositoryFiles,
  RepositoryValues,
  SETTINGS,
} from "./manifest";
import { hookFiles, runParameters, timerFiles } from "./runs";
import { RUN } from "./units";

/** What client-checks.sh has to know: the stack, and by which files it knows what older versions left unmarked. */
export function checkParameters(a: {
  stack: string;
  /** Contents of files, or lines of public keys, that no other stack has on this client. */
  known: readonly string[];
}): Record<string, string> {
  return {
    SB_SETTINGS: CLIENT_SETTINGS,
    SB_MARK: CLIENT_FILES.stackMark.path,
    SB_STACK: a.stack,
    SB_KNOWN: a.known.map((content) => createHash("sha256").update(content, "utf8").digest("hex")).join(" "),
  };
}

/**
 * The install of a client: restic, its settings, one directory for each repository; removes repositories that are
 * no longer listed and creates new ones through the proxy. Fails, before it changes anything, on a server that belongs
 * to another stack.
 *
 * @throws Error for values that cannot be rendered
 */
export function clientInstall({ restic, ...values }: ClientValues & { restic?: Artifact }): HostInstall {
  const { stack, client, bucket, proxy, repositories } = values;
  const put = (spec: FileSpec<ClientValues>) => rendered(spec, values);
  const program =
    restic === undefined
      ? "the distribution's restic"
      : `restic ${restic.version} (sha256 ${restic.sha256.slice(0, 12)}) from ${restic.url}`;
  const keys = repositories.map((repository) =>
    repositoryFiles(repository.name).privateKey.content(repository),
  );
  return assembleInstall({
    title: `client ${client}: ${program}`,
    hostScripts: ["client/client-checks.sh", "client/timers.sh", "client/client.sh"],
    parameters: {
      ...checkParameters({ stack, known: [CLIENT_FILES.knownHosts.content({ proxy }), ...keys] }),
      SB_COMMAND: CLIENT_FILES.command.path,
      SB_REPOSITORIES: repositories.map(({ name }) => plainName("repository", name)).join(" "),
      ...runParameters(repositories),
      SB_RESTIC_VERSION: restic?.version ?? "",
      SB_RESTIC_URL: restic?.url ?? "",
      SB_RESTIC_SHA256: restic?.sha256 ?? "",
    },
    groups: {
      settings: [SETTINGS],
      common: [...Object.values(CLIENT_FILES).map((spec: FileSpec<ClientValues>) => put(spec)), RUN],
      repositories: repositories.flatMap((repository) =>
        repositoryEntries({ client, bucket, ...repository }),
      ),
      timers: timerFiles(client, repositories),
    },
  });
}

function repositoryEntries(values: RepositoryValues): HostEntry[] {
  const files: FileSpec<RepositoryValues>[] = Object.values(repositoryFiles(values.name));
  return [repositoryDir(values.name), ...files.map((spec) => rendered(spec, values)), ...hookFiles(values)];
}
