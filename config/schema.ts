import { z } from "zod";
import { SECRET, shown } from "./errors";
import * as values from "./values";

const MAPPING = "a mapping";

type Rule = (text: string) => values.Problem;

/** The value of something that is no text: a text in a mapping's place is not told, for it may be a secret. */
function missingOrWrong(value: unknown, wanted: string, give: string): string {
  if (value === undefined) return `missing; ${give}`;
  if (value === null || value === "") return `empty; ${give}`;
  const display = typeof value === "string" && wanted === MAPPING ? "string" : shown(value);
  return `${display} is not ${wanted}; ${give}`;
}

/** A field that holds a text. `give` is the remedy where it is missing; only the first broken rule is reported. */
function textField(give: string, secret: boolean, rules: readonly Rule[]) {
  const display = secret ? () => SECRET : shown;
  return z
    .string({
      error: ({ input }) =>
        typeof input === "number" || typeof input === "boolean"
          ? `${display(input)} must be a string; quote it${secret ? "" : `: "${input}"`}`
          : input === undefined || input === null
            ? missingOrWrong(input, "", give)
            : `${display(input)} is not a string; ${give}`,
    })
    .superRefine((text, context) => {
      const problem =
        text === "" ? `empty; ${give}` : rules.map((rule) => rule(text)).find((found) => found !== undefined);
      if (problem === undefined) return;
      context.addIssue({ code: "custom", message: text === "" ? problem : `${display(text)} ${problem}` });
    });
}

const noControl: Rule = (text) =>
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(text)
    ? "has a control character or a line break, which cannot stand in a host's files; remove it"
    : undefined;

/** What the annotated example leaves to its user. */
const filledIn: Rule = (text) =>
  text.startsWith("FILL-IN") ? "is a placeholder of the example; replace it with your value" : undefined;

const text = (give: string, ...rules: Rule[]) => textField(give, false, [noControl, ...rules, filledIn]);
const secret = (give: string, ...rules: Rule[]) => textField(give, true, [noControl, ...rules, filledIn]);
const privateKey = textField("give a private SSH key", true, [
  (key) => noControl(key.replaceAll("\n", "")),
  values.privateKeyProblem,
]);

const flag = () =>
  z.boolean({
    error: ({ input }) => missingOrWrong(input, "true or false", "write true or false without quotes"),
  });

/** A whole number from 1 to `most`; `what` is what it counts. */
function whole(what: string, most: number, give: string) {
  const error = ({ input }: { input?: unknown }) => missingOrWrong(input, what, give);
  return z
    .number({ error })
    .refine((value) => Number.isInteger(value) && value >= 1 && value <= most, { error });
}

const port = () => whole("a port", 65535, "write a number from 1 to 65535 without quotes");

function list<T extends z.ZodType>(item: T, give: string, least = 0) {
  return z
    .array(item, { error: ({ input }) => missingOrWrong(input, "a list", give) })
    .min(least, { error: `empty list; ${give}` });
}

/** A list of texts without duplicates. */
function textList(item: ReturnType<typeof text>, give: string, least = 0) {
  return list(item, give, least).superRefine(
    (items, context) => {
      items.forEach((value, index) => {
        const first = items.indexOf(value);
        if (typeof value !== "string" || first === index) return;
        const message = `${shown(value)} is already in this list, at [${first}]; remove one of the two`;
        context.addIssue({ code: "custom", path: [index], message });
      });
    },
    { when: ({ value }) => Array.isArray(value) },
  );
}

/** What the error of an unknown key has to know; it travels as JSON in the issue's message. */
export interface KnownKeys {
  known: string[];
  elsewhere: Readonly<Record<string, string>>;
}

/** A mapping that knows exactly these keys. `elsewhere` says why a key that is known in another place is not here. */
function mapping<T extends z.ZodRawShape>(shape: T, give: string, elsewhere: KnownKeys["elsewhere"] = {}) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? JSON.stringify({ known: Object.keys(shape), elsewhere } satisfies KnownKeys)
        : missingOrWrong(issue.input, MAPPING, give),
  });
}

