import { nextDay, parseOnCalendar, smallestGap } from "./on-calendar";
import * as net from "node:net";

/** What is wrong with a string and, after a semicolon, the remedy; undefined: nothing. The string itself is not in it. */
export type Problem = string | undefined;

/** First directories of a restic repository: as a name of a client or repository they could stand for another's data. */
const RESTIC_NAMES: readonly string[] = ["data", "keys", "locks", "snapshots", "index", "config"];
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A name that is safe as host name and as part of an object's name. */
export function nameProblem(name: string): Problem {
  if (!LABEL.test(name)) {
    const suggestion = name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .slice(0, 63)
      .replace(/^-+|-+$/g, "");
    const example = LABEL.test(suggestion) && nameProblem(suggestion) === undefined ? suggestion : "web-1";
    return (
      "is not safe as a host and object name; use 1 to 63 lower-case letters, digits and inner hyphens, " +
      `for example "${example}"`
    );
  }
  if (/^[0-9]+$/.test(name)) {
    return `has digits only and would be taken for an address; put a letter in, for example "n${name}"`;
  }
  if (name === "localhost") return 'means the machine itself; choose another name, for example "web-1"';
  if (RESTIC_NAMES.includes(name)) {
    return `is a name that restic itself uses inside a repository; choose another, for example "${name}-1"`;
  }
  return undefined;
}

/** A DNS name or an IP address. */
export function addressProblem(address: string): Problem {
  return isAddress(address) || isHostName(address)
    ? undefined
    : "is not a DNS name or an IP address; give it without scheme, port and path";
}

/** Whether the text is an IPv4 or IPv6 address (without a zone). */
export function isAddress(text: string): boolean {
  return net.isIP(text) !== 0 && !text.includes("%");
}

function isHostName(text: string): boolean {
  const labels = text.toLowerCase().split(".");
  return (
    text.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^[0-9]+$/.test(labels.at(-1) ?? "")
  );
}

/** A network: IPv4 or IPv6 in CIDR notation, host bits zero, written as OpenStack writes it. */
export function cidrProblem(text: string): Problem {
  const [address = "", bits, ...more] = text.split("/");
  const version = isAddress(address) ? net.isIP(address) : 0;
  const width = version === 4 ? 32 : 128;
  if (version === 0 || more.length > 0 || (bits !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(bits))) {
    return 'is not a network in CIDR notation; write ADDRESS/BITS, for example "192.0.2.0/24"';
  }
  if (bits === undefined)
    return `is an address without its bits; for this address alone write "${text}/${width}"`;
  if (Number(bits) > width) {
    return `has more than ${width} bits; for this address alone write "${address}/${width}"`;
  }
  const network = networkOf(address, width, Number(bits));
  const corrected = `${formatAddress(network, width)}/${bits}`;
  if (corrected === text) return undefined;
  return network === addressNumber(address, width)
    ? `is not written as OpenStack writes it; write "${corrected}"`
    : `has host bits set; for that network write "${corrected}"`;
}

/** All addresses, as networks. */
export const ANYWHERE: string[] = ["0.0.0.0/0", "::/0"];

/** A network in which a subnet of the stack can be made. */
export function subnetProblem(text: string): Problem {
  const problem = cidrProblem(text);
  if (problem !== undefined) return problem;
  if (text.includes(":")) return 'is an IPv6 network; give an IPv4 network, for example "10.20.0.0/24"';
  return Number(text.split("/")[1]) > 29
    ? 'is too small for router, DHCP server, proxy and a client; take /29 or larger, for example "10.20.0.0/24"'
    : undefined;
}

/** A network in which an IPv6 subnet of the stack can be made. */
export function subnet6Problem(text: string): Problem {
  const problem = cidrProblem(text);
  if (problem !== undefined) return problem;
  return text.includes(":") && text.endsWith("/64")
    ? undefined
    : 'is not an IPv6 network of /64, which hosts need to find their addresses; give one, for example "2001:db8:0:20::/64"';
}

