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
state=/var/lib/restic-backup
run=/run/restic-backup

usage() {
  cat <<'END'
Usage: restic-backup REPOSITORY                       back up what the repository is configured for
       restic-backup REPOSITORY RESTIC-ARGUMENTS…     run restic with that repository, for instance
                                                      snapshots, or restore latest --target DIR
       restic-backup --status [REPOSITORY]            show the last run and the next; with REPOSITORY
                                                      also what its last run lacks
A backup whose connection is lost, or that finds the repository locked, is tried again, 3 times in all;
RESTIC_BACKUP_ATTEMPTS sets another number. Where no terminal shows its progress, restic prints a line of it each
minute; RESTIC_PROGRESS_FPS sets another rate. Snapshots with a tag, as the reports of failed runs have, are left out
where restic takes --tag and none is given: restic-backup REPOSITORY snapshots --tag secure-backups-report

Exit status of a backup: 0 all is in it; 3 it is partial: a path is not there, or restic could not read a file;
75 another backup of this repository is running; 1 a command of the configuration failed, or restic did; 129, 130, 141
and 143 a signal ended it; another one is restic's. Then there is no snapshot, unless the command after it failed.
64: this command line names no repository.
Exit status of --status: 0 the last run of each is whole; 3 one is partial; 1 one failed, or has not run yet.
Of the caller's environment restic gets HOME, LANG, LC_ALL, TERM, TMPDIR, TZ, GOMAXPROCS, RESTIC_COMPRESSION,
RESTIC_PACK_SIZE, RESTIC_PROGRESS_FPS and RESTIC_READ_CONCURRENCY.

Repositories of this host:
END
  repositories
}

repositories() {
  for repository_dir in "$settings"/*/; do
    [ ! -f "${repository_dir}env" ] || basename "$repository_dir"
  done
}

say() {
  # A terminal may be gone.
  printf 'restic-backup: %s\n' "$*" >&2 || :
}

fail() {
  say "$@"
  exit 1
}

need_repository() {
  case $1 in
    */* | .* | '') fail "'$1' is not the name of a repository: restic-backup alone lists them" ;;
  esac
  [ -f "$settings/$1/env" ] || fail "no repository '$1' here: restic-backup alone lists them"
}

# setting NAME: a value of the repository's environment, which other programs do not get.
setting() {
  (
    # shellcheck source=/dev/null
    . "$settings/$repository/env"
    eval "printf %s \"\${$1-}\""
  )
}

# free_mib DIRECTORY: what can be written there.
free_mib() {
  df -Pk "$1" 2>/dev/null | awk 'NR == 2 { sub(/ +[0-9]+% .*/, ""); print int($NF / 1024) }'
}

# restic's temporary files are the packs under way, some of 16 MiB at once: they go to the first place with room for
# them, or to the roomiest, so that a full disk can still be backed up.
choose_temporary_folder() {
  most=0
  for place in "${TMPDIR:-/tmp}" /var/tmp "$run" /dev/shm; do
    [ -w "$place" ] || continue
    free=$(free_mib "$place")
    if [ "${free:-0}" -gt "$most" ]; then
      most=$free
      export TMPDIR="$place"
    fi
    [ "$most" -lt 256 ] || break
  done
}

# With a cache that it cannot write restic fails or prints stack traces; without one it works, only slower.
choose_cache() { # choose_cache [RESTIC-COMMAND]
  cache=$(setting RESTIC_CACHE_DIR)
  if mkdir -p "$cache" 2>/dev/null; then
    chmod 0700 "$cache"
  fi
  free=$(free_mib "$cache")
  cache_option=
  if [ "${free:-0}" -lt 16 ] && [ "${1-}" != cache ]; then
    say "no room for a cache in $cache: restic works without it"
    cache_option=--no-cache
  fi
}

# run_restic ARGUMENTS…: this process becomes restic, the only one that gets the repository's password.
run_restic() {
  # A busy proxy may need longer than the minute that restic waits; ssh gives up after five. restic has the option since
  # 0.13.0.
  patience=
  case $("$restic" options 2>/dev/null) in *rclone.timeout*) patience=rclone.timeout=5m ;; esac
  set -a
  # shellcheck source=/dev/null
  . "$settings/$repository/env"
  set +a
  if [ "$1" = configured-backup ]; then
    if [ -n "${RESTIC_BACKUP_STDIN_NAME-}" ]; then
      set -- backup --stdin --stdin-filename "$RESTIC_BACKUP_STDIN_NAME"
    else
      set -- backup --files-from-raw "$settings/$repository/paths" --exclude-file "$settings/$repository/excludes"
      [ -z "${RESTIC_BACKUP_ONE_FILE_SYSTEM-}" ] || set -- "$@" --one-file-system
    fi
  fi
  exec "$restic" ${cache_option:+"$cache_option"} ${RESTIC_BACKUP_UPLOAD:+--limit-upload "$RESTIC_BACKUP_UPLOAD"} \
    ${RESTIC_BACKUP_DOWNLOAD:+--limit-download "$RESTIC_BACKUP_DOWNLOAD"} \
    -o "rclone.program=ssh -F $settings/ssh_config $repository" ${patience:+-o "$patience"} "$@"
}