/** One of several forms: `pick` tells from the raw value which one the user means, so that errors are about that. */
function oneOf<T>(pick: (raw: Readonly<Record<string, unknown>>) => z.ZodType<T> | string) {
  return z.unknown().transform((raw, context): T => {
    const form = pick(typeof raw === "object" && raw !== null ? { ...raw } : {});
    if (typeof form === "string") {
      context.addIssue({ code: "custom", message: form });
      return z.NEVER;
    }
    const result = form.safeParse(raw);
    if (result.success) return result.data;
    for (const { path, message, ...issue } of result.error.issues) {
      context.issues.push({ ...issue, path: [...path], message, input: raw } as z.core.$ZodRawIssue);
    }
    return z.NEVER;
  });
}

const CIDR_EXAMPLE = 'for example ["192.0.2.0/24"]';
const cidr = text("give a network in CIDR notation", values.cidrProblem);
const cidrs = (whose: string, least = 0) => textList(cidr, `list ${whose}, ${CIDR_EXAMPLE}`, least);

const artifact = (program: string, packed: string, versionRule: Rule, sums: string) =>
  mapping(
    {
      version: text(`give the version of ${program}, for example "1.76.0"`, versionRule),
      url: text(`give the URL of a raw binary or an official ${packed} file`, values.downloadProblem(packed)),
      sha256: text(
        `give the SHA-256 of the file at url, for an official release its line in ${sums}`,
        values.sha256Problem(sums),
      ),
    },
    `give version, url and sha256 of ${program}`,
  );

const sshTarget = (whose: string) =>
  mapping(
    {
      address: text(`give the DNS name or IP address of ${whose}`, values.addressProblem),
      port: port().default(22),
      user: text(`give the user to log in as on ${whose}`, values.userProblem),
      hostKey: text(
        `give the public host key of ${whose}, "ssh-ed25519 AAAA…"`,
        values.hostKeyProblem,
      ).transform(values.plainHostKey),
      privateKey: privateKey.optional(),
    },
    `give address, user and hostKey of ${whose}`,
  );

const createdNetwork = mapping(
  {
    cidr: text('give the addresses of the new subnet, for example "10.20.0.0/24"', values.subnetProblem),
    cidr6: text(
      'give the addresses of the new IPv6 subnet, for example "2001:db8:0:20::/64"',
      values.subnet6Problem,
    ).optional(),
    externalNetwork: text("give the name of the external network, see `openstack network list --external`"),
    dnsServers: textList(
      text("give the address of a name server", values.ipProblem),
      'list the addresses of name servers, for example ["192.0.2.53"]',
    ).default([]),
  },
  "give cidr and externalNetwork",
);

const existingNetwork = mapping(
  {
    network: text("give the network's name or ID, see `openstack network list`"),
    subnet: text("give the subnet's name or ID, see `openstack subnet list`"),
  },
  "give network and subnet",
);

const NETWORK_FORMS = "give exactly one of create and existing";
const newNetwork = mapping({ create: createdNetwork }, NETWORK_FORMS);
const foreignNetwork = mapping({ existing: existingNetwork }, NETWORK_FORMS);
const network = oneOf<z.output<typeof newNetwork | typeof foreignNetwork>>((raw) => {
  if ("create" in raw && "existing" in raw) return `has both create and existing; ${NETWORK_FORMS}`;
  return "existing" in raw ? foreignNetwork : newNetwork;
});

const ACCESS_WAYS = "floating-ip, jump-host or direct";
const access = mapping(
  {
    via: z.enum(["floating-ip", "jump-host", "direct"], {
      error: ({ input }) => missingOrWrong(input, "a way to reach the hosts", `write ${ACCESS_WAYS}`),
    }),
    adminCidrs: cidrs("the networks from which the operator connects, at least one", 1),
    user: text("give the user of the images", values.userProblem).default("debian"),
    floatingIpPool: text("give the name of the external network that floating IPs come from").optional(),
    jumpHost: sshTarget("the jump host").optional(),
    privateKey: privateKey.optional(),
  },
  "give via and adminCidrs",
);

const egress = mapping(
  {
    dns: cidrs("the networks of the name servers").optional(),
    ntp: cidrs("the networks of the time servers").default(values.ANYWHERE),
    mirrors: cidrs("the networks of the package mirrors").default([]),
    s3: cidrs("the networks of the S3 service").optional(),
  },
  "give dns, ntp, mirrors, s3 or leave egress out",
);

/** A thing of the cloud's by its name or UUID, or as a mapping by an ID of any other form. */
const nameOrId = (give: string) =>
  oneOf<string | { id: string }>((raw) => ("id" in raw ? mapping({ id: text(give) }, give) : text(give)));

