import { z } from "zod";
import { addSecrets } from "./client-files";
import { ClientFile, ConfigError, FieldError, Path, placeOf } from "./errors";
import { mappingOf, relationErrors } from "./rules";
import { KnownKeys, clientSecrets as secretsOfFiles, stackSchema } from "./schema";
import { ClientConfig, CreatedNetwork, MailConfig, StackConfig } from "./types";
import { hostCidr, networksOf } from "./values/addresses";
import { parseEndpoint } from "./values/endpoints";

/**
 * Checks a stack's configuration (its keys without `secure-backups:`, its values as parsed YAML or JSON) and fills
 * in the defaults.
 *
 * @throws ConfigError that lists every error.
 */
export function parseStackConfig(raw: Readonly<Record<string, unknown>>): StackConfig {
  const result = checkStackConfig(raw);
  if (Array.isArray(result)) throw new ConfigError(result);
  return result;
}

/**
 * As `parseStackConfig`, but the errors are the result.
 *
 * @param files What the clients' files of `clientsFolder` hold; they follow the clients that `raw` lists.
 */
export function checkStackConfig(
  raw: Readonly<Record<string, unknown>>,
  files: readonly ClientFile[] = [],
): StackConfig | FieldError[] {
  const {
    clientsFolder,
    clientSecrets,
    clients = clientsFolder === undefined ? undefined : [],
  } = mappingOf(raw);
  const secrets = secretsOfFiles.optional().safeParse(clientSecrets);
  const secured = addSecrets(files, secrets.data ?? {});
  const whole = Array.isArray(clients)
    ? { ...raw, clients: [...(clients as unknown[]), ...secured.files.map(({ value }) => value)] }
    : raw;
  const listed = Array.isArray(clients) ? clients.length : 0;
  const placed = (path: Path) => inFile(path, files, listed);

  const fields = stackSchema.safeParse(whole);
  const errors = [
    ...(fields.error?.issues.flatMap(errorsOf) ?? []),
    ...relationErrors(whole, (path) => placeOf(placed(path))),
    ...secured.errors,
  ].map((error) => ({ ...error, ...placed(error.path) }));
  if (errors.length > 0) return firstOfEachField(errors);
  return complete(fields.data as z.output<typeof stackSchema>);
}

/** Where a field of the clients' list really stands: the files' clients follow the listed ones. */
function inFile(path: Path, files: readonly ClientFile[], listed: number): Pick<FieldError, "file" | "path"> {
  const [first, index, ...rest] = path;
  const file = first === "clients" && typeof index === "number" ? files[index - listed]?.file : undefined;
  return file === undefined ? { path } : { file, path: rest };
}

function errorsOf(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path, message: issue.message }];
  const { known, elsewhere } = JSON.parse(issue.message) as KnownKeys;
  return issue.keys.map((key) => ({
    path: [...issue.path, key],
    message: unknownKey(key, known, elsewhere),
  }));
}

/** The value of an unknown key is never shown: it may be a secret under a mistyped name. */
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

function firstOfEachField(errors: FieldError[]): FieldError[] {
  const seen = new Set<string>();
  return errors.filter((error) => seen.size < seen.add(placeOf(error)).size);
}

/** Fills in the defaults that depend on other fields. */
function complete(fields: z.output<typeof stackSchema>): StackConfig {
  const { protect, network, access, egress, proxy, keeper, alarms, restic, s3, clients } = fields;
  const withFloatingIp = (given: boolean | undefined): boolean => given ?? access.via === "floating-ip";
  const floatingIp = withFloatingIp(proxy.floatingIp);
  const some = floatingIp || (keeper !== undefined && withFloatingIp(keeper.floatingIp));
  const floatingIpPool =
    access.floatingIpPool ?? (some && "create" in network ? network.create.externalNetwork : undefined);
  const { mail, ...others } = alarms;
  const endpoint = parseEndpoint(s3.endpoint)?.host ?? "";
  return {
    protect,
    network,
    access: { ...access, ...(floatingIpPool === undefined ? {} : { floatingIpPool }) },
    egress: {
      ...egress,
      dns: egress.dns ?? ("create" in network ? nameServers(network.create) : []),
      s3: egress.s3 ?? networksOf(endpoint),
    },
    proxy: { ...proxy, floatingIp, user: proxy.user ?? access.user },
    ...(keeper && {
      keeper: {
        ...keeper,
        floatingIp: withFloatingIp(keeper.floatingIp),
        user: keeper.user ?? access.user,
      },
    }),
    alarms: { ...others, ...(mail && { mail: { ...mail, port: mail.port ?? mailPort(mail) } }) },
    ...(restic === undefined ? {} : { restic }),
    s3,
    clients: clients.map((client): ClientConfig => {
      if (client.kind === "vm") return { ...client, user: client.user ?? access.user };
      return client.kind === "existing"
        ? { ...client, sourceCidrs: client.sourceCidrs ?? [hostCidr(client.ssh.address)] }
        : client;
    }),
  };
}

const mailPort = ({ security }: Pick<MailConfig, "security">): number => (security === "tls" ? 465 : 587);

function nameServers({ cidr, dnsServers }: CreatedNetwork): string[] {
  return dnsServers.length === 0 ? [cidr] : dnsServers.map(hostCidr);
}
