#!/bin/sh
# rclone as the proxy runs it: nothing of the caller's environment reaches it, so neither a variable that rclone
# reads (RCLONE_*, AWS_*, HTTP_PROXY) nor one that a client or PAM sets can change what it does.
PATH=/usr/bin:/bin

# One repository has a few rclone processes at once and no more. A slot is a lock that ends with its process.
# When memory runs out, the kernel ends a repository's last process before another repository's first.
if [ "${1-} ${2-}" = 'serve restic' ]; then
  repository=$(printf %s "${5-}" | tr / +)
  taken=
  for slot in 0 1 2 3; do
    exec 9>"/run/rcloneproxy/$repository.$slot"
    if flock -n 9; then
      taken=$slot
      break
    fi
  done
  if [ -z "$taken" ]; then
    echo 'secure-backups: 4 restic commands already use this repository: wait until one of them ends' >&2
    exit 75
  fi
  [ "$taken" = 0 ] || echo $((taken * 300)) >/proc/self/oom_score_adj
fi

# Uploads of unknown length, which restic never makes, are buffered: 100 of them at once took 1.4 GB.
exec env -i PATH="$PATH" HOME=/home/rcloneproxy LANG=C.UTF-8 \
  RCLONE_CONFIG=/home/rcloneproxy/.config/rclone/rclone.conf RCLONE_BUFFER_SIZE=0 RCLONE_MAX_BUFFER_MEMORY=16Mi \
  /usr/local/lib/secure-backups/rclone "$@"
