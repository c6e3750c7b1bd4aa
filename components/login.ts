import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { LoginSettings } from "../plan";

/** Reads what decides how the OpenStack provider logs in, from where it reads that itself. */
export function loginSettings(): LoginSettings {
  const config = new pulumi.Config("openstack");
  const file = [
    process.env["OS_CLIENT_CONFIG_FILE"],
    "clouds.yaml",
    path.join(os.homedir(), ".config/openstack/clouds.yaml"),
    "/etc/openstack/clouds.yaml",
  ].find((name) => name !== undefined && fs.existsSync(name));
  return {
    environment: process.env,
    configured: {
      cloud: config.get("cloud"),
      applicationCredentialId: config.get("applicationCredentialId"),
      applicationCredentialName: config.get("applicationCredentialName"),
    },
    clouds: file === undefined ? undefined : fs.readFileSync(file, "utf8"),
  };
}
