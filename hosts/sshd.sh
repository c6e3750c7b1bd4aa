# shellcheck shell=sh
# Part of the installs of hosts whose sshd is the stack's. SB_STATE is the folder of what installs remember, SB_SSHD_FILE
# the name of the drop-in; put_sshd_candidates DIRECTORY is the host's own: it writes its drop-ins there.

# The sshd configuration below forbids root to log in: an operator who logs in as root would be locked out.
refuse_root_login() {
  [ -z "${SSH_CONNECTION:-}" ] || [ -n "${SUDO_USER:-}" ] ||
    fail "this update logs in to $(hostname) as root, which lets no root log in: set access.user to a user with sudo"
}

# try_sshd_config USER SETTING…: the candidates are read with the host's own sshd_config around them, and what sshd would
# do for the user is asked, before anything is put in force.
try_sshd_config() {
  try_user=$1
  shift
  [ -d /etc/ssh/sshd_config.d ] || fail "no directory /etc/ssh/sshd_config.d on $(hostname): it needs an image whose sshd_config includes it, as Debian's does"
  [ -s /etc/ssh/ssh_host_ed25519_key ] || fail "no /etc/ssh/ssh_host_ed25519_key: cloud-init has not put it in; see /var/log/cloud-init.log"
  mkdir -p /run/sshd "$SB_WORK/sshd_config.d"
  for try_file in /etc/ssh/sshd_config.d/*.conf; do
    [ ! -e "$try_file" ] || cp "$try_file" "$SB_WORK/sshd_config.d/"
  done
  sed "s#/etc/ssh/sshd_config\\.d/#$SB_WORK/sshd_config.d/#g" /etc/ssh/sshd_config >"$SB_WORK/sshd_config"
  put_sshd_candidates "$SB_WORK/sshd_config.d" >/dev/null
  sshd -t -f "$SB_WORK/sshd_config" >&2 ||
    fail "sshd refuses the configuration (its output is above): nothing of it was put in force; correct the other files in /etc/ssh"
  sshd -T -f "$SB_WORK/sshd_config" -C "user=$try_user,host=client,addr=192.0.2.1" >"$SB_WORK/sshd_effective"
  for try_setting in "$@"; do
    grep -Fqx "$try_setting" "$SB_WORK/sshd_effective" ||
      fail "sshd would not apply '$try_setting' to $try_user: /etc/ssh/sshd_config must begin with 'Include /etc/ssh/sshd_config.d/*.conf', and no file before $SB_SSHD_FILE may set it"
  done
}

# The stamp is the sum of what the running sshd last read, so that an interrupted run is completed.
reload_sshd() {
  reload_sum=$(sha256_of "$SB_WORK/sshd_effective")
  [ "$(cat "$SB_STATE/sshd-reloaded" 2>/dev/null)" != "$reload_sum" ] || return 0
  if [ -d /run/systemd/system ]; then
    systemctl try-reload-or-restart ssh.service 2>/dev/null || systemctl try-reload-or-restart sshd.service ||
      fail "systemctl could not reload sshd: see journalctl -u ssh"
  else
    reload_pid_file=$(sed -n 's/^pidfile //p' "$SB_WORK/sshd_effective")
    kill -HUP "$(cat "$reload_pid_file")" || fail "no running sshd found by $reload_pid_file: start sshd, then run the update again"
  fi
  printf '%s\n' "$reload_sum" >"$SB_STATE/sshd-reloaded.new"
  mv -fT "$SB_STATE/sshd-reloaded.new" "$SB_STATE/sshd-reloaded"
  say "sshd reads its new configuration"
}
