# shellcheck shell=bash
# What scripts/ci/preview and scripts/ci/deploy have in common; sourced, never run.

# say TEXT: one line of progress, on standard error, for standard output may be a document.
say() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# timed TEXT COMMAND…: runs the command and says how long it took.
timed() {
  local what=$1 start=$SECONDS status=0
  shift
  say "$what"
  "$@" || status=$?
  say "$what: $((SECONDS - start)) s$([[ $status == 0 ]] || echo ", failed with status $status")"
  return "$status"
}

# prepare STACK: checks that the stack exists here and that its tools do, and gets Pulumi where it is missing.
prepare() {
  if [[ ! -f Pulumi.$1.yaml ]]; then
    say "there is no Pulumi.$1.yaml; the environments are $(scripts/ci/environments)"
    exit 2
  fi
  if [[ ! -x node_modules/.bin/tsx ]]; then
    say "the dependencies are not installed: run npm ci"
    exit 2
  fi
  # A workflow passes an absent secret as an empty variable, which is not the same as none.
  local name
  for name in $(compgen -e | grep -E '^(PULUMI|OS|AWS)_' || true); do
    [[ -n ${!name} ]] || unset "$name"
  done
  if ! command -v pulumi >/dev/null; then
    timed "getting Pulumi" scripts/dev/toolchain/ensure pulumi >&2
    eval "$(scripts/dev/toolchain/env)"
  fi
}
