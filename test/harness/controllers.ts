import { BootedHost } from "../../scripts/dev/booted-host";

/**
 * Shows a host the controllers of control groups that the proxy's limits need, where this machine has them in version 1
 * only. It replaces the kernel's list and nothing else: systemd still takes the limits and says so. That they bind is
 * tested end to end, on a virtual machine.
 */
export async function showControllers(host: BootedHost): Promise<void> {
  await host.ssh.sh(`list=/sys/fs/cgroup/cgroup.controllers
if ! grep -qw memory "$list"; then
  echo 'cpu memory pids' >/run/controllers
  mount --bind /run/controllers "$list"
fi`);
}
