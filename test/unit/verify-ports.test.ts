/** At which of the proxy's addresses verify tries its ports. */
import { describe, expect, test } from "@jest/globals";
import { FirewallRule } from "../../plan";
import { portScans } from "../../operations/verify/client-attacks/ports";
import { sampleDeployment } from "../harness/sample-deployment";

const operators = (cidr: string): FirewallRule => ({
  group: "appserver",
  direction: "ingress",
  protocol: "tcp",
  port: 22,
  peer: { cidr },
});

function scans(address6: string | undefined, ...cidrs: string[]): string[] {
  const { proxy, network } = sampleDeployment();
  const rules = cidrs.map(operators);
  return portScans(sampleDeployment({ proxy: { ...proxy, address6 }, network: { ...network, rules } })).map(
    ({ id, tried }) => `${id} ${/ at (\S+): /.exec(tried)?.[1] as string}`,
  );
}

describe("the proxy's ports are tried", () => {
  test("at its IPv6 address too, where operators connect by IPv6", () => {
    expect(scans("2001:db8::1", "192.0.2.0/24", "2001:db8::/64")).toEqual([
      "attack.ports 192.0.2.1",
      "attack.ports6 2001:db8::1",
    ]);
  });

  test("at no other address where it has none, or operators connect by IPv4 alone", () => {
    expect(scans(undefined, "2001:db8::/64")).toEqual(["attack.ports 192.0.2.1"]);
    expect(scans("2001:db8::1", "192.0.2.0/24")).toEqual(["attack.ports 192.0.2.1"]);
  });
});
