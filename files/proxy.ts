import { Artifact, assembleInstall, hostScript, HostInstall } from "./install";
import { CANARY, fingerprint, Grant, plainName, plainPublicKey, PROXY_USER, REMOTE, remotePath } from "./names";

/** The S3 service as the proxy's rclone reaches it, with the writer's credentials. */
export interface ProxyS3 {
  /** URL, or a host name for https. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  /** Secret. */
  secretAccessKey: string;
}

/** Its name sorts before every other file there, for sshd takes the first value it finds. */
const SSHD_FILE = "00-secure-backups.conf";

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
    ["acl", "private"],
    ["bucket_acl", "private"],
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
  const path = remotePath(bucket, grant.client, grant.repository);
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

/** The proxy's sshd drop-in. */
export function renderSshdConfig(): string {
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
# Many clients may begin at the same minute.
MaxStartups 100:30:300
# One address cannot keep the others, or the operator, out.
PerSourceMaxStartups 30
LoginGraceTime 60

# The second lock, beside "restrict" and the forced command of each key.
Match User ${PROXY_USER}
    AuthenticationMethods publickey
    AuthorizedKeysFile /etc/ssh/authorized_keys.d/${PROXY_USER}
    AuthorizedKeysCommand none
    TrustedUserCAKeys none
    DisableForwarding yes
    PermitTTY no
    PermitUserRC no
    # One connection is shared by the restic commands of one repository.
    MaxSessions 20
    # The rclone of a client that went away ends after five minutes.
    ClientAliveInterval 30
    ClientAliveCountMax 10
Match all
`;
}

/** The command `rclone` of the proxy. */
export function renderRcloneCommand(): string {
  return hostScript("rclone.sh");
}

/**
 * The install of the proxy: user, rclone, its configuration, the keys of all grants and the sshd configuration; ends
 * running sessions of keys that lose their access, then lists the bucket. Throws for values that cannot be rendered.
 */
export function proxyInstall(a: {
  host: string;
  bucket: string;
  rclone: Artifact;
  s3: ProxyS3;
  grants: readonly Grant[];
}): HostInstall {
  const concerns = a.grants.map((grant) => `${grantName(grant)} ${fingerprint(grant.publicKey)}`).sort();
  return assembleInstall({
    title: `proxy ${a.host}: rclone ${a.rclone.version} (sha256 ${a.rclone.sha256.slice(0, 12)}) from ${a.rclone.url}`,
    hostScript: "proxy.sh",
    parameters: {
      SB_REMOTE: `${REMOTE}:${plainName("bucket", a.bucket)}`,
      SB_RCLONE_VERSION: a.rclone.version,
      SB_RCLONE_URL: a.rclone.url,
      SB_RCLONE_SHA256: a.rclone.sha256,
      SB_SSHD_FILE: SSHD_FILE,
    },
    groups: {
      rclone_command: [
        { path: "/usr/local/bin/rclone", owner: "root:root", mode: "0755", content: renderRcloneCommand() },
      ],
      rclone_conf: [
        {
          path: `/home/${PROXY_USER}/.config/rclone/rclone.conf`,
          owner: `root:${PROXY_USER}`,
          mode: "0640",
          content: renderRcloneConfig(a.s3),
          digestKey: a.s3.secretAccessKey,
          concerns: [`bucket ${a.bucket} at ${a.s3.endpoint}, region ${a.s3.region}`],
        },
      ],
      sshd_config: [
        {
          path: `/etc/ssh/sshd_config.d/${SSHD_FILE}`,
          owner: "root:root",
          mode: "0644",
          content: renderSshdConfig(),
        },
      ],
      authorized_keys: [
        {
          path: `/etc/ssh/authorized_keys.d/${PROXY_USER}`,
          owner: "root:root",
          mode: "0644",
          content: renderAuthorizedKeys(a.grants, a.bucket),
          concerns,
        },
      ],
    },
  });
}

function grantName(grant: Grant): string {
  return `${grant.client}/${grant.repository}`;
}
