# shellcheck shell=sh
# Prints facts about this host, in gzip and base64, and changes nothing. Secrets are searched in them on the operator's
# machine, so none is brought here. Assignments stand before this text, which is wrapped in a function: ROLE (proxy,
# client or keeper; that one has KEEPER_SETTINGS, a folder, and KEEPER_UNITS), KEY_IDS (access key IDs, which are no secrets), REPOSITORIES, TIMERS (on a client: the files of its timers),
# OPERATOR (on the proxy: the user who logs in), MODES and SUMS (paths to look at, none with a blank), the paths and the
# user of facts.ts, and BOUNDARY, which no text of the host can hold. A process costs much on a small host: facts of many parts come from one.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

# What of logs is looked at, and how long a search may take.
log_bytes=2000000
file_bytes=300000
environment_bytes=6000000
seconds=40

# bounded BYTES: what comes in, no more than that; status 1 where more would come. Any user of the host can make some
# facts endless, and then they are to be unknown, and no others.
bounded() {
  head -c "$1"
  [ "$(head -c 1 | wc -c)" -eq 0 ]
}

# fact NAME COMMAND…: what it prints, and its status.
fact() {
  printf '\n%s %s\n' "$BOUNDARY" "$1"
  shift
  fact_status=0
  "$@" 2>/dev/null </dev/null || fact_status=$?
  printf '\n%s' "$fact_status"
}

