# What `local-cloud up` builds once and keeps: the cloud's root, the guests' image, the seeded state.
# shellcheck shell=bash disable=SC2154 # sourced by local-cloud, which sets here and work

readonly release=bookworm

digest() { sha256sum | cut -c1-12; }

# A build is named after what it is made from, so a change makes a new one.
plan_builds() {
  rootfs_name=rootfs-$({
    echo "$release"
    declare -f build_rootfs debian_tree
    cat "$here/rootfs.packages"
  } | digest)
  image_name=image-$({
    echo "$release" "$rootfs_name"
    declare -f build_image debian_tree trim_image make_disk make_initrd
    cat "$here/image.packages"
    files_of image
  } | digest)
  seed_name=seed-$({
    echo "$rootfs_name" "$image_name"
    declare -f build_seed
    files_of etc inside/seed inside/seed.py
  } | digest)
}

files_of() { (cd "$here" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }

release_name() { # release_name SUITE
  printf 'releases/%s-%s' "$1" "$({
    declare -f build_release debian_tree
    release_packages "$1"
  } | digest)"
}

remove_old_builds() {
  local path
  for path in "$work"/{rootfs,image,seed}-*; do
    case ${path##*/} in
      "$rootfs_name" | "$image_name" | "$seed_name") ;;
      *) rm -rf --one-file-system "$path" ;;
    esac
  done
}

# ---- the machine

install_host_packages() {
  local -a missing=()
  local pair
  for pair in mmdebstrap=mmdebstrap ip=iproute2 nsenter=util-linux unshare=util-linux mke2fs=e2fsprogs cpio=cpio flock=util-linux; do
    command -v "${pair%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  say "installing on this machine: ${missing[*]}"
  apt-get -q -o Acquire::Retries=5 update >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=5 install --yes --no-install-recommends \
    "${missing[@]}" >/dev/null
}

# ---- Debian trees

packages_of() { sed 's/#.*//' "$1" | xargs | tr ' ' ,; }

# The machine's own Debian sources, one "deb" line each: whatever mirror and proxy it uses, these builds use too.
debian_sources() { # debian_sources SUITE
  # shellcheck disable=SC2016 # these are apt's placeholders
  apt-get indextargets --format '$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -n "s/^Debian \(deb [^ ]* \)$release\(\(-updates\|-security\)\? .*\)/\1$1\2/p" | LC_ALL=C sort -u
}

debian_tree() { # debian_tree SUITE DIRECTORY PACKAGES LOG MMDEBSTRAP_OPTION…
  local suite=$1 directory=$2 packages=$3 to=$4 sources
  shift 4
  sources=$(debian_sources "$suite")
  if [[ -z $sources ]]; then
    apt-get -q update >/dev/null
    sources=$(debian_sources "$suite")
  fi
  [[ -n $sources ]] || die "this machine's apt knows no source of Debian $release"
  apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries)' >"$work/tmp/apt.conf" || true
  # shellcheck disable=SC2016 # for mmdebstrap's shell
  mmdebstrap --mode=root --format=directory --variant=minbase --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages "none"' \
    --aptopt="$work/tmp/apt.conf" --include="$packages" \
    --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/resolv.conf' "$@" \
    "$suite" "$directory" - <<<"$sources" >"$to" 2>&1
}

begin_build() {
  rm -rf --one-file-system "$work/tmp"
  mkdir -p "$work/tmp" "$work/log"
  # For every apt from here on; debian_tree hands it to mmdebstrap's, without a part in what a build is named after.
  echo 'Acquire::Retries "5";' >"$work/tmp/retries.conf"
  export APT_CONFIG=$work/tmp/retries.conf
}

finish_build() { # finish_build TARGET: what is in tmp/build becomes the build
  touch "$work/tmp/build/complete"
  rm -rf --one-file-system "$1"
  mv "$work/tmp/build" "$1"
}

build_rootfs() { # build_rootfs TARGET
  begin_build
  say "installing OpenStack and Ceph into $1 (once; about 4 minutes)"
  mkdir "$work/tmp/build"
  # Without this program no package compiles its Python modules: most are never used, and those that are get compiled
  # while the state is seeded.
  step 'packages of the cloud' debian_tree $release "$work/tmp/build/root" "$(packages_of "$here/rootfs.packages")" \
    "$work/log/build-rootfs.log" --dpkgopt='path-exclude=/usr/bin/py3compile' || fail_with_log 'the packages could not be installed' "$work/log/build-rootfs.log"
  finish_build "$1"
}

# ---- other releases, for existing servers

# What a server of any release has; the guests' kernel and provisioning are of no use to it. The suite "databases" is
# the guests' release with database servers.
release_packages() { # release_packages SUITE
  packages_of <(
    grep -Ev '^(linux-image|klibc|cloud-init)' "$here/image.packages"
    [[ $1 != databases ]] || cat "$here/databases.packages"
  )
}

build_release() { # build_release SUITE TARGET
  local debian=$1
  [[ $1 != databases ]] || debian=$release
  begin_build
  say "installing a server of Debian $1 into $2 (once; about 1 minute)"
  mkdir "$work/tmp/build"
  step "packages of Debian $1" debian_tree "$debian" "$work/tmp/build/root" "$(release_packages "$1")" \
    "$work/log/build-$1.log" || fail_with_log 'the packages could not be installed' "$work/log/build-$1.log"
  : >"$work/tmp/build/root/etc/machine-id"
  finish_build "$2"
}

