# shellcheck shell=bash
# What scripts/ci/preview and scripts/ci/deploy have in common; sourced, never run.

# say WORDS…: one line of progress, on standard error, for standard output may be a document.
say() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# timed WHAT COMMAND…: runs the command and says how long it took.
timed() {
  local what=$1 start=$SECONDS status=0
  shift
  say "$what"
  "$@" || status=$?
  say "$what: $((SECONDS - start)) s$([[ $status == 0 ]] || echo ", failed with status $status")"
  return "$status"
}

# prepare STACK: checks the command line, the stack and its tools, and installs Pulumi where it is missing.
prepare() {
  if [[ $# != 1 ]]; then
    say "usage: scripts/ci/${0##*/} STACK"
    exit 64
  fi
  if [[ ! -f Pulumi.$1.yaml ]]; then
    say "there is no Pulumi.$1.yaml; the environments are $(scripts/ci/environments)"
    exit 64
  fi
  if [[ ! -x node_modules/.bin/tsx ]]; then
    say "the dependencies are not installed: run npm ci"
    exit 1
  fi
  # A workflow passes an absent secret as an empty variable, which is not the same as none.
  local name
  for name in $(compgen -e | grep -E '^(PULUMI|OS|AWS)_' || true); do
    [[ -n ${!name} ]] || unset "$name"
  done
  if ! command -v pulumi >/dev/null; then
    timed "installing Pulumi" scripts/dev/toolchain/ensure pulumi >&2
    eval "$(scripts/dev/toolchain/env)"
  fi
}
