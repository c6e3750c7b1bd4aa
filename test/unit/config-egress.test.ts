import { describe, expect, test } from "@jest/globals";
import { parseStackConfig } from "../../config";
import { type Case, changed, reportsEach, smallest } from "../harness/config-errors";

const NO_CIDR = 'is not a network in CIDR notation; write ADDRESS/BITS, for example "192.0.2.0/24"';

describe("a right configuration", () => {
  test("opens DNS to the given name servers, and S3 to an endpoint that is an address", () => {
    const dual = changed("network.create.cidr6", "2001:db8:0:20::/64", smallest());
    const raw = changed("network.create.dnsServers", ["192.0.2.53", "2001:DB8:0::53"], dual);
    const config = parseStackConfig(changed("s3.endpoint", "http://[2001:db8::1]:7480", raw));
    expect(config.egress).toEqual({
      dns: ["192.0.2.53/32", "2001:db8::53/128"],
      ntp: ["0.0.0.0/0", "::/0"],
      mirrors: [],
      s3: ["2001:db8::1/128"],
    });
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
    ...["10.0.0.0/", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/08", "1.2.3.4/8/8", "fe80::%eth0/64", "any"].map(
      (text): Case => ["egress.ntp", [text], `egress.ntp[0]: "${text}" ${NO_CIDR}`],
    ),
    [
      "egress.mirrors[1]",
      "0.0.0.0/0",
      'egress.mirrors[1]: "0.0.0.0/0" is already in this list, at [0]; remove one of the two',
    ],
  ];
  reportsEach(cases);
});
