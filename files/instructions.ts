import {
  renderBackupCommand,
  renderEnvironment,
  renderExcludes,
  renderKnownHosts,
  renderPaths,
  renderSshConfig,
  renderTmpfiles,
} from "./client";
import { shellQuote } from "./install";
import { CLIENT_SETTINGS, fingerprint, plainName, ProxyAddress, repositoryAddress } from "./names";

/** A repository of a client whose operator gave us a public key only. */
export interface KeyOnlyRepository {
  name: string;
  /** The public key that the proxy lets in. */
  publicKey: string;
  paths: readonly string[];
  excludes: readonly string[];
}

/**
 * What the operator of a key-only client has to do, as text to copy and paste into a root shell. Not secret: the
 * passwords are handed over apart, from the stack output `passwords` (an object, "CLIENT/REPOSITORY" to password).
 */
export function renderInstructions(a: {
  client: string;
  bucket: string;
  proxy: ProxyAddress;
  repositories: readonly KeyOnlyRepository[];
}): string {
  const settings = CLIENT_SETTINGS;
  const connections = a.repositories.map(({ name, publicKey }) => ({ name, key: publicKey }));
  const names = a.repositories.map(({ name }) => name);
  const example = names[0] ?? "REPOSITORY";
  return `Backups of ${plainName("client", a.client)}

The proxy is ${a.proxy.address}, port ${a.proxy.port}. Its host key is ${fingerprint(a.proxy.hostKey)} (ed25519).
${a.repositories
  .map(
    ({ name, publicKey }) =>
      `Repository ${name}: ${repositoryAddress(a.bucket, a.client, name)}, for the key ${fingerprint(publicKey)}`,
  )
  .join("\n")}

Needed: restic 0.12 or newer and an OpenSSH client. All commands are for a root shell.

1. Settings

umask 077
mkdir -p ${[settings, ...names.map((name) => `${settings}/${name}`)].join(" ")}
${putFile(`${settings}/known_hosts`, renderKnownHosts(a.proxy))}
${putFile(`${settings}/ssh_config`, renderSshConfig(a.proxy, connections))}
${putFile("/usr/local/bin/restic-backup", renderBackupCommand())}
chmod 0755 /usr/local/bin/restic-backup
${putFile("/etc/tmpfiles.d/restic-backup.conf", renderTmpfiles())}
mkdir -p /run/restic-backup
${a.repositories
  .map(
    ({ name, publicKey, paths, excludes }, index) => `
${2 + index}. Repository ${name}

${putFile(`${settings}/${name}/env`, renderEnvironment({ ...a, repository: name }))}
${printWords("%s\\0", renderPaths(paths).split("\0"))} >${settings}/${name}/paths
${printWords("%s\\n", renderExcludes(excludes).split("\n"))} >${settings}/${name}/excludes

Put the private key of ${fingerprint(publicKey)} at ${settings}/${name}/id_ed25519; then
this shows the same fingerprint:

chmod 0600 ${settings}/${name}/id_ed25519
ssh-keygen -lf ${settings}/${name}/id_ed25519

Ask the stack's operator for the password; he reads it under "${a.client}/${name}" in:

    pulumi stack output passwords --show-secrets

Enter it (one line, then Ctrl-D), and once only make the repository:

cat >${settings}/${name}/password
restic-backup ${name} init
`,
  )
  .join("")}
Use

restic-backup ${example}
restic-backup ${example} snapshots
restic-backup ${example} restore latest --target /tmp/restored

The same without restic-backup:

set -a; . ${settings}/${example}/env; set +a
restic -o rclone.program="ssh -F ${settings}/ssh_config ${example}" snapshots
`;
}

/** A here-document that writes a text file, readable before it is pasted. */
function putFile(path: string, content: string): string {
  return `cat >${path} <<'END_OF_FILE'\n${content}END_OF_FILE`;
}

/** A command that prints the words, each in the format; the last word, empty after its separator, is left out. */
function printWords(format: string, words: readonly string[]): string {
  const quoted = words.slice(0, -1).map(shellQuote);
  return quoted.length === 0 ? ":" : `printf '${format}' ${quoted.join(" ")}`;
}