# restic's commands that choose among snapshots leave out those with a tag, unless the caller chooses by tag: what a
# failed run reports must never be what "restore latest" brings back.
run_restic_for_person() {
  case $1 in
    -h | --help | --version) ;;
    # Behind an option the command would not be seen.
    -*) fail "give restic's command first, and its options after it" ;;
    snapshots | restore | ls | dump | mount | find | stats)
      for word; do
        case $word in
          --tag | --tag=*) run_restic "$@" ;;
        esac
      done
      command=$1
      shift
      run_restic "$command" --tag '' "$@"
      ;;
  esac
  run_restic "$@"
}

now() {
  date +%s
}

# Seconds since the host started: they go on where somebody sets the clock.
uptime_seconds() {
  cut -d . -f 1 /proc/uptime
}

# one_line TEXT: without control characters, so that a record stays a line a field.
one_line() {
  printf '%s' "$1" | tr -d '\000-\037\177' | cut -c 1-400
}

# ---- the record of the last run: /var/lib/restic-backup/REPOSITORY/last, a line a field, and problems, a line each

# The record of the last run since the host started is in $run, too: a full disk keeps no backup from being made.
write_record() { # write_record RESULT STATUS WHY
  {
    printf 'began=%s\nended=%s\nseconds=%s\n' "$began" "$(now)" "$(($(uptime_seconds) - began_uptime))"
    printf 'by=%s\nattempts=%s\nresult=%s\nstatus=%s\nwhy=%s\n' "$by" "$attempt" "$1" "$2" "$(one_line "$3")"
  } >"$run/$repository.record"
  keep_record last
  [ "$1" != ok ] || keep_record good
}

keep_record() { # keep_record NAME
  if ! cp "$run/$repository.record" "$record/$1.new" || ! sync "$record/$1.new" || ! mv -f "$record/$1.new" "$record/$1"; then
    say "cannot write $record/$1: is the disk full?"
  fi
}

# last_record: the file with the record of the last run.
last_record() {
  if [ -s "$run/$repository.record" ]; then
    echo "$run/$repository.record"
  else
    echo "$record/last"
  fi
}

# problems_of RECORD: the file with what that run lacked.
problems_of() {
  case $1 in
    *.record) echo "${1%.record}.problems" ;;
    *) echo "${1%/*}/problems" ;;
  esac
}

# field FILE NAME: a field of a record, empty where there is none.
field() {
  sed -n "s/^$2=//p" "$1" 2>/dev/null | head -n 1
}

# ---- commands of the configuration

# systemd takes a main process that ended by one of these signals for a success.
# shellcheck disable=SC2016
hook_shell='trap "exit 143" HUP INT TERM PIPE; /bin/sh "$1"; exit $?'

# run_hook NAME: runs a command of the configuration in a unit of its own, so that the unit of the backup can be strict;
# without systemd in a session of its own. Its standard output is this function's.
run_hook() {
  hook_seconds=$(cat "$settings/$repository/$1.seconds")
  hook_began=$(uptime_seconds)
  hook_unit=restic-backup-$repository-$1
  hook_status=0
  if [ -d /run/systemd/system ]; then
    systemctl reset-failed "$hook_unit.service" 2>/dev/null || :
    systemd-run --quiet --wait --pipe --collect --unit="$hook_unit" --property=IgnoreSIGPIPE=no \
      --property="RuntimeMaxSec=$hook_seconds" --property=TimeoutStopSec=30 \
      --setenv="RESTIC_BACKUP_REPOSITORY=$repository" --setenv="RESTIC_BACKUP_RESULT=${result-}" \
      /bin/sh -c "$hook_shell" sh "$settings/$repository/$1" 8>&- || hook_status=$?
  else
    RESTIC_BACKUP_REPOSITORY=$repository RESTIC_BACKUP_RESULT=${result-} \
      timeout -k 30 "$hook_seconds" /bin/sh "$settings/$repository/$1" 8>&- || hook_status=$?
  fi
  # timeout(1)'s status for a program that it ended.
  if [ "$hook_status" -ne 0 ] && [ $(($(uptime_seconds) - hook_began)) -ge "$hook_seconds" ]; then
    hook_status=124
  fi
  return "$hook_status"
}