# modes PATH…: mode, owner, type and name of each and of every directory above it; a missing one is not listed.
modes() {
  modes_paths=
  for modes_path in "$@"; do
    while [ -n "$modes_path" ]; do
      modes_paths="$modes_paths $modes_path"
      modes_path=${modes_path%/*}
    done
  done
  # No name has a blank.
  # shellcheck disable=SC2086
  stat -c '%a %U:%G %F|%n' $modes_paths || :
}

# A missing file has no line.
sums() {
  sha256sum "$@" || :
}

version_of() {
  env -i PATH="$PATH" HOME=/nonexistent timeout 30 "$1" version
}

# package NAME: its version, or nothing where this is no Debian.
package() {
  command -v dpkg-query >/dev/null || return 0
  # shellcheck disable=SC2016
  dpkg-query -W -f '${Version}\n' "$1" || :
}

processes() {
  ps -ww -e -o pid= -o user= -o args= | bounded $log_bytes
}

# After a line `==> /proc/PID/environ <==` each.
environments() {
  head -v -c 100000 /proc/[0-9]*/environ | tr '\0' '\n' | bounded $environment_bytes
}

logs() {
  if command -v journalctl >/dev/null && { [ -d /run/log/journal ] || [ -d /var/log/journal ]; }; then
    printf '== journal\n'
    # A pipe would hide how this ends.
    timeout $seconds journalctl --no-pager --quiet -n 1 >/dev/null || return
    timeout $seconds sh -c "journalctl --no-pager --quiet -o short -n 20000 | tail -c $log_bytes" || return
  fi
  # The newest.
  for log_file in $(find /var/log -xdev -type f ! -path '/var/log/journal/*' ! -name '*.gz' ! -name '*.xz' \
    ! -name 'cloud-init*' -mtime -30 ! -path '*[!A-Za-z0-9._/-]*' -exec ls -dt {} + | head -n 60); do
    printf '== %s\n' "$log_file"
    tail -c $file_bytes "$log_file"
  done
}

each_file() {
  for each in "$@"; do
    if [ ! -f "$each" ] || [ -L "$each" ]; then continue; fi
    printf '== %s\n' "$each"
    tail -c $file_bytes "$each"
  done
}

cloud_init() {
  each_file /var/lib/cloud/instance/*.txt /var/lib/cloud/instances/*/user-data* /var/lib/cloud/instances/*/vendor-data* \
    /var/lib/cloud/instances/*/cloud-config* /var/lib/cloud/instances/*/scripts/* /var/lib/cloud/seed/*/* \
    /var/lib/cloud/data/* /run/cloud-init/* /var/log/cloud-init* | bounded $log_bytes
}

histories() {
  each_file /root/.*history /home/*/.*history | bounded $log_bytes
}

# files_with_key_ids: small files that hold one of KEY_IDS, and whether rcloneproxy may read them. Status 124 when the
# time is up before all were seen.
files_with_key_ids() {
  [ -n "$KEY_IDS" ] || return 0
  set --
  for key_id in $KEY_IDS; do
    set -- "$@" -e "$key_id"
  done
  # grep finds nothing in most files, which is its status 1 and find's.
  found_status=0
  found=$(timeout $seconds find /etc /home /root /srv /var/lib /usr/local /opt /run /tmp /var/tmp -xdev -type f -size -300k \
    -exec grep -lFs "$@" {} +) || found_status=$?
  [ $found_status -le 1 ] || return $found_status
  printf '%s\n' "$found" | while IFS= read -r found_file; do
    [ -n "$found_file" ] || continue
    for key_id in $KEY_IDS; do
      if grep -qFs -e "$key_id" "$found_file"; then
        printf '%s %s %s\n' "$key_id" "$(readable "$found_file")" "$found_file"
      fi
    done
  done
}

readable() {
  if id "$PROXY_USER" >/dev/null 2>&1 && runuser -u "$PROXY_USER" -- test -r "$1"; then
    echo readable
  else
    echo private
  fi
}

# Everything that a process of the user could change where settings, programs and jobs are; it may not look into
# all of them, which is find's status 1.
writable() {
  runuser -u "$PROXY_USER" -- true || return 2
  runuser -u "$PROXY_USER" -- timeout $seconds find /etc /usr /usr/local /opt /home /var/spool/cron \
    /var/lib/secure-backups -xdev \
    -writable ! -type l ! -type c ! -type s -print || [ $? -eq 1 ]
}

# Kind of password, then the line of passwd; never a hash.
accounts() {
  {
    getent shadow
    printf '%s\n' "$passwd"
  } | awk -F: '
    NF == 9 { kind[$1] = $2 == "" ? "empty" : $2 ~ /^[!*]/ ? "locked" : "password" }
    NF == 7 { print ($1 in kind ? kind[$1] : $2 == "" ? "empty" : $2 ~ /^(x$|[!*])/ ? "locked" : "password"), $0 }'
}

# Each line of every file in which sshd looks for keys of an account, and of those beside our own, after the file's name.
user_keys() {
  set --
  while IFS=: read -r _ _ _ _ _ keys_home _; do
    for keys_file in "$keys_home/.ssh/authorized_keys" "$keys_home/.ssh/authorized_keys2"; do
      [ ! -f "$keys_file" ] || set -- "$@" "$keys_file"
    done
  done <<END
$passwd
END
  for keys_file in "${AUTHORIZED_KEYS%/*}"/* "${AUTHORIZED_KEYS%/*}"/.[!.]*; do
    if [ -f "$keys_file" ] && [ "$keys_file" != "$AUTHORIZED_KEYS" ]; then set -- "$@" "$keys_file"; fi
  done
  # No line at all is grep's status 1.
  grep -aHv -m 100 -e '^[[:space:]]*#' -e '^[[:space:]]*$' /dev/null "$@" || [ $? -eq 1 ]
}

sudo_rights() {
  id -Gn "$PROXY_USER"
  if ! command -v sudo >/dev/null; then
    echo 'there is no sudo'
  else
    # What it says is judged: versions differ in the status for a user without rights.
    timeout 20 sudo -n -l -U "$PROXY_USER" 2>&1 || :
  fi
}

jobs_of_user() {
  ! command -v crontab >/dev/null || crontab -l -u "$PROXY_USER" || :
  grep -ls "$PROXY_USER" /etc/crontab /etc/cron.d/* /var/spool/cron/atjobs/* || :
  for job_path in "/var/spool/cron/$PROXY_USER" "/var/spool/cron/crontabs/$PROXY_USER" "/var/lib/systemd/linger/$PROXY_USER" \
    "$PROXY_HOME/.config/systemd"; do
    [ ! -e "$job_path" ] || printf '%s\n' "$job_path"
  done
}

# What makes sshd's settings depend on more than the user, or stand in further files.
sshd_rules() {
  grep -hiE '^[[:space:]]*"?(match|include)' /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf
}

# What sshd runs: a program that was replaced on disk since is the old one.
running_sshd() {
  readlink /proc/[0-9]*/exe | grep -E '/sshd(-session|-auth)?( \(deleted\))?$' | sort -u
}

# The limits reach a session by sshd's PAM alone.
slice() {
  if sessions_in_slice; then echo Sessions=pam_systemd; else echo Sessions=none; fi
  systemctl show "user-$(id -u "$PROXY_USER").slice" --property=MemoryMax,MemorySwapMax,TasksMax,CPUWeight
}

ssh_settings() {
  for ssh_name in $REPOSITORIES; do
    printf '== %s\n' "$ssh_name"
    ssh -G -F "$SETTINGS/ssh_config" "$ssh_name"
  done
}

# What systemd says of TIMERS and of every other timer that the stack wrote; nothing where there is no systemd.
timers() {
  [ -d /run/systemd/system ] || return 0
  set --
  for timer_file in $TIMERS; do
    set -- "$@" "${timer_file##*/}"
  done
  for timer_file in "$UNITS"*.timer; do
    ! grep -qsF "$UNITS_SIGNATURE" "$timer_file" || set -- "$@" "${timer_file##*/}"
  done
  [ $# -eq 0 ] || timeout $seconds systemctl show --property=Id,UnitFileState,ActiveState,DropInPaths,NeedDaemonReload "$@"
}

# After a line `== REPOSITORY` each what restic-backup recorded of the last run, and whether that goes on.
last_runs() {
  for run_name in $REPOSITORIES; do
    printf '== %s\n' "$run_name"
    # The first has the newest since the host started, also on a full disk.
    for run_file in "$RUN/$run_name.record" "$RECORDS/$run_name/last"; do
      [ -s "$run_file" ] || continue
      head -c 4000 "$run_file" || return
      break
    done
    run_lock=$RUN/$run_name.lock
    [ ! -e "$run_lock" ] || flock -s -n "$run_lock" true || printf 'goes-on=yes\n'
  done
}

facts() {
  fact clock date +%s
  fact processes processes
  fact environments environments
  case $ROLE in
    proxy)
      fact "sshd:$PROXY_USER" sshd -T -C "user=$PROXY_USER,host=client,addr=192.0.2.1"
      fact sshd:operator sshd -T -C "user=$OPERATOR,host=client,addr=192.0.2.1"
      fact sshd_rules sshd_rules
      fact authorized_keys cat "$AUTHORIZED_KEYS"
      # shellcheck disable=SC2086
      fact modes modes $MODES
      # shellcheck disable=SC2086
      fact sums sums $SUMS
      fact stamp cat "$LIBRARY/rclone.sha256"
      fact version.rclone version_of "$LIBRARY/rclone"
      fact package.openssh package openssh-server
      fact running_sshd running_sshd
      fact writable writable
      passwd=$(getent passwd)
      fact accounts accounts
      fact user_keys user_keys
      fact sudo sudo_rights
      fact jobs jobs_of_user
      fact home find "$PROXY_HOME" -mindepth 1
      fact sockets ss -H -lntup
      fact slice slice
      fact connection_limits nft list table inet secure_backups
      ;;
    client)
      # shellcheck disable=SC2086
      fact modes modes $MODES
      # shellcheck disable=SC2086
      fact sums sums $SUMS
      fact ssh ssh_settings
      fact timers timers
      fact last_runs last_runs
      fact stamp cat "$LIBRARY/restic.sha256"
      if [ -x "$LIBRARY/restic" ]; then fact version.restic version_of "$LIBRARY/restic"; else fact version.restic version_of restic; fi
      fact package.openssh package openssh-client
      ;;
    keeper)
      # shellcheck disable=SC2086
      fact modes modes $MODES
      # shellcheck disable=SC2086
      fact sums sums $SUMS
      fact stamp.node cat "$LIBRARY/node.sha256"
      fact stamp.restic cat "$LIBRARY/restic.sha256"
      fact version.restic version_of "$LIBRARY/restic"
      fact package.openssh package openssh-server
      fact sockets ss -H -lntup
      fact keeper_settings find "$KEEPER_SETTINGS" ! -type d
      # shellcheck disable=SC2086
      fact keeper_units systemctl show --property=Id,LoadState,UnitFileState,ActiveState,DropInPaths,NeedDaemonReload $KEEPER_UNITS
      ;;
  esac
  fact version.openssh sh -c 'ssh -V 2>&1'
  fact key_ids files_with_key_ids
  fact logs logs
  fact cloud_init cloud_init
  fact histories histories
  printf '\n%s\n' "$BOUNDARY"
}

facts | gzip -1 | base64 -w 0
