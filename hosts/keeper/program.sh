# shellcheck shell=sh
# Installs the keeper's program. On the first update that comes before its host is installed, and nothing is started.

step "waited for cloud-init" wait_for_cloud_init
make_dir "$SB_LIB" root root 0755
put_program
[ "$(sha256_of "$SB_PROGRAM")" = "$SB_PROGRAM_SHA256" ] || fail "$SB_PROGRAM is not what was sent: is the disk full?"
! systemctl is-active --quiet keeper-gate.service || start_gate
