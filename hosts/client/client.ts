import { createHash } from "node:crypto";
import { Artifact, KeyPair, RepositorySettings } from "../../config";
import { assembleInstall, HostEntry, hostScript, HostInstall } from "../install";
import {
  CLIENT_SETTINGS,
  plainName,
  plainPublicKey,
  PROXY_USER,
  ProxyAddress,
  repositoryAddress,
} from "../names";

/** A repository as its client's machine has it. */
export interface ClientRepository extends RepositorySettings, Pick<KeyPair, "privateKey"> {
  /** Secret. The restic password. */
  password: string;
}

/** What of a repository is needed to connect: the key is not shown, it only tells one connection from another. */
export interface Connection {
  name: string;
  /** Private or public key. */
  key: string;
}

/** The name under which known_hosts has the proxy, whatever address it is reached at. */
const HOST_KEY_ALIAS = "secure-backups-proxy";

const CACHE_DIR = "/var/cache/restic-backup";

const TMPFILES_LINE = "d /run/restic-backup 0700 root root -";

/** Files of a client outside its settings, each with the text by which it is known to be the stack's. */
export const COMMAND_FILE = {
  path: "/usr/local/bin/restic-backup",
  signature: "Written by secure-backups.",
} as const;
export const TMPFILES_FILE = {
  path: "/etc/tmpfiles.d/restic-backup.conf",
  signature: TMPFILES_LINE,
} as const;

/** The file that names the stack to which a client's settings belong. */
export const STACK_MARK_FILE = `${CLIENT_SETTINGS}/.secure-backups`;

/** What {@link STACK_MARK_FILE} says. */
export function renderStackMark(stack: string, bucket: string): string {
  return `${stack} ${plainName("bucket", bucket)}\n`;
}

/** What client-checks.sh has to know: the stack, and by which files it knows what older versions left unmarked. */
export function checkParameters(a: {
  stack: string;
  /** Contents of files, or lines of public keys, that no other stack has on this client. */
  known: readonly string[];
}): Record<string, string> {
  return {
    SB_STACK: a.stack,
    SB_KNOWN: a.known.map((content) => createHash("sha256").update(content, "utf8").digest("hex")).join(" "),
  };
}

/**
 * One `NAME=value` line that sh's `.` and systemd's EnvironmentFile read alike. Throws for what one of them
 * cannot take: a NUL, another control character than tab and newline, and half of a surrogate pair.
 */
export function environmentLine(name: string, value: string): string {
  if (/(?![\t\n])[\p{Control}\p{Surrogate}]/u.test(value)) {
    throw new Error(`${name} has a control character, which an environment file cannot hold`);
  }
  // Old systemd reads a backslash in single quotes as an escape; in double quotes all agree on it.
  const word = value.replace(/['\\]|[^'\\]+/g, (part) => {
    if (part === "'") return `"'"`;
    return part === "\\" ? String.raw`"\\"` : `'${part}'`;
  });
  return `${name}=${word === "" ? "''" : word}\n`;
}

/** The environment of one repository; without a password when its operator keeps that in a file beside it. */
export function renderEnvironment(
  { bucket, client }: { bucket: string; client: string },
  repository: RepositorySettings & { password?: string },
): string {
  const { name, password } = repository;
  return (
    environmentLine("RESTIC_REPOSITORY", repositoryAddress(bucket, client, name)) +
    (password === undefined
      ? environmentLine("RESTIC_PASSWORD_FILE", `${CLIENT_SETTINGS}/${name}/password`)
      : environmentLine("RESTIC_PASSWORD", password)) +
    environmentLine("RESTIC_CACHE_DIR", CACHE_DIR) +
    // restic has a flag for it and no variable: restic-backup gives the flag.
    (repository.oneFileSystem ? environmentLine("RESTIC_BACKUP_ONE_FILE_SYSTEM", "yes") : "")
  );
}

/** known_hosts with the proxy's pinned key. */
export function renderKnownHosts(proxy: ProxyAddress): string {
  return `${HOST_KEY_ALIAS} ${plainPublicKey("host key of the proxy", proxy.hostKey)}\n`;
}

/**
 * ssh_config of a client: `ssh -F FILE REPOSITORY` is all that restic needs. It is written for OpenSSH 8.0 and newer
 * (Enterprise Linux 8), which knows no list that begins with `^`.
 */
