/** The keeper's sshd drop-in: the operator's login and nothing else. */
export function renderKeeperSshd(): string {
  return `# Written by secure-backups; a change here is undone by the next update.

# The one host key that every connection has pinned.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin no
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
PermitUserEnvironment no
# No connection leads through this host.
DisableForwarding yes
LoginGraceTime 60
`;
}
