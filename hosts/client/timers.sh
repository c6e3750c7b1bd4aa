# shellcheck shell=sh
# Part of a client's install and of a key-only client's instructions, which bring `fail`, `say` and `put_timers`: commands
# and timers of its repositories. SB_SCHEDULES has a line REPOSITORY=SCHEDULE for each that has one, SB_HOOKS a word
# REPOSITORY/NAME for each command. SB_UNITS is what the paths of its units begin with, SB_UNITS_SIGNATURE the text that
# tells them from others; SB_RECORDS and SB_RUN are the folders of what runs leave, the second until a restart.

# Commands that the configuration has no longer.
remove_stale_hooks() {
  for hooks_dir in "$SB_SETTINGS"/*/; do
    hooks_name=$(basename "$hooks_dir")
    for hook in before after stdin; do
      case " $SB_HOOKS " in
        *" $hooks_name/$hook "*) ;;
        *) rm -f "$hooks_dir$hook" "$hooks_dir$hook.seconds" ;;
      esac
    done
  done
}

scheduled_names() {
  printf %s "$SB_SCHEDULES" | cut -d = -f 1
}

# need_timers: fails where the schedules cannot be kept. The time zones that a host knows are its own.
need_timers() {
  [ -n "$SB_SCHEDULES" ] || return 0
  if [ ! -d /run/systemd/system ]; then
    timers_name=$(scheduled_names | head -n 1)
    fail "$(uname -n) does not run systemd, which its schedules need: configure schedule: none for its repositories and put a line into root's crontab for each, such as: 30 2 * * * /usr/local/bin/restic-backup $timers_name"
  fi
  printf %s "$SB_SCHEDULES" | while IFS='=' read -r timers_name timers_schedule; do
    systemd-analyze calendar -- "$timers_schedule" >/dev/null 2>&1 ||
      fail "systemd on $(uname -n) does not understand the schedule '$timers_schedule' of repository $timers_name: does this host know the time zone?"
  done
}

# What starts restic-backup besides our timers: both would run.
name_other_timers() {
  [ -n "$SB_SCHEDULES" ] || return 0
  for timers_file in /etc/crontab /etc/cron.*/* /var/spool/cron/crontabs/* /var/spool/cron/root \
    /etc/systemd/system/*.service /etc/systemd/system/*.timer; do
    case $timers_file in
      "$SB_UNITS"*) continue ;;
    esac
    if [ -f "$timers_file" ] && grep -v '^[[:space:]]*#' "$timers_file" | grep -q restic-backup; then
      say "warning: $timers_file on $(uname -n) starts restic-backup too: remove it, for the schedules of the configuration run it now, or configure schedule: none"
    fi
  done
}

# Timers of repositories that are gone or have no schedule any more, and their service with the last.
remove_stale_timers() {
  for timers_file in "$SB_UNITS"*; do
    grep -qsF "$SB_UNITS_SIGNATURE" "$timers_file" || continue
    case $timers_file in
      *.timer)
        timers_name=${timers_file##*@}
        timers_name=${timers_name%.timer}
        ! scheduled_names | grep -qxF "$timers_name" || continue
        systemctl disable --quiet --now "restic-backup@$timers_name.timer" || :
        ;;
      *) [ -z "$SB_SCHEDULES" ] || continue ;;
    esac
    rm -f "$timers_file"
    say "removed $timers_file"
  done
}

units_sum() {
  cat "$SB_UNITS"* 2>/dev/null | sha256sum
}

# install_timers: a reload of systemd and a restart of a timer, which alone makes it take up another schedule, cost
# seconds on a slow host: only where a unit has changed since the last time that all was in force.
install_timers() {
  remove_stale_timers
  [ -n "$SB_SCHEDULES" ] || return 0
  put_timers
  timers_in_force=$SB_RUN/timers
  timers_changed=no
  [ "$(cat "$timers_in_force" 2>/dev/null)" = "$(units_sum)" ] || timers_changed=yes
  [ "$timers_changed" = no ] || systemctl daemon-reload
  for timers_name in $(scheduled_names); do
    timers_unit=restic-backup@$timers_name.timer
    if [ "$timers_changed" = yes ] || ! systemctl is-active --quiet "$timers_unit" ||
      ! systemctl is-enabled --quiet "$timers_unit"; then
      systemctl enable --quiet "$timers_unit"
      systemctl restart "$timers_unit"
    fi
  done
  units_sum >"$timers_in_force"
}

# forget_runs NAME: what a repository that is gone has left besides its settings, so that another one of its name does
# not take its results for its own.
forget_runs() {
  rm -rf "$SB_RECORDS/${1:?}" "$SB_RUN/$1".* "/var/lib/systemd/timers/stamp-restic-backup@$1.timer"
}
