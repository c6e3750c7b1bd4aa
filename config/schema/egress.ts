import { ANYWHERE } from "../values/addresses";
import { mapping, cidrs } from "./fields";

/** Where the hosts may connect to; each field a list of networks in CIDR notation, an empty list closes. */
export interface EgressConfig {
  /**
   * Name servers (port 53, UDP and TCP).
   * @default with `network.create`: its `dnsServers`, or without any its `cidr` (the DHCP server there answers).
   * Required with `network.existing`
   */
  dns: string[];
  /**
   * Time servers (port 123, UDP). Without one a clock drifts until S3 refuses every request.
   * @default `0.0.0.0/0` and `::/0`, for the time service of the images asks servers of a public pool
   */
  ntp: string[];
  /**
   * Package mirrors, and the servers that `url` of rclone, restic and Node.js names (ports 80, 443 and those of the
   * URLs, TCP).
   * @default none
   */
  mirrors: string[];
  /**
   * The S3 service (the endpoint's port, TCP), from proxy and keeper only.
   * @default the endpoint where it is an address, else `0.0.0.0/0` and `::/0`
   */
  s3: string[];
  /**
   * Mail server, webhooks and ping of `alarms` (their ports, TCP), from the keeper only.
   * @default of each: its host where that is an address, else `0.0.0.0/0` and `::/0`
   */
  alarms?: string[];
}

export const egress = mapping(
  {
    dns: cidrs("the networks of the name servers").optional(),
    ntp: cidrs("the networks of the time servers").default(ANYWHERE),
    mirrors: cidrs("the networks of the package mirrors").default([]),
    s3: cidrs("the networks of the S3 service").optional(),
    alarms: cidrs("the networks that alarms are sent to").optional(),
  },
  "give dns, ntp, mirrors, s3, alarms or leave egress out",
);
