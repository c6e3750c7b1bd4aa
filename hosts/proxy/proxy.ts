import { Artifact, S3Credentials } from "../../config";
import { assembleInstall, hostScript, HostInstall } from "../install";
import { endpointUrl } from "../../s3/client";
import {
  CANARY,
  fingerprint,
  Grant,
  plainName,
  plainPublicKey,
  PROXY_USER,
  REMOTE,
  servedPath,
} from "../names";

/** The S3 service as the proxy's rclone reaches it, with the writer's credentials. */
export interface ProxyS3 extends S3Credentials {
  /** URL, or a host name for https. */
  endpoint: string;
  region: string;
}

/** Its name sorts before every other file there, for sshd takes the first value it finds. */
const SSHD_FILE = "00-secure-backups.conf";
const SSHD_IDLE_FILE = "00-secure-backups-idle.conf";

const CONNECTION_LIMITS = "/etc/secure-backups-connections.nft";
const CONNECTION_LIMITS_UNIT = "secure-backups-connections.service";

/**
 * A value as it stands in rclone.conf: as it is where that is safe, else in backquotes, in which rclone's reader takes
 * everything for itself but a control character and `%(NAME)s`, which it replaces by another field's value.
 * Throws for those; the message names the field, never the value.
 */
export function rcloneConfigValue(field: string, value: string): string {
  if (value === "" || /[\p{Control}\p{Surrogate}]|%\([^)]+\)s/u.test(value)) {
    throw new Error(
      `${field} cannot be written to rclone.conf: it must not be empty, and hold no control character and no "%(…)s"`,
    );
  }
  return /^[!#-_a-~]([ -~]*[!-~])?$/.test(value) ? value : `\`${value}\``;
}

/** rclone.conf of the proxy: the remote of the forced commands. Secret. */
export function renderRcloneConfig(s3: ProxyS3): string {
  const fields = [
    ["type", "s3"],
    ["provider", "Other"],
    ["env_auth", "false"],
    ["access_key_id", rcloneConfigValue("s3 accessKeyId", s3.accessKeyId)],
    ["secret_access_key", rcloneConfigValue("s3 secretAccessKey", s3.secretAccessKey)],
    ["region", rcloneConfigValue("s3 region", s3.region)],
    ["endpoint", rcloneConfigValue("s3 endpoint", s3.endpoint)],
    // No `acl`: rclone then sends no x-amz-acl, which buckets with ACLs switched off refuse; private is the default.
    ["upload_concurrency", "8"],
    // The stack makes the bucket; without this rclone would try to at every first write.
    ["no_check_bucket", "true"],
  ];
  return `[${REMOTE}]\n${fields.map((field) => `${field.join(" = ")}\n`).join("")}`;
}

/** What the canary's key may move in one session, up and down together: after that rclone answers with 500. */
const CANARY_QUOTA = "--max-transfer 1M --cutoff-mode hard";

/** One line of authorized_keys, without line end: the key may run rclone on its own repository, append-only. */
export function authorizedKeysLine(grant: Grant, bucket: string): string {
  const path = servedPath(bucket, grant.client, grant.repository);
  const quota = grant.client === CANARY.client ? ` ${CANARY_QUOTA}` : "";
  const name = grantName(grant);
  const key = plainPublicKey(`public key of ${name}`, grant.publicKey);
  return `restrict,command="rclone serve restic --stdio --append-only ${path}${quota}" ${key} ${grant.client}-${grant.repository}`;
}

/**
 * authorized_keys of the proxy's user, sorted. Throws where one key would open two repositories (sshd takes the
 * first line that matches, so the other would be out of reach) or one repository has two keys.
 */
export function renderAuthorizedKeys(grants: readonly Grant[], bucket: string): string {
  const owners = new Map<string, string>();
  for (const grant of grants) {
    const name = grantName(grant);
    const key = plainPublicKey(`public key of ${name}`, grant.publicKey);
    for (const [what, id] of [
      ["one public key", key],
      ["the name", name],
    ] as const) {
      const other = owners.get(id);
      if (other !== undefined) {
        throw new Error(`${other} and ${name} share ${what}: each repository needs its own`);
      }
      owners.set(id, name);
    }
  }
  const lines = grants.map((grant) => `${authorizedKeysLine(grant, bucket)}\n`);
  return lines.sort((a, b) => (a < b ? -1 : 1)).join("");
}

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
    AuthorizedKeysFile /etc/ssh/authorized_keys.d/${PROXY_USER}
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

# Made anew in one transaction, whatever was there.
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

/** The tmpfiles.d file that makes the directory of rclone.sh's locks when the host starts. */
export function renderSlotsTmpfiles(): string {
  return `d /run/rcloneproxy 0700 ${PROXY_USER} ${PROXY_USER} -\n`;
}

