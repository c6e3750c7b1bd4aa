#!/bin/sh
# restic-backup REPOSITORY [RESTIC ARGUMENTS…]: restic through the append-only proxy. Written by secure-backups.
set -eu

# restic gets the repository's own environment and these variables of the caller's: any other could have it open
# another repository (RESTIC_REPOSITORY_FILE) or try another password (RESTIC_PASSWORD_COMMAND). Cron's PATH is short.
if [ "${RESTIC_BACKUP_STARTED-}" != yes ]; then
  set -- /bin/sh "$0" "$@"
  for name in HOME LANG LC_ALL TERM TMPDIR TZ GOMAXPROCS RESTIC_BACKUP_ATTEMPTS RESTIC_COMPRESSION RESTIC_PACK_SIZE \
    RESTIC_PROGRESS_FPS RESTIC_READ_CONCURRENCY; do
    eval "[ -z \"\${$name-}\" ] || set -- \"$name=\$$name\" \"\$@\""
  done
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin RESTIC_BACKUP_STARTED=yes "$@"
fi
unset RESTIC_BACKUP_STARTED

settings=/etc/restic-backup

usage() {
  cat <<'END'
Usage: restic-backup REPOSITORY                       back up the repository's configured paths
       restic-backup REPOSITORY RESTIC-ARGUMENTS…     run restic with that repository, for instance
                                                      snapshots, or restore latest --target DIR
A backup whose connection is lost is tried again, 3 times in all; RESTIC_BACKUP_ATTEMPTS sets another number.
Where no terminal shows its progress, restic prints a line of it each minute; RESTIC_PROGRESS_FPS sets another rate.

Exit status of a backup: 0 all is in it; 3 it is partial: a path is not there, or restic could not read a file;
another one is restic's, and nothing was backed up. 64: this command line names no repository.
Of the caller's environment restic gets HOME, LANG, LC_ALL, TERM, TMPDIR, TZ, GOMAXPROCS, RESTIC_COMPRESSION,
RESTIC_PACK_SIZE, RESTIC_PROGRESS_FPS and RESTIC_READ_CONCURRENCY.

Repositories of this host:
END
  for repository_dir in "$settings"/*/; do
    [ ! -f "${repository_dir}env" ] || basename "$repository_dir"
  done
}

say() {
  printf 'restic-backup: %s\n' "$*" >&2
}

fail() {
  say "$@"
  exit 1
}

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
  '')
    usage >&2
    exit 64
    ;;
esac
repository=$1
shift
[ "$(id -u)" = 0 ] || fail "only root may read $settings: run it with sudo"
case $repository in
  */* | .*) fail "'$repository' is not the name of a repository: restic-backup alone lists them" ;;
esac
[ -f "$settings/$repository/env" ] || fail "no repository '$repository' here: restic-backup alone lists them"

# A place for the shared connections, which a restart of the host takes away.
mkdir -p /run/restic-backup
chmod 0700 /run/restic-backup

restic=/usr/local/lib/secure-backups/restic
[ -x "$restic" ] || restic=restic

# free_mib DIRECTORY: what can be written there.
free_mib() {
  df -Pk "$1" 2>/dev/null | awk 'NR == 2 { sub(/ +[0-9]+% .*/, ""); print int($NF / 1024) }'
}

# restic's temporary files are the packs under way, some of 16 MiB at once: they go to the first place with room for
# them, or to the roomiest, so that a full disk can still be backed up.
most=0
for place in "${TMPDIR:-/tmp}" /var/tmp /run /dev/shm; do
  free=$(free_mib "$place")
  if [ "${free:-0}" -gt "$most" ]; then
    most=$free
    export TMPDIR="$place"
  fi
  [ "$most" -lt 256 ] || break
done

cache=$(
  # shellcheck source=/dev/null
  . "$settings/$repository/env"
  printf %s "$RESTIC_CACHE_DIR"
)
if mkdir -p "$cache" 2>/dev/null; then
  chmod 0700 "$cache"
fi
# With a cache that it cannot write restic fails or prints stack traces; without one it works, only slower.
free=$(free_mib "$cache")
cache_option=
if [ "${free:-0}" -lt 16 ] && [ "${1-}" != cache ]; then
  say "no room for a cache in $cache: restic works without it"
  cache_option=--no-cache
fi

# run_restic ARGUMENTS…: this process becomes restic, the only one that gets the repository's password.
run_restic() {
  set -a
  # shellcheck source=/dev/null
  . "$settings/$repository/env"
  set +a
  if [ "$1" = configured-backup ]; then
    set -- backup --files-from-raw "$settings/$repository/paths" --exclude-file "$settings/$repository/excludes"
    [ -z "${RESTIC_BACKUP_ONE_FILE_SYSTEM-}" ] || set -- "$@" --one-file-system
  fi
  exec "$restic" ${cache_option:+"$cache_option"} -o "rclone.program=ssh -F $settings/ssh_config $repository" "$@"
}

[ $# -eq 0 ] || run_restic "$@"

# The configured paths that are not there; older versions of restic pass over them and end with success.
missing_paths() {
  # shellcheck disable=SC2016
  xargs -0 sh -c 'for path; do [ -e "$path" ] || [ -L "$path" ] || printf "%s\n" "$path"; done' sh \
    <"$settings/$repository/paths"
}

# Passes restic's output on; ends with 1 where it says that the connection was lost.
pass_on() {
  awk '{ print; fflush() }
    /stdio connection already closed|error talking HTTP to rclone|unexpected EOF|connection reset/ { lost = 1 }
    END { exit lost }'
}

[ -t 1 ] || export RESTIC_PROGRESS_FPS="${RESTIC_PROGRESS_FPS:-0.0166}"

# restic gives up when its connection is lost, though the same command would now succeed, and what it has sent
# is not lost: only that case is tried again.
exec 4>&1
attempt=1
while :; do
  missing=$(missing_paths)
  lost=no
  # restic's stdout is ours, its stderr goes through a pipe, its status comes by descriptor 3: no file on a full disk.
  status=$(
    {
      {
        ended=0
        (run_restic configured-backup) 2>&1 >&4 3>&- 4>&- || ended=$?
        echo $ended >&3
      } | pass_on 3>&- 4>&- >&2
    } 3>&1
  ) || lost=yes
  if [ "$status" -ne 1 ] || [ $lost = no ] || [ $attempt -ge "${RESTIC_BACKUP_ATTEMPTS:-3}" ]; then
    break
  fi
  say "the connection was lost; attempt $((attempt + 1)) begins in $((attempt * 15)) s"
  sleep $((attempt * 15))
  attempt=$((attempt + 1))
done
if [ -n "$missing" ]; then
  printf '%s\n' "$missing" | while IFS= read -r path; do
    say "not in this backup, for it is not there: $path"
  done
  [ "$status" -ne 0 ] || status=3
fi
[ "$status" -ne 3 ] || say "the backup of $repository is partial: what it lacks is named above"
exit "$status"