export function renderSshConfig(proxy: ProxyAddress, connections: readonly Connection[]): string {
  if (!/^[A-Za-z0-9:][A-Za-z0-9.:-]*$/.test(proxy.address)) {
    throw new Error(
      `address of the proxy ${JSON.stringify(proxy.address)} must be an IP address or a DNS name`,
    );
  }
  const hosts = connections.map(({ name, key }) => {
    // A connection is shared only by commands with the same key to the same host: the name of its socket says so.
    const socket = createHash("sha256")
      .update([name, key.trim(), proxy.address, proxy.port, proxy.hostKey.trim()].join("\n"))
      .digest("hex");
    return `Host ${plainName("repository", name)}
    IdentityFile ${CLIENT_SETTINGS}/${name}/id_ed25519
    ControlPath /run/restic-backup/${socket.slice(0, 16)}

`;
  });
  return `# Written by secure-backups. Each repository has a name here: ssh -F ${CLIENT_SETTINGS}/ssh_config REPOSITORY

${hosts.join("")}Host *
    HostName ${proxy.address}
    Port ${proxy.port}
    User ${PROXY_USER}
    # Only the pinned host key is ever trusted.
    HostKeyAlias ${HOST_KEY_ALIAS}
    HostKeyAlgorithms ssh-ed25519
    UserKnownHostsFile ${CLIENT_SETTINGS}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    CheckHostIP no
    VerifyHostKeyDNS no
    # Only the repository's own key, and no question to anybody.
    IdentitiesOnly yes
    IdentityAgent none
    PreferredAuthentications publickey
    BatchMode yes
    # Nothing but the command passes.
    ClearAllForwardings yes
    ForwardAgent no
    ForwardX11 no
    PermitLocalCommand no
    RequestTTY no
    # Commands that follow each other share a connection, which halves the time of the short ones.
    ControlMaster auto
    ControlPersist 60
    # AES-GCM costs less than the default cipher where the processor has AES.
    Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr
    ConnectTimeout 30
    # A backup outlives five minutes without the network.
    ServerAliveInterval 30
    ServerAliveCountMax 10
`;
}

/** The paths for restic's `--files-from-raw`: each ends in NUL, so any name survives. */
export function renderPaths(paths: readonly string[]): string {
  for (const path of paths) {
    if (!path.startsWith("/") || path.includes("\0") || /\p{Surrogate}/u.test(path)) {
      throw new Error(`path ${JSON.stringify(path)} must be absolute, valid Unicode and without NUL`);
    }
  }
  return paths.map((path) => `${path}\0`).join("");
}

/** Go's unicode.IsSpace, by which restic trims the lines of an exclude file. */
const BLANK = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * One line of restic's exclude file that means the pattern as it stands: restic expands `$`, takes `#` at the start
 * for a comment and trims blanks. Throws for a line end within, which its file format cannot hold.
 */
export function excludeLine(pattern: string): string {
  if (pattern === "" || /[\n\0]/.test(pattern) || /\p{Surrogate}/u.test(pattern)) {
    throw new Error(`exclude pattern ${JSON.stringify(pattern)} must not be empty or hold a line end or NUL`);
  }
  let line = pattern;
  const last = line.slice(-1);
  if (BLANK.test(last)) {
    const backslashes = /(\\*).$/su.exec(line)?.[1]?.length ?? 0;
    // An escaped blank loses its backslash: the class says the same.
    line = `${line.slice(0, backslashes % 2 === 1 ? -2 : -1)}[${last}]`;
  }
  const first = line.slice(0, 1);
  if (line !== `[${first}]` && (first === "#" || BLANK.test(first))) {
    line = `[${first}]${line.slice(1)}`;
  }
  return `${line.replaceAll("$", "$$$$")}\n`;
}

/** restic's exclude file. */
export function renderExcludes(excludes: readonly string[]): string {
  return excludes.map(excludeLine).join("");
}

/** The tmpfiles.d file that makes the directory of the shared connections' sockets when a host starts. */
export function renderTmpfiles(): string {
  return `# Written by secure-backups.\n${TMPFILES_LINE}\n`;
}

/** The command `restic-backup`. */
export function renderBackupCommand(): string {
  return hostScript("client/restic-backup.sh");
}

