import { AUTHORIZED_KEYS, PROXY_USER } from "../names";
import { ProxyLimits, RCLONE_PER_REPOSITORY } from "./limits";

/** The proxy's sshd drop-in. */
export function renderSshdConfig(limits: ProxyLimits): string {
  const { startups, startupsPerSource } = limits;
  return `# Written by secure-backups; a change here is undone by the next update.

# AES-GCM costs less than the default cipher where the processor has AES; the client's order decides.
Ciphers ^aes256-gcm@openssh.com,aes128-gcm@openssh.com
# The one host key that every client has pinned.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
PermitUserEnvironment no
X11Forwarding no
# All clients may log in at the same minute; one address cannot keep the others, or the operator, out.
MaxStartups ${startups.some}:30:${startups.all}
PerSourceMaxStartups ${startupsPerSource}
PerSourceNetBlockSize 32:64
LoginGraceTime 60

# The second lock, beside "restrict" and the forced command of each key.
Match User ${PROXY_USER}
    AuthenticationMethods publickey
    AuthorizedKeysFile ${AUTHORIZED_KEYS}
    AuthorizedKeysCommand none
    TrustedUserCAKeys none
    DisableForwarding yes
    PermitTTY no
    PermitTunnel no
    PermitUserRC no
    # One connection is shared by the restic commands of one repository.
    MaxSessions ${2 * RCLONE_PER_REPOSITORY}
    # The rclone of a client that went away ends after five minutes.
    ClientAliveInterval 30
    ClientAliveCountMax 10
Match all
`;
}

/** A drop-in for an sshd that knows its keyword (OpenSSH 9.2 or newer): ends connections that run nothing. */
export function renderSshdIdleConfig(): string {
  return `# Written by secure-backups; a change here is undone by the next update.

# Longer than the minute for which a client keeps a connection for its next command.
Match User ${PROXY_USER}
    UnusedConnectionTimeout 2m
Match all
`;
}
