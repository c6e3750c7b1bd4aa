import { z } from "zod";
import { ConfigError, Mistake, fieldName } from "./errors";
import { relationMistakes } from "./rules";
import { KnownKeys, stackSchema } from "./schema";
import { ClientConfig, StackConfig } from "./types";
import { hostCidr, isAddress, parseEndpoint } from "./values";

/**
 * Checks a stack's configuration (its keys without `secure-backups:`, its values as parsed YAML or JSON) and fills
 * in the defaults.
 *
 * @throws ConfigError that lists every mistake.
 */
export function parseStackConfig(raw: Readonly<Record<string, unknown>>): StackConfig {
  const result = checkStackConfig(raw);
  if (Array.isArray(result)) throw new ConfigError(result);
  return result;
}

/** As `parseStackConfig`, but the mistakes are the result. */
export function checkStackConfig(raw: Readonly<Record<string, unknown>>): StackConfig | Mistake[] {
  const fields = stackSchema.safeParse(raw);
  const mistakes = [...(fields.error?.issues.flatMap(mistakesOf) ?? []), ...relationMistakes(raw)];
  if (mistakes.length > 0) return firstOfEachField(mistakes);
  return complete(fields.data as z.output<typeof stackSchema>);
}

function mistakesOf(issue: z.core.$ZodIssue): Mistake[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path, message: issue.message }];
  const { known, elsewhere } = JSON.parse(issue.message) as KnownKeys;
  return issue.keys.map((key) => ({
    path: [...issue.path, key],
    message: unknownKey(key, known, elsewhere),
  }));
}

/** The value of an unknown key is never told: it may be a secret under a mistyped name. */
function unknownKey(key: string, known: string[], elsewhere: KnownKeys["elsewhere"]): string {
  const reason = Object.hasOwn(elsewhere, key) ? elsewhere[key] : undefined;
  if (reason !== undefined) return reason;
  const near = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const guess =
    near !== undefined && near.distance <= Math.max(2, near.name.length / 2)
      ? `did you mean "${near.name}"? `
      : "";
  return `unknown key; ${guess}known here: ${known.join(", ")}`;
}

/** The number of letters to insert, remove or change to turn one word into the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  Array.from(a).forEach((letter, i) => {
    const next = [i + 1];
    Array.from(b).forEach((other, j) => {
      const change = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    });
    row = next;
  });
  return row.at(-1) ?? 0;
}

function firstOfEachField(mistakes: Mistake[]): Mistake[] {
  const seen = new Set<string>();
  return mistakes.filter(({ path }) => seen.size < seen.add(fieldName(path)).size);
}

/** Fills in the defaults that depend on other fields. */
function complete({
  network,
  access,
  egress,
  proxy,
  s3,
  clients,
  ...rest
}: z.output<typeof stackSchema>): StackConfig {
  const floatingIp = proxy.floatingIp ?? access.via === "floating-ip";
  const floatingIpPool =
    access.floatingIpPool ?? (floatingIp && "create" in network ? network.create.externalNetwork : undefined);
  const endpoint = parseEndpoint(s3.endpoint)?.host ?? "";
  return {
    ...rest,
    network,
    access: { ...access, ...(floatingIpPool === undefined ? {} : { floatingIpPool }) },
    egress: {
      ...egress,
      dns: egress.dns ?? ("create" in network ? nameServers(network.create) : []),
      s3: egress.s3 ?? [isAddress(endpoint) ? hostCidr(endpoint) : "0.0.0.0/0"],
    },
    proxy: { ...proxy, floatingIp, user: proxy.user ?? access.user },
    s3,
    clients: clients.map((client): ClientConfig => {
      if (client.kind === "vm") return { ...client, user: client.user ?? access.user };
      return client.kind === "existing"
        ? { ...client, sourceCidrs: client.sourceCidrs ?? [hostCidr(client.ssh.address)] }
        : client;
    }),
  };
}

function nameServers({ cidr, dnsServers }: { cidr: string; dnsServers: string[] }): string[] {
  return dnsServers.length === 0 ? [cidr] : dnsServers.map(hostCidr);
}
