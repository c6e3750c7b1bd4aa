/** Every file of a client. */
import { KeyPair, RepositorySettings } from "../../config";
import { FileSpec } from "../manifest";
import { hostScript } from "../install";
import { CLIENT_SETTINGS, plainName, ProxyAddress, repositoryAddress } from "../names";
import { renderEnvironment } from "./environment";
import { renderExcludes, renderPaths } from "./selection";
import { hookFiles, timerFiles } from "./runs";
import { renderKnownHosts, renderSshConfig } from "./ssh-config";
import { RUN } from "./units";

/** A repository as its client's machine has it. */
export interface ClientRepository extends RepositorySettings, Pick<KeyPair, "privateKey"> {
  /** Secret. The restic password. */
  password: string;
}

/** What the contents of a client's files are rendered from. */
export interface ClientValues {
  /** The identity of the stack, one word, which stays the same as long as its keys do. */
  stack: string;
  client: string;
  bucket: string;
  proxy: ProxyAddress;
  repositories: readonly ClientRepository[];
}

const OPEN = { owner: "root:root", mode: "0644" };
const PRIVATE = { owner: "root:root", mode: "0600" };

/** Creates the folder at each start of the host. */
const RUN_LINE = `d ${RUN.dir} ${RUN.mode} root root -`;

/** The folder of all settings. */
export const SETTINGS = { dir: CLIENT_SETTINGS, owner: "root:root", mode: "0700" };

/** What a client has once. */
export const CLIENT_FILES = {
  /** Names the stack to which a client's settings belong. */
  stackMark: {
    path: `${CLIENT_SETTINGS}/.secure-backups`,
    ...OPEN,
    content: ({ stack, bucket }: Pick<ClientValues, "stack" | "bucket">) =>
      `${stack} ${plainName("bucket", bucket)}\n`,
  },
  command: {
    path: "/usr/local/bin/restic-backup",
    owner: "root:root",
    mode: "0755",
    content: () => hostScript("client/restic-backup.sh"),
    signature: "Written by secure-backups.",
  },
  tmpfiles: {
    path: "/etc/tmpfiles.d/restic-backup.conf",
    ...OPEN,
    content: () => `# Written by secure-backups.\n${RUN_LINE}\n`,
    signature: RUN_LINE,
  },
  knownHosts: {
    path: `${CLIENT_SETTINGS}/known_hosts`,
    ...OPEN,
    content: ({ proxy }: Pick<ClientValues, "proxy">) => renderKnownHosts(proxy),
  },
  sshConfig: {
    path: `${CLIENT_SETTINGS}/ssh_config`,
    ...OPEN,
    content: ({ proxy, repositories }: Pick<ClientValues, "proxy" | "repositories">) =>
      renderSshConfig(
        proxy,
        repositories.map(({ name, privateKey }) => ({ name, key: privateKey })),
      ),
    concerns: ({ proxy }) => [`proxy ${proxy.address} port ${String(proxy.port)}`],
  },
} satisfies Record<string, FileSpec<ClientValues>>;

/** What the contents of a repository's files are rendered from. */
export type RepositoryValues = Pick<ClientValues, "client" | "bucket"> & ClientRepository;

/** What a client has for each repository; the folder is the last. */
export function repositoryFiles(name: string) {
  const dir = repositoryDir(name).dir;
  const secret = { ...PRIVATE, digestKey: ({ privateKey }: RepositoryValues) => privateKey };
  return {
    mark: {
      path: `${dir}/.secure-backups`,
      ...PRIVATE,
      content: () => "This directory is removed with its repository's configuration.\n",
    },
    env: {
      path: `${dir}/env`,
      ...secret,
      content: (values: RepositoryValues) => renderEnvironment(values, values),
      concerns: ({ bucket, client }: RepositoryValues) => [repositoryAddress(bucket, client, name)],
    },
    privateKey: {
      path: `${dir}/id_ed25519`,
      ...secret,
      content: ({ privateKey }: Pick<RepositoryValues, "privateKey">) => `${privateKey.trimEnd()}\n`,
    },
    paths: {
      path: `${dir}/paths`,
      ...PRIVATE,
      content: ({ paths }: Pick<RepositoryValues, "paths">) => renderPaths(paths),
      concerns: ({ paths }: RepositoryValues) => paths.map((path) => `back up ${JSON.stringify(path)}`),
    },
    excludes: {
      path: `${dir}/excludes`,
      ...PRIVATE,
      content: ({ excludes }: Pick<RepositoryValues, "excludes">) => renderExcludes(excludes),
      concerns: ({ excludes }: RepositoryValues) =>
        excludes.map((pattern) => `except ${JSON.stringify(pattern)}`),
    },
  } satisfies Record<string, FileSpec<RepositoryValues>>;
}

/** The folder of a repository's files. */
export function repositoryDir(name: string) {
  return { dir: `${CLIENT_SETTINGS}/${name}`, owner: "root:root", mode: "0700" };
}

/** The paths of all files of a client with these repositories. */
export function clientPaths(client: string, repositories: readonly RepositorySettings[]): string[] {
  const files = [
    ...Object.values(CLIENT_FILES),
    ...repositories.flatMap((repository) => [
      ...Object.values(repositoryFiles(repository.name)),
      ...hookFiles(repository),
    ]),
    ...timerFiles(client, repositories),
  ];
  return files.map(({ path }) => path);
}
