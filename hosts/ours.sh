# shellcheck shell=sh
# Part of every install and of a key-only client's instructions, which bring `fail`.

# need_ours PATH SIGNATURE: fails where the path holds a file without the signature, which the stack did not write.
need_ours() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  if [ -f "$1" ] && [ ! -L "$1" ]; then
    [ -s "$1" ] || return 0
    ! grep -Fqs -e "$2" "$1" || return 0
  fi
  fail "$1 on $(uname -n) was not written by secure-backups, so it is not replaced: move it away, then run this again"
}
