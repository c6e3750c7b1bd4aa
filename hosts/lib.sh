# shellcheck shell=sh
# What every install script shares. The TypeScript wraps this file, the host's own script and the
# put_* functions that carry the files into one function, which runs as root under `set -eu`.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 077

say() {
  printf 'secure-backups: %s\n' "$*"
}

fail() {
  printf 'secure-backups: %s\n' "$*" >&2
  exit 1
}

# step MESSAGE COMMAND…: prints what is done and how long it took.
step() {
  step_text=$1
  shift
  step_start=$(date +%s)
  "$@"
  say "$step_text: $(($(date +%s) - step_start)) s"
}

# Two installs at once (one whose connection broke, and the next) must not mix.
lock_host() {
  exec 9>/run/secure-backups.lock
  flock -w 600 9 || fail "another install still runs on this host: wait for its end, then run the update again"
}

# Files that packages and cloud-init still write would undo ours; a failed or slow cloud-init is reported, not fatal.
# The result is there once cloud-init has ended; asking it costs seconds.
wait_for_cloud_init() {
  [ -d /run/cloud-init ] && [ ! -e /run/cloud-init/result.json ] && command -v cloud-init >/dev/null || return 0
  timeout 600 cloud-init status --wait >/dev/null 2>&1 ||
    say "cloud-init failed or is still running (see: cloud-init status --long); going on"
}

# make_dir PATH OWNER GROUP MODE
make_dir() {
  [ ! -L "$1" ] || fail "$1 is a symbolic link: remove it, then run the update again"
  [ -d "$1" ] || mkdir "$1" || fail "cannot make the directory $1: see the line above"
  chown "$2:$3" "$1"
  chmod "$4" "$1"
}

