# shellcheck shell=sh
# Installs the keeper. Parameters (SB_*) and the put_* functions stand before this script. SB_REPOSITORIES has a word
# CLIENT/REPOSITORY for each repository, SB_LIVE for each whose client is not frozen.

SB_STATE=/var/lib/secure-backups

need_host() {
  [ -d /run/systemd/system ] || fail "$(uname -n) does not run systemd, which the keeper needs: give it an image of Debian 12 or newer"
  [ -s "$SB_PROGRAM" ] || fail "$SB_PROGRAM is missing on $(uname -n): replace the command that brings it: pulumi up --replace URN, with the URN that ends in -program"
}

put_sshd_candidates() {
  put_sshd_config "$1/$SB_SSHD_FILE"
}

# remove_stale_passwords: those of repositories that are gone, and folders of clients that are.
remove_stale_passwords() {
  for stale_file in "$SB_PASSWORDS"/*/*; do
    stale_name=${stale_file#"$SB_PASSWORDS"/}
    case " $SB_REPOSITORIES " in
      *" $stale_name "*) continue ;;
    esac
    [ -e "$stale_file" ] || continue
    rm -rf "$stale_file"
    say "removed $stale_file"
  done
  find "$SB_PASSWORDS" -mindepth 1 -type d -empty -delete
}

# end_workers: of repositories that are gone or whose client is frozen; whatever they had begun, the gate passes no more.
end_workers() {
  systemctl list-units --plain --no-legend --state=activating,active,deactivating 'keeper-worker@*' >"$SB_WORK/workers"
  while read -r end_unit _; do
    end_name=$(systemd-escape --unescape --instance -- "$end_unit")
    case " $SB_LIVE " in
      *" $end_name "*) continue ;;
    esac
    systemctl stop "$end_unit" || fail "the work on $end_name does not end: see systemctl status '$end_unit' on $(hostname)"
    say "ended the work on $end_name"
  done <"$SB_WORK/workers"
}

# First what must not wait: a client that was frozen, or a repository that is gone. A gate that does not run has nothing
# to end.
change_access() {
  put_passwords
  remove_stale_passwords
  put_settings
  ! systemctl is-active --quiet keeper-gate.service || start_gate
  end_workers
}

make_watcher() {
  ! id "$SB_WATCHER" >/dev/null 2>&1 || return 0
  useradd -r -U -M -d /nonexistent -s /usr/sbin/nologin "$SB_WATCHER" || fail "cannot make the user $SB_WATCHER on $(hostname): see the line above"
  say "made user $SB_WATCHER"
}

units_sum() {
  cat /etc/systemd/system/keeper-* | sha256sum
}

# The sum of what systemd last read is kept until the host restarts.
put_units_in_force() {
  put_units
  [ "$(cat /run/keeper-units 2>/dev/null)" != "$(units_sum)" ] || return 0
  systemctl daemon-reload
  systemctl restart keeper-round.timer keeper-watch.timer
  units_sum >/run/keeper-units
}

refuse_root_login
step "waited for cloud-init" wait_for_cloud_init
need_host
make_dir "$SB_STATE" root root 0700
put_dirs
change_access
install_artifact node "$SB_NODE_VERSION" "$SB_NODE_URL" "$SB_NODE_SHA256" 24.0.0
install_artifact restic "$SB_RESTIC_VERSION" "$SB_RESTIC_URL" "$SB_RESTIC_SHA256" 0.17.0
try_sshd_config root 'permitrootlogin no' 'authenticationmethods publickey' 'disableforwarding yes'
put_sshd_config
reload_sshd
keep_time
step "compared the clock with S3's" check_clock
make_watcher
put_units_in_force
systemctl enable --quiet keeper-gate.service keeper-round.timer keeper-watch.timer
start_gate
systemctl start keeper-round.timer keeper-watch.timer
