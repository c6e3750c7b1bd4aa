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
 * What the operator of a key-only client has to do, as a shell script that says so in its comments: he reads it,
 * runs it as root, and runs it again when it asks for a key or a password that is not there yet. Not secret: the
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
  return `#!/bin/sh
# Backups of ${plainName("client", a.client)}. Save this as backups.sh and run it as root: sh backups.sh
# It may run as often as you like. Needed: restic 0.12 or newer and an OpenSSH client.
#
# The proxy is ${a.proxy.address}, port ${a.proxy.port}; its host key is ${fingerprint(a.proxy.hostKey)} (ed25519).
#
# For each repository it asks for two files that it cannot bring:
# - the private key whose public half you handed over;
# - the password. The stack's operator reads it with: pulumi stack output passwords --show-secrets
set -eu
umask 077

need() { # need FILE WHAT
  [ -s "$1" ] || { echo "put $2 into $1, readable by root alone, and run this again" >&2; exit 1; }
  chmod 0600 "$1"
}

# Settings
mkdir -p ${[settings, ...names.map((name) => `${settings}/${name}`)].join(" ")}
${putFile(`${settings}/known_hosts`, renderKnownHosts(a.proxy))}
${putFile(`${settings}/ssh_config`, renderSshConfig(a.proxy, connections))}
${putFile("/usr/local/bin/restic-backup", renderBackupCommand())}
chmod 0755 /usr/local/bin/restic-backup
${putFile("/etc/tmpfiles.d/restic-backup.conf", renderTmpfiles())}
mkdir -p /run/restic-backup
${a.repositories
  .map(
    ({ name, publicKey, paths, excludes }) => `
# Repository ${name}: ${repositoryAddress(a.bucket, a.client, name)}
${putFile(`${settings}/${name}/env`, renderEnvironment({ ...a, repository: name }))}
${printWords("%s\\0", renderPaths(paths).split("\0"))} >${settings}/${name}/paths
${printWords("%s\\n", renderExcludes(excludes).split("\n"))} >${settings}/${name}/excludes
need ${settings}/${name}/id_ed25519 'the private key of ${fingerprint(publicKey)}'
need ${settings}/${name}/password 'the password of ${a.client}/${name}'
restic-backup ${name} cat config >/dev/null || restic-backup ${name} init
`,
  )
  .join("")}
echo "ready. Back up:  restic-backup ${example}"
echo "       List:     restic-backup ${example} snapshots"
echo "       Restore:  restic-backup ${example} restore latest --target /tmp/restored"
# The same without restic-backup:
#   set -a; . ${settings}/${example}/env; set +a
#   restic -o rclone.program="ssh -F ${settings}/ssh_config ${example}" snapshots
`;
}

/** A here-document that writes a text file. */
function putFile(path: string, content: string): string {
  return `cat >${path} <<'END_OF_FILE'\n${content}END_OF_FILE`;
}

/** A command that prints the words, each in the format; the last word, empty after its separator, is left out. */
function printWords(format: string, words: readonly string[]): string {
  const quoted = words.slice(0, -1).map(shellQuote);
  return quoted.length === 0 ? ":" : `printf '${format}' ${quoted.join(" ")}`;
}