# install_file PATH OWNER GROUP MODE [gzip], base64 of the content, packed or not, on stdin: leaves a file alone that is
# right already.
install_file() {
  file_dir=${1%/*}
  rm -f "$file_dir"/.secure-backups.????????
  file_new=$(mktemp "$file_dir/.secure-backups.XXXXXXXX")
  if [ "${5-}" = gzip ]; then
    base64 -d >"$SB_WORK/packed" && gzip -dc <"$SB_WORK/packed" >"$file_new"
  else
    base64 -d >"$file_new"
  fi || fail "cannot write $file_new: is the disk full?"
  if [ -f "$1" ] && [ ! -L "$1" ] && cmp -s "$file_new" "$1" &&
    [ "$(stat -c '%U:%G:0%a' "$1")" = "$2:$3:$4" ]; then
    rm -f "$file_new"
    return 0
  fi
  chown "$2:$3" "$file_new"
  chmod "$4" "$file_new"
  sync "$file_new"
  mv -fT "$file_new" "$1"
  sync "$file_dir"
  say "changed $1"
}

# need_command COMMAND PACKAGE
need_command() {
  command -v "$1" >/dev/null && return 0
  command -v apt-get >/dev/null || fail "$1 is missing on $(hostname): install it, then run the update again"
  step "installed package $2" install_package "$2"
  command -v "$1" >/dev/null || fail "package $2 brought no command $1"
}

# apt-get's output is shown only where it fails. An old package list is refreshed once.
install_package() {
  if ! run_apt_get install --no-install-recommends "$1"; then
    run_apt_get update || show_apt_get_failure "$1"
    run_apt_get install --no-install-recommends "$1" || show_apt_get_failure "$1"
  fi
}

run_apt_get() {
  DEBIAN_FRONTEND=noninteractive timeout 900 \
    apt-get -y -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@" >"$SB_WORK/apt-get.log" 2>&1
}

show_apt_get_failure() {
  tail -n 20 "$SB_WORK/apt-get.log" >&2
  fail "apt-get could not install $1 on $(hostname): the end of its output is above; are the package mirrors reachable?"
}

# install_artifact NAME VERSION URL SHA256 MINIMUM: the checked program becomes $SB_LIB/NAME.
install_artifact() {
  art_target=$SB_LIB/$1
  art_stamp=$SB_LIB/$1.sha256
  # The stamp names the download and what was made of it, so that a damaged program is replaced too. A program that
  # was not packed is the download itself: then no stamp makes up for another sum than the configured one.
  if [ -f "$art_target" ] && [ -f "$art_stamp" ] && art_sum=$(sha256_of "$art_target") &&
    [ "$(cat "$art_stamp")" = "$4 $art_sum" ] && { is_packed "$3" || [ "$art_sum" = "$4" ]; }; then
    art_version=$(program_version "$1" "$art_target")
    check_version "$1" "$art_version" "$2" "$3" "$5"
    return 0
  fi
  need_command curl curl
  art_download=$SB_LIB/.$1.download
  art_new=$SB_LIB/.$1.new
  rm -f "$art_download" "$art_new"
  step "downloaded $1 $2" download "$3" "$art_download"
  art_sum=$(sha256_of "$art_download")
  if [ "$art_sum" != "$4" ]; then
    rm -f "$art_download"
    fail "$1: the file at $3 has the SHA-256 $art_sum, not the configured $4: correct url or sha256"
  fi
  case $3 in
    *.zip) unpack_zip "$1" "$art_download" >"$art_new" || fail "$1: cannot unpack the zip file from $3" ;;
    *.bz2) unpack_bz2 <"$art_download" >"$art_new" || fail "$1: cannot unpack the bz2 file from $3" ;;
    *.tar.gz) unpack_tar "$1" "$art_download" >"$art_new" || fail "$1: cannot unpack the tar.gz file from $3" ;;
    *) mv -fT "$art_download" "$art_new" ;;
  esac
  rm -f "$art_download"
  chown root:root "$art_new"
  chmod 0755 "$art_new"
  sync "$art_new"
  art_version=$(program_version "$1" "$art_new")
  check_version "$1" "$art_version" "$2" "$3" "$5"
  mv -fT "$art_new" "$art_target"
  printf '%s %s\n' "$4" "$(sha256_of "$art_target")" >"$art_stamp.new"
  sync "$art_stamp.new"
  mv -fT "$art_stamp.new" "$art_stamp"
  sync "$SB_LIB"
  say "changed $art_target ($1 $art_version)"
}

# is_packed URL: whether the download is not the program itself.
is_packed() {
  case $1 in
    *.zip | *.bz2 | *.tar.gz) return 0 ;;
    *) return 1 ;;
  esac
}

# download URL FILE
download() {
  curl --disable --silent --show-error --fail --location --proto '=http,https' --proto-redir '=http,https' \
    --connect-timeout 20 --speed-limit 1024 --speed-time 60 --max-time 900 --max-filesize 500000000 \
    --retry 4 --retry-delay 3 --retry-connrefused --output "$2" -- "$1" ||
    fail "cannot download $1 (curl's output is above): correct the url, or let $(hostname) reach it"
}

sha256_of() {
  sha256_line=$(sha256sum <"$1")
  printf '%s\n' "${sha256_line%% *}"
}

# unpack_zip NAME FILE: the one member whose base name is NAME.
unpack_zip() {
  need_command python3 python3-minimal >&2
  python3 -I -c '
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    names = [n for n in archive.namelist() if n.rsplit("/", 1)[-1] == sys.argv[2]]
    if len(names) != 1:
        sys.exit("expected one file named %s in the zip file, found %d" % (sys.argv[2], len(names)))
    with archive.open(names[0]) as member:
        shutil.copyfileobj(member, sys.stdout.buffer)
' "$2" "$1"
}

unpack_bz2() {
  if command -v bzip2 >/dev/null; then
    bzip2 -dc
  else
    need_command python3 python3-minimal >&2
    python3 -I -c 'import bz2, shutil, sys; shutil.copyfileobj(bz2.open(sys.stdin.buffer), sys.stdout.buffer)'
  fi
}

# unpack_tar NAME FILE: the one member bin/NAME below the folder of a release.
unpack_tar() {
  need_command tar tar >&2
  [ "$(tar -tzf "$2" | grep -c "^[^/]*/bin/$1\$")" = 1 ] && tar -xzOf "$2" --wildcards --no-wildcards-match-slash "*/bin/$1"
}

# program_version NAME FILE: prints what the program says of itself, as 1.2.3 or with what follows.
# A build from the Go module calls itself 1.2.3-DEV.
program_version() {
  version_argument=version
  [ "$1" != node ] || version_argument=--version
  version_line=$(env -i PATH="$PATH" HOME=/nonexistent timeout 60 "$2" $version_argument 2>&1 | head -n 1)
  version_word=${version_line#"$1 "}
  version_word=${version_word%% *}
  version_word=${version_word#v}
  printf '%s\n' "${version_word%-DEV}"
}

# check_version NAME ACTUAL WANTED URL MINIMUM
check_version() {
  printf '%s\n' "$2" | grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+' ||
    fail "$1: the program from $4 does not run or is no release (it calls itself '$2'): is it built for $(uname -m)?"
  [ "$(printf '%s\n%s\n' "$5" "$2" | sort -V | head -n 1)" = "$5" ] ||
    fail "$1: version $2 from $4 is older than $5, the oldest that is safe here: configure a newer one"
  [ "$2" = "${3#v}" ] ||
    fail "$1: the program from $4 calls itself version $2, not the configured $3: correct version or url"
}

lock_host
SB_WORK=$(mktemp -d /run/secure-backups.XXXXXXXX)
trap 'rm -rf "$SB_WORK" "$SB_LIB"/.*.download "$SB_LIB"/.*.new' EXIT
trap 'exit 1' HUP INT TERM
