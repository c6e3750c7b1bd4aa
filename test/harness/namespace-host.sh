#!/bin/sh
# PID 1 of a namespace host: a copy-on-write view of the guest image with sshd, in namespaces of its own.
#   namespace-host.sh GUEST_ROOT FOLDER HOST_NAME
# FOLDER holds host_key, host_key.pub and authorized_keys; the copy goes to FOLDER/disk.
set -eu
guest_root=$1 folder=$2 name=$3

mkdir -p "$folder/disk/upper" "$folder/disk/work" "$folder/root"
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$guest_root,upperdir=$folder/disk/upper,workdir=$folder/disk/work" "$folder/root"
cd "$folder/root"
hostname "$name"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=0755 tmpfs run
mkdir -p run/sshd

chroot . id debian >/dev/null 2>&1 || chroot . useradd -m -s /bin/bash debian
printf 'debian ALL=(ALL) NOPASSWD:ALL\n' >etc/sudoers.d/90-operator
chmod 0440 etc/sudoers.d/90-operator
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >etc/hosts
install -m 0700 -d home/debian/.ssh
install -m 0600 "$folder/authorized_keys" home/debian/.ssh/authorized_keys
chroot . chown -R debian: /home/debian/.ssh
rm -f etc/ssh/ssh_host_*
install -m 0600 "$folder/host_key" etc/ssh/ssh_host_ed25519_key
install -m 0644 "$folder/host_key.pub" etc/ssh/ssh_host_ed25519_key.pub
exec chroot . /usr/sbin/sshd -D -e