const MOST_GIB = 65536;
const volume = mapping(
  {
    size: whole("a size in GiB", MOST_GIB, `write a whole number from 1 to ${MOST_GIB} without quotes`),
    type: text("give the name of a volume type, see `openstack volume type list`").optional(),
    keep: flag().default(false),
  },
  "give size, or leave volume out",
);

/** What a host is made with. */
const machine = {
  image: nameOrId("give the name or ID of an image, see `openstack image list`"),
  flavor: nameOrId("give the name or ID of a flavor, see `openstack flavor list`"),
  volume: volume.optional(),
  availabilityZone: text(
    "give the name of an availability zone, see `openstack availability zone list --compute`",
  ).optional(),
  user: text("give the user of the image", values.userProblem).optional(),
};

const proxy = mapping(
  {
    name: text("give the proxy's host name", values.nameProblem).default("rclonesrv"),
    hostName: text(
      "give the DNS name or address at which clients reach the proxy",
      values.addressProblem,
    ).optional(),
    ...machine,
    floatingIp: flag().optional(),
    rclone: artifact(
      "rclone",
      ".zip",
      values.rcloneVersionProblem,
      "https://downloads.rclone.org/vVERSION/SHA256SUMS",
    ),
  },
  "give image, flavor and rclone",
);

const projectIdentity = mapping(
  { projectId: text("give the ID of an OpenStack project", values.projectIdProblem) },
  "give the projectId of an OpenStack project, or accessKeyId and secretAccessKey",
);
const keyIdentity = mapping(
  {
    accessKeyId: text("give the access key ID", values.accessKeyIdProblem),
    secretAccessKey: secret("give the secret access key", values.secretAccessKeyProblem),
    principal: text(
      'give the ARN of this identity, for example "arn:aws:iam::PROJECT_ID:root"',
      values.principalProblem,
    ).optional(),
  },
  "give accessKeyId and secretAccessKey",
  {
    projectId:
      "makes the stack create credentials and excludes given ones; leave out either it or accessKeyId, secretAccessKey and principal",
  },
);
const identity = oneOf<z.output<typeof projectIdentity | typeof keyIdentity>>((raw) =>
  Object.keys(keyIdentity.shape).some((key) => key in raw) ? keyIdentity : projectIdentity,
);

const MOST_DAYS = 3650;
const days = () =>
  whole("a number of days", MOST_DAYS, `write a whole number from 1 to ${MOST_DAYS} without quotes`);

const lockMode = z.enum(["GOVERNANCE", "COMPLIANCE"], {
  error: ({ input }) => missingOrWrong(input, "a mode", "write GOVERNANCE or COMPLIANCE"),
});

const s3 = mapping(
  {
    endpoint: text('give the S3 service, for example "https://s3.example.com"', values.endpointProblem),
    region: text(
      'give the region as the S3 service calls it, for example "eu-central-1"',
      values.regionProblem,
    ),
    bucket: text("give the name of the bucket for all repositories", values.bucketProblem),
    versioning: flag().default(true),
    noncurrentVersionDays: days().default(30),
    objectLock: mapping({ mode: lockMode, days: days() }, "give mode and days, or leave it out").optional(),
    givenUp: flag().default(false),
    identities: mapping(
      { owner: identity, writer: identity.optional(), keeper: identity.optional() },
      "give at least the identity owner",
    ),
  },
  "give endpoint, region, bucket and identities",
);

const password = secret("give the password of the existing repository, or leave it out");
const repositoryShape = {
  name: text("give the repository's name", values.nameProblem),
  paths: textList(
    text('give an absolute path, for example "/srv/data"', values.pathProblem),
    'list the paths to back up, at least one, for example ["/srv/data"]',
    1,
  ),
  excludes: textList(
    text('give a pattern, for example "*.tmp"', values.excludeProblem),
    'list restic\'s patterns, for example ["*.tmp"]',
  ).default([]),
  oneFileSystem: flag().default(false),
  password: password.optional(),
};
const ownKeys = {
  publicKey: 'is for clients of kind "key-only"; leave it out, the stack makes this client\'s key',
};
const repository = mapping(repositoryShape, "give name and paths", ownKeys);
const keyOnlyRepository = mapping(
  {
    ...repositoryShape,
    publicKey: text(
      'give the public key that its operator sent, "ssh-ed25519 AAAA…"',
      values.publicKeyProblem,
    ),
  },
  "give name, paths and publicKey",
);