# What a hook's status means, in words.
hook_problem() { # hook_problem NAME STATUS
  case $2 in
    124) printf 'the command "%s" did not end within %s s' "$1" "$(cat "$settings/$repository/$1.seconds")" ;;
    *) printf 'the command "%s" failed with status %s' "$1" "$2" ;;
  esac
}

stop_hooks() {
  [ -d /run/systemd/system ] || return 0
  for hook in before stdin; do
    systemctl stop "restic-backup-$repository-$hook.service" 2>/dev/null || :
  done
}

# ---- one attempt

# The configured paths that are not there; older versions of restic pass over them and end with success.
missing_paths() {
  # shellcheck disable=SC2016
  xargs -0 sh -c 'for path; do [ -e "$path" ] || [ -L "$path" ] || printf "%s\n" "$path"; done' sh \
    <"$settings/$repository/paths"
}

# Passes restic's words on, keeps what it could not read, and ends with what they say: 21 the connection was lost,
# 22 the proxy refuses the key; older versions have no exit status of their own for 10 no repository, 11 locked,
# 12 wrong password.
pass_on() {
  awk -v problems="$run/$repository.problems" '
    { print; fflush() }
    /^error: / && count++ < 100 { print > problems }
    /stdio connection already closed|error talking HTTP to rclone|unexpected EOF|connection reset/ { lost = 21 }
    /Permission denied \(publickey/ { refused = 22 }
    /already locked|unable to create lock/ { told = 11 }
    /wrong password or no key found/ { told = 12 }
    /unable to open config file|repository does not exist/ { told = 10 }
    END { exit refused ? refused : told ? told : lost ? lost : 0 }'
}

# is_running PID: a process that has ended and that nobody has asked for its status yet has no program any more.
is_running() {
  readlink "/proc/$1/exe" >/dev/null
}

# The dump of the configuration flows into restic. Where it fails restic is ended before it sees the end of the
# stream, so that half a dump never becomes a snapshot.
dump() {
  dump_status=0
  run_hook stdin || dump_status=$?
  [ "$dump_status" -ne 0 ] || return 0
  tries=0
  until [ -s "$run/$repository.restic" ]; do
    # It was never started.
    [ "$tries" -lt 60 ] || return 0
    sleep 1
    tries=$((tries + 1))
  done
  restic_pid=$(cat "$run/$repository.restic")
  # A dump fails, too, where restic went away from it.
  is_running "$restic_pid" || return 0
  echo "$dump_status" >"$run/$repository.dump"
  kill -INT "$restic_pid" 2>/dev/null || return 0
  # restic heeds the signal when it has read a chunk, of at most 8 MiB.
  trap '' PIPE
  tries=0
  while is_running "$restic_pid" && [ "$tries" -lt 60 ]; do
    sleep 1
    timeout 5 head -c 9000000 /dev/zero 2>/dev/null || :
    tries=$((tries + 1))
  done
  kill -KILL "$restic_pid" 2>/dev/null || :
}

restic_of_attempt() {
  if [ -z "$stdin_name" ]; then
    run_restic configured-backup </dev/null
  fi
  # shellcheck disable=SC2016
  sh -c 'echo "$PPID"' >"$run/$repository.restic" || exit 1
  run_restic configured-backup
}

attempt_backup() {
  rm -f "$run/$repository.problems" "$run/$repository.dump" "$run/$repository.restic"
  missing=
  [ -n "$stdin_name" ] || missing=$(missing_paths)
  kind=0
  # restic's stdout is ours, its stderr goes through a pipe, its status comes by descriptor 3: no file on a full disk.
  status=$(
    {
      {
        ended=0
        if [ -n "$stdin_name" ]; then
          { dump 2>&4 3>&- 4>&- | (restic_of_attempt) 2>&1 >&4 3>&- 4>&- 8>&-; } || ended=$?
        else
          (restic_of_attempt) 2>&1 >&4 3>&- 4>&- 8>&- || ended=$?
        fi
        echo $ended >&3
      } | pass_on 3>&- 4>&- 8>&- >&2
    } 3>&1
  ) || kind=$?
  [ "$status" -ne 1 ] || [ "$kind" -lt 10 ] || [ "$kind" -gt 12 ] || status=$kind
}

# ---- a run

finish() { # finish RESULT STATUS WHY
  trap : HUP INT TERM PIPE
  result=$1
  stop_hooks
  if [ -f "$settings/$repository/after" ] && [ -n "$after_due" ]; then
    after_due=
    after_status=0
    run_hook after || after_status=$?
    if [ "$after_status" -ne 0 ] && [ "$result" != failed ]; then
      set -- failed 1 "a snapshot was created, but $(hook_problem after "$after_status")"
    fi
  fi
  touch "$run/$repository.problems"
  [ -z "${missing-}" ] || printf '%s\n' "$missing" | sed 's/^/not there: /' >>"$run/$repository.problems"
  cp "$run/$repository.problems" "$record/problems" || say "cannot write $record/problems: is the disk full?"
  write_record "$@"
  if [ "$1" != ok ]; then
    say "$repository: $1: $3"
    # What could not reach the repository a moment ago cannot report there.
    case $2:${kind-0} in
      1[012]:* | *:2[12]) ;;
      *) send_report "$1" || say "the report of this run did not reach the repository" ;;
    esac
  fi
  exit "$2"
}

