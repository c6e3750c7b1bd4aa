import { z } from "zod";
import { userProblem } from "../values/names";
import { missingOrWrong, text, privateKey, mapping, cidrs } from "./fields";
import { sshTarget } from "./ssh-target";
import type { SshTarget } from "./ssh-target";

/** How the machine that runs Pulumi reaches the hosts. */
export interface AccessConfig {
  /**
   * `floating-ip`: every host of the stack gets a public address and is reached there; `jump-host`: through the SSH
   * server `jumpHost`; `direct`: at the host's address in the network (VPN, or Pulumi runs inside). Required.
   */
  via: "floating-ip" | "jump-host" | "direct";
  /** Networks (CIDR) from which SSH to the hosts is allowed for the operator, at least one. Required. */
  adminCidrs: string[];
  /**
   * The user of the images that may become root with sudo, where a host names none of its own.
   * @default `debian`
   */
  user: string;
  /**
   * Name of the external network that floating IPs are taken from; only where some host gets a floating IP.
   * @default `network.create.externalNetwork`; required with `network.existing`
   */
  floatingIpPool?: string;
  /** The SSH server in between. Required with `via: jump-host`, and only there. */
  jumpHost?: SshTarget;
  /**
   * Secret. The operator's private SSH key (PEM or OpenSSH, no passphrase).
   * @default the stack creates one
   */
  privateKey?: string;
}

const ACCESS_WAYS = "floating-ip, jump-host or direct";
export const access = mapping(
  {
    via: z.enum(["floating-ip", "jump-host", "direct"], {
      error: ({ input }) => missingOrWrong(input, "a way to reach the hosts", `write ${ACCESS_WAYS}`),
    }),
    adminCidrs: cidrs("the networks from which the operator connects, at least one", 1),
    user: text("give the user of the images", userProblem).default("debian"),
    floatingIpPool: text("give the name of the external network that floating IPs come from").optional(),
    jumpHost: sshTarget("the jump host").optional(),
    privateKey: privateKey.optional(),
  },
  "give via and adminCidrs",
);
