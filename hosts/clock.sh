# shellcheck shell=sh
# Part of the installs of hosts that speak to S3. SB_DONE says what of an install that fails here is in force.

# How often the clock is looked at: a time service that has just started needs some seconds.
clock_tries=1

# Debian's images bring a time service. In a container none starts, for there its host keeps the clock.
keep_time() {
  [ -d /run/systemd/system ] || return 0
  for time_unit in chrony chronyd ntpsec ntp ntpd openntpd systemd-timesyncd; do
    ! systemctl --quiet is-active "$time_unit.service" || return 0
  done
  systemctl --quiet enable --now systemd-timesyncd.service 2>/dev/null ||
    say "nothing keeps the clock of $(hostname) right: install systemd-timesyncd or chrony"
  ! systemctl --quiet is-active systemd-timesyncd.service || clock_tries=6
}

now() {
  date +%s
}

# s3_ahead: prints by how many seconds S3's clock is ahead of this host's at least (negative: behind), 0 where they may
# be the same, and nothing where S3 sends no date.
s3_ahead() {
  ahead_before=$(now)
  ahead_date=$(curl --disable --silent --head --connect-timeout 15 --max-time 30 -- "$SB_S3_ENDPOINT" |
    tr -d '\r' | sed -n 's/^[Dd][Aa][Tt][Ee]: *//p')
  ahead_after=$(now)
  ahead_s3=$(date -d "$ahead_date" +%s 2>/dev/null) && [ -n "$ahead_date" ] || return 0
  if [ "$ahead_s3" -lt "$ahead_before" ]; then
    echo $((ahead_s3 - ahead_before))
  elif [ "$ahead_s3" -gt "$ahead_after" ]; then
    echo $((ahead_s3 - ahead_after))
  else
    echo 0
  fi
}

# S3 refuses every request of a host whose clock is a quarter of an hour off.
check_clock() {
  need_command curl curl
  while :; do
    clock_ahead=$(s3_ahead)
    if [ -z "$clock_ahead" ]; then
      say "$SB_S3_ENDPOINT sends no date: the clock was not compared"
      return 0
    fi
    [ "${clock_ahead#-}" -gt 60 ] || return 0
    clock_tries=$((clock_tries - 1))
    [ "$clock_tries" -gt 0 ] || break
    sleep 5
  done
  fail "the clock of $(hostname) is not S3's: $SB_S3_ENDPOINT is $clock_ahead s ahead (negative: behind), and 60 s are tolerated. $SB_DONE. Let the host reach time servers (egress.ntp), look at its time service (timedatectl, or chronyc tracking), and run the update again"
}