# ---- the guests' image

trim_image() { # trim_image ROOT: what costs an emulated guest time and serves it nothing
  local root=${1:?} modules name
  local -a generators=(cloud-init-generator)
  for name in cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run system-update sysv veritysetup; do
    generators+=("systemd-$name-generator")
  done
  mkdir -p "$root/etc/systemd/system-generators"
  for name in "${generators[@]}"; do
    ln -s /dev/null "$root/etc/systemd/system-generators/$name"
  done
  # Otherwise its generator would want it, after a search for a data source that is known here.
  chroot "$root" systemctl --quiet add-wants multi-user.target cloud-init.target
  chroot "$root" systemctl --quiet mask systemd-networkd.service systemd-networkd.socket \
    systemd-networkd-wait-online.service getty@tty1.service systemd-pstore.service dev-hugepages.mount \
    dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service systemd-tmpfiles-clean.timer kmod-static-nodes.service \
    modprobe@{configfs,dm_mod,drm,efi_pstore,fuse,loop}.service e2scrub_all.timer e2scrub_reap.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer cloud-init-hotplugd.socket
  # Each login of the operator would start a service manager of the user's own.
  chroot "$root" systemctl --quiet mask user@.service
  modules=$(echo "$root"/usr/lib/modules/*)
  find "$modules/kernel/drivers" -mindepth 1 -maxdepth 1 ! -name ata ! -name block ! -name cdrom ! -name char \
    ! -name net ! -name scsi ! -name virtio -exec rm -r {} +
  rm -r "$modules"/kernel/{arch/x86/kvm,drivers/net/ethernet}
  chroot "$root" depmod "${modules##*/}"
  # shellcheck disable=SC2115 # it is set: ${1:?}
  rm -rf "$root"/{etc/ssh/ssh_host_*,var/cache/apt/*,var/lib/apt/lists/*,dev/*}
  : >"$root/etc/machine-id"
}

build_image() { # build_image ROOTFS TARGET
  local rootfs=$1 build=$work/tmp/build
  begin_build
  say "making the guests' image $2 (once; about 2 minutes)"
  mkdir "$build"
  step "packages of the guests' image" debian_tree $release "$build/root" "$(packages_of "$here/image.packages")" \
    "$work/log/build-image.log" --essential-hook="cp -r --no-preserve=ownership '$here/image/etc' \"\$1\"" ||
    fail_with_log 'the packages could not be installed' "$work/log/build-image.log"
  # No bootloader: nova hands kernel and initrd to the emulator.
  mv "$build"/root/boot/vmlinuz-* "$build/vmlinuz"
  rm -f "$build"/root/boot/initrd.img-* "$build"/root/{vmlinuz,initrd.img}{,.old}
  step 'initrd' make_initrd "$build"
  trim_image "$build/root"
  step 'disk' make_disk "$rootfs" "$build"
  finish_build "$2"
}

make_initrd() { # make_initrd BUILD
  local root=$1/root tree=$1/initrd-tree version module path
  version=$(basename "$root"/usr/lib/modules/*)
  mkdir -p "$tree"/{dev,lib,root}
  cp -r "$root/usr/lib/klibc/bin" "$tree/bin"
  cp "$root"/usr/lib/klibc-*.so "$tree/lib"
  install -m 0755 "$here/image/initrd-init" "$tree/init"
  # The disk, and the CD drive that nova puts the config drive in.
  for module in virtio_pci virtio_blk ata_piix sr_mod isofs; do
    chroot "$root" modprobe --show-depends --set-version "$version" "$module"
  done | while read -r _ path _; do
    [[ -e $tree/${path##*/} ]] && continue
    cp "$root$path" "$tree"
    echo "/${path##*/}"
  done >"$tree/modules"
  (cd "$tree" && find . -print0 | cpio --null --create --quiet --format=newc) >"$1/initrd"
  rm -r "$tree"
}

make_disk() { # make_disk ROOTFS BUILD
  truncate -s 1400M "$2/disk.raw"
  mke2fs -q -t ext4 -L root -J size=8 -d "$2/root" "$2/disk.raw"
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount -- sh -ec 'mount --bind "$2" "$1/mnt"
    exec chroot "$1" qemu-img convert -O qcow2 /mnt/disk.raw /mnt/disk.qcow2' sh "$1/root" "$2"
  rm "$2/disk.raw"
}

# ---- the seeded state

# Starts the cloud once on an empty state, lets it fill its databases, and keeps what that wrote as a layer.
build_seed() { # build_seed ROOTFS IMAGE TARGET
  begin_build
  say "seeding databases, storage, users and image (once; about 2 minutes); logs in $log"
  step 'namespaces, network' create_namespaces "${1##*/}/root" "$2"
  inside cp -r --no-preserve=ownership /opt/local-cloud/etc /
  choose_virtualization
  inside bash /opt/local-cloud/inside/seed || die "the cloud could not be seeded; logs in $log"
  inside bash /opt/local-cloud/inside/services stop
  kill_namespaces
  mkdir "$work/tmp/build"
  mv "$state/upper" "$work/tmp/build/layer"
  end_namespaces
  finish_build "$3"
}
