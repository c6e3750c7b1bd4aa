import { FieldError, fieldName, Path, shown } from "./errors";
import { isAddress, isIpv6Alone } from "./values/addresses";
import { minutesBetweenRuns } from "./values/backups";
import { withoutBucket } from "./values/endpoints";
import { keyBlob } from "./values/keys";
import { principalProject } from "./values/s3";
import { isIPv4 } from "node:net";

/**
 * The rules between fields. They look at the raw configuration and pass over whatever is not of the right type,
 * so that they find their errors also where the schema has found others.
 *
 * @param placeOf Names a field in a message about another.
 */
export function relationErrors(raw: unknown, placeOf: (path: Path) => string): FieldError[] {
  const stack = mappingOf(raw);
  return [
    ...accessErrors(stack),
    ...ipv6Errors(stack),
    ...endpointErrors(stack),
    ...versionErrors(stack),
    ...identityErrors(stack),
    ...alarmErrors(stack, placeOf),
    ...clientErrors(stack, placeOf),
  ];
}

type Raw = Readonly<Record<string, unknown>>;

/** The value where it is a mapping, else an empty one. */
export function mappingOf(value: unknown): Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Raw) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Whether it is clear that this host of the stack gets no floating IP; one that is not there gets none. */
function noFloatingIp({ access }: Raw, host: unknown): boolean {
  const { via } = mappingOf(access);
  const { floatingIp } = mappingOf(host);
  return (via === "jump-host" || via === "direct") && (floatingIp === false || !isGiven(floatingIp));
}

function accessErrors(stack: Raw): FieldError[] {
  const errors: FieldError[] = [];
  const { network, access, egress, proxy, keeper } = stack;
  const { via, jumpHost, floatingIpPool } = mappingOf(access);
  const hosts = Object.entries({ proxy, keeper });
  const existing = isGiven(mappingOf(network)["existing"]);

  if (via === "jump-host" && !isGiven(jumpHost)) {
    const message = "missing; give address, user and hostKey of the jump host, or choose another access.via";
    errors.push({ path: ["access", "jumpHost"], message });
  }
  if ((via === "floating-ip" || via === "direct") && isGiven(jumpHost)) {
    const message = `is not used with access.via "${via}"; leave it out, or write via: jump-host`;
    errors.push({ path: ["access", "jumpHost"], message });
  }
  for (const [name, host] of hosts) {
    if (via !== "floating-ip" || mappingOf(host)["floatingIp"] !== false) continue;
    const message = 'false contradicts access.via "floating-ip"; leave it out, or choose another access.via';
    errors.push({ path: [name, "floatingIp"], message });
  }
  const someFloatingIp =
    via === "floating-ip" || hosts.some(([, host]) => mappingOf(host)["floatingIp"] === true);
  if (someFloatingIp && existing && !isGiven(floatingIpPool)) {
    const message =
      "missing; with network.existing give the name of the external network that floating IPs come from, " +
      "see `openstack network list --external`";
    errors.push({ path: ["access", "floatingIpPool"], message });
  }
  if (hosts.every(([, host]) => noFloatingIp(stack, host)) && isGiven(floatingIpPool)) {
    const message = `${shown(floatingIpPool)} is not used, for no host gets a floating IP; leave it out`;
    errors.push({ path: ["access", "floatingIpPool"], message });
  }
  if (existing && !isGiven(mappingOf(egress)["dns"])) {
    const message =
      "missing; with network.existing list the networks of its name servers, or write [] for none";
    errors.push({ path: ["egress", "dns"], message });
  }
  return errors;
}

/** What needs an IPv6 subnet that the network created by the stack does not have. */
function ipv6Errors({ network, proxy, clients }: Raw): FieldError[] {
  const create = mappingOf(network)["create"];
  const { cidr6, dnsServers } = mappingOf(create);
  if (!isGiven(create) || isGiven(cidr6)) return [];
  const errors = listOf(dnsServers).flatMap((server, index) =>
    textOf(server)?.includes(":")
      ? {
          path: ["network", "create", "dnsServers", index],
          message: `${shown(server)} is an IPv6 address, and the network has IPv4 alone; leave it out, or give cidr6`,
        }
      : [],
  );
  const hostName = textOf(mappingOf(proxy)["hostName"]);
  if (hostName !== undefined && !isIPv4(hostName)) return errors;
  listOf(clients).forEach((value, index) => {
    const { ssh, sourceCidrs } = mappingOf(value);
    const [field, networks] = isGiven(sourceCidrs)
      ? [["sourceCidrs"], listOf(sourceCidrs)]
      : [["ssh", "address"], [mappingOf(ssh)["address"]]];
    if (!isIpv6Alone(networks.map((network) => textOf(network) ?? ""))) return;
    const message =
      `${networks.map(shown).join(", ")}: the client connects by IPv6 alone, and the proxy has no IPv6 address; give ` +
      "network.create.cidr6, or a proxy.hostName that leads to the proxy by IPv6";
    errors.push({ path: ["clients", index, ...field], message });
  });
  return errors;
}

