# shellcheck shell=sh
# Part of the proxy's install and of what verify sends there.

# Whether sessions that sshd opens are put into their user's slice, by whose limits clients are bound. util-linux brings a
# file that names the module, used or not.
sessions_in_slice() {
  grep -Eqs '^[^#]*pam_systemd\.so' /etc/pam.d/sshd /etc/pam.d/common-session /etc/pam.d/password-auth || return 1
  for pam_modules in /lib/security /lib64/security /lib/*/security; do
    [ ! -f "$pam_modules/pam_systemd.so" ] || return 0
  done
  return 1
}

