/** The instances of the stack's hosts, as Nova shows them. */
import { gunzipSync } from "node:zlib";
import type { MadeHost } from "../../deployment";
import type { Probe } from "../probe";
import { secretsIn, type Secret } from "../secrets";
import type { Cloud, NovaServer } from "./cloud";

const USER_DATA = "OS-EXT-SRV-ATTR:user_data";

export function noSecretInInstance(cloud: Cloud, host: MadeHost, secrets: readonly Secret[]): Probe {
  return {
    ring: 1,
    id: `net.instance.${host.name}`,
    tried: `read the instance ${host.name} from OpenStack, with its metadata and user data`,
    expected:
      "no secret of the stack but its own host key: the host's users and the project's members can read it",
    remedy: "replace the secret (docs/handbook.md says how), then the host",
    attempt: async () => {
      const server = await cloud.server(host.instanceId);
      const found = secretsIn(textOfServer(server), secrets);
      if (found.length > 0) return { holds: false, happened: `it contains ${found.join(", ")}` };
      return {
        holds: true,
        happened:
          typeof server[USER_DATA] === "string"
            ? "none but its own host key"
            : "none in its metadata; this cloud does not show user data to this user",
      };
    },
  };
}

/** All text of an instance's API answer, with its user data decoded. */
export function textOfServer(server: NovaServer): string {
  const userData = server[USER_DATA];
  if (typeof userData !== "string") return JSON.stringify(server);
  const bytes = Buffer.from(userData, "base64");
  const decoded = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  return `${JSON.stringify(server)}\n${decoded.toString("utf8")}`;
}