/** The command `rclone` of the proxy. */
export function renderRcloneCommand(): string {
  return hostScript("proxy/rclone.sh");
}

/**
 * The install of the proxy: user, rclone, its configuration, the keys of all grants and the sshd configuration; ends
 * running sessions of keys that lose their access, bounds what one client can take, then lists the bucket. Throws for values that cannot be rendered.
 */
export function proxyInstall(a: {
  host: string;
  bucket: string;
  rclone: Artifact;
  s3: ProxyS3;
  grants: readonly Grant[];
}): HostInstall {
  const limits = proxyLimits(a.grants.length);
  const root = { owner: "root:root", mode: "0644" };
  const concerns = a.grants.map((grant) => `${grantName(grant)} ${fingerprint(grant.publicKey)}`).sort();
  return assembleInstall({
    title: `proxy ${a.host}: rclone ${a.rclone.version} (sha256 ${a.rclone.sha256.slice(0, 12)}) from ${a.rclone.url}`,
    hostScripts: ["proxy/sessions.sh", "proxy/proxy.sh"],
    parameters: {
      SB_S3_ENDPOINT: endpointUrl(a.s3.endpoint),
      SB_REMOTE: `${REMOTE}:${plainName("bucket", a.bucket)}`,
      SB_RCLONE_VERSION: a.rclone.version,
      SB_RCLONE_URL: a.rclone.url,
      SB_RCLONE_SHA256: a.rclone.sha256,
      SB_SSHD_FILE: SSHD_FILE,
      SB_SSHD_IDLE_FILE: SSHD_IDLE_FILE,
      SB_LIMITS_UNIT: CONNECTION_LIMITS_UNIT,
    },
    groups: {
      rclone_command: [
        {
          path: "/usr/local/bin/rclone",
          owner: "root:root",
          mode: "0755",
          content: renderRcloneCommand(),
          signature: "/usr/local/lib/secure-backups/rclone",
        },
      ],
      rclone_conf: [
        {
          path: `/home/${PROXY_USER}/.config/rclone/rclone.conf`,
          owner: `root:${PROXY_USER}`,
          mode: "0640",
          content: renderRcloneConfig(a.s3),
          digestKey: a.s3.secretAccessKey,
          signature: `[${REMOTE}]`,
          concerns: [`bucket ${a.bucket} at ${a.s3.endpoint}, region ${a.s3.region}`],
        },
      ],
      sshd_config: [
        { path: `/etc/ssh/sshd_config.d/${SSHD_FILE}`, ...root, content: renderSshdConfig(limits) },
      ],
      sshd_idle_config: [
        { path: `/etc/ssh/sshd_config.d/${SSHD_IDLE_FILE}`, ...root, content: renderSshdIdleConfig() },
      ],
      slots: [
        {
          path: "/etc/tmpfiles.d/rcloneproxy.conf",
          ...root,
          content: renderSlotsTmpfiles(),
          signature: `d /run/rcloneproxy 0700 ${PROXY_USER}`,
        },
        { dir: "/run/rcloneproxy", owner: `${PROXY_USER}:${PROXY_USER}`, mode: "0700" },
      ],
      slice_limits: [
        // UID is the user's on that host.
        {
          path: "/etc/systemd/system/user-UID.slice.d/secure-backups.conf",
          ...root,
          content: renderSliceLimits(),
        },
      ],
      connection_limits: [
        { path: CONNECTION_LIMITS, ...root, content: renderConnectionLimits(limits) },
        {
          path: `/etc/systemd/system/${CONNECTION_LIMITS_UNIT}`,
          ...root,
          content: renderConnectionLimitsUnit(),
        },
      ],
      authorized_keys: [
        {
          path: `/etc/ssh/authorized_keys.d/${PROXY_USER}`,
          ...root,
          content: renderAuthorizedKeys(a.grants, a.bucket),
          concerns,
          signature: `rclone serve restic --stdio --append-only ${REMOTE}:`,
        },
      ],
    },
  });
}

/** The paths of all files of the proxy's install. */
export const PROXY_PATHS = [
  "/usr/local/bin/rclone",
  `/home/${PROXY_USER}/.config/rclone/rclone.conf`,
  `/etc/ssh/sshd_config.d/${SSHD_FILE}`,
  `/etc/ssh/sshd_config.d/${SSHD_IDLE_FILE}`,
  "/etc/tmpfiles.d/rcloneproxy.conf",
  "/etc/systemd/system/user-UID.slice.d/secure-backups.conf",
  CONNECTION_LIMITS,
  `/etc/systemd/system/${CONNECTION_LIMITS_UNIT}`,
  `/etc/ssh/authorized_keys.d/${PROXY_USER}`,
];

function grantName(grant: Grant): string {
  return `${grant.client}/${grant.repository}`;
}
