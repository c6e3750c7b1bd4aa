import { basename } from "node:path";
import { Artifact } from "../../config";
import { assembleInstall, HostInstall } from "../install";
import { FileSpec, rendered } from "../manifest";
import { AUTHORIZED_KEYS, plainName, PROXY_HOME, PROXY_USER, REMOTE } from "../names";
import { PROXY_FILES as FILES, PROXY_DIRS, ProxyValues, SLOTS } from "./manifest";

/**
 * The install of the proxy: user, rclone, its configuration, the keys of all grants and the sshd configuration; ends
 * running sessions of keys that lose their access, bounds what one client can take, then lists the bucket.
 *
 * @throws Error for values that cannot be rendered
 */
export function proxyInstall({
  host,
  rclone,
  ...values
}: ProxyValues & { host: string; rclone: Artifact }): HostInstall {
  const put = (spec: FileSpec<ProxyValues>) => rendered(spec, values);
  return assembleInstall({
    title: `proxy ${host}: rclone ${rclone.version} (sha256 ${rclone.sha256.slice(0, 12)}) from ${rclone.url}`,
    hostScripts: ["sshd.sh", "clock.sh", "proxy/sessions.sh", "proxy/proxy.sh"],
    parameters: {
      SB_USER: PROXY_USER,
      SB_HOME: PROXY_HOME,
      SB_KEYS: AUTHORIZED_KEYS,
      SB_S3_ENDPOINT: values.s3.endpoint,
      SB_DONE: "The keys of clients are already those of this update",
      SB_REMOTE: `${REMOTE}:${plainName("bucket", values.bucket)}`,
      SB_RCLONE_VERSION: rclone.version,
      SB_RCLONE_URL: rclone.url,
      SB_RCLONE_SHA256: rclone.sha256,
      SB_RCLONE_COMMAND: FILES.rcloneCommand.path,
      SB_SSHD_FILE: basename(FILES.sshdConfig.path),
      SB_SSHD_IDLE_FILE: basename(FILES.sshdIdleConfig.path),
      SB_LIMITS_UNIT: basename(FILES.connectionLimitsUnit.path),
    },
    groups: {
      dirs: PROXY_DIRS,
      rclone_command: [put(FILES.rcloneCommand)],
      rclone_conf: [put(FILES.rcloneConf)],
      sshd_config: [put(FILES.sshdConfig)],
      sshd_idle_config: [put(FILES.sshdIdleConfig)],
      slots: [put(FILES.slots), SLOTS],
      slice_limits: [put(FILES.sliceLimits)],
      connection_limits: [put(FILES.connectionLimits), put(FILES.connectionLimitsUnit)],
      authorized_keys: [put(FILES.authorizedKeys)],
    },
  });
}