/** Whether all these addresses and networks, of which there is one at least, are IPv6. */
export function isIpv6Alone(networks: readonly string[]): boolean {
  return networks.length > 0 && networks.every((network) => network.includes(":"));
}

/** The network that holds this one address. */
export function hostCidr(address: string): string {
  const width = net.isIP(address) === 4 ? 32 : 128;
  return `${formatAddress(addressNumber(address, width), width)}/${width}`;
}

/** An IP address. */
export function ipProblem(text: string): Problem {
  return isAddress(text) ? undefined : 'is not an IP address; write it alone, for example "192.0.2.53"';
}

function networkOf(address: string, width: number, bits: number): bigint {
  const hostBits = BigInt(width - bits);
  return (addressNumber(address, width) >> hostBits) << hostBits;
}

function addressNumber(address: string, width: number): bigint {
  if (width === 32) return address.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head = "", tail] = canonicalV6(address).split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const first = groups(head);
  const last = groups(tail ?? "");
  const zeros = Array<string>(8 - first.length - last.length).fill("0");
  return [...first, ...zeros, ...last].reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

function formatAddress(value: bigint, width: number): string {
  const size = width === 32 ? 8n : 16n;
  const count = width / Number(size);
  const parts = Array.from(
    { length: count },
    (_, i) => (value >> (BigInt(count - 1 - i) * size)) & ((1n << size) - 1n),
  );
  return width === 32 ? parts.join(".") : canonicalV6(parts.map((part) => part.toString(16)).join(":"));
}

function canonicalV6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** Kinds of SSH keys. */
const KEY_TYPES = [
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
] as const;
const FIRST_SECURE_RSA_BITS = 2048;

/** The public key of a repository: an ed25519 key, with or without a comment. */
export function publicKeyProblem(text: string): Problem {
  return keyProblem(
    text,
    ["ssh-ed25519"],
    "give the whole line of the .pub file, as from ssh-keygen -t ed25519",
  );
}

/** The public host key of an SSH server: a line of a .pub file, of `ssh-keyscan` or of known_hosts. */
export function hostKeyProblem(text: string): Problem {
  return keyProblem(
    plainHostKey(text),
    KEY_TYPES,
    "give the whole line of the .pub file or of ssh-keyscan -t ed25519 ADDRESS, compared with the key on the host itself",
  );
}

/** A host key as `TYPE BASE64 [COMMENT]`: of a line of `ssh-keyscan` or known_hosts what follows the host's names. */
export function plainHostKey(text: string): string {
  const [names = "", type = ""] = text.split(" ");
  const named = /^(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-|sk-)/.test(type) && !names.startsWith("@");
  return named ? text.slice(names.length + 1) : text;
}

/** Whether a host key is of the kind for which `@pulumi/command` offers a signature with SHA-1 alone. */
export function isRsaKey(hostKey: string): boolean {
  return plainHostKey(hostKey).startsWith("ssh-rsa ");
}

/** What identifies a public key, whatever its comment: its blob in base64; undefined if the text is not a key. */
export function keyBlob(text: string): string | undefined {
  return plainHostKey(text).split(" ")[1];
}

/** `want` is the remedy where the text is no whole key. */
function keyProblem(text: string, allowed: readonly string[], want: string): Problem {
  if (text.includes("PRIVATE KEY"))
    return "is a private key; give the public one (the file that ends in .pub)";
  const [type = "", base64 = ""] = text.split(" ");
  if (!allowed.includes(type)) {
    return KEY_TYPES.some((known) => known === type) || /^(?:ssh-|sk-|ecdsa-)/.test(type)
      ? `has the type ${type}, which is not accepted here; use ${allowed.join(", ")}: ${want}`
      : `is not a public key that begins with ${allowed.join(", ")}; ${want}`;
  }
  const blob = Buffer.from(base64, "base64");
  if (base64 === "" || blob.toString("base64") !== base64)
    return `has no valid base64 after its type; ${want}`;
  const fields = blobFields(blob);
  if (fields?.[0]?.toString("latin1") !== type)
    return `is cut short or altered (its content is not of type ${type}); ${want}`;
  return keyBodyProblem(type, fields.slice(1), want);
}