# The report of a run that was not whole: a snapshot of one small file, in the series that its tag makes, for an operator
# who cannot reach this host. The second tag is for the keeper, which reads no file.
send_report() { # send_report partial|failed
  choose_cache
  report | (run_restic backup --quiet --stdin --stdin-filename restic-backup-report.json --tag secure-backups-report \
    --tag "secure-backups-$1" >/dev/null 2>&1 8>&-)
}

report() {
  awk -v repository="$repository" '
    function text(value) {
      gsub(/\\/, "&&", value); gsub(/"/, "\\\"", value); gsub(/[\001-\037\177]/, "?", value)
      return "\"" value "\""
    }
    FILENAME ~ /\.problems$/ { problems = problems (count++ ? ", " : "") text($0); next }
    {
      at = index($0, "="); name = substr($0, 1, at - 1); value = substr($0, at + 1)
      fields = fields ", " text(name) ": " (value ~ /^[0-9]+$/ ? value : text(value))
    }
    END { printf "{\"version\": 1, \"repository\": %s%s, \"problems\": [%s]}\n", text(repository), fields, problems }
  ' "$run/$repository.record" "$run/$repository.problems"
}

interrupted() { # interrupted STATUS
  stop_hooks
  wait
  finish failed "$1" "interrupted by a signal"
}

back_up() { # back_up timer|person
  umask 077
  by=$1
  need_repository "$repository"
  choose_temporary_folder
  record=$state/$repository
  mkdir -p "$record" 2>/dev/null || say "cannot create $record: is the disk full?"
  stdin_name=$(setting RESTIC_BACKUP_STDIN_NAME)
  attempt=0
  after_due=

  # Each repository's hour is its own, so that a fleet does not come at once.
  if [ "$by" = timer ]; then
    wait_seconds=$(setting RESTIC_BACKUP_WAIT)
    say "$repository begins in ${wait_seconds:-0} s"
    sleep "${wait_seconds:-0}"
  fi
  exec 8>"$run/$repository.lock"
  if [ "$by" = timer ]; then
    flock -w 43200 8 || busy
  else
    flock -n 8 || busy
  fi
  began=$(now)
  began_uptime=$(uptime_seconds)
  # Those of the run before: this one may end before its first attempt.
  rm -f "$run/$repository.problems"
  write_record running 0 ''
  trap 'interrupted 129' HUP
  trap 'interrupted 130' INT
  trap 'interrupted 143' TERM
  trap 'interrupted 141' PIPE
  [ -t 1 ] || export RESTIC_PROGRESS_FPS="${RESTIC_PROGRESS_FPS:-0.0166}"

  after_due=yes
  if [ -f "$settings/$repository/before" ]; then
    hook_failed=0
    run_hook before || hook_failed=$?
    [ "$hook_failed" -eq 0 ] || finish failed 1 "$(hook_problem before "$hook_failed"): nothing was backed up"
  fi
  choose_cache
  exec 4>&1
  # restic gives up when its connection is lost, though the same command would now succeed, and what it has sent
  # is not lost; a lock goes away. No other failure is tried again.
  while :; do
    attempt=$((attempt + 1))
    attempt_backup
    if [ -f "$run/$repository.dump" ]; then
      finish failed 1 "$(hook_problem stdin "$(cat "$run/$repository.dump")"): nothing was backed up"
    fi
    [ "$attempt" -lt "${RESTIC_BACKUP_ATTEMPTS:-3}" ] || break
    case $status:$kind in
      1:21) say "the connection was lost; attempt $((attempt + 1)) begins in $((attempt * 15)) s" ;;
      11:*)
        say "the repository is locked; attempt $((attempt + 1)) begins in $((attempt * 15)) s"
        # Removes locks of this host's own ended processes, and those that nobody has renewed for half an hour.
        (run_restic unlock --quiet >&2 8>&-) || :
        ;;
      *) break ;;
    esac
    sleep $((attempt * 15))
  done
  if [ -n "$missing" ]; then
    printf '%s\n' "$missing" | while IFS= read -r path; do
      say "not in this backup, for it is not there: $path"
    done
    [ "$status" -ne 0 ] || status=3
  fi
  case $status:$kind in
    0:*) finish ok 0 '' ;;
    3:*) finish partial 3 "the backup lacks what is named above" ;;
    10:*) finish failed 10 "the repository does not exist" ;;
    11:*) finish failed 11 "the repository stayed locked" ;;
    12:*) finish failed 12 "the password is wrong" ;;
    *:22) finish failed "$status" "the proxy refuses this host's key: it may be frozen" ;;
    *:21) finish failed "$status" "the connection was lost" ;;
    *) finish failed "$status" "restic ended with status $status" ;;
  esac
}

