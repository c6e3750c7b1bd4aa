import { Deployment } from "../deployment";

/** A secret of the stack, and how it appears where it has leaked. */
export interface Secret {
  /** Its name in reports. */
  name: string;
  /** Strings, each of which shows that it has leaked. */
  traces: string[];
}

/** A shorter secret occurs in texts by chance, so it is not searched for. */
const MIN_CHARACTERS = 8;

/** All secrets of the stack; `tooShort` names those that cannot be searched for. */
export function stackSecrets(deployment: Deployment): { secrets: Secret[]; tooShort: string[] } {
  const { alarms, bucket, proxy, clients, canary, repositoryRootKey } = deployment;
  const values: [name: string, value: string | undefined][] = [
    ["the S3 secret key of the owner", bucket.owner.secretAccessKey],
    ["the S3 secret key of the writer", bucket.writer?.secretAccessKey],
    ["the S3 secret key of the keeper", bucket.keeper?.secretAccessKey],
    ["the repository root key", repositoryRootKey],
    ["the password for mail", alarms.mail?.password],
    ...alarms.webhooks.map(({ name, url }): [string, string | undefined] => [
      `the URL of the webhook ${name}`,
      beyondTheHost(url),
    ]),
    ["the URL of the ping", alarms.ping && beyondTheHost(alarms.ping)],
    ...clients.flatMap(({ name, repositories }) =>
      repositories.map(({ name: repository, password }): [string, string] => [
        `the password of ${name}/${repository}`,
        password,
      ]),
    ),
  ];
  const keys: [name: string, key: string | undefined][] = [
    ["the canary's private key", canary.privateKey],
    ["the operator's private key", proxy.host.privateKey],
    ["the private key of the jump host", proxy.host.proxy?.privateKey],
    ...clients.flatMap(({ name, host, repositories }): [string, string | undefined][] => [
      [`the private key to ${name}`, host?.privateKey],
      ...repositories.map(({ name: repository, privateKey }): [string, string | undefined] => [
        `the private key of ${name}/${repository}`,
        privateKey,
      ]),
    ]),
  ];
  const given = values.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    secrets: [
      ...given
        .filter(([, value]) => value.length >= MIN_CHARACTERS)
        .map(([name, value]) => ({ name, traces: [value, ...base64Traces(value)] })),
      ...keys.flatMap(([name, key]) => (key === undefined ? [] : [{ name, traces: keyTraces(key) }])),
    ],
    tooShort: given.filter(([, value]) => value.length < MIN_CHARACTERS).map(([name]) => name),
  };
}

/** A URL that has more than a host's name: it may be a password. */
const beyondTheHost = (url: string): string | undefined =>
  url === new URL(url).origin || url === `${new URL(url).origin}/` ? undefined : url;

/**
 * The value inside a longer base64 text, the encoding in which hosts get their files: it has one of three alignments,
 * and its first and last characters depend on its neighbours.
 */
function base64Traces(value: string): string[] {
  return [0, 1, 2].map((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    const text = bytes.toString("base64").replace(/=+$/, "");
    return text.slice(before === 0 ? 0 : before + 1, bytes.length % 3 === 0 ? undefined : -1);
  });
}

/** The lines that are unique to a private key: not the first two, which contain type, cipher and public key. */
function keyTraces(privateKey: string): string[] {
  const lines = privateKey.split(/\r?\n/).filter((line) => /^[A-Za-z0-9+/]{24,}=*$/.test(line));
  const own = lines.slice(Math.min(2, lines.length - 1));
  return own.flatMap((line) => [line, ...base64Traces(line)]);
}

/** The names of the secrets that a text contains. */
export function secretsIn(text: string, secrets: readonly Secret[]): string[] {
  // base64 may be broken into lines. No regular expression: over millions of blanks one would take days.
  const joined = text
    .split("\n")
    .map((line) => line.trim())
    .join("");
  return secrets
    .filter(({ traces }) => traces.some((trace) => text.includes(trace) || joined.includes(trace)))
    .map(({ name }) => name);
}

/** Replaces every secret in a text by its name. */
export function withoutSecrets(text: string, secrets: readonly Secret[]): string {
  return secrets.reduce(
    (rest, { name, traces }) => traces.reduce((rest, trace) => rest.replaceAll(trace, `«${name}»`), rest),
    text,
  );
}
