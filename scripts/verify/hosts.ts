/**
 * The hosts from within: one script (inspect.sh) prints what is there, and functions of these facts judge it. All
 * secrets stay on the operator's machine: what hosts print is searched here.
 */
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";
import {
  authorizedKeysLine,
  CANARY,
  CLIENT_SETTINGS,
  Grant,
  PROXY_USER,
  ProxyLimits,
  proxyLimits,
  renderBackupCommand,
  renderEnvironment,
  renderKnownHosts,
  renderRcloneCommand,
  renderRcloneConfig,
  renderSshdConfig,
  shellQuote,
} from "../../files";
import { ClientOperations, HostAccess, Operations } from "../../plan";
import { inParallel } from "../lib/parallel";
import { RunError } from "../lib/run";
import { SshHost } from "../lib/ssh";
import { judgeVersion, Program } from "./known-bad";
import { Finding, probe, ProbeAbout, PUT_BACK, Seen } from "./probe";
import { Secret, secretsIn, stackSecrets } from "./secrets";

/** Seconds for the inspection of one host. */
const INSPECT_SECONDS = 100;
const HOSTS_AT_ONCE = 6;

/** What a host printed about itself. Throws for a fact that it could not tell: that is never taken for an empty one. */
export type HostFacts = (name: string) => string;

const RCLONE_CONF = `/home/${PROXY_USER}/.config/rclone/rclone.conf`;
const KEYS = `/etc/ssh/authorized_keys.d/${PROXY_USER}`;
const RCLONE_COMMAND = "/usr/local/bin/rclone";
const RCLONE_PROGRAM = "/usr/local/lib/secure-backups/rclone";
const SSHD_DROP_IN = "/etc/ssh/sshd_config.d/00-secure-backups.conf";