function endpointErrors({ s3 }: Raw): FieldError[] {
  const { endpoint, bucket } = mappingOf(s3);
  const [address, name] = [textOf(endpoint), textOf(bucket)];
  if (address === undefined || name === undefined) return [];
  const service = withoutBucket(address, name);
  if (service === undefined) return [];
  const message =
    `${shown(address)} is the address of the bucket and not of the service, and every object would get the bucket's ` +
    `name in front of its own; write ${shown(service)}`;
  return [{ path: ["s3", "endpoint"], message }];
}

function versionErrors({ s3 }: Raw): FieldError[] {
  const { versioning, noncurrentVersionDays, objectLock } = mappingOf(s3);
  if (versioning !== false) return [];
  const errors: FieldError[] = [];
  if (isGiven(noncurrentVersionDays)) {
    const message = `${shown(noncurrentVersionDays)} is not used with s3.versioning false; leave it out, or write versioning: true`;
    errors.push({ path: ["s3", "noncurrentVersionDays"], message });
  }
  if (isGiven(objectLock)) {
    const message = "needs old versions to hold; leave it out, or write versioning: true";
    errors.push({ path: ["s3", "objectLock"], message });
  }
  return errors;
}

function identityErrors({ s3 }: Raw): FieldError[] {
  const errors: FieldError[] = [];
  const identities = mappingOf(mappingOf(s3)["identities"]);
  const seen = new Map<string, string>();
  for (const role of ["owner", "writer", "keeper"]) {
    const identity = mappingOf(identities[role]);
    const at = (field: string): Path => ["s3", "identities", role, field];
    const project = textOf(identity["projectId"]);
    const accessKeyId = textOf(identity["accessKeyId"]);
    const principal = textOf(identity["principal"]);
    const ofPrincipal = principal === undefined ? undefined : (principalProject(principal) ?? principal);
    const marks: [string, string | undefined][] = [
      ["projectId", project],
      ["accessKeyId", accessKeyId],
      ["principal", ofPrincipal],
    ];
    for (const [field, mark] of marks) {
      if (mark === undefined) continue;
      const other = seen.get(mark);
      if (other === undefined) continue;
      errors.push({
        path: at(field),
        message: `${shown(identity[field])} is the same identity as the ${other}; leave ${role} out, or give it one of its own`,
      });
      break;
    }
    for (const [, mark] of marks) {
      if (mark !== undefined && !seen.has(mark)) seen.set(mark, role);
    }
    if (role !== "owner" && accessKeyId !== undefined && !isGiven(identity["principal"])) {
      const message =
        'missing; give the ARN of this identity for the bucket policy, for example "arn:aws:iam::PROJECT_ID:root"';
      errors.push({ path: at("principal"), message });
    }
  }
  return errors;
}

/** What the fields of `alarms` have to do with each other. */
function alarmErrors({ alarms }: Raw, placeOf: (path: Path) => string): FieldError[] {
  const errors: FieldError[] = [];
  const { mail, webhooks } = mappingOf(alarms);
  const { security, user, password } = mappingOf(mail);
  const at = (field: string): Path => ["alarms", "mail", field];
  if (isGiven(user) && !isGiven(password)) {
    const path = at("password");
    const message = `missing; encrypt the password of ${shown(user)}: pulumi config set --secret --path '${fieldName(path)}'`;
    errors.push({ path, message });
  }
  if (!isGiven(user) && isGiven(password)) {
    errors.push({
      path: at("user"),
      message: "missing; give the user whose password it is, or leave password out",
    });
  }
  if (isGiven(user) && security === "none") {
    const message = `"none" would send the password in plain text; write starttls or tls, or leave user and password out`;
    errors.push({ path: at("security"), message });
  }
  const seen = new Map<string, Path>();
  listOf(webhooks).forEach((webhook, index) => {
    const name = textOf(mappingOf(webhook)["name"]);
    if (name === undefined) return;
    const path: Path = ["alarms", "webhooks", index, "name"];
    const first = seen.get(name);
    if (first === undefined) seen.set(name, path);
    else
      errors.push({
        path,
        message: `${shown(name)} is the name of ${placeOf(first)} too; choose another name`,
      });
  });
  return errors;
}

