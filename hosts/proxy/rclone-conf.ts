import { S3Credentials } from "../../config";
import { REMOTE } from "../names";

/** The S3 service as the proxy's rclone reaches it, with the writer's credentials. */
export interface ProxyS3 extends S3Credentials {
  /** A URL. */
  endpoint: string;
  region: string;
}

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
    // The stack creates the bucket; without this rclone would try to at every first write.
    ["no_check_bucket", "true"],
  ];
  return `[${REMOTE}]\n${fields.map((field) => `${field.join(" = ")}\n`).join("")}`;
}