/** Inspects the proxy and every client that the stack reaches. Never throws: what could not be seen is a finding. */
export async function inspectHosts(operations: Operations): Promise<Finding[]> {
  const clients = operations.clients.filter(({ host, frozen }) => host !== undefined && !frozen);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "verify-hosts-"));
  try {
    const inspections = [
      () =>
        inspect(folder, "proxy", operations.proxy.host, proxyParameters(operations), (facts) =>
          judgeProxy(operations, facts),
        ),
      ...clients.map(
        (client) => () =>
          inspect(
            folder,
            client.name,
            client.host as HostAccess,
            clientParameters(operations, client),
            (facts) => judgeClient(operations, client, facts),
          ),
      ),
    ];
    return (await inParallel(HOSTS_AT_ONCE, inspections, (inspection) => inspection())).flat();
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

async function inspect(
  folder: string,
  name: string,
  access: HostAccess,
  parameters: Record<string, string>,
  judgeFacts: (facts: HostFacts) => Promise<Finding[]>,
): Promise<Finding[]> {
  const boundary = randomBytes(16).toString("hex");
  const host = new SshHost(access, { folder: path.join(folder, name) });
  // Its own limit of time is longer than a probe's.
  const inspection = host.sh(inspectScript(parameters, boundary), {
    accept: "any",
    timeout: INSPECT_SECONDS,
  });
  const ended = await inspection.catch((error: unknown) => error as Error);
  let facts: HostFacts | undefined;
  const about: ProbeAbout = {
    ring: 1,
    id: `host-key.${name}`,
    tried: `log in to ${name} with its pinned host key`,
    expected: "the host has that key and lets the operator in",
    remedy: `another host key means another machine, or one between: find out before anybody logs in to ${name} again`,
  };
  const reached = await judge(about, () => {
    if (ended instanceof RunError) throw new Error(ended.message.split("\n", 1)[0]);
    if (ended instanceof Error) throw ended;
    if (/host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(ended.stderr))
      return { holds: false, happened: "it has ANOTHER host key" };
    if (ended.code !== 0) throw new Error(ended.stderr.trim().split("\n").at(-1) ?? "ssh said nothing");
    facts = parseFacts(ended.stdout, boundary);
    return { holds: true, happened: `logged in, and looked around in ${ended.seconds.toFixed(0)} s` };
  });
  if (facts !== undefined) return [reached, ...(await judgeFacts(facts))];
  const rest = {
    ring: 1,
    id: `host.${name}`,
    tried: `everything within ${name}`,
    expected: "as the stack made it",
  } as const;
  const remedy = `see host-key.${name}: nothing was found out about what is within`;
  return [reached, { ...rest, happened: "not looked at: nobody could log in", verdict: "unknown", remedy }];
}

// ---- the script and what it prints -----------------------------------------------------------------------------

function proxyParameters({ bucket, clients }: Operations): Record<string, string> {
  const addresses = clients.flatMap(({ host }) => (host && /^[0-9.]+$/.test(host.host) ? [host.host] : []));
  // Without a writer of its own the proxy holds the owner's keys; that ring 2 is open then is said elsewhere.
  const foreign = [bucket.writer && bucket.owner, bucket.keeper];
  return {
    ROLE: "proxy",
    KEY_IDS: foreign.flatMap((keys) => keys?.accessKeyId ?? []).join("\n"),
    REPOSITORIES: "",
    ADDRESSES: [...new Set(["192.0.2.1", "127.0.0.1", ...addresses.slice(0, 10)])].join(" "),
  };
}

function clientParameters({ bucket }: Operations, client: ClientOperations): Record<string, string> {
  return {
    ROLE: "client",
    KEY_IDS: [bucket.owner, bucket.writer, bucket.keeper]
      .flatMap((keys) => keys?.accessKeyId ?? [])
      .join("\n"),
    REPOSITORIES: client.repositories.map(({ name }) => name).join(" "),
    ADDRESSES: "",
  };
}

/** The script as it is sent: nothing runs before all of it has arrived. `boundary` is a line that nobody can guess. */
export function inspectScript(parameters: Record<string, string>, boundary: string): string {
  const assignments = Object.entries({ ...parameters, BOUNDARY: boundary }).map(
    ([name, value]) => `${name}=${shellQuote(value)}\n`,
  );
  const body = fs.readFileSync(path.join(__dirname, "inspect.sh"), "utf8");
  return `verify_inspect() {\n${assignments.join("")}${body}\n}\nverify_inspect </dev/null\n`;
}

/**
 * Reads what inspect.sh printed.
 * @throws Error where it did not come to its end
 */
export function parseFacts(stdout: string, boundary: string): HostFacts {
  const text = gunzipSync(Buffer.from(stdout, "base64")).toString("utf8");
  if (!text.endsWith(`\n${boundary}\n`)) throw new Error("the inspection broke off");
  const facts = new Map<string, [text: string, status: string]>();
  for (const part of text.split(`\n${boundary} `).slice(1)) {
    const [, name = "", content = "", status = ""] = /^(\S+)\n([^]*)\n(\d+)(?:\n\S+\n)?$/.exec(part) ?? [];
    facts.set(name, [content, status]);
  }
  return (name) => {
    const [content, status] = facts.get(name) ?? ["", "none"];
    if (status !== "0") throw new Error(`the host could not find out about ${name} (status ${status})`);
    return content;
  };
}

const linesOf = (text: string): string[] => text.split("\n").filter((line) => line !== "");

/** A judgement of facts as a probe. */
function judge(about: ProbeAbout, see: () => Seen): Promise<Finding> {
  return probe(about, () => Promise.resolve().then(see));
}

function seen(problems: readonly string[], sound: string): Seen {
  return problems.length === 0
    ? { holds: true, happened: sound }
    : { holds: false, happened: problems.join("; ") };
}

// ---- the proxy -------------------------------------------------------------------------------------------------

/** Everything about the proxy that its facts tell. */
export async function judgeProxy(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  return (
    await Promise.all([
      judgeSshd(operations, facts),
      judgeAuthorizedKeys(operations, facts),
      judgeProxyFiles(operations, facts),
      judgePrograms(operations, facts),
      judgeLimits(operations, facts),
      judgeAccounts(facts),
      judgeProxySecrets(operations, facts),
    ])
  ).flat();
}

/** What sshd's drop-in asks for: the settings of everybody, overridden by those of the proxy's user. */
export function wantedSshdSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of linesOf(text)) {
    const [, name = "", value = ""] = /^\s*(\w+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (name !== "" && name !== "Match") settings.set(name.toLowerCase(), value);
  }
  // Not in the file, for no is sshd's default; another file may say otherwise.
  settings.set("permittunnel", "no");
  return settings;
}

/** Variables that a client may send: they change the language of messages alone. */
const HARMLESS_VARIABLE = /^(LANG|LANGUAGE|LC_[A-Z*]+|COLORTERM|NO_COLOR)$/;

