#!/bin/sh
# restic-backup REPOSITORY [RESTIC ARGUMENTS…]: restic through the append-only proxy. Written by secure-backups.
set -eu

settings=/etc/restic-backup

usage() {
  cat <<'END'
Usage: restic-backup REPOSITORY                       back up the repository's configured paths
       restic-backup REPOSITORY RESTIC-ARGUMENTS…     run restic with that repository, for instance
                                                      snapshots, or restore latest --target DIR
A backup whose connection is lost is tried again, 3 times in all; RESTIC_BACKUP_ATTEMPTS sets another number.
The exit status is restic's.

Repositories of this host:
END
  for repository_dir in "$settings"/*/; do
    [ ! -f "${repository_dir}env" ] || basename "$repository_dir"
  done
}

fail() {
  printf 'restic-backup: %s\n' "$*" >&2
  exit 1
}

case ${1:-} in
  '' | -h | --help)
    usage
    exit 0
    ;;
esac
repository=$1
shift
[ "$(id -u)" = 0 ] || fail "only root may read $settings: run it with sudo"
case $repository in
  */* | .*) fail "'$repository' is not the name of a repository: restic-backup alone lists them" ;;
esac
[ -f "$settings/$repository/env" ] || fail "no repository '$repository' here: restic-backup alone lists them"

set -a
# shellcheck source=/dev/null
. "$settings/$repository/env"
set +a
# A place for the shared connections, which a restart of the host takes away.
mkdir -p /run/restic-backup "$RESTIC_CACHE_DIR"
chmod 0700 /run/restic-backup "$RESTIC_CACHE_DIR"

restic=/usr/local/lib/secure-backups/restic
[ -x "$restic" ] || restic=restic
program="rclone.program=ssh -F $settings/ssh_config $repository"

[ $# -eq 0 ] || exec "$restic" -o "$program" "$@"

# restic gives up when its connection is lost, though the same command would now succeed, and what it has sent
# is not lost: only that case is tried again. A pipe keeps restic's words both on stderr and in a log to judge by.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkfifo "$work/pipe"
attempt=1
while :; do
  tee "$work/log" <"$work/pipe" >&2 &
  status=0
  "$restic" -o "$program" backup --files-from-raw "$settings/$repository/paths" \
    --exclude-file "$settings/$repository/excludes" 2>"$work/pipe" || status=$?
  wait $!
  [ $status -eq 1 ] && [ $attempt -lt "${RESTIC_BACKUP_ATTEMPTS:-3}" ] || exit $status
  grep -Eq 'stdio connection already closed|error talking HTTP to rclone|unexpected EOF|connection reset' "$work/log" || exit $status
  printf 'restic-backup: the connection was lost; attempt %s begins in %s s\n' $((attempt + 1)) $((attempt * 15)) >&2
  sleep $((attempt * 15))
  attempt=$((attempt + 1))
done
