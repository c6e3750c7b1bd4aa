#!/bin/sh
# rclone as the proxy runs it: nothing of the caller's environment reaches it, so neither a variable that rclone
# reads (RCLONE_*, AWS_*, HTTP_PROXY) nor one that a client or PAM sets can change what it does.
PATH=/usr/bin:/bin

# Becomes rclone. Uploads of unknown length, which restic never makes, are buffered: 100 of them at once took 1.4 GB.
rclone() {
  exec env -i PATH="$PATH" HOME=/home/rcloneproxy LANG=C.UTF-8 \
    RCLONE_CONFIG=/home/rcloneproxy/.config/rclone/rclone.conf RCLONE_BUFFER_SIZE=0 RCLONE_MAX_BUFFER_MEMORY=16Mi \
    /usr/local/lib/secure-backups/rclone "$@"
}

# An earlier version let rclone serve the folder above an empty repository, so that CLIENT/config was made in place of
# CLIENT/REPOSITORY/config. Where it was, no other repository is made beside it: that would hide the backups in it.
# A listing answers this, which fails where S3 refuses it, and is asked for by a path that ends in a slash. A repository
# that was found in its place is not looked for again before the next start of the host.
find_config() {
  folder=${path%/}
  name=${folder##*/}
  folder=${folder%/*}
  client=${folder##*/}
  # The canary's is no repository of restic's.
  [ "$client" != .canary ] || return 0
  found=$(rclone lsf -R --max-depth 2 --files-only --include /config --include "/$name/config" \
    --contimeout 15s --timeout 30s --retries 1 --low-level-retries 3 "$folder/" </dev/null) || {
    echo "secure-backups: cannot find out whether the repository $client/$name is there (rclone's output is above)" >&2
    exit 74
  }
  case $found in
    *"$name/config"*)
      : >"/run/rcloneproxy/$repository.placed"
      ;;
    *config*)
      echo "secure-backups: there is a repository at $client/, where none belongs, and none at $client/$name/. Nothing" \
        'is made beside it. Ask the operator to move it: docs/handbook.md, "A repository in the wrong place"' >&2
      exit 78
      ;;
  esac
}

# One repository has a few rclone processes at once and no more. A slot is a lock that ends with its process.
# When memory runs out, the kernel ends a repository's last process before another repository's first.
if [ "${1-} ${2-}" = 'serve restic' ]; then
  # By its form, not its place: what the line of authorized_keys says besides is for verify to judge.
  path=
  for word; do
    case $word in
      s3-resticrepo:*) path=$word ;;
    esac
  done
  repository=$(printf %s "$path" | tr / +)
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
  [ -e "/run/rcloneproxy/$repository.placed" ] || find_config
fi

rclone "$@"
