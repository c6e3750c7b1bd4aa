import { addressProblem } from "../values/addresses";
import { hostKeyProblem, plainHostKey } from "../values/keys";
import { userProblem } from "../values/names";
import { port, text, privateKey, mapping } from "./fields";

/** A host that is reached by SSH and was not created by this stack. */
export interface SshTarget {
  /** DNS name or IP address. Required. */
  address: string;
  /**
   * TCP port of its SSH server, 1 to 65535.
   * @default 22
   */
  port: number;
  /** The user to log in as: root, or one who may become root with sudo without a password. Required. */
  user: string;
  /**
   * Its public host key, `TYPE BASE64` as in `/etc/ssh/ssh_host_ed25519_key.pub`, or a line of `ssh-keyscan`, from which
   * the key is read: ed25519 or ECDSA; RSA works with servers before OpenSSH 8.8 alone, and a preview warns. Required.
   */
  hostKey: string;
  /**
   * Secret. Private SSH key for it.
   * @default `access.privateKey`, or without that the key that the stack creates
   */
  privateKey?: string;
}

export const sshTarget = (whose: string) =>
  mapping(
    {
      address: text(`give the DNS name or IP address of ${whose}`, addressProblem),
      port: port().default(22),
      user: text(`give the user to log in as on ${whose}`, userProblem),
      hostKey: text(`give the public host key of ${whose}, "ssh-ed25519 AAAA…"`, hostKeyProblem).transform(
        plainHostKey,
      ),
      privateKey: privateKey.optional(),
    },
    `give address, user and hostKey of ${whose}`,
  );