function judgeSshd(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  const effective = (name: string): Map<string, string[]> => {
    const settings = new Map<string, string[]>();
    for (const line of linesOf(facts(name))) {
      const [, key = "", value = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
      settings.set(key, [...(settings.get(key) ?? []), value]);
    }
    return settings;
  };
  // sshd may have rules for single addresses; the first is nobody's, the second its own.
  const contexts = ["192.0.2.1", "127.0.0.1"].map((address) => `sshd:${PROXY_USER}:${address}`);
  const about = (name: string, tried: string, expected: string): ProbeAbout => ({
    ring: 1,
    id: `sshd.effective-${name}`,
    tried,
    expected,
    remedy: `remove what sets it in /etc/ssh/sshd_config or a file in sshd_config.d that sorts before ${path.basename(SSHD_DROP_IN)}, then run pulumi up`,
  });
  const wanted = [...wantedSshdSettings(wantedSshdConfig(operations))];
  return Promise.all([
    ...wanted.map(([name, value]) =>
      judge(about(name, `sshd's setting ${name} for ${PROXY_USER}`, value), () => {
        const values = [
          ...new Set(contexts.map((context) => (effective(context).get(name) ?? []).join(" "))),
        ];
        const holds = values.every((found) =>
          value.startsWith("^")
            ? found.startsWith(value.slice(1))
            : found.toLowerCase() === value.toLowerCase(),
        );
        return {
          holds,
          happened: values.map((text) => (text === "" ? "not set" : text.slice(0, 80))).join("; "),
        };
      }),
    ),
    judge(about("acceptenv", "variables that a client may send", "those of language alone"), () => {
      const names = contexts.flatMap((context) => effective(context).get("acceptenv") ?? []);
      const others = [...new Set(names.flatMap((text) => text.split(" ")))].filter(
        (name) => name !== "" && !HARMLESS_VARIABLE.test(name),
      );
      return seen(
        others.map((name) => `${name} is accepted`),
        "no other",
      );
    }),
    judge(about("root-login", "how root may log in", "not at all"), () => {
      const root = effective("sshd:root");
      return seen(
        ["permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication"].flatMap((name) => {
          const value = (root.get(name) ?? ["not set"]).join(" ");
          return value === "no" ? [] : [`${name} is ${value}`];
        }),
        "not at all",
      );
    }),
  ]);
}

/** The lines of authorized_keys that the stack's grants give. */
function wantedKeyLines({ bucket, clients, canary }: Operations): string[] {
  const grants: Grant[] = [
    ...clients
      .filter(({ frozen }) => !frozen)
      .flatMap(({ name, repositories }) =>
        repositories.map((repository) => ({
          client: name,
          repository: repository.name,
          publicKey: repository.publicKey,
        })),
      ),
    { ...CANARY, publicKey: canary.publicKey },
  ];
  return grants.map((grant) => authorizedKeysLine(grant, bucket.bucket));
}

const wantedLimits = (operations: Operations): ProxyLimits => proxyLimits(wantedKeyLines(operations).length);

const wantedSshdConfig = (operations: Operations): string => renderSshdConfig(wantedLimits(operations));

function judgeAuthorizedKeys(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  const remedy = `${PUT_BACK}: who could was root on the proxy`;
  return Promise.all([
    judge(
      {
        ring: 1,
        id: "authorized-keys.exact",
        tried: `the lines of ${KEYS}`,
        expected: "those of the stack's repositories and the canary, and no other",
        remedy,
      },
      () => {
        const wanted = wantedKeyLines(operations);
        return seen(
          keyLineProblems(linesOf(facts("authorized_keys")), wanted),
          `${String(wanted.length)} lines, as expected`,
        );
      },
    ),
    judge(
      {
        ring: 1,
        id: "authorized-keys.separate",
        tried: "the keys and repositories in these lines",
        expected: "no key opens two repositories, no repository has two keys, none lies within another",
        remedy,
      },
      () => {
        const lines = linesOf(facts("authorized_keys")).filter((line) => !line.startsWith("#"));
        return seen(
          sharedAccess(lines),
          `${String(lines.length)} keys, ${String(lines.length)} repositories`,
        );
      },
    ),
  ]);
}

const keyOf = (line: string): string => /ssh-\S+ [A-Za-z0-9+/=]+/.exec(line)?.[0] ?? line;

/** In which way the lines of authorized_keys are not the wanted ones. A comment grants nothing. */
export function keyLineProblems(lines: readonly string[], wanted: readonly string[]): string[] {
  const found = lines.filter((line) => !line.startsWith("#"));
  const name = (line: string) => line.split(" ").at(-1) ?? line;
  const changed = (line: string, expected: string) =>
    !/^(\S*,)?restrict[, ]/.test(line)
      ? `the line of ${name(expected)} is without restrict`
      : !line.includes("--append-only ")
        ? `the line of ${name(expected)} is without --append-only`
        : `the line of ${name(expected)} is changed: ${line.replace(/ ssh-.*$/, "")}`;
  return [
    ...found
      .filter((line) => !wanted.includes(line))
      .map((line) => {
        const expected = wanted.find((other) => keyOf(other) === keyOf(line));
        return expected === undefined
          ? `a key that is nobody's: ${line.slice(0, 200)}`
          : changed(line, expected);
      }),
    ...wanted
      .filter((line) => !found.some((other) => keyOf(other) === keyOf(line)))
      .map((line) => `the line of ${name(line)} is missing`),
  ];
}

/** Keys with two lines, and repositories that two keys open or that lie within another. */
export function sharedAccess(lines: readonly string[]): string[] {
  const entries = lines.map((line) => ({
    key: keyOf(line),
    repository: /s3-resticrepo:([^" ]*)/.exec(line)?.[1] ?? "",
  }));
  return entries.flatMap(({ key, repository }, at) =>
    entries.slice(at + 1).flatMap((other) => {
      if (key === other.key) return [`one key opens ${repository} and ${other.repository}`];
      const [short = "", long = ""] = [repository, other.repository].sort((a, b) => a.length - b.length);
      return long === short || long.startsWith(`${short}/`) || short === ""
        ? [`two keys open ${short === "" ? "everything" : short}`]
        : [];
    }),
  );
}

interface Mode {
  mode: string;
  owner: string;
  type: string;
}

/** The output of `modes` in inspect.sh. */
export function parseModes(text: string): Map<string, Mode> {
  return new Map(
    linesOf(text).map((line) => {
      const [, mode = "", owner = "", type = "", name = ""] = /^(\d+) (\S+) ([^|]*)\|(.*)$/.exec(line) ?? [];
      return [name, { mode, owner, type }];
    }),
  );
}

/** What is wrong with a file that must be exactly so, or with a directory above it, through which it could be replaced. */
export function modeProblems(modes: Map<string, Mode>, file: string, owner: string, mode: string): string[] {
  const found = modes.get(file);
  if (found === undefined) return [`${file} is missing`];
  const problems: string[] = [];
  if (!found.type.startsWith("regular")) problems.push(`${file} is a ${found.type}`);
  if (found.owner !== owner || found.mode !== mode)
    problems.push(`${file} is ${found.mode} ${found.owner}, not ${mode} ${owner}`);
  for (let above = path.dirname(file); above !== "/"; above = path.dirname(above)) {
    const directory = modes.get(above);
    if (directory === undefined) problems.push(`${above} is missing`);
    else if (!directory.owner.startsWith("root:") || othersWrite(directory))
      problems.push(
        `${above} is ${directory.mode} ${directory.owner}: others than root can replace what is in it`,
      );
  }
  return problems;
}

/** Whether others than the owner may write, where the group is not root's. */
function othersWrite({ mode, owner }: Mode): boolean {
  const bits = Number.parseInt(mode, 8);
  return (bits & 0o002) !== 0 || ((bits & 0o020) !== 0 && !owner.endsWith(":root"));
}

/** The output of sha256sum: path -> sum. */
function parseSums(text: string): Map<string, string> {
  return new Map(linesOf(text).map((line) => [line.slice(66), line.slice(0, 64)]));
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function contentSeen(
  facts: HostFacts,
  contents: readonly (readonly [file: string, content: string])[],
): Seen {
  const sums = parseSums(facts("sums"));
  return seen(
    contents.flatMap(([file, content]) => {
      const sum = sums.get(file);
      if (sum === undefined) return [`${file} is missing`];
      return sum === sha256(content) ? [] : [`${file} is NOT what the stack wrote`];
    }),
    contents.length === 1
      ? "what the stack wrote"
      : `${String(contents.length)} files as the stack wrote them`,
  );
}

function judgeProxyFiles(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  const { bucket } = operations;
  const files = (id: string, tried: string, expected: string, see: () => Seen) =>
    judge({ ring: 1, id: `files.${id}`, tried, expected, remedy: PUT_BACK }, see);
  const modes = (id: string, what: string, wanted: readonly [file: string, owner: string, mode: string][]) =>
    files(
      `${id}-mode`,
      `owner and mode of ${what}, and of the directories above`,
      `${wanted.map(([, owner, mode]) => `${mode} ${owner}`)[0] ?? ""}; only root can replace it`,
      () => {
        const found = parseModes(facts("modes"));
        return seen(
          [...new Set(wanted.flatMap(([file, owner, mode]) => modeProblems(found, file, owner, mode)))],
          "so it is",
        );
      },
    );
  const holder = bucket.writer ?? bucket.owner;
  return Promise.all([
    modes("rclone-conf", "rclone.conf", [[RCLONE_CONF, `root:${PROXY_USER}`, "640"]]),
    modes("authorized-keys", "authorized_keys", [[KEYS, "root:root", "644"]]),
    modes("host-key", "the host key", [["/etc/ssh/ssh_host_ed25519_key", "root:root", "600"]]),
    modes("rclone", "rclone and the command that starts it", [
      [RCLONE_COMMAND, "root:root", "755"],
      [RCLONE_PROGRAM, "root:root", "755"],
    ]),
    modes("sshd-config", "sshd's configuration", [
      ["/etc/ssh/sshd_config", "root:root", "644"],
      [SSHD_DROP_IN, "root:root", "644"],
    ]),
    ...(
      [
        ["rclone-conf", RCLONE_CONF, renderRcloneConfig({ ...bucket, ...holder })],
        ["rclone-command", RCLONE_COMMAND, renderRcloneCommand()],
        ["sshd-config", SSHD_DROP_IN, wantedSshdConfig(operations)],
      ] as const
    ).map(([id, file, content]) =>
      files(`${id}-content`, `the content of ${file}`, "what the stack wrote", () =>
        contentSeen(facts, [[file, content]]),
      ),
    ),
    files(
      "writable",
      `what ${PROXY_USER} can write in /etc, /usr, /opt, /home and where jobs are`,
      "nothing",
      () =>
        seen(
          linesOf(facts("writable"))
            .slice(0, 5)
            .map((file) => `${file} is writable`),
          "nothing",
        ),
    ),
    files("home", `what is in the home of ${PROXY_USER}`, "rclone.conf alone; no keys of its own", () => {
      const known = [RCLONE_CONF, path.dirname(RCLONE_CONF), path.dirname(path.dirname(RCLONE_CONF))];
      return seen(
        linesOf(facts("home"))
          .filter((file) => !known.includes(file))
          .slice(0, 5)
          .map((file) => `there is ${file}`),
        "rclone.conf alone",
      );
    }),
  ]);
}

function versionSeen(program: Program, version: string, debianPackage?: string): Seen {
  const { bad, undecided } = judgeVersion(program, version, debianPackage);
  const shown = debianPackage === undefined ? version : `${version}, package ${debianPackage}`;
  if (bad.length > 0) {
    const why = bad.map(({ reference, why, fixed }) => `${reference}: ${why}, fixed in ${fixed}`);
    return { holds: false, happened: `${shown}: ${why.join("; ")}` };
  }
  if (undecided.length > 0) {
    const references = undecided.map(({ reference }) => reference).join(", ");
    throw new Error(`${shown} may have ${references}, unless its distribution has mended that`);
  }
  return { holds: true, happened: shown };
}

function versionAbout(program: Program, suffix: string, where: string): ProbeAbout {
  const remedies: Record<Program, string> = {
    rclone: "configure proxy.rclone with a newer version and its sha256, then run pulumi up",
    openssh: `install the distribution's updates on ${where}; compare the package with its security tracker`,
    restic: "configure restic with a newer version and its sha256, then run pulumi up",
  };
  return {
    ring: 1,
    id: `version.${program}${suffix}`,
    tried: `the version of ${program} on ${where}`,
    expected: "none that is known to be bad",
    remedy: remedies[program],
  };
}

function opensshSeen(facts: HostFacts): Seen {
  const version = /OpenSSH_([0-9.]+p\d+)/.exec(facts("version.openssh"))?.[1];
  if (version === undefined) throw new Error("ssh -V names no version of OpenSSH");
  const debianPackage = facts("package.openssh").trim();
  return versionSeen("openssh", version, debianPackage === "" ? undefined : debianPackage);
}

const programVersion = (text: string, program: Program): string =>
  new RegExp(`^${program} v?(\\S+?)(-DEV)?(\\s|$)`, "m").exec(text)?.[1] ?? text.slice(0, 40);

function judgePrograms({ proxy: { rclone } }: Operations, facts: HostFacts): Promise<Finding[]> {
  return Promise.all([
    judge(versionAbout("rclone", "", "the proxy"), () =>
      versionSeen("rclone", programVersion(facts("version.rclone"), "rclone")),
    ),
    judge(
      {
        ring: 1,
        id: "files.rclone-program",
        tried: "the SHA-256 of the rclone that serves clients",
        expected: `that of the configured ${rclone.version}`,
        remedy: `${PUT_BACK}: who could was root on the proxy`,
      },
      () => {
        const sum = parseSums(facts("sums")).get(RCLONE_PROGRAM) ?? "missing";
        const [download = "", installed = ""] = facts("stamp").trim().split(" ");
        // A packed download has another sum than the program in it: the host's own note links the two.
        const packed = /\.(zip|bz2)$/.test(rclone.url);
        return seen(
          [
            ...(download === rclone.sha256 ? [] : ["the host's note names another download"]),
            ...(installed === sum && (packed || sum === rclone.sha256)
              ? []
              : [`the program is NOT the one that was installed (${sum.slice(0, 12)})`]),
          ],
          `${sum.slice(0, 12)}…, as ${packed ? "installed from the configured download" : "configured"}`,
        );
      },
    ),
    judge(versionAbout("openssh", "", "the proxy"), () => opensshSeen(facts)),
    judge(
      {
        ring: 1,
        id: "version.sshd-running",
        tried: "the sshd that runs",
        expected: "the one that is installed",
        remedy: "restart sshd on the proxy (systemctl restart ssh): an update replaced it while it ran",
      },
      () => {
        const running = linesOf(facts("running_sshd"));
        if (running.length === 0) throw new Error("no process of sshd was found");
        return seen(
          running
            .filter((program) => program.includes("(deleted)"))
            .map((program) => `${program} still runs`),
          running.join(", "),
        );
      },
    ),
    judge(
      {
        ring: 1,
        id: "sockets.listening",
        tried: "what listens on the proxy",
        expected: "sshd on port 22; time, name and address services of the system",
        remedy: "stop and remove the program: the proxy runs sshd and rclone on demand, and nothing else",
      },
      () => {
        const others = unexpectedSockets(facts("sockets"));
        return seen(
          others.map((socket) => `${socket} listens`),
          "nothing else",
        );
      },
    ),
  ]);
}

function judgeLimits(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  const limits = (id: string, tried: string, expected: string, see: () => Seen) =>
    judge(
      {
        ring: 1,
        id: `limits.${id}`,
        tried,
        expected,
        remedy: PUT_BACK,
      },
      see,
    );
  const connections = String(wantedLimits(operations).connectionsPerSource);
  return Promise.all([
    limits(
      "slice",
      "what all sessions of clients together may take of the proxy",
      "bounds that systemd has in force",
      () => {
        const found = linesOf(facts("slice"));
        const bounds = ["MemoryMax=\\d+", "MemorySwapMax=0", "TasksMax=\\d+", "CPUWeight=50"];
        return seen(
          bounds
            .filter((bound) => !found.some((line) => new RegExp(`^${bound}$`).test(line)))
            .map((bound) => {
              const name = bound.replace(/=.*/, "");
              return found.find((line) => line.startsWith(`${name}=`)) ?? `${name} is not set`;
            }),
          found.join(", "),
        );
      },
    ),
    limits(
      "connections",
      "how many connections one address may have",
      `${connections}, counted by the kernel`,
      () => {
        const over = [...facts("connection_limits").matchAll(/ct count over (\d+)/g)].map(
          (match) => match[1] as string,
        );
        return {
          holds: over.length > 0 && over.every((count) => count === connections),
          happened: over.length === 0 ? "no limit" : [...new Set(over)].join(", "),
        };
      },
    ),
  ]);
}

/** Listening sockets (of `ss -H -lntup`) of anything but sshd on port 22 and the system's own small services. */
export function unexpectedSockets(text: string): string[] {
  return linesOf(text).flatMap((line) => {
    const [protocol = "", , , , local = ""] = line.split(/\s+/);
    const [, address = "", port = ""] = /^(.*):(\d+|\*)$/.exec(local) ?? [];
    const programs = [...line.matchAll(/\("([^"]+)"/g)].map((match) => match[1] as string);
    const program = programs[0] ?? "an unknown program";
    const loopback = /^(127\.|\[::1\])/.test(address);
    const expected =
      (protocol === "tcp" && port === "22" && programs.every((name) => /^(sshd|systemd)$/.test(name))) ||
      (protocol === "udp" && (port === "68" || port === "546")) ||
      (port === "53" && loopback && program === "systemd-resolve") ||
      (protocol === "udp" && port === "323" && loopback && program === "chronyd");
    return expected ? [] : [`${program} on ${protocol} ${local}`];
  });
}

function judgeAccounts(facts: HostFacts): Promise<Finding[]> {
  const users = (id: string, tried: string, expected: string, remedy: string, see: () => Seen) =>
    judge({ ring: 1, id: `users.${id}`, tried, expected, remedy }, see);
  const accounts = () =>
    linesOf(facts("accounts")).map((line) => {
      const [kind = "", ...entry] = line.split(" ");
      const [name = "", , uid = "", , , home = "", shell = ""] = entry.join(" ").split(":");
      return { kind, name, uid, home, shell };
    });
  return Promise.all([
    users(PROXY_USER, `the account ${PROXY_USER}`, "no password, its own home, /bin/sh", PUT_BACK, () => {
      const account = accounts().find(({ name }) => name === PROXY_USER);
      if (account === undefined) return { holds: false, happened: "there is NO such account" };
      return seen(
        [
          ...(account.kind === "locked" ? [] : [`it has a password (${account.kind})`]),
          ...(account.home === `/home/${PROXY_USER}` ? [] : [`its home is ${account.home}`]),
          ...(account.shell === "/bin/sh" ? [] : [`its shell is ${account.shell}`]),
        ],
        "so it is",
      );
    }),
    users(
      "uid-0",
      "accounts with user ID 0",
      "root alone",
      "remove the account; who made it was root on the proxy",
      () =>
        seen(
          accounts()
            .filter(({ uid, name }) => uid === "0" && name !== "root")
            .map(({ name }) => `${name} is root too`),
          "root alone",
        ),
    ),
    users(
      "passwords",
      "accounts with a password",
      "none",
      "lock it (passwd -l NAME): operators log in by key",
      () =>
        seen(
          accounts()
            .filter(({ kind }) => kind !== "locked")
            .map(({ name, kind }) => `${name} has ${kind === "empty" ? "an empty" : "a"} password`),
          "none",
        ),
    ),
    users(
      "sudo",
      `rights of ${PROXY_USER} by sudo and groups`,
      "none; no group but its own",
      `take the user out of sudoers and of every other group: it needs no more than its own`,
      () => {
        const [groups = "", ...rights] = facts("sudo").trim().split("\n");
        const others = groups.split(" ").filter((group) => group !== PROXY_USER);
        const granted = /may run the following/.test(rights.join("\n"));
        return seen(
          [
            ...others.map((group) => `it is in the group ${group}`),
            ...(granted ? [`sudo gives it ${(rights.at(-1) ?? "").trim()}`] : []),
          ],
          "none",
        );
      },
    ),
    users(
      "jobs",
      `cron jobs, timers and at jobs of ${PROXY_USER}`,
      "none",
      "remove them: an intruder keeps his place by such jobs",
      () =>
        seen(
          linesOf(facts("jobs"))
            .slice(0, 5)
            .map((job) => `there is: ${job}`),
          "none",
        ),
    ),
  ]);
}

// ---- secrets ---------------------------------------------------------------------------------------------------

const LEAK_REMEDY =
  "remove it there, rotate that secret (see the handbook), and find out which program wrote it";

const PLACES = [
  ["process-list", "processes", "the process list"],
  ["environment", "environments", "the environments of processes"],
  ["logs", "logs", "the journal and recent logs"],
  ["cloud-init", "cloud_init", "what cloud-init left: user data, its files and logs"],
  ["history", "histories", "the shells' histories"],
] as const;

function judgeProxySecrets(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  const { secrets, tooShort } = stackSecrets(operations);
  const short = tooShort.map((name) => name).join(", ");
  return Promise.all([
    ...PLACES.map(([id, fact, where]) =>
      judge(
        {
          ring: 1,
          id: `secrets.${id}`,
          tried: `search ${where} of the proxy for every secret of the stack`,
          expected: "none is there",
          remedy: LEAK_REMEDY,
        },
        () => leaks(facts(fact), secrets),
      ),
    ),
    ...(short === ""
      ? []
      : [
          judge(
            {
              ring: 1,
              id: "secrets.too-short",
              tried: "search for passwords of fewer than 8 characters",
              expected: "there are none so short",
              remedy: "configure a longer password: such a one is found in texts by accident, and guessed",
            },
            () => {
              throw new Error(`too short to search for: ${short}`);
            },
          ),
        ]),
    ...[
      {
        id: "identities-readable",
        tried: `search the proxy's files that ${PROXY_USER} may read for the access key IDs of owner and keeper`,
        only: " readable ",
      },
      { id: "identities", tried: "search all of the proxy's small files for these", only: " " },
    ].map(({ id, tried, only }) =>
      judge({ ring: 2, id: `secrets.${id}`, tried, expected: "in none", remedy: LEAK_REMEDY }, () =>
        identitiesSeen(operations, facts, (line) => line.includes(only)),
      ),
    ),
  ]);
}

function leaks(text: string, secrets: readonly Secret[]): Seen {
  return seen(
    secretsIn(text, secrets).map((name) => `${name} IS THERE`),
    `none in ${String(Math.ceil(text.length / 1024))} kB`,
  );
}

function identitiesSeen({ bucket }: Operations, facts: HostFacts, matches: (line: string) => boolean): Seen {
  const names = { owner: bucket.owner, writer: bucket.writer, keeper: bucket.keeper };
  return seen(
    linesOf(facts("key_ids"))
      .filter(matches)
      .map((line) => {
        const [id = "", , ...file] = line.split(" ");
        const name =
          Object.entries(names).find(([, keys]) => keys?.accessKeyId === id)?.[0] ?? "another identity";
        return `that of the ${name} in ${file.join(" ")}`;
      }),
    "in none",
  );
}

// ---- clients ---------------------------------------------------------------------------------------------------

/** Everything about a client that its facts tell. */
export function judgeClient(
  operations: Operations,
  client: ClientOperations,
  facts: HostFacts,
): Promise<Finding[]> {
  const { name, repositories } = client;
  const about = (id: string, tried: string, expected: string, remedy = PUT_BACK): ProbeAbout => ({
    ring: 1,
    id: `${id}.${name}`,
    tried,
    expected,
    remedy,
  });
  const folder = (repository: string, file: string) => `${CLIENT_SETTINGS}/${repository}/${file}`;
  const secretFiles = repositories.flatMap((repository) =>
    ["env", "id_ed25519", "paths", "excludes"].map((file) => folder(repository.name, file)),
  );
  return Promise.all([
    judge(
      about("client.files", `owner and mode of the settings on ${name}`, "root's alone: 600 root:root"),
      () => {
        const modes = parseModes(facts("modes"));
        const problems = [
          ...secretFiles.flatMap((file) => modeProblems(modes, file, "root:root", "600")),
          ...["known_hosts", "ssh_config"].flatMap((file) =>
            modeProblems(modes, `${CLIENT_SETTINGS}/${file}`, "root:root", "644"),
          ),
          ...modeProblems(modes, "/usr/local/bin/restic-backup", "root:root", "755"),
          ...[
            CLIENT_SETTINGS,
            ...repositories.map((repository) => `${CLIENT_SETTINGS}/${repository.name}`),
          ].flatMap((directory) => (modes.get(directory)?.mode === "700" ? [] : [`${directory} is not 700`])),
        ];
        return seen([...new Set(problems)], `${String(secretFiles.length)} files, so they are`);
      },
    ),
    judge(about("client.content", `keys, passwords and command on ${name}`, "what the stack wrote"), () =>
      contentSeen(facts, [
        ["/usr/local/bin/restic-backup", renderBackupCommand()],
        ...repositories.flatMap(({ name: repository, privateKey, password }): [string, string][] => [
          [
            folder(repository, "env"),
            renderEnvironment({ bucket: operations.bucket.bucket, client: name, repository, password }),
          ],
          ...(privateKey === undefined
            ? []
            : [[folder(repository, "id_ed25519"), `${privateKey.trimEnd()}\n`] as [string, string]]),
        ]),
      ]),
    ),
    judge(
      about("client.known-hosts", `the host key that ${name} has pinned`, "the proxy's, and no other"),
      () =>
        contentSeen(facts, [
          [
            `${CLIENT_SETTINGS}/known_hosts`,
            renderKnownHosts({ address: "", port: 22, hostKey: operations.proxy.host.hostKey }),
          ],
        ]),
    ),
    judge(
      about(
        "client.ssh-config",
        `what ssh makes of the settings on ${name}`,
        "only the pinned key, no forwarding",
      ),
      () => seen(sshProblems(facts("ssh")), `${String(repositories.length)} connections, so they are`),
    ),
    judge(versionAbout("restic", `.${name}`, name), () =>
      versionSeen("restic", programVersion(facts("version.restic"), "restic")),
    ),
    judge(versionAbout("openssh", `.${name}`, name), () => opensshSeen(facts)),
    judge(
      about(
        "secrets.leaks",
        `search ${name} for every secret of the stack: ${PLACES.map(([, , where]) => where).join(", ")}`,
        "none is there, but a running restic's own password",
        LEAK_REMEDY,
      ),
      () => clientLeaks(operations, client, facts),
    ),
    judge(
      {
        ...about(
          "secrets.identities",
          `search ${name}'s small files for every S3 access key ID`,
          "in none",
          LEAK_REMEDY,
        ),
        ring: 2,
      },
      () => identitiesSeen(operations, facts, () => true),
    ),
  ]);
}

/** What `ssh -G` must say of each connection. */
const SSH_SETTINGS = {
  user: PROXY_USER,
  stricthostkeychecking: "true",
  userknownhostsfile: `${CLIENT_SETTINGS}/known_hosts`,
  globalknownhostsfile: "/dev/null",
  updatehostkeys: "false",
  verifyhostkeydns: "false",
  identitiesonly: "yes",
  identityagent: "none",
  batchmode: "yes",
  clearallforwardings: "yes",
  forwardagent: "no",
  forwardx11: "no",
  permitlocalcommand: "no",
} as const;

/** What is not as it must be in the output of `ssh -G` for several connections, each after a line `== NAME`. */
export function sshProblems(text: string): string[] {
  return text
    .split(/^== /m)
    .slice(1)
    .flatMap((part) => {
      const [name = "", ...lines] = part.split("\n");
      const settings = new Map(lines.map((line) => line.split(/ (.*)/s, 2) as [string, string]));
      const wanted = { ...SSH_SETTINGS, identityfile: `${CLIENT_SETTINGS}/${name}/id_ed25519` };
      return Object.entries(wanted).flatMap(([key, value]) =>
        settings.get(key) === value ? [] : [`${name}: ${key} is ${settings.get(key) ?? "not set"}`],
      );
    });
}

/** Programs of ours, and what they start: their environment has their repository's password. */
const OWN_PROGRAM =
  /(^|\/)restic(-backup)? |ssh -F \/etc\/restic-backup\/ssh_config|\/etc\/restic-backup\/ssh_config/;

function clientLeaks(operations: Operations, { name }: ClientOperations, facts: HostFacts): Seen {
  const { secrets } = stackSecrets(operations);
  const programs = new Map(
    linesOf(facts("processes")).map((line) => {
      const [, pid = "", command = ""] = /^\s*(\d+) +\S+ +(.*)$/.exec(line) ?? [];
      return [pid, command];
    }),
  );
  const found = PLACES.flatMap(([, fact, where]) => {
    const text = facts(fact);
    if (fact !== "environments") return secretsIn(text, secrets).map((secret) => `${secret} is in ${where}`);
    const own = secrets.filter((secret) => !secret.name.startsWith(`the password of ${name}/`));
    return text
      .split(/^==> \/proc\//m)
      .slice(1)
      .flatMap((part) => {
        const program = programs.get(part.split("/", 1)[0] ?? "") ?? "a process that has ended";
        const searched = OWN_PROGRAM.test(program) ? own : secrets;
        return secretsIn(part, searched).map(
          (secret) => `${secret} is in the environment of ${program.slice(0, 60)}`,
        );
      });
  });
  return seen([...new Set(found)], `none in ${String(PLACES.length)} places`);
}
