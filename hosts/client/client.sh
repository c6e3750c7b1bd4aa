# shellcheck shell=sh
# Installs a client. Parameters (SB_*) and the put_* and guard_* functions stand before this script.

# Only a link to our own program is ours: another restic stays, and restic-backup uses ours in any case.
restic_link_is_ours() {
  [ "$(readlink /usr/local/bin/restic)" = "$SB_LIB/restic" ]
}

install_restic() {
  if [ -n "$SB_RESTIC_URL" ]; then
    install_artifact restic "$SB_RESTIC_VERSION" "$SB_RESTIC_URL" "$SB_RESTIC_SHA256" 0.12.0
    if [ ! -e /usr/local/bin/restic ] && [ ! -L /usr/local/bin/restic ]; then
      ln -s "$SB_LIB/restic" /usr/local/bin/restic
    fi
    need_restic "$SB_LIB/restic" "Configure a newer one in restic, then run the update again"
  else
    ! restic_link_is_ours || rm -f /usr/local/bin/restic
    need_command restic restic
    need_restic "$(command -v restic)" "Give a newer one in the configuration, as restic with version, url and sha256, or install one there; then run the update again"
    rm -f "$SB_LIB/restic" "$SB_LIB/restic.sha256"
  fi
}

# A repository's directory with our marker is ours; one without it that holds something is not.
need_repositories() {
  for need_name in $SB_REPOSITORIES; do
    need_dir=$SB_SETTINGS/$need_name
    if [ -d "$need_dir" ] && [ ! -f "$need_dir/.secure-backups" ] && [ -n "$(ls -A "$need_dir")" ]; then
      fail "$need_dir on $(uname -n) was not written by this stack, so it is not replaced: move it away, then run the update again"
    fi
  done
}

# Only directories that carry our marker are ours to remove.
remove_stale_repositories() {
  for stale_dir in "$SB_SETTINGS"/*/; do
    stale_name=$(basename "$stale_dir")
    [ -f "$stale_dir.secure-backups" ] || continue
    case " $SB_REPOSITORIES " in
      *" $stale_name "*) continue ;;
    esac
    rm -rf "$SB_SETTINGS/${stale_name:?}"
    forget_runs "$stale_name"
    say "removed $SB_SETTINGS/$stale_name"
  done
}

# repository_opens NAME: status 1 if, and only if, the proxy answers that there is none.
repository_opens() {
  open_status=0
  timeout -k 10 180 "$SB_COMMAND" "$1" cat config --no-lock >/dev/null 2>"$SB_WORK/restic.log" || open_status=$?
  case $open_status in
    0) return 0 ;;
    10) return 1 ;;
    1) ! grep -Eq 'unable to open config file: (Stat: )?<config/> does not exist' "$SB_WORK/restic.log" || return 1 ;;
  esac
  cat "$SB_WORK/restic.log" >&2
  fail "cannot open repository $1 through the proxy (restic's output is above)"
}

# open_repository NAME: makes the repository where there is none. What the proxy serves for the second session it has
# found in its place.
open_repository() {
  ! repository_opens "$1" || return 0
  timeout -k 10 180 "$SB_COMMAND" "$1" init >"$SB_WORK/restic.log" 2>&1 || {
    cat "$SB_WORK/restic.log" >&2
    fail "cannot initialize repository $1 through the proxy (restic's output is above)"
  }
  repository_opens "$1" ||
    fail "repository $1 was made, and is not where it belongs: run verify, and see docs/handbook.md, 'A repository in the wrong place'"
  say "initialized repository $1"
}

step "waited for cloud-init" wait_for_cloud_init
need_settings
need_repositories
need_timers
guard_common
[ -z "$SB_SCHEDULES" ] || guard_timers
name_other_timers
make_dir "$SB_LIB" root root 0755
need_command ssh openssh-client
install_restic
put_settings
remove_stale_repositories
put_common
put_repositories
remove_stale_hooks
for SB_REPOSITORY in $SB_REPOSITORIES; do
  step "opened repository $SB_REPOSITORY" open_repository "$SB_REPOSITORY"
done
install_timers