function clientErrors(stack: Raw, placeOf: (path: Path) => string): FieldError[] {
  const errors: FieldError[] = [];
  const proxy = mappingOf(stack["proxy"]);
  const clients = listOf(stack["clients"]).map(mappingOf);

  /** Reports the second and later uses of a mark that has to be unique; returns whether this use is the first. */
  const unique = () => {
    const seen = new Map<string, Path>();
    return (mark: string | undefined, path: Path, message: (first: string) => string): boolean => {
      if (mark === undefined) return false;
      const first = seen.get(mark);
      if (first === undefined) seen.set(mark, path);
      else errors.push({ path, message: message(placeOf(first)) });
      return first === undefined;
    };
  };
  const hostNames = unique();
  const publicKeys = unique();
  const keyNames = unique();
  const machines = unique();
  const hostKeys = unique();

  const takenBy = (name: unknown) => (first: string) =>
    `${shown(name)} is taken by ${first}; choose another name`;
  const hostName = (host: Raw, path: Path, standard: string) => {
    const name = textOf(host["name"]) ?? (isGiven(host["name"]) ? undefined : standard);
    hostNames(name, path, takenBy(name));
  };
  hostName(proxy, ["proxy", "name"], "rclonesrv");
  if (isGiven(stack["keeper"])) hostName(mappingOf(stack["keeper"]), ["keeper", "name"], "keepersrv");
  clients.forEach((client, index) => {
    const at: Path = ["clients", index];
    const name = textOf(client["name"]);
    const newName = hostNames(name, [...at, "name"], takenBy(name));

    if (client["kind"] === "existing") {
      const ssh = mappingOf(client["ssh"]);
      const address = textOf(ssh["address"])?.toLowerCase();
      const one = "describe one machine as one client with several repositories";
      machines(
        address && `${address} ${isGiven(ssh["port"]) ? String(ssh["port"]) : 22}`,
        [...at, "ssh", "address"],
        (first) => `${shown(ssh["address"])} with this port is the machine of ${first} already; ${one}`,
      );
      hostKeys(
        keyBlobOf(ssh["hostKey"]),
        [...at, "ssh", "hostKey"],
        (first) =>
          `${shown(ssh["hostKey"])} is the key of ${first} too; ${one}, or give a copied machine new host keys`,
      );
      if (address !== undefined && !isAddress(address) && !isGiven(client["sourceCidrs"])) {
        const message = `missing; list the networks from which ${address} connects to the proxy, for example ["192.0.2.7/32"]`;
        errors.push({ path: [...at, "sourceCidrs"], message });
      }
    }

    const names = unique();
    listOf(client["repositories"]).forEach((value, number) => {
      const repository = mappingOf(value);
      const here: Path = [...at, "repositories", number];
      errors.push(
        ...runErrors(repository).map(({ path, message }) => ({ path: [...here, ...path], message })),
      );
      const own = textOf(repository["name"]);
      const newOwn = names(
        own,
        [...here, "name"],
        (first) => `${shown(own)} is the name of ${first} too; choose another name`,
      );
      const keyName = newName && newOwn ? [name, own].join("-") : undefined;
      keyNames(
        keyName,
        [...here, "name"],
        (first) =>
          `${shown(own)} gives the key name ${shown(keyName)}, which ${first} gives too; choose another name`,
      );
      publicKeys(
        keyBlobOf(repository["publicKey"]),
        [...here, "publicKey"],
        (first) =>
          `${shown(repository["publicKey"])} is the key of ${first} too; let its operator make one for each repository`,
      );
    });
  });

  const outside = clients.some(({ kind }) => kind === "existing" || kind === "key-only");
  if (outside && noFloatingIp(stack, proxy) && !isGiven(proxy["hostName"])) {
    const message =
      'missing; clients of kind "existing" and "key-only" need it, for the proxy has no floating IP: ' +
      "give the DNS name or address at which they reach the proxy";
    errors.push({ path: ["proxy", "hostName"], message });
  }
  return errors;
}

function keyBlobOf(value: unknown): string | undefined {
  const text = textOf(value);
  return text === undefined ? undefined : keyBlob(text);
}

/** What the fields of a repository that say when and what to back up have to do with each other. */
function runErrors(repository: Readonly<Record<string, unknown>>): FieldError[] {
  const errors: FieldError[] = [];
  const { paths, stdin, schedule, window } = repository;
  const some = listOf(paths).length > 0;
  if (!isGiven(stdin) && !some && (paths === undefined || Array.isArray(paths))) {
    const message =
      'missing; list the paths to back up, at least one, for example ["/srv/data"], or give stdin';
    errors.push({ path: ["paths"], message });
  }
  if (isGiven(stdin) && some) {
    errors.push({ path: ["paths"], message: "not beside stdin; give the paths a repository of their own" });
  }
  const gap = minutesBetweenRuns(textOf(schedule) ?? "daily");
  if (typeof window === "number" && window > 0 && window >= gap) {
    const message = `${String(window)} is not less than ${String(gap)} minutes, the shortest time between two runs of a day; write a smaller number`;
    errors.push({ path: ["window"], message });
  }
  return errors;
}