function keyBodyProblem(type: string, body: readonly Buffer[], want: string): Problem {
  const [first, second] = body;
  if (type === "ssh-ed25519") {
    return body.length === 1 && first?.length === 32
      ? undefined
      : `is cut short or altered (an ed25519 key has 32 bytes); ${want}`;
  }
  if (type === "ssh-rsa") {
    if (body.length !== 2 || second === undefined || second.length === 0)
      return `is cut short or altered (no RSA numbers inside); ${want}`;
    return BigInt(`0x${second.toString("hex")}`).toString(2).length >= FIRST_SECURE_RSA_BITS
      ? undefined
      : `is an RSA key of less than ${FIRST_SECURE_RSA_BITS} bits; make the host an ed25519 key (ssh-keygen -A)`;
  }
  const curve = type.slice("ecdsa-sha2-".length);
  const bytes = { nistp256: 65, nistp384: 97, nistp521: 133 }[curve];
  return body.length === 2 &&
    first?.toString("latin1") === curve &&
    second?.length === bytes &&
    second?.[0] === 4
    ? undefined
    : `is cut short or altered (no point of the curve ${curve} inside); ${want}`;
}

/** The length-prefixed fields that an SSH key consists of; undefined if the last is incomplete. */
function blobFields(blob: Buffer): Buffer[] | undefined {
  const fields: Buffer[] = [];
  for (let at = 0; at < blob.length;) {
    if (at + 4 > blob.length) return undefined;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    fields.push(blob.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

/** A private SSH key that needs no passphrase. */
export function privateKeyProblem(text: string): Problem {
  const match = /^-----BEGIN ([A-Z ]*)PRIVATE KEY-----\n([\s\S]+)\n-----END \1PRIVATE KEY-----\n?$/.exec(
    text,
  );
  if (match === null) {
    return "is not a private key; give the whole text of the key's file, from -----BEGIN to -----END, with its line breaks";
  }
  const [, kind = "", body = ""] = match;
  const cipher = kind === "OPENSSH " ? opensshCipher(body) : undefined;
  if (kind.startsWith("ENCRYPTED") || body.includes("ENCRYPTED") || (cipher ?? "none") !== "none") {
    return "needs a passphrase, which nobody can type during an update; give a key without one (ssh-keygen -p)";
  }
  return undefined;
}

function opensshCipher(body: string): string | undefined {
  const magic = "openssh-key-v1\0";
  const bytes = Buffer.from(body, "base64");
  if (bytes.subarray(0, magic.length).toString("latin1") !== magic || bytes.length < magic.length + 4)
    return undefined;
  const start = magic.length + 4;
  return bytes.subarray(start, start + bytes.readUInt32BE(magic.length)).toString("latin1");
}

/** The TCP ports that URLs stand for which name none. */
const DEFAULT_PORTS = { http: 80, https: 443 };

/** The TCP port that a URL with http or https names, or its scheme's. */
export function urlPort(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? DEFAULT_PORTS[protocol === "http:" ? "http" : "https"] : Number(port);
}

/** An S3 endpoint, taken apart. */
export interface Endpoint {
  scheme: "http" | "https";
  /** DNS name or IP address, an IPv6 address without brackets. */
  host: string;
  port: number;
}

/** The parts of an S3 endpoint that is a URL, or `host` or `host:port` for https; undefined if it is neither. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:(https?):\/\/)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, scheme = "https", bracketed = "", portText] = match;
  const host = bracketed.replace(/^\[|\]$/g, "");
  const port =
    portText === undefined ? DEFAULT_PORTS[scheme === "http" ? "http" : "https"] : Number(portText);
  if (port < 1 || port > 65535) return undefined;
  if (bracketed.startsWith("[") ? net.isIP(host) !== 6 : net.isIP(host) !== 4 && !isHostName(host))
    return undefined;
  return { scheme: scheme === "http" ? "http" : "https", host, port };
}

/** An S3 endpoint. */
export function endpointProblem(text: string): Problem {
  return parseEndpoint(text.replace(/\/$/, "")) === undefined
    ? "is not an S3 endpoint; give http:// or https://, host and port without path, query and credentials, or the host alone, " +
        'for example "https://s3.example.com"'
    : text.endsWith("/")
      ? `has a path; write "${text.replace(/\/$/, "")}"`
      : undefined;
}

/**
 * The endpoint without the bucket that stands in front of it, where it is a bucket's own (virtual-host) address: what
 * lies behind the bucket's name is a service's name, of three or more labels or beginning with `s3`.
 */
export function withoutBucket(endpoint: string, bucket: string): string | undefined {
  const host = parseEndpoint(endpoint)?.host.toLowerCase();
  if (host === undefined || isAddress(host) || !host.startsWith(`${bucket}.`)) return undefined;
  const service = host.slice(bucket.length + 1);
  const isService = service.split(".").length >= 3 || /^s3[.-]/.test(service);
  return isService
    ? endpoint.replace(new RegExp(`(^|//)${bucket.replaceAll(".", "\\.")}\\.`, "i"), "$1")
    : undefined;
}

/** The name that an S3 service gives a region. */
export function regionProblem(text: string): Problem {
  return /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(text)
    ? undefined
    : 'is not a region; use letters, digits and hyphens as the S3 service writes it, for example "eu-central-1"';
}

/** The name of a bucket, by the rules of S3. */
export function bucketProblem(text: string): Problem {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) || /\.\.|\.-|-\./.test(text)) {
    return (
      "is not a bucket name; use 3 to 63 lower-case letters, digits, inner hyphens and single dots, " +
      'for example "example-backups"'
    );
  }
  if (net.isIPv4(text)) return 'looks like an IP address; choose a name, for example "example-backups"';
  return /^(?:xn--|sthree-|amzn-s3-demo-)|(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(text)
    ? 'has a prefix or suffix that S3 keeps for itself; choose another name, for example "example-backups"'
    : undefined;
}

/** ID of an OpenStack project. */
export function projectIdProblem(text: string): Problem {
  return /^[0-9a-f]{32}$/.test(text)
    ? undefined
    : "is not a project ID of 32 hexadecimal digits; see `openstack project show NAME -f value -c id`";
}

/** An S3 access key ID, which has to fit into the header that signs a request. */
export function accessKeyIdProblem(text: string): Problem {
  return /^[\x21-\x7e]+$/.test(text) && !/[,/=]/.test(text)
    ? undefined
    : "is not an access key ID; give it alone, printable ASCII without space, comma, slash and equals sign";
}

/** An S3 secret access key. */
export function secretAccessKeyProblem(text: string): Problem {
  return text.trim() === text ? undefined : "begins or ends with a space; give the key alone";
}

/** An identity as a bucket policy names it. */
export function principalProblem(text: string): Problem {
  return /^arn:aws[a-z-]*:iam::[A-Za-z0-9_-]*:(?:root|(?:user|role)\/[A-Za-z0-9_.@$:/+=,-]+)$/.test(text)
    ? undefined
    : 'is not a principal; write its ARN, for example "arn:aws:iam::PROJECT_ID:root"';
}

/** The OpenStack project that a principal stands for, where it is one. */
export function principalProject(arn: string): string | undefined {
  return /^arn:aws[a-z-]*:iam::([0-9a-f]{32}):(?:root|user\/\1)$/.exec(arn)?.[1];
}

/** A version of three numbers. */
export function versionProblem(text: string): Problem {
  const number = /^v?([0-9]+\.[0-9]+\.[0-9]+)$/.exec(text)?.[1];
  if (number === text) return undefined;
  return number === undefined
    ? 'is not a released version; write three numbers with dots, for example "1.76.0"'
    : `has a letter before the number; write "${number}"`;
}

const FIRST_SAFE_RCLONE = [1, 75, 1] as const;

/** A version of rclone that may serve clients. */
export function rcloneVersionProblem(text: string): Problem {
  const problem = versionProblem(text);
  if (problem !== undefined) return problem;
  const numbers = text.split(".").map(Number);
  const difference =
    FIRST_SAFE_RCLONE.map((part, i) => (numbers[i] ?? 0) - part).find((part) => part !== 0) ?? 0;
  return difference >= 0
    ? undefined
    : `is older than ${FIRST_SAFE_RCLONE.join(".")}, and such versions let a client read and delete beyond its own repository; ` +
        "take 1.75.1 or newer";
}

/** A function that tells whether a text is the address of a program's file, raw or packed as one of `packed`. */
export function downloadProblem(packed: string): (text: string) => Problem {
  return (text) => {
    if (
      !/^https?:\/\/[A-Za-z0-9]/.test(text) ||
      !/^[\x21-\x7e]+$/.test(text) ||
      /["'\\`<>{}|^]/.test(text) ||
      !URL.canParse(text)
    ) {
      return 'is not a download address; give a URL with http or https, for example "https://example.com/program"';
    }
    const url = new URL(text);
    if (url.username !== "" || url.password !== "")
      return "has credentials, which would stand in the host's files; use an address without";
    const suffix = /\.(?:zip|bz2|gz|xz|zst|tar|tgz|7z|deb|rpm)$/.exec(url.pathname)?.[0];
    return suffix === undefined || suffix === packed
      ? undefined
      : `is a ${suffix} file, which the host cannot unpack; give a raw binary or an official ${packed} file`;
  };
}

/** A function that tells whether a text is a SHA-256. `sums` is where that of an official file is published. */
export function sha256Problem(sums: string): (text: string) => Problem {
  return (text) =>
    /^[0-9a-f]{64}$/.test(text)
      ? undefined
      : "is not a SHA-256 of 64 lower-case hexadecimal digits; " +
        `take the one of the file at url, for an official release its line in ${sums}`;
}

/** File systems that the kernel provides, or that hold nothing beyond a restart: no backup of them can be restored. */
export const KERNEL_FOLDERS: readonly string[] = ["/proc", "/sys", "/dev", "/run"];

/** What a shell would expand, and what the exclude patterns know. `[]` and `{}` count where they would choose. */
const GLOB = /[*?]|\[[^\]]+\]|\{[^{}]*,[^{}]*\}/;

/** A path on a client, which restic takes as it stands. */
export function pathProblem(text: string): Problem {
  const home = homeProblem(text);
  if (home !== undefined) return home;
  if (!text.startsWith("/")) return `is not absolute; begin it with a slash, for example "/srv/data"`;
  const normal = normalPath(text);
  if (normal !== text) return `is not in its plain form; write ${JSON.stringify(normal)}`;
  if (GLOB.test(text)) {
    const parts = text.split("/");
    const above = parts
      .slice(
        0,
        parts.findIndex((part) => GLOB.test(part)),
      )
      .join("/");
    return (
      "is a pattern, but paths are not expanded; list each path by its name, or give " +
      `${JSON.stringify(above === "" ? "/" : above)} and leave the rest out with excludes`
    );
  }
  const kernel = KERNEL_FOLDERS.find((folder) => text === folder || text.startsWith(`${folder}/`));
  return kernel === undefined
    ? undefined
    : `lies in ${kernel}, which the kernel creates at each start and no backup can restore; leave it out`;
}

/** When a backup runs by itself. */
export function scheduleProblem(text: string): Problem {
  if (text === "none") return undefined;
  const calendar = parseOnCalendar(text);
  if (calendar === undefined) {
    return 'is not a calendar expression of systemd; write for example "daily", "Mon..Fri 22:30" or "*:0/15", or "none"';
  }
  return nextDay(calendar, new Date()) === undefined
    ? "is a time that never comes; correct the date"
    : undefined;
}

/** Minutes between two runs of a schedule, at least; of one that is none or not understood, those of a day. */
export function minutesBetweenRuns(schedule: string): number {
  const calendar = parseOnCalendar(schedule);
  return calendar === undefined ? 1440 : Math.floor(smallestGap(calendar) / 60);
}

/** A command for `/bin/sh`, of one line or several. */
export function commandProblem(text: string): Problem {
  return /(?![\t\n])[\p{Cc}\p{Cs}]/u.test(text) ? "has a control character; remove it" : undefined;
}

/** The name of a dump in its snapshot. */
export function fileNameProblem(text: string): Problem {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(text)
    ? undefined
    : "is not the plain name of a file; write letters, digits, dots and dashes, for example shop.sql";
}

/** One of restic's exclude patterns: each part between slashes as Go's `filepath.Match` reads it, or `**`. */
export function excludeProblem(text: string): Problem {
  const home = homeProblem(text);
  if (home !== undefined) return home;
  const bad = normalPath(text.replace(/^!/, ""))
    .split("/")
    .map(globProblem)
    .find((problem) => problem !== undefined);
  return bad === undefined ? undefined : `is a pattern that restic refuses (${bad})`;
}

/** A path as Go's `filepath.Clean` writes it: without empty parts, `.` and `..`. */
function normalPath(text: string): string {
  const rooted = text.startsWith("/");
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!rooted) parts.push(part);
  }
  return rooted ? `/${parts.join("/")}` : parts.join("/") || ".";
}

