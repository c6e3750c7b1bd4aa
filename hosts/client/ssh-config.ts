import { createHash } from "node:crypto";
import { CLIENT_SETTINGS, plainName, plainPublicKey, PROXY_USER, ProxyAddress } from "../names";
import { RUN } from "./units";

/** What of a repository is needed to connect: the key is not shown, it only distinguishes connections. */
export interface Connection {
  name: string;
  /** Private or public key. */
  key: string;
}

/** The name under which known_hosts has the proxy, whatever address it is reached at. */
const HOST_KEY_ALIAS = "secure-backups-proxy";

/** known_hosts with the proxy's pinned key. */
export function renderKnownHosts(proxy: ProxyAddress): string {
  return `${HOST_KEY_ALIAS} ${plainPublicKey("host key of the proxy", proxy.hostKey)}\n`;
}

/**
 * ssh_config of a client: `ssh -F FILE REPOSITORY` is all that restic needs. It is written for OpenSSH 8.0 and newer
 * (Enterprise Linux 8), which knows no list that begins with `^`.
 */
export function renderSshConfig(proxy: ProxyAddress, connections: readonly Connection[]): string {
  if (!/^[A-Za-z0-9:][A-Za-z0-9.:-]*$/.test(proxy.address)) {
    throw new Error(
      `address of the proxy ${JSON.stringify(proxy.address)} must be an IP address or a DNS name`,
    );
  }
  const hosts = connections.map(({ name, key }) => {
    // A connection is shared only by commands with the same key to the same host: the name of its socket says so.
    const socket = createHash("sha256")
      .update([name, key.trim(), proxy.address, proxy.port, proxy.hostKey.trim()].join("\n"))
      .digest("hex");
    return `Host ${plainName("repository", name)}
    IdentityFile ${CLIENT_SETTINGS}/${name}/id_ed25519
    ControlPath ${RUN.dir}/${socket.slice(0, 16)}

`;
  });
  return `# Written by secure-backups. Each repository has a name here: ssh -F ${CLIENT_SETTINGS}/ssh_config REPOSITORY

${hosts.join("")}Host *
    HostName ${proxy.address}
    Port ${proxy.port}
    User ${PROXY_USER}
    # Only the pinned host key is ever trusted.
    HostKeyAlias ${HOST_KEY_ALIAS}
    HostKeyAlgorithms ssh-ed25519
    UserKnownHostsFile ${CLIENT_SETTINGS}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    CheckHostIP no
    VerifyHostKeyDNS no
    # Only the repository's own key, and no question to anybody.
    IdentitiesOnly yes
    IdentityAgent none
    PreferredAuthentications publickey
    BatchMode yes
    # Nothing but the command passes.
    ClearAllForwardings yes
    ForwardAgent no
    ForwardX11 no
    PermitLocalCommand no
    RequestTTY no
    # Commands that follow each other share a connection, which halves the time of the short ones.
    ControlMaster auto
    ControlPersist 60
    # AES-GCM costs less than the default cipher where the processor has AES.
    Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr
    ConnectTimeout 30
    # A backup outlives five minutes without the network.
    ServerAliveInterval 30
    ServerAliveCountMax 10
`;
}
