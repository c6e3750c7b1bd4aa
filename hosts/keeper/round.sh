#!/bin/sh
# Written by secure-backups. Starts a worker for each repository that the gate says is due, a few at a time; with the
# arguments `start INSTANCE DEADLINE` one of them. A worker that fails ends no round, but the round's status says so.
set -eu

PATH=/usr/bin:/bin
LC_ALL=C
export PATH LC_ALL

# A round that goes on for so long ends with the workers that run: what is left is due again.
seconds=21600

start_worker() {
  [ "$(date +%s)" -lt "$2" ] || return 0
  # The gate's word starts nothing that the configuration does not have.
  if ! name=$(systemd-escape --unescape -- "$1") || ! grep -Fqx -e "$name" /etc/keeper/instances; then
    echo "the gate names a repository that is not configured: $1" >&2
    return 1
  fi
  systemctl start "$(systemd-escape --template=keeper-worker@.service -- "$name")"
}

if [ "${1-}" = start ]; then
  start_worker "$2" "$3"
  exit
fi
deadline=$(($(date +%s) + seconds))
workers=$(nproc)
[ "$workers" -le 2 ] || workers=2
systemctl start keeper-due.service
# Its status is not 0 where that of one worker is not.
head -c 1000000 /run/keeper-due | xargs -r -d '\n' -P "$workers" -I '{}' "$0" start '{}' "$deadline"