const REPOSITORIES = "list the client's repositories, at least one, each with name and paths";
const clientName = text("give the client's host name", values.nameProblem);
const sourceCidrs = (least: number) =>
  cidrs("the networks from which this client connects to the proxy", least);

const KINDS = {
  vm: {
    ...machine,
    securityGroups: textList(
      text("give the name or ID of a security group"),
      "list names or IDs of existing security groups, see `openstack security group list`",
    ).default([]),
  },
  existing: { ssh: sshTarget("the server"), sourceCidrs: sourceCidrs(0).optional() },
  "key-only": { sourceCidrs: sourceCidrs(1) },
};

/** The keys that only clients of other kinds have, with what to do about them. */
function otherKinds(kind: keyof typeof KINDS): Record<string, string> {
  const keys = Object.values(KINDS).flatMap((shape) => Object.keys(shape));
  const others = keys.filter((key) => !(key in KINDS[kind]));
  return Object.fromEntries(
    others.map((key) => {
      const kinds = Object.entries(KINDS).flatMap(([name, shape]) => (key in shape ? [`"${name}"`] : []));
      return [
        key,
        `is for clients of kind ${kinds.join(" or ")}, and this one is "${kind}"; leave it out or change kind`,
      ];
    }),
  );
}

const CLIENT = "give name, kind and repositories";
const vmClient = mapping(
  {
    kind: z.literal("vm"),
    name: clientName,
    frozen: flag().default(false),
    ...KINDS.vm,
    repositories: list(repository, REPOSITORIES, 1),
  },
  CLIENT,
  otherKinds("vm"),
);
const existingClient = mapping(
  {
    kind: z.literal("existing"),
    name: clientName,
    frozen: flag().default(false),
    ...KINDS.existing,
    repositories: list(repository, REPOSITORIES, 1),
  },
  CLIENT,
  otherKinds("existing"),
);
const keyOnlyClient = mapping(
  {
    kind: z.literal("key-only"),
    name: clientName,
    frozen: flag().default(false),
    ...KINDS["key-only"],
    repositories: list(keyOnlyRepository, REPOSITORIES, 1),
  },
  CLIENT,
  otherKinds("key-only"),
);
/** A client of no known kind: never right, but its kind is not the only error to be told. */
const kindless = z
  .looseObject(
    {
      kind: z.enum(Object.keys(KINDS), {
        error: ({ input }) =>
          missingOrWrong(input, "a kind of client", 'write "vm", "existing" or "key-only"'),
      }),
      name: clientName,
    },
    { error: ({ input }) => missingOrWrong(input, MAPPING, CLIENT) },
  )
  .transform(() => z.NEVER);

const client = oneOf<z.output<typeof vmClient | typeof existingClient | typeof keyOnlyClient>>(({ kind }) => {
  if (kind === "vm") return vmClient;
  if (kind === "existing") return existingClient;
  return kind === "key-only" ? keyOnlyClient : kindless;
});

/** Secrets of clients that have files of their own, where their files would have them. */
export const clientSecrets = byName(
  mapping(
    {
      ssh: mapping({ privateKey }, "give privateKey").optional(),
      repositories: byName(
        mapping({ password }, "give password"),
        "give for each repository, by its name, its password",
      ).optional(),
    },
    "give ssh or repositories",
  ),
  "give for each client, by its name, its ssh or repositories",
);

/** A mapping with keys of the user's choice. */
function byName<T extends z.ZodType>(item: T, give: string) {
  return z.record(z.string(), item, { error: ({ input }) => missingOrWrong(input, MAPPING, give) });
}

/** Every field by itself: its type, its form and the defaults that depend on no other field. */
export const stackSchema = mapping(
  {
    protect: flag().default(true),
    network,
    access,
    egress: egress.prefault({}),
    proxy,
    restic: artifact(
      "restic",
      ".bz2",
      values.versionProblem,
      "https://github.com/restic/restic/releases/download/vVERSION/SHA256SUMS",
    ).optional(),
    s3,
    clients: list(client, "list the clients, or write []"),
    clientsFolder: text('give the folder of the clients\' files, for example "clients/prod"').optional(),
    clientSecrets: clientSecrets.optional(),
  },
  "give network, access, proxy, s3 and clients",
);
