import { KeyPair, RepositorySettings } from "../../config";
import { hookFiles, runParameters, timerFiles } from "./runs";
import { guardLine, hostScript, shellQuote } from "../install";
import {
  CLIENT_SETTINGS,
  fingerprint,
  LIBRARY,
  plainName,
  plainPublicKey,
  repositoryAddress,
} from "../names";
import { passwordFile, renderEnvironment } from "./environment";
import { checkParameters } from "./install";
import { CLIENT_FILES, ClientValues, repositoryFiles } from "./manifest";
import { RUN } from "./units";
import { renderExcludes, renderPaths } from "./selection";
import { renderSshConfig } from "./ssh-config";

/** A repository of a client whose operator gave us a public key only. */
export type KeyOnlyRepository = RepositorySettings & Pick<KeyPair, "publicKey">;

/**
 * What the operator of a key-only client has to do, as a shell script that says so in its comments: they read it,
 * run it as root, and run it again when it asks for a key or a password that is not there yet. Not secret: the
 * passwords are handed over apart, from the stack output `passwords` (an object, "CLIENT/REPOSITORY" to password).
 */
export function renderInstructions(
  a: Omit<ClientValues, "repositories"> & { repositories: readonly KeyOnlyRepository[] },
): string {
  const settings = CLIENT_SETTINGS;
  const connections = a.repositories.map(({ name, publicKey }) => ({ name, key: publicKey }));
  const names = a.repositories.map(({ name }) => name);
  const example = names[0] ?? "REPOSITORY";
  const { stackMark, knownHosts, sshConfig, command, tmpfiles } = CLIENT_FILES;
  const timers = timerFiles(a.client, a.repositories);
  const publicKeys = a.repositories.map(({ name, publicKey }) => `${plainPublicKey(name, publicKey)}\n`);
  const checks = Object.entries(
    checkParameters({ stack: a.stack, known: [knownHosts.content(a), ...publicKeys] }),
  );
  return `#!/bin/sh
# Backups of ${plainName("client", a.client)}. Save this as backups.sh and run it as root: sh backups.sh
# It may run as often as you like. Needed: restic 0.12 or newer and the client of OpenSSH 8.0 or newer.
#
# The proxy is ${a.proxy.address}, port ${a.proxy.port}; its host key is ${fingerprint(a.proxy.hostKey)} (ed25519).
#
# For each repository it asks for two files that it cannot bring:
# - the private key whose public half you handed over;
# - the password. The stack's operator reads it with: pulumi stack output passwords --show-secrets
set -eu
umask 077

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

fail() {
  echo "$*" >&2
  exit 1
}

need() { # need FILE WHAT
  [ -s "$1" ] || fail "put $2 into $1, readable by root alone, and run this again"
  chmod 0600 "$1"
}

put() { # put FILE MODE, the content on standard input
  cat >"$1.new"
  chmod "$2" "$1.new"
  mv -f "$1.new" "$1"
}

${[...checks, ...Object.entries(runParameters(a.repositories))].map(([name, value]) => `${name}=${shellQuote(value)}`).join("\n")}

say() {
  echo "$*"
}

put_timers() {
${timers.map((file) => putFile(file, file.content)).join("\n") || ":"}
}

${["ours.sh", "client/client-checks.sh", "client/timers.sh"].map((name) => hostScript(name).replace(/^# shellcheck.*\n/, "")).join("\n")}
# First a look at what is here; nothing changes before it is done.
[ "$(id -u)" = 0 ] || fail "run this as root"
need_settings
need_timers
${[command, tmpfiles, ...timers].map(({ path, signature }) => guardLine(path, signature ?? "")).join("\n")}
command -v ssh >/dev/null || fail "ssh is missing: install the client of OpenSSH, then run this again"
restic=${LIBRARY}/restic
[ -x "$restic" ] || restic=$(command -v restic) || fail "restic is missing: install version 0.12 or newer, then run this again"
need_restic "$restic" "Install a newer one, as from https://github.com/restic/restic/releases into /usr/local/bin, then run this again"
name_other_timers

# Settings
mkdir -p ${[settings, ...names.map((name) => `${settings}/${name}`)].join(" ")}
${putFile(stackMark, stackMark.content(a))}
${putFile(knownHosts, knownHosts.content(a))}
${putFile(sshConfig, renderSshConfig(a.proxy, connections))}
${putFile(command, command.content())}
${putFile(tmpfiles, tmpfiles.content())}
mkdir -p ${RUN.dir}
${a.repositories.map((repository) => repositoryPart(a, repository)).join("")}
remove_stale_hooks
install_timers
echo "ready. Back up:  restic-backup ${example}"
echo "       List:     restic-backup ${example} snapshots"
echo "       Restore:  restic-backup ${example} restore latest --target /tmp/restored"
# The same without restic-backup:
#   set -a; . ${settings}/${example}/env; set +a
#   restic -o rclone.program="ssh -F ${settings}/ssh_config ${example}" snapshots
`;
}

/** What sets up one repository, and creates it where there is none. */
function repositoryPart(a: Pick<ClientValues, "client" | "bucket">, repository: KeyOnlyRepository): string {
  const { name, publicKey, paths, excludes } = repository;
  // The password is handed over apart.
  const environment = renderEnvironment(a, { ...repository, password: undefined });
  const files = repositoryFiles(name);
  const command = CLIENT_FILES.command.path;
  return `
# Repository ${name}: ${repositoryAddress(a.bucket, a.client, name)}
${putFile(files.env, environment)}
${printWords("%s\\0", renderPaths(paths).split("\0"))} | put ${files.paths.path} ${files.paths.mode}
${printWords("%s\\n", renderExcludes(excludes).split("\n"))} | put ${files.excludes.path} ${files.excludes.mode}
${hookFiles(repository)
  .map(({ path, mode, content }) => `${printWords("%s\\n", content.split("\n"))} | put ${path} ${mode}`)
  .join("\n")}
need ${files.privateKey.path} 'the private key of ${fingerprint(publicKey)}'
need ${passwordFile(name)} 'the password of ${a.client}/${name}'
${command} ${name} cat config >/dev/null || ${command} ${name} init
`;
}

/** A here-document that writes a file. */
function putFile({ path, mode }: { path: string; mode: string }, content: string): string {
  return `put ${path} ${mode} <<'END_OF_FILE'\n${content}END_OF_FILE`;
}

/** A command that prints the words, each in the format; the last word, empty after its separator, is left out. */
function printWords(format: string, words: readonly string[]): string {
  const quoted = words.slice(0, -1).map(shellQuote);
  return quoted.length === 0 ? ":" : `printf '${format}' ${quoted.join(" ")}`;
}
