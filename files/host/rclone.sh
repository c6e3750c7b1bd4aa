#!/bin/sh
# rclone as the proxy runs it: nothing of the caller's environment reaches it, so neither a variable that rclone
# reads (RCLONE_*, AWS_*, HTTP_PROXY) nor one that a client or PAM sets can change what it does.
exec env -i PATH=/usr/bin:/bin HOME=/home/rcloneproxy LANG=C.UTF-8 \
  RCLONE_CONFIG=/home/rcloneproxy/.config/rclone/rclone.conf \
  /usr/local/lib/secure-backups/rclone "$@"
