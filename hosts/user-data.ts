import { plainName, plainPublicKey } from "./names";

/**
 * cloud-init's user data of a host: its name and its own SSH host key, which every connection has pinned. Secret for
 * that key. A change replaces the host, so the same values always give the same data.
 */
export function renderUserData(a: {
  hostName: string;
  hostKeyPrivate: string;
  hostKeyPublic: string;
}): string {
  const config = {
    hostname: plainName("host name", a.hostName),
    manage_etc_hosts: true,
    disable_root: true,
    ssh_pwauth: false,
    ssh_deletekeys: true,
    ssh_genkeytypes: ["ed25519"],
    ssh_keys: {
      ed25519_private: `${a.hostKeyPrivate.trimEnd()}\n`,
      ed25519_public: plainPublicKey("host key", a.hostKeyPublic),
    },
  };
  return `#cloud-config\n${JSON.stringify(config, undefined, 2)}\n`;
}
