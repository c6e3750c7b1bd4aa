import { addressProblem } from "../values/addresses";
import { nameProblem } from "../values/names";
import { rcloneVersionProblem } from "../values/programs";
import { text, flag, mapping } from "./fields";
import { machine } from "./machine";
import { artifact } from "./program";
import type { MachineConfig } from "./machine";
import type { Artifact } from "./program";

/** The host that turns each client's SSH connection into append-only access to that client's repositories. */
export interface ProxyConfig extends MachineConfig {
  /**
   * Host name: a lower-case DNS label.
   * @default `rclonesrv`
   */
  name: string;
  /**
   * DNS name or address at which clients of the kinds `existing` and `key-only` reach the proxy.
   * @default its floating IP; required where it has none and there are such clients
   */
  hostName?: string;
  /**
   * Whether the proxy gets a floating IP.
   * @default true with `access.via: floating-ip`, else false
   */
  floatingIp: boolean;
  /** The rclone program, version 1.75.1 or newer: a raw binary, or an official `.zip` release file. Required. */
  rclone: Artifact;
}

export const proxy = mapping(
  {
    name: text("give the proxy's host name", nameProblem).default("rclonesrv"),
    hostName: text(
      "give the DNS name or address at which clients reach the proxy",
      addressProblem,
    ).optional(),
    ...machine,
    floatingIp: flag().optional(),
    rclone: artifact(
      "rclone",
      ".zip",
      rcloneVersionProblem,
      "https://downloads.rclone.org/vVERSION/SHA256SUMS",
    ),
  },
  "give image, flavor and rclone",
);
