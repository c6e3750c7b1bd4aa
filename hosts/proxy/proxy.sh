# shellcheck shell=sh
# Installs the proxy. Parameters (SB_*) and the put_* functions stand before this script.

SB_STATE=/var/lib/secure-backups

# '*' as password: no password ever matches, yet sshd without PAM does not take the account for locked.
make_user() {
  if [ -e "$SB_HOME" ] && [ "$(stat -c %U "$SB_HOME")" != root ]; then
    fail "$SB_HOME on $(uname -n) is an account's of its own, so it is not changed: take an image without a user $SB_USER"
  fi
  groupadd -f -r "$SB_USER"
  if ! id "$SB_USER" >/dev/null 2>&1; then
    useradd -M -d "$SB_HOME" -g "$SB_USER" -s /bin/sh -p '*' "$SB_USER"
    say "made user $SB_USER"
  fi
  user_line=$(getent passwd "$SB_USER")
  case $user_line in
    *:"$SB_HOME":/bin/sh) ;;
    *) usermod -d "$SB_HOME" -s /bin/sh "$SB_USER" ;;
  esac
  case $(getent shadow "$SB_USER") in
    "$SB_USER:*:"*) ;;
    *) usermod -p '*' "$SB_USER" ;;
  esac
}

check_sshd_config() {
  # One that does not know -V says its version all the same.
  sshd_version=$(sshd -V 2>&1 | sed -n 's/.*OpenSSH_\([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
  [ "$(printf '%s\n' 8.5 "${sshd_version:-0}" | sort -V | head -n 1)" = 8.5 ] ||
    fail "OpenSSH ${sshd_version:-of no known version} of $(hostname) is too old for a proxy, which needs 8.5 or newer: give it an image of Debian 12 or newer. $SB_DONE"
  try_sshd_config "$SB_USER" "authorizedkeysfile $SB_KEYS" 'authenticationmethods publickey' \
    'disableforwarding yes' 'permittty no' 'permituserrc no'
}

put_sshd_candidates() {
  put_sshd_config "$1/$SB_SSHD_FILE"
  rm -f "$1/$SB_SSHD_IDLE_FILE"
  ! sshd_ends_idle || put_sshd_idle_config "$1/$SB_SSHD_IDLE_FILE"
}

# An sshd before OpenSSH 9.2 reports the keyword as an error.
sshd_ends_idle() {
  put_sshd_idle_config "$SB_WORK/sshd_idle" >/dev/null
  sshd -t -f "$SB_WORK/sshd_idle" -h /etc/ssh/ssh_host_ed25519_key 2>/dev/null
}

put_sshd_configs() {
  put_sshd_config
  if sshd_ends_idle; then
    put_sshd_idle_config
  else
    rm -f "/etc/ssh/sshd_config.d/$SB_SSHD_IDLE_FILE"
    say "this sshd cannot end connections that run nothing: OpenSSH 9.2 or newer would"
  fi
}

# Before the keys change, the lines in force so far are kept in a file until no session of a lost key can be left:
# an interrupted run is completed by the next. Only a line that held through all of it counts as untouched.
change_keys() {
  keys_before=$SB_STATE/authorized_keys.before
  if [ -f "$SB_KEYS" ]; then
    if [ -f "$keys_before" ]; then
      grep -Fx -f "$SB_KEYS" "$keys_before" >"$SB_WORK/keys" || :
    else
      cp "$SB_KEYS" "$SB_WORK/keys"
    fi
    cp "$SB_WORK/keys" "$keys_before.new"
    sync "$keys_before.new"
    mv -fT "$keys_before.new" "$keys_before"
  fi
  put_authorized_keys
  keys_changed=$(uptime_seconds)
  if [ -f "$keys_before" ]; then
    sort "$SB_KEYS" >"$SB_WORK/now"
    sort "$keys_before" >"$SB_WORK/before"
    comm -12 "$SB_WORK/now" "$SB_WORK/before" >"$SB_WORK/untouched"
    cmp -s "$SB_WORK/before" "$SB_WORK/untouched" || step "ended the sessions of keys that lost their access" end_sessions
    rm -f "$keys_before"
  fi
}

uptime_seconds() {
  cut -d . -f 1 /proc/uptime
}

# A connection is spared when rclone in it serves a repository whose line is untouched, and when it began after the
# keys changed, for sshd judged it by the new ones: a client that keeps reconnecting cannot delay a revocation. Of the
# others, one that runs nothing (an idle multiplexed one, or one still logging in) cannot be distinguished and ends too:
# a client opens a new one. Repeated until a pass finds nothing, for a login may be under way.
end_sessions() {
  need_command ps procps
  repositories_of <"$SB_WORK/untouched" >"$SB_WORK/spared"
  end_pass=0
  end_quiet=0
  while [ "$end_quiet" -lt 2 ]; do
    end_pass=$((end_pass + 1))
    [ "$end_pass" -le 50 ] || fail "sessions of $SB_USER do not end: log in to $(hostname) and end them by hand"
    # All three times are whole seconds, cut off: two more, so that no older connection counts as new.
    end_newer=$(($(uptime_seconds) - keys_changed - 2))
    ps -ww -e -o pid= -o ppid= -o euid= -o stat= -o etimes= -o args= >"$SB_WORK/processes"
    doomed=$(doomed_processes "$end_newer" <"$SB_WORK/processes")
    if [ -z "$doomed" ]; then
      end_quiet=$((end_quiet + 1))
    else
      end_quiet=0
      end_signal=TERM
      [ "$end_pass" -le 10 ] || end_signal=KILL
      for end_pid in $doomed; do
        kill -s "$end_signal" "$end_pid" 2>/dev/null || :
      done
    fi
    sleep 0.2
  done
}

# Reads lines of authorized_keys, prints the path of each one's repository.
repositories_of() {
  sed -n 's/.*command="rclone serve restic --stdio --append-only \([^" ]*\)[^"]*".*/\1/p'
}

# Reads the processes (PID PARENT UID STATE SECONDS ARGUMENTS), prints the PIDs to end: those of the user and of sshd
# on its behalf, all but the ones from which a spared rclone descends, and connections that have lasted less than $1
# seconds with what descends from them.
doomed_processes() {
  awk -v newer="$1" -v uid="$(id -u "$SB_USER")" -v user="$SB_USER" -v rclone="$SB_LIB/rclone" '
    from == "spared" { spared[$1] = 1; next }
    $4 ~ /^Z/ { next }
    { connection = $3 == 0 && ($6 == "sshd:" || $6 == "sshd-session:") && $7 == user && $8 == "[priv]" }
    $3 == uid || connection {
      parent[$1] = $2
      began_after[$1] = connection && $5 < newer
      repository[$1] = $6 == rclone && $10 == "--append-only" ? $11 : "-"
    }
    END {
      for (pid in repository) {
        if (repository[pid] in spared)
          for (p = pid; p in repository; p = parent[p]) keep[p] = 1
        for (p = pid; p in repository; p = parent[p])
          if (began_after[p]) keep[pid] = 1
      }
      for (pid in repository) if (!(pid in keep)) print pid
    }' from=spared "$SB_WORK/spared" from=processes -
}

# The files are put on every host; where systemd runs they are put in force, and what is in force is read back.
limit_user() {
  limit_uid=$(id -u "$SB_USER")
  limit_slice=user-$limit_uid.slice
  make_dir "/etc/systemd/system/$limit_slice.d" root root 0755
  put_slice_limits "/etc/systemd/system/$limit_slice.d/secure-backups.conf"
  # pam_systemd would start a service manager of the user's own, which no session here needs.
  limit_service=/etc/systemd/system/user@$limit_uid.service
  if [ "$(readlink "$limit_service")" != /dev/null ]; then
    ln -sT /dev/null "$limit_service" ||
      fail "$limit_service on $(uname -n) was not written by secure-backups, so it is not replaced: move it away, then run the update again"
  fi
  put_connection_limits
  [ -d /run/systemd/system ] || return 0
  sessions_in_slice || install_pam_systemd
  need_command nft nftables
  if systemctl show "$limit_slice" "user@$limit_uid.service" "$SB_LIMITS_UNIT" --property=NeedDaemonReload | grep -Fqx NeedDaemonReload=yes; then
    systemctl daemon-reload || fail "systemctl daemon-reload failed on $(hostname): see the line above"
  fi
  # Restarted even if nothing changed: a ruleset that was flushed comes back.
  { { systemctl is-enabled --quiet "$SB_LIMITS_UNIT" || systemctl enable --quiet "$SB_LIMITS_UNIT"; } &&
    systemctl restart "$SB_LIMITS_UNIT"; } ||
    fail "the limit of connections from one address is not in force on $(hostname): see journalctl -u $SB_LIMITS_UNIT"
  check_limits
}

install_pam_systemd() {
  command -v apt-get >/dev/null || fail "pam_systemd is missing on $(hostname): install it, then run the update again"
  step "installed package libpam-systemd" install_package libpam-systemd
  sessions_in_slice || fail "sshd's files in /etc/pam.d on $(hostname) do not use pam_systemd: run pam-auth-update --enable systemd"
}

check_limits() {
  grep -Fqx 'usepam yes' "$SB_WORK/sshd_effective" ||
    fail "sshd does not use PAM, so the limits of $limit_slice do not reach its sessions: set 'UsePAM yes' in /etc/ssh/sshd_config"
  systemctl show "$limit_slice" --property=MemoryMax,MemorySwapMax,TasksMax,CPUWeight >"$SB_WORK/slice"
  for check_limit in 'MemoryMax=[0-9]+' 'MemorySwapMax=0' 'TasksMax=[0-9]+' 'CPUWeight=50'; do
    grep -Eqx "$check_limit" "$SB_WORK/slice" ||
      fail "systemd does not apply ${check_limit%%=*} to $limit_slice ($(tr '\n' ' ' <"$SB_WORK/slice")): is another file in /etc/systemd/system/$limit_slice.d in its way, or is cgroup v2 off?"
  done
  for check_controller in memory pids cpu; do
    grep -Fqw "$check_controller" /sys/fs/cgroup/cgroup.controllers ||
      fail "the kernel of $(hostname) has no cgroup v2 controller '$check_controller', which the limits of $limit_slice need: remove what turns it off on the kernel's command line"
  done
  nft list table inet secure_backups >/dev/null || fail "the kernel of $(hostname) has no table inet secure_backups: see journalctl -u $SB_LIMITS_UNIT"
}

# Lists the bucket as the user and through the command that serves clients.
check_bucket() {
  timeout 120 runuser -u "$SB_USER" -- "$SB_RCLONE_COMMAND" lsd --contimeout 15s --timeout 30s --retries 2 \
    --low-level-retries 3 "$SB_REMOTE" >/dev/null ||
    fail "the proxy cannot list $SB_REMOTE (rclone's output is above): check endpoint, region, bucket, credentials and egress rules"
}

refuse_root_login
step "waited for cloud-init" wait_for_cloud_init
make_user
put_dirs
make_dir "$SB_LIB" root root 0755
make_dir "$SB_STATE" root root 0700
# First what must not wait: a key that lost its access, whatever else fails below.
guard_authorized_keys
change_keys
guard_rclone_command
guard_rclone_conf
guard_slots
install_artifact rclone "$SB_RCLONE_VERSION" "$SB_RCLONE_URL" "$SB_RCLONE_SHA256" 1.75.1
put_slots
put_rclone_command
put_rclone_conf
check_sshd_config
put_sshd_configs
reload_sshd
limit_user
keep_time
step "compared the clock with S3's" check_clock
step "listed $SB_REMOTE through rclone" check_bucket
