# shellcheck shell=sh
# Part of the installs of the keeper and of its program.

# What the gate is started with; a file that is missing counts as empty.
gate_sum() {
  cat "$SB_LIB/node.sha256" "$SB_PROGRAM" /etc/keeper/keeper.json /etc/keeper/s3.json /etc/systemd/system/keeper-gate.service 2>/dev/null |
    sha256sum
}

# start_gate: restarts it where something has changed since it was started by this function, which ends what workers do.
start_gate() {
  gate_wanted=$(gate_sum)
  if systemctl is-active --quiet keeper-gate.service && [ "$(cat /run/keeper-gate.sum 2>/dev/null)" = "$gate_wanted" ]; then
    return 0
  fi
  systemctl restart keeper-gate.service || fail "the gate does not start on $(hostname): see journalctl -u keeper-gate"
  gate_tries=60
  until [ -S /run/keeper-gate/.round ]; do
    gate_tries=$((gate_tries - 1))
    if [ $gate_tries = 0 ] || ! systemctl is-active --quiet keeper-gate.service; then
      fail "the gate on $(hostname) serves no socket: see journalctl -u keeper-gate"
    fi
    sleep 0.5
  done
  printf '%s\n' "$gate_wanted" >/run/keeper-gate.sum
  say "started the gate"
}
