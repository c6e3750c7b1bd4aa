# shellcheck shell=bash
# What `ensure`, `env` and `check` share: where things are and which versions are wanted.
# Sourced; the caller has set -euo pipefail, and uses the variables.
# shellcheck disable=SC2034

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SECURE_BACKUPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/secure-backups}
toolchain=$cache/toolchain
bin=$toolchain/bin
home=$toolchain/pulumi-home
artifacts=$cache/artifacts

# The plugins that the stack uses; `check` compares them with package.json.
plugins=(openstack tls command)
declare -A plugin_version=([openstack]=3.15.2 [tls]=5.6.1 [command]=1.2.1)

# die TEXT…: one message on stderr, then the end.
die() {
  printf 'toolchain: %s\n' "$*" >&2
  exit 1
}

# pinned DIR MODULE: the version of MODULE that DIR/go.mod requires, such as v1.76.0.
pinned() {
  awk -v module="$2" '
    $1 == "require" { $1 = ""; $0 = $0 }
    $1 == module { print $2; found = 1; exit }
    END { exit !found }' "$here/$1/go.mod"
}

# official_pulumi: prints the path of a pulumi on PATH that is not ours; fails if there is none.
official_pulumi() {
  local directory directories
  IFS=: read -ra directories <<<"$PATH"
  for directory in "${directories[@]}"; do
    if [[ $directory != "$bin" && -f $directory/pulumi && -x $directory/pulumi ]]; then
      printf '%s\n' "$directory/pulumi"
      return
    fi
  done
  return 1
}

# plugin_path HOME NAME: where the program of a plugin is below a PULUMI_HOME.
plugin_path() {
  printf '%s\n' "$1/plugins/resource-$2-v${plugin_version[$2]}/pulumi-resource-$2"
}

# has_plugins HOME: whether all plugins are there.
has_plugins() {
  local name
  for name in "${plugins[@]}"; do
    [[ -x $(plugin_path "$1" "$name") ]] || return 1
  done
}
