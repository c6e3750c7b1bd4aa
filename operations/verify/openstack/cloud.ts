/** OpenStack's answers, in the terms of the probes. */
import { fromNeutron, type GroupRule, type NeutronRule } from "./rules";
import type { OpenStackSession } from "./session";

/** How many pages of a list are read at most. */
const MOST_PAGES = 100;

/** A port as Neutron's API shows it; only what the probes need. */
export interface NeutronPort {
  id: string;
  security_groups: string[];
  /** Absent where the cloud cannot switch it off. */
  port_security_enabled?: boolean;
  allowed_address_pairs?: { ip_address: string }[];
  fixed_ips: { ip_address: string }[];
  /** Empty: nothing uses it. */
  device_id: string;
}

/** A page of a list of ports. */
interface PortPage {
  ports: NeutronPort[];
  ports_links?: { rel: string }[];
}

/** An instance as Nova's API shows it. */
export type NovaServer = Record<string, unknown>;

/** Asks OpenStack; each question once. */
export class Cloud {
  private readonly answers = new Map<string, Promise<unknown>>();

  constructor(private readonly session: Promise<OpenStackSession>) {
    // Every question through it fails with its error.
    session.catch(() => undefined);
  }

  async rules(groupId: string): Promise<GroupRule[]> {
    const { security_group } = await this.neutron<{
      security_group: { security_group_rules: NeutronRule[] };
    }>(`/security-groups/${groupId}`);
    return security_group.security_group_rules.map(fromNeutron);
  }

  async ports(instanceId: string): Promise<NeutronPort[]> {
    return (await this.neutron<PortPage>(`/ports?device_id=${instanceId}`)).ports;
  }

  /** The ports in a security group, of all that this user may see. */
  async members(groupId: string): Promise<NeutronPort[]> {
    const ports: NeutronPort[] = [];
    for (let page = 0; page < MOST_PAGES; page++) {
      const marker = ports.at(-1)?.id;
      const path = `/ports?security_groups=${groupId}${marker === undefined ? "" : `&marker=${marker}`}`;
      const answer = await this.neutron<PortPage>(path);
      ports.push(...answer.ports);
      if (answer.ports.length === 0 || !answer.ports_links?.some(({ rel }) => rel === "next")) {
        // A Neutron without this filter returns all ports.
        return ports.filter(({ security_groups }) => security_groups.includes(groupId));
      }
    }
    throw new Error(`OpenStack lists more than ${String(MOST_PAGES)} pages of ports`);
  }

  /** The instance, with its user data where the cloud shows them to this user. */
  async server(instanceId: string): Promise<NovaServer> {
    const headers = { "x-openstack-nova-api-version": "2.3" };
    return (await this.ask<{ server: NovaServer }>("compute", `/servers/${instanceId}`, headers)).server;
  }

  /** The URL of the service that issues tokens. */
  async identity(): Promise<URL> {
    return new URL((await this.session).endpoint("identity"));
  }

  private async neutron<T>(path: string): Promise<T> {
    const versioned = (await this.session).endpoint("network").endsWith("/v2.0");
    return await this.ask("network", `${versioned ? "" : "/v2.0"}${path}`);
  }

  private ask<T>(type: string, path: string, headers?: Record<string, string>): Promise<T> {
    const key = `${type} ${path}`;
    const answer = this.answers.get(key) ?? this.session.then((session) => session.get(type, path, headers));
    this.answers.set(key, answer);
    return answer as Promise<T>;
  }
}
