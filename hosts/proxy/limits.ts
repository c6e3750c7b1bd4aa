/** What bounds the clients of the proxy. */

/** The nftables rules, which their unit names. */
export const CONNECTION_LIMITS = "/etc/secure-backups-connections.nft";

/** How many rclone processes one repository has at most: a backup, and commands beside it. rclone.sh counts them. */
export const RCLONE_PER_REPOSITORY = 4;

/** What one client may take of the proxy, so that it cannot keep out the others or the operator. */
export interface ProxyLimits {
  /** Logins under way from one address. */
  startupsPerSource: number;
  /** Logins under way in all, from which on sshd drops some at random, and all. */
  startups: { some: number; all: number };
  /** Connections from one address. */
  connectionsPerSource: number;
}

/**
 * The limits for a number of repositories. All clients may stand behind one address and begin at the same minute, so
 * each limit of an address has room for the whole fleet; one address at its limit leaves as much to all others. They
 * grow in steps, so that another client seldom changes them.
 */
export function proxyLimits(repositories: number): ProxyLimits {
  const room = 2 ** Math.max(3, Math.ceil(Math.log2(repositories)));
  const startupsPerSource = room + 10;
  return {
    startupsPerSource,
    startups: { some: 2 * startupsPerSource, all: 4 * startupsPerSource },
    connectionsPerSource: RCLONE_PER_REPOSITORY * room + 10,
  };
}

/** The drop-in for the slice of all sessions of the proxy's user, rclone included. */
export function renderSliceLimits(): string {
  return `# Written by secure-backups; a change here is undone by the next update.

[Slice]
# The rest is for sshd, the operator and the system. No MemoryHigh: it would slow every client down for the greed of
# one, where the kernel ends the greediest process and its client tries again.
MemoryMax=70%
MemorySwapMax=0
TasksMax=33%
# Half of what the operator's session gets where both want the processor.
CPUWeight=50
`;
}

/** The nftables rules that bound the connections from one address: sshd has a limit for logins under way only. */
export function renderConnectionLimits(limits: ProxyLimits): string {
  const over = `ct count over ${limits.connectionsPerSource}`;
  return `# Written by secure-backups; a change here is undone by the next update.

# Replaces what was there, in one transaction.
table inet secure_backups
delete table inet secure_backups
table inet secure_backups {
	set sources4 {
		type ipv4_addr
		size 65536
		flags dynamic
	}
	set sources6 {
		type ipv6_addr
		size 65536
		flags dynamic
	}
	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 22 ct state new add @sources4 { ip saddr ${over} } counter reject with tcp reset
		tcp dport 22 ct state new add @sources6 { ip6 saddr & ffff:ffff:ffff:ffff:: ${over} } counter reject with tcp reset
	}
}
`;
}

/** The systemd unit that puts these rules in force, at every start of the host too. */
export function renderConnectionLimitsUnit(): string {
  return `# Written by secure-backups; a change here is undone by the next update.

[Unit]
Description=Limit of SSH connections from one address
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f ${CONNECTION_LIMITS}

[Install]
WantedBy=sysinit.target
`;
}
