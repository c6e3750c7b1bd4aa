# shellcheck shell=sh
# Part of a client's install and of a key-only client's instructions, which bring `fail`. Both look before they change
# anything. SB_STACK is the identity of the stack, SB_KNOWN the SHA-256 sums of what no other stack has here: the file with
# the pinned host key, private keys of repositories, lines with their public halves.

# need_settings: fails where the settings are another stack's or not a stack's. What older versions left has no
# stack's mark: it belongs to the stack whose host key or whose repository's key is there.
need_settings() {
  [ -d "$SB_SETTINGS" ] || return 0
  if [ -f "$SB_MARK" ]; then
    mark_stack=
    mark_bucket=
    read -r mark_stack mark_bucket <"$SB_MARK" || :
    [ "$mark_stack" != "$SB_STACK" ] || return 0
    fail "$(uname -n) backs up with another stack, that of the bucket $mark_bucket (its identity is $mark_stack, this one's $SB_STACK): one server belongs to one stack. To move it to this one, take it out of the other's configuration and remove $SB_SETTINGS, then run this again"
  fi
  [ -n "$(ls -A "$SB_SETTINGS")" ] || return 0
  for mark_sum in $(settings_sums); do
    case " $SB_KNOWN " in
      *" $mark_sum "*) return 0 ;;
    esac
  done
  fail "$SB_SETTINGS on $(uname -n) holds no key of this stack: another stack or another program wrote it. Move it away, then run this again"
}

# The sums of the host key, of all private keys and of their public halves.
settings_sums() {
  for sums_file in "$SB_SETTINGS/known_hosts" "$SB_SETTINGS"/*/id_ed25519; do
    [ -f "$sums_file" ] || continue
    sha256sum <"$sums_file"
    ssh-keygen -y -P '' -f "$sums_file" 2>/dev/null | cut -d ' ' -f 1,2 | sha256sum
  done | cut -d ' ' -f 1
}

# need_restic PROGRAM REMEDY: fails where restic lacks what restic-backup uses.
need_restic() {
  restic_help=$(env -i PATH="$PATH" HOME=/nonexistent timeout 60 "$1" backup --help 2>&1) || :
  for restic_flag in --files-from-raw --exclude-file --one-file-system; do
    case $restic_help in
      *"$restic_flag"*) ;;
      *)
        restic_version=$(env -i PATH="$PATH" HOME=/nonexistent timeout 60 "$1" version 2>&1 | head -n 1) || :
        fail "$1 on $(uname -n) cannot be used: it has no $restic_flag, which restic 0.12.0 has (it calls itself '$restic_version'). $2"
        ;;
    esac
  done
}