busy() {
  say "a backup of $repository is running"
  exit 75
}

# What systemd saw of a run that could not write its own result.
record_ended() {
  umask 077
  record=$state/$repository
  last=$(last_record)
  exec 8>"$run/$repository.lock"
  if [ "$(field "$last" result)" != running ] || ! flock -n 8; then
    exit 0
  fi
  began=$(field "$last" began)
  began_uptime=$(uptime_seconds)
  by=$(field "$last" by)
  attempt=$(field "$last" attempts)
  after_due=yes
  finish failed 137 "the run was killed"
}

# ---- status

when() { # when SECONDS: as local time
  if [ -n "$1" ]; then
    date -d "@$1" '+%Y-%m-%d %H:%M'
  else
    echo never
  fi
}

next_run() {
  next=$(systemctl show --property=NextElapseUSecRealtime --value "restic-backup@$repository.timer" 2>/dev/null) || next=
  if [ -n "$next" ] && next=$(date -d "$next" +%s 2>/dev/null); then
    when $((next + $(setting RESTIC_BACKUP_WAIT)))
  else
    echo 'no timer'
  fi
}

# Whether the service failed after the last run ended: then a later one could not even begin.
failed_since() { # failed_since SECONDS
  unit=restic-backup@$repository.service
  systemctl is-failed --quiet "$unit" 2>/dev/null || return 1
  failed_at=$(systemctl show --property=InactiveEnterTimestamp --value "$unit") &&
    failed_at=$(date -d "$failed_at" +%s 2>/dev/null) && [ "$failed_at" -gt "$1" ]
}

status_line() {
  record=$state/$repository
  last=$(last_record)
  result=$(field "$last" result)
  why=$(field "$last" why)
  if [ "$result" = running ] && flock -s -n "$run/$repository.lock" true; then
    result=failed
    why="the run was killed"
  elif [ "$result" = ok ] && failed_since "$(field "$last" ended)"; then
    result=failed
    why="a later run could not begin: see journalctl -u restic-backup@$repository"
  fi
  printf '%-20s %-8s %-16s %-16s %-16s %s\n' "$repository" "${result:-none}" "$(when "$(field "$last" began)")" \
    "$(when "$(field "$record/good" began)")" "$(next_run)" "$why"
  case $result in
    ok | running) ;;
    partial) [ "$worst" -eq 1 ] || worst=3 ;;
    *) worst=1 ;;
  esac
}

show_status() {
  worst=0
  printf '%-20s %-8s %-16s %-16s %-16s %s\n' repository result began 'last ok' next why
  if [ -n "${1-}" ]; then
    repository=$1
    need_repository "$repository"
    status_line
    # Names of files are anybody's.
    tr -d '\001-\010\013-\037\177' 2>/dev/null <"$(problems_of "$last")" || :
  else
    for repository in $(repositories); do
      status_line
    done
  fi
  exit "$worst"
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
[ "$(id -u)" = 0 ] || fail "only root may read $settings: run it with sudo"
# A place for the shared connections, which a restart of the host takes away.
mkdir -p "$run"
chmod 0700 "$run"
restic=/usr/local/lib/secure-backups/restic
[ -x "$restic" ] || restic=restic
case $1 in
  --status) show_status "${2-}" ;;
  --scheduled)
    repository=$2
    back_up timer
    ;;
  --ended)
    repository=$2
    record_ended
    ;;
  -*)
    usage >&2
    exit 64
    ;;
esac
repository=$1
shift
need_repository "$repository"
[ $# -gt 0 ] || back_up person
choose_temporary_folder
choose_cache "$1"
run_restic_for_person "$@"
