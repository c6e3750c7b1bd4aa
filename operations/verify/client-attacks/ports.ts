/** The proxy's ports: only sshd answers. */
import { Deployment } from "../../deployment";
import * as net from "node:net";
import { ethertypeOf } from "../../../plan/firewall";
import { inParallel } from "../../../keeper/parallel";
import { Probe } from "../probe";

/** TCP ports above 1024 of common services, rclone's remote control among them. */
const KNOWN_PORTS = [
  1080, 1194, 1433, 1521, 1723, 1883, 2022, 2049, 2181, 2222, 2375, 2376, 2379, 2380, 3000, 3128, 3260, 3306,
  3389, 4000, 4222, 4443, 4444, 5000, 5001, 5432, 5555, 5572, 5601, 5671, 5672, 5900, 5985, 5986, 6000, 6379,
  6443, 7000, 7480, 8000, 8008, 8080, 8081, 8088, 8443, 8500, 8888, 9000, 9001, 9090, 9091, 9093, 9100, 9200,
  9300, 9418, 9999, 10000, 10050, 10250, 11211, 15672, 19999, 27017, 50000, 51820, 61613,
];
const SCANNED_PORTS = [...Array.from({ length: 1024 }, (_, at) => at + 1), ...KNOWN_PORTS];
const SCAN_AT_ONCE = 128;
/** Time for the second SYN, which the kernel sends after a second: a lost packet must not look like a closed port. */
const SCAN_MILLISECONDS = 1500;

/**
 * Connects to the ports of the proxy from this machine; impossible through a jump host. To those of its IPv6 address only
 * where operators are admitted by IPv6: elsewhere this machine need not have any.
 */
export function portScans({ proxy, network }: Deployment): Probe[] {
  const { address, address6 } = proxy;
  // Only operators connect to app servers.
  const byIpv6 = network.rules.some(
    (rule) => rule.group === "appserver" && rule.direction === "ingress" && ethertypeOf(rule) === "IPv6",
  );
  return [
    portScan(proxy, "attack.ports", address),
    ...(address6 === undefined || !byIpv6 ? [] : [portScan(proxy, "attack.ports6", address6)]),
  ];
}

function portScan({ host }: Deployment["proxy"], id: string, address: string): Probe {
  return {
    ring: 1,
    id,
    tried: `connect to ${String(SCANNED_PORTS.length)} TCP ports of the proxy at ${address}: 1-1024 and ${String(KNOWN_PORTS.length)} known ones`,
    expected: "only 22 answers",
    remedy: "close the port in the proxy's security group and stop what listens there; see sockets.listening",
    attempt: async () => {
      if (host.proxy)
        throw new Error("the proxy is reached through a jump host, which connects to one port at a time");
      const open: number[] = [];
      await inParallel(SCAN_AT_ONCE, SCANNED_PORTS, async (port) => {
        if (await answers(address, port)) open.push(port);
      });
      if (!open.includes(22))
        throw new Error("not even port 22 answers: this machine cannot reach the proxy");
      const others = open.filter((port) => port !== 22).sort((a, b) => a - b);
      return { holds: others.length === 0, happened: `open: ${[22, ...others].join(", ")}` };
    },
  };
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: SCAN_MILLISECONDS });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.on("connect", () => {
      end(true);
    });
    socket.on("error", () => {
      end(false);
    });
    socket.on("timeout", () => {
      // If this process was busy that long, the answer may have arrived and be waiting.
      setImmediate(() => {
        end(false);
      });
    });
  });
}