/**
 * The install of a client: restic, its settings, one directory for each repository; removes repositories that are
 * no longer listed and makes new ones through the proxy. Fails, before it changes anything, on a server that belongs to
 * another stack. Throws for values that cannot be rendered.
 */
export function clientInstall(a: {
  /** The identity of the stack, one word, which stays the same as long as its keys do. */
  stack: string;
  client: string;
  bucket: string;
  proxy: ProxyAddress;
  restic?: Artifact;
  repositories: readonly ClientRepository[];
}): HostInstall {
  const restic =
    a.restic === undefined
      ? "the distribution's restic"
      : `restic ${a.restic.version} (sha256 ${a.restic.sha256.slice(0, 12)}) from ${a.restic.url}`;
  return assembleInstall({
    title: `client ${a.client}: ${restic}`,
    hostScripts: ["client/client-checks.sh", "client/client.sh"],
    parameters: {
      ...checkParameters({
        stack: a.stack,
        known: [renderKnownHosts(a.proxy), ...a.repositories.map(renderPrivateKey)],
      }),
      SB_REPOSITORIES: a.repositories.map(({ name }) => plainName("repository", name)).join(" "),
      SB_RESTIC_VERSION: a.restic?.version ?? "",
      SB_RESTIC_URL: a.restic?.url ?? "",
      SB_RESTIC_SHA256: a.restic?.sha256 ?? "",
    },
    groups: {
      common: [
        {
          path: STACK_MARK_FILE,
          owner: "root:root",
          mode: "0644",
          content: renderStackMark(a.stack, a.bucket),
        },
        { ...COMMAND_FILE, owner: "root:root", mode: "0755", content: renderBackupCommand() },
        { ...TMPFILES_FILE, owner: "root:root", mode: "0644", content: renderTmpfiles() },
        {
          path: `${CLIENT_SETTINGS}/known_hosts`,
          owner: "root:root",
          mode: "0644",
          content: renderKnownHosts(a.proxy),
        },
        {
          path: `${CLIENT_SETTINGS}/ssh_config`,
          owner: "root:root",
          mode: "0644",
          content: renderSshConfig(
            a.proxy,
            a.repositories.map(({ name, privateKey }) => ({ name, key: privateKey })),
          ),
          concerns: [`proxy ${a.proxy.address} port ${a.proxy.port}`],
        },
      ],
      repositories: a.repositories.flatMap((repository) => repositoryEntries(a, repository)),
    },
  });
}

/** The paths of all files of a client's install. */
export function clientPaths(repositories: readonly string[]): string[] {
  return [
    STACK_MARK_FILE,
    COMMAND_FILE.path,
    TMPFILES_FILE.path,
    `${CLIENT_SETTINGS}/known_hosts`,
    `${CLIENT_SETTINGS}/ssh_config`,
    ...repositories.flatMap((name) =>
      [".secure-backups", "env", "id_ed25519", "paths", "excludes"].map(
        (file) => `${CLIENT_SETTINGS}/${name}/${file}`,
      ),
    ),
  ];
}

function renderPrivateKey({ privateKey }: Pick<ClientRepository, "privateKey">): string {
  return `${privateKey.trimEnd()}\n`;
}

function repositoryEntries(a: { client: string; bucket: string }, r: ClientRepository): HostEntry[] {
  const dir = `${CLIENT_SETTINGS}/${r.name}`;
  const secret = { owner: "root:root", mode: "0600", digestKey: r.privateKey };
  const open = { owner: "root:root", mode: "0600" };
  return [
    { dir, owner: "root:root", mode: "0700" },
    {
      path: `${dir}/.secure-backups`,
      ...open,
      content: "This directory is removed with its repository's configuration.\n",
    },
    {
      path: `${dir}/env`,
      ...secret,
      content: renderEnvironment(a, r),
      concerns: [repositoryAddress(a.bucket, a.client, r.name)],
    },
    { path: `${dir}/id_ed25519`, ...secret, content: renderPrivateKey(r) },
    {
      path: `${dir}/paths`,
      ...open,
      content: renderPaths(r.paths),
      concerns: r.paths.map((path) => `back up ${JSON.stringify(path)}`),
    },
    {
      path: `${dir}/excludes`,
      ...open,
      content: renderExcludes(r.excludes),
      concerns: r.excludes.map((pattern) => `except ${JSON.stringify(pattern)}`),
    },
  ];
}