/**
 * What of one part of a pattern breaks the grammar of `filepath.Match`: `\` takes the next character as it stands,
 * `[` begins a class of single characters and ranges, and only a class may have more to obey.
 */
function globProblem(part: string): Problem {
  const characters = Array.from(part);
  let at = 0;
  /** Reads one character of a class, perhaps behind a backslash; tells whether there was one and something after it. */
  const member = (): boolean => {
    const first = characters[at];
    if (first === undefined || first === "-" || first === "]") return false;
    at += first === "\\" ? 2 : 1;
    return at < characters.length;
  };
  while (at < characters.length) {
    const character = characters[at];
    at += 1;
    if (character === "\\") {
      if (at === characters.length) return 'a backslash ends it; write "\\\\" for a backslash';
      at += 1;
    }
    if (character !== "[") continue;
    if (characters[at] === "^") at += 1;
    let members = 0;
    while (members === 0 || characters[at] !== "]") {
      const whole = member();
      if (whole && characters[at] !== "-") {
        members += 1;
        continue;
      }
      if (whole) at += 1;
      if (!whole || !member()) {
        return 'a "[" has no "]" with characters or ranges before it, and no slash between; write "\\[" for a bracket';
      }
      members += 1;
    }
    at += 1;
  }
  return undefined;
}

/** What a shell would expand to a home directory or another variable, which nothing here does. */
function homeProblem(text: string): Problem {
  const tilde = /^!?~(?:[A-Za-z_][\w.-]*)?(?=\/|$)/.exec(text)?.[0];
  if (tilde !== undefined && (text.includes("/") || tilde.endsWith("~"))) return homeRemedy(tilde);
  const variable = /\$\{\w+\}|\$(?:HOME|USER|LOGNAME|PWD|TMPDIR|XDG_\w+)(?!\w)/.exec(text)?.[0];
  return variable === undefined ? undefined : homeRemedy(variable);
}

function homeRemedy(found: string): Problem {
  return (
    `has ${JSON.stringify(found.replace(/^!/, ""))}, which is not expanded here; ` +
    'write the folder itself, for example "/root"'
  );
}

/** The name of a user on a host. */
export function userProblem(text: string): Problem {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(text)
    ? undefined
    : 'is not a user name; give a login name, for example "debian"';
}
