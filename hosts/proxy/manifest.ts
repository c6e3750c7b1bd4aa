/** Every file of the proxy. */
import { dirname } from "node:path";
import { FileSpec } from "../manifest";
import { AUTHORIZED_KEYS, fingerprint, Grant, LIBRARY, PROXY_HOME, PROXY_USER, REMOTE } from "../names";
import { hostScript } from "../install";
import { grantName, renderAuthorizedKeys } from "./authorized-keys";
import {
  CONNECTION_LIMITS,
  proxyLimits,
  renderConnectionLimits,
  renderConnectionLimitsUnit,
  renderSliceLimits,
} from "./limits";
import { ProxyS3, renderRcloneConfig } from "./rclone-conf";
import { renderSshdConfig, renderSshdIdleConfig } from "./sshd";

/** What the contents of the proxy's files are rendered from. */
export interface ProxyValues {
  bucket: string;
  s3: ProxyS3;
  grants: readonly Grant[];
}

const OPEN = { owner: "root:root", mode: "0644" };

/** What lies above the files below; root owns it, so that the user who serves clients cannot replace rclone.conf. */
export const PROXY_DIRS = [
  ...["", "/.config", "/.config/rclone"].map((below) => ({
    dir: PROXY_HOME + below,
    owner: `root:${PROXY_USER}`,
    mode: "0750",
  })),
  { dir: dirname(AUTHORIZED_KEYS), owner: "root:root", mode: "0755" },
];

/** Where rclone.sh has its locks; created at each start of the host. */
export const SLOTS = { dir: "/run/rcloneproxy", owner: `${PROXY_USER}:${PROXY_USER}`, mode: "0700" };

const SLOTS_LINE = `d ${SLOTS.dir} ${SLOTS.mode} ${PROXY_USER} ${PROXY_USER} -`;

/** The files of the proxy. Names of sshd's drop-ins sort before every other: sshd takes the first value it finds. */
export const PROXY_FILES = {
  rcloneCommand: {
    path: "/usr/local/bin/rclone",
    owner: "root:root",
    mode: "0755",
    content: () => hostScript("proxy/rclone.sh"),
    signature: `${LIBRARY}/rclone`,
  },
  rcloneConf: {
    path: `${PROXY_HOME}/.config/rclone/rclone.conf`,
    owner: `root:${PROXY_USER}`,
    mode: "0640",
    content: ({ s3 }: Pick<ProxyValues, "s3">) => renderRcloneConfig(s3),
    digestKey: ({ s3 }) => s3.secretAccessKey,
    concerns: ({ bucket, s3 }) => [`bucket ${bucket} at ${s3.endpoint}, region ${s3.region}`],
    signature: `[${REMOTE}]`,
  },
  sshdConfig: {
    path: "/etc/ssh/sshd_config.d/00-secure-backups.conf",
    ...OPEN,
    content: ({ grants }: Pick<ProxyValues, "grants">) => renderSshdConfig(proxyLimits(grants.length)),
  },
  /** Only where sshd knows its keyword. */
  sshdIdleConfig: {
    path: "/etc/ssh/sshd_config.d/00-secure-backups-idle.conf",
    ...OPEN,
    content: renderSshdIdleConfig,
  },
  slots: {
    path: "/etc/tmpfiles.d/rcloneproxy.conf",
    ...OPEN,
    content: () => `${SLOTS_LINE}\n`,
    signature: `d ${SLOTS.dir} ${SLOTS.mode} ${PROXY_USER}`,
  },
  /** UID is the user's on that host. */
  sliceLimits: {
    path: "/etc/systemd/system/user-UID.slice.d/secure-backups.conf",
    ...OPEN,
    content: renderSliceLimits,
  },
  connectionLimits: {
    path: CONNECTION_LIMITS,
    ...OPEN,
    content: ({ grants }: Pick<ProxyValues, "grants">) => renderConnectionLimits(proxyLimits(grants.length)),
  },
  connectionLimitsUnit: {
    path: "/etc/systemd/system/secure-backups-connections.service",
    ...OPEN,
    content: renderConnectionLimitsUnit,
  },
  authorizedKeys: {
    path: AUTHORIZED_KEYS,
    ...OPEN,
    content: ({ grants, bucket }: Pick<ProxyValues, "grants" | "bucket">) =>
      renderAuthorizedKeys(grants, bucket),
    concerns: ({ grants }) =>
      grants.map((grant) => `${grantName(grant)} ${fingerprint(grant.publicKey)}`).sort(),
    signature: `rclone serve restic --stdio --append-only ${REMOTE}:`,
  },
} satisfies Record<string, FileSpec<ProxyValues>>;

/** The paths of all files of the proxy. */
export const PROXY_PATHS = Object.values(PROXY_FILES).map(({ path }) => path);
