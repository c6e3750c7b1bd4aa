#!/bin/sh
# A directory tree that is awkward to back up, and its description for comparison.
#   tree.sh make DIR SEED    hundreds of files, megabytes in chunks, odd names, links, a sparse file
#   tree.sh change DIR       edits, deletes, adds, renames
#   tree.sh describe DIR     one line for each entry: name, type, mode, owner, time, size, link target, SHA-256
set -eu

make_tree() (
  mkdir -p "$1"
  cd "$1"
  for folder in 0 1 2 3 4 5 6 7 8 9; do
    mkdir -p "many/$folder"
    file=0
    while [ "$file" -lt 60 ]; do
      printf '%s %s %s\n' "$2" "$folder" "$file" >"many/$folder/$file.txt"
      file=$((file + 1))
    done
  done
  # Above half a megabyte restic cuts a file into chunks.
  for number in 1 2 3 4; do
    head -c $((number == 2 ? 3000000 : 300000)) /dev/urandom >"large-$number.bin"
  done
  mkdir -p odd "odd/empty folder"
  : >odd/empty
  # shellcheck disable=SC2016  # the name holds a dollar sign
  for name in 'with space' ' leading' 'trailing ' "quote'single" 'quote"double' 'dollar$HOME' 'percent%20' \
    'hash#tag' 'back\slash' 'star*' '[bracket]' '-dash' 'grüße-日本語-🙂' 'semi;colon' 'new
line'; do
    printf 'content of %s\n' "$name" >"odd/$name"
  done
  # A name that is no valid UTF-8, as old systems leave behind.
  printf 'latin one\n' >"odd/$(printf 'caf\351')"
  ln -s 'with space' odd/symlink
  ln -s /nowhere/at/all odd/dangling
  ln -f large-1.bin hardlink.bin
  truncate -s 2M sparse.bin
  printf 'end\n' >>sparse.bin
  mkfifo odd/pipe
  chmod 0640 odd/empty
  chmod 4755 'odd/with space'
  chown 12345:54321 odd/-dash
  touch -d '2001-02-03 04:05:06.789' odd/empty
)

change_tree() (
  cd "$1"
  printf 'changed\n' >>many/0/0.txt
  rm many/1/1.txt
  mv many/2 'many/two renamed'
  mkdir added
  head -c 700000 /dev/urandom >added/new.bin
  printf 'middle' | dd of=large-2.bin bs=1 seek=1500000 conv=notrunc status=none
  ln -sf large-3.bin odd/symlink
)

describe_tree() (
  cd "$1"
  find . -mindepth 1 \( -type d -printf '%p\t%y\t%m\t%U:%G\t%T@\0' \) -o \
    -printf '%p\t%y\t%m\t%U:%G\t%T@\t%n\t%s\t%l\0' | sort -z | tr '\0' '\n'
  find . -type f -print0 | sort -z | xargs -0 sha256sum --
)

case "$1" in
  make) make_tree "$2" "$3" ;;
  change) change_tree "$2" ;;
  describe) describe_tree "$2" ;;
  *)
    printf 'usage: tree.sh make|change|describe DIR\n' >&2
    exit 2
    ;;
esac
