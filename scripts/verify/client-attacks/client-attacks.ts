/**
 * Ring 1 as its attacker sees it: with the key of one client, the canary, everything is tried that the proxy must
 * refuse. It writes tiny objects below `.canary/verify/` and nothing else; where a write outside the repository is
 * tried, it aims there too, so that a proxy which lets it through harms nobody.
 */
import { ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { CANARY, PROXY_USER } from "../../../files";
import { HostAccess, Operations } from "../../../plan";
import { connect } from "../../../providers/s3-client";
import { inParallel } from "../../lib/parallel";
import { Result, run } from "../../lib/run";
import { SshHost } from "../../lib/ssh";
import { Finding, probe, PUT_BACK, Seen } from "../probe";
import { ResticRequest, withResticSession } from "./restic-session";

/** The types of objects that a restic repository keeps for good. */
const KEPT = ["data", "keys", "snapshots", "index"] as const;

/** Seconds for one ssh; a small proxy may need some to log a client in. */
const SSH_SECONDS = 50;

const REMEDIES = {
  command: `${PUT_BACK}; see the findings authorized-keys.* and sshd.*`,
  rclone: `${PUT_BACK}; see authorized-keys.exact and version.rclone`,
  network: "close the port in the proxy's security group and stop what listens there; see sockets.listening",
  reach: "make sure that this machine reaches port 22 of the proxy, and that rclone on it reaches the bucket",
} as const;

/** Tries everything of ring 1. Never throws: what could not be tried is a finding. */
export async function attackAsClient(operations: Operations): Promise<Finding[]> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "verify-"));
  try {
    const canary = new Attacker(operations, folder);
    const id = createHash("sha256").update(randomBytes(32)).digest("hex");
    const findings = await Promise.all([
      attackRepository(canary, id, operations).finally(() => tidy(operations, id)),
      // A small proxy logs few clients in at a time.
      attackSession(canary).then(async (found) => [
        ...found,
        ...(await attackForwarding(canary, operations)),
      ]),
      probePorts(operations),
    ]);
    // Last, for newer versions of sshd shut out an address for a while that fails to log in.
    return [...findings.flat(), ...(await attackLogin(canary, operations))];
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** Connects to the proxy as clients do. */
class Attacker {
  readonly access: HostAccess;
  private readonly ssh: SshHost;

  constructor(
    operations: Operations,
    readonly folder: string,
  ) {
    const { host, address } = operations.proxy;
    this.access = {
      // Whoever needs a jump host may know no way to the public address.
      host: host.proxy ? host.host : address,
      port: 22,
      user: PROXY_USER,
      hostKey: host.hostKey,
      privateKey: operations.canary.privateKey,
      proxy: host.proxy,
    };
    this.ssh = new SshHost(this.access, { folder });
  }

  /** ssh with more options, then the remote command. */
  command(options: readonly string[] = [], remote: readonly string[] = []): [string, ...string[]] {
    return [...this.ssh.command(options), ...remote] as [string, ...string[]];
  }

  /** Runs ssh to its end, whatever that is. It says so on standard error where it was let in. */
  run(options: readonly string[], remote: readonly string[] = [], input = ""): Promise<Result> {
    const [program, ...args] = this.command(["-v", ...options], remote);
    return run(program, args, { accept: "any", timeout: SSH_SECONDS, input, env: { DISPLAY: ":0" } });
  }

  /** The session with rclone that restic would have. */
  session<T>(
    work: (request: ResticRequest) => Promise<T>,
    remote = "rclone serve restic --stdio",
    options: readonly string[] = [],
  ): Promise<T> {
    return withResticSession(this.command(options, [remote]), work);
  }

  /** The same with another key or user. */
  other(change: Partial<HostAccess>, name: string): SshHost {
    return new SshHost({ ...this.access, ...change }, { folder: path.join(this.folder, name) });
  }
}

/** Throws unless sshd let the client in: else nothing is known about what it allows a client. */
function mustHaveConnected({ stderr }: Result): void {
  if (!/^Authenticated to /m.test(stderr)) throw new Error(lastWords(stderr));
}

/** What ssh said at last, apart from its debug messages. */
function lastWords(stderr: string): string {
  const words = stderr.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("debug"));
  return words.at(-1)?.trim() ?? "ssh said nothing";
}

function refusedOrNot(problems: readonly string[], refused: string): Seen {
  return problems.length === 0
    ? { holds: true, happened: refused }
    : { holds: false, happened: problems.join("; ") };
}

// ---- the repository --------------------------------------------------------------------------------------------

async function attackRepository(canary: Attacker, id: string, operations: Operations): Promise<Finding[]> {
  const first = await canary.session((request) => repositoryAttacks(request, id, operations));
  const inForce = first.some(({ id, verdict }) => id === "control.reads" && verdict === "pass");
  const second = await Promise.all([
    probe(
      {
        ring: 1,
        id: "attack.command-rclone",
        tried: "start rclone without --append-only on the whole bucket",
        expected: "the forced command runs instead",
        remedy: REMEDIES.command,
      },
      () =>
        ownSession(
          canary,
          id,
          inForce,
          `rclone serve restic --stdio s3-resticrepo:${operations.bucket.bucket}`,
        ),
    ),
    probe(
      {
        ring: 1,
        id: "attack.environment",
        tried: "send variables that change PATH, the loader and rclone's settings",
        expected: "the same session as without them",
        remedy: REMEDIES.command,
      },
      () =>
        ownSession(canary, id, inForce, "rclone serve restic --stdio", [
          "-o",
          "SetEnv=PATH=/nonexistent LD_PRELOAD=/nonexistent.so RCLONE_CONFIG=/nonexistent RCLONE_APPEND_ONLY=false",
        ]),
    ),
  ]);
  return [...first, ...second];
}

/** What runs before this one left when they were interrupted is older. */
const LEFTOVER_MILLISECONDS = 3600_000;

/**
 * The owner takes the canary's objects of this run away, versions and all; the repository's config stays, for a run
 * beside this one needs it. Whether the owner may is a finding of the bucket's: here nothing comes of it.
 */
async function tidy({ bucket }: Operations, id: string): Promise<void> {
  const address = { endpoint: bucket.endpoint, region: bucket.region, bucket: bucket.bucket };
  const owner = await connect(address, bucket.owner);
  const bypass = bucket.objectLock && { BypassGovernanceRetention: true };
  const repository = `${CANARY.client}/${CANARY.repository}/`;
  try {
    const { Versions = [], DeleteMarkers = [] } = await owner.listObjectVersions({
      Bucket: bucket.bucket,
      Prefix: repository,
    });
    const left = [...Versions, ...DeleteMarkers].filter(({ Key = "", LastModified }) => {
      const age = Date.now() - (LastModified?.getTime() ?? Date.now());
      return Key.includes(id) || (age > LEFTOVER_MILLISECONDS && Key !== `${repository}config`);
    });
    await inParallel(TIDY_AT_ONCE, left, async ({ Key, VersionId }) => {
      await owner.deleteObject({ Bucket: bucket.bucket, Key, VersionId, ...bypass });
    });
  } catch {
    // They are small, and the next run tries again.
  } finally {
    owner.destroy();
  }
}

const TIDY_AT_ONCE = 4;

/** Whether a session is still the forced command's: it reads its own repository and deletes nothing. */
async function ownSession(
  canary: Attacker,
  id: string,
  inForce: boolean,
  remote: string,
  options: readonly string[] = [],
): Promise<Seen> {
  if (!inForce) throw new Error(NO_CONTROL);
  return canary.session(
    async (request) => {
      const read = await request("GET", `/keys/${id}`);
      if (read.status !== 200)
        return {
          holds: false,
          happened: `the own repository answers ${String(read.status)}: another session`,
        };
      const { status } = await request("DELETE", `/keys/${id}`);
      return {
        holds: refuses(status),
        happened: `reads the own repository as before; deletion ${verdictOn(status)}`,
      };
    },
    remote,
    options,
  );
}

const NO_CONTROL = "the canary cannot even add and read an object, so a refusal would mean nothing";

const refuses = (status: number): boolean => status >= 300 && status < 500;

function verdictOn(status: number): string {
  if (refuses(status)) return `refused (${String(status)})`;
  return status < 300 ? `ACCEPTED (${String(status)})` : `tried by rclone, and failed (${String(status)})`;
}

async function repositoryAttacks(
  request: ResticRequest,
  id: string,
  operations: Operations,
): Promise<Finding[]> {
  const content = (type: string) => `secure-backups verify ${type}\n`;
  const place = (type: string) => (type === "config" ? "/config" : `/${type}/${id}`);
  const findings: Finding[] = [];
  const control = async (name: string, tried: string, attempt: () => Promise<Seen>): Promise<boolean> => {
    const about = {
      ring: 1 as const,
      id: `control.${name}`,
      tried,
      expected: "works",
      remedy: REMEDIES.reach,
    };
    const finding = await probe(about, attempt);
    findings.push(finding);
    return finding.verdict === "pass";
  };
  const attack = async (name: string, tried: string, remedy: string, attempt: () => Promise<Seen>) => {
    const about = { ring: 1 as const, id: `attack.${name}`, tried, expected: "refused", remedy };
    findings.push(await probe(about, attempt));
  };

  let config = content("config");
  const adds = await control("adds", "add an object of every type", async () => {
    const made = await request("POST", "/?create=true");
    const there = await request("GET", "/config");
    if (there.status === 200) config = there.body.toString();
    const types = there.status === 200 ? KEPT : [...KEPT, "config"];
    const statuses = [made.status];
    for (const type of types) statuses.push((await request("POST", place(type), content(type))).status);
    return { holds: statuses.every((status) => status === 200), happened: `answers ${statuses.join(", ")}` };
  });
  await control("lists", "list the own keys", async () => {
    const { status, body } = await request("GET", "/keys/");
    return {
      holds: status === 200 && body.includes(id),
      happened: `answer ${String(status)}, ${body.includes(id) ? "with" : "without"} the added one`,
    };
  });
  const reads = await control("reads", "read back what was added", async () => {
    // rclone says 404 for every failure of S3's, a passing one too.
    let answer = await request("GET", place("keys"));
    for (let again = 0; answer.status !== 200 && again < 3; again++) {
      await pause(1000);
      answer = await request("GET", place("keys"));
    }
    const { status, body } = answer;
    return {
      holds: status === 200 && body.toString() === content("keys"),
      happened: `answer ${String(status)}`,
    };
  });
  await control("locks", "add and remove a lock, as restic does", async () => {
    const made = await request("POST", `/locks/${id}`, content("locks"));
    const removed = await request("DELETE", `/locks/${id}`);
    return {
      holds: made.status === 200 && removed.status === 200,
      happened: `answers ${String(made.status)}, ${String(removed.status)}`,
    };
  });
  const needControl = () => {
    if (!adds || !reads) throw new Error(NO_CONTROL);
  };

  for (const type of [...KEPT, "config"]) {
    const original = type === "config" ? () => config : () => content(type);
    for (const [word, method, body] of [
      ["delete", "DELETE", undefined],
      ["overwrite", "POST", "overwritten by an attacker\n"],
    ] as const) {
      await attack(`${word}-${type}`, `${word} ${anObject(type)}`, REMEDIES.rclone, async () => {
        needControl();
        const { status } = await request(method, place(type), body);
        const after = await request("GET", place(type));
        const intact = after.status === 200 && after.body.toString() === original();
        return {
          holds: refuses(status) && intact,
          happened: `${verdictOn(status)}; the object is ${intact ? "as it was" : "NOT as it was"}`,
        };
      });
    }
  }
  await attack("delete-repository", "delete the whole repository at once", REMEDIES.rclone, async () => {
    needControl();
    const { status } = await request("DELETE", "/");
    const { status: after } = await request("GET", place("keys"));
    return {
      holds: refuses(status) && after === 200,
      happened: `${verdictOn(status)}; its objects ${after === 200 ? "are there" : "are GONE"}`,
    };
  });

  // Out of the repository and back into it: a proxy that follows such a path harms only the canary.
  const around = `../${CANARY.repository}/keys/${id}`;
  const aroundByRoot = `../../../${operations.bucket.bucket}/${CANARY.client}/${CANARY.repository}/keys/${id}`;
  const tried = async (method: string, targets: readonly string[], body?: string): Promise<Seen> => {
    needControl();
    const followed: string[] = [];
    for (const target of targets) {
      const answer = await request(method, target, body);
      if (answer.status < 300)
        followed.push(`${target} ANSWERED WITH CONTENT (${String(answer.body.length)} bytes)`);
      else if (!refuses(answer.status)) followed.push(`${target} ${verdictOn(answer.status)}`);
    }
    return refusedOrNot(followed, `${String(targets.length)} paths, all refused`);
  };
  await attack(
    "read-outside",
    "read objects by paths that leave the repository, plain and encoded",
    REMEDIES.rclone,
    () => tried("GET", [around, aroundByRoot].flatMap(pathTricks)),
  );
  await attack("write-outside", "write by such paths", REMEDIES.rclone, async () => {
    needControl();
    const landing = `${id}-outside`;
    const targets = pathTricks(`../${CANARY.repository}/keys/${landing}`);
    for (const target of targets) {
      const { status } = await request("POST", target, content("escaped"));
      // One that is taken as a plain name inside the repository reaches nothing.
      const { status: landed } = await request("GET", `/keys/${landing}`);
      if (landed === 200) return { holds: false, happened: `${target} WROTE outside (${String(status)})` };
    }
    return { holds: true, happened: `${String(targets.length)} paths, none left the repository` };
  });
  await attack("delete-outside", "delete by such paths, and through the locks", REMEDIES.rclone, async () => {
    const throughLocks = [`/locks/../keys/${id}`, `/locks/..%2fkeys%2f${id}`, `/keys/${id}/locks/..`];
    const seen = await tried("DELETE", [...pathTricks(around), ...throughLocks]);
    const { status } = await request("GET", place("keys"));
    return status === 200
      ? seen
      : { holds: false, happened: `the object is GONE (${String(status)}); ${seen.happened}` };
  });
  await attack(
    "read-other-repositories",
    "read the other clients' repositories by such paths",
    REMEDIES.rclone,
    () => {
      const others = operations.clients.flatMap(({ name, repositories }) =>
        repositories.slice(0, 1).map((repository) => `../../${name}/${repository.name}/config`),
      );
      if (others.length === 0)
        return Promise.resolve({ holds: true, happened: "there are no other clients" });
      return tried("GET", others.flatMap(pathTricks));
    },
  );
  return findings;
}

const anObject = (type: string): string =>
  type === "config" ? "the repository's config" : `an object of ${type}`;

/** Ways to write a path that leaves the repository, each of which some server has followed. */
export function pathTricks(target: string): string[] {
  const encoded = target.replaceAll("..", "%2e%2e");
  return [
    `/${target}`,
    `//${target}`,
    `/./${target}`,
    `/data/../${target}`,
    `/data/../locks/../${target}`,
    `/locks/../${target}`,
    `/${encoded}`,
    `/${target.replaceAll("/", "%2f")}`,
    `/${encoded.replaceAll("/", "%2F")}`,
    `/${encoded.replaceAll("%", "%25")}`,
    `/${target.replaceAll("/", "%252f")}`,
    `/${target.replaceAll("/", "%5c")}`,
    `/data/${target.replaceAll("/", "%2f")}`,
    `/${target}%00`,
    `/${target}/.`,
    `/${target}?create=true`,
  ];
}

// ---- the SSH session -------------------------------------------------------------------------------------------

/** What a program that is not the forced command would print. */
const FOREIGN = /uid=\d+|root:[^:]*:0:0:/;

/** The first message of SFTP: version 3. A server's answer has the type 2 in its fifth byte. */
const SFTP_INIT = "\0\0\0\u0005\u0001\0\0\0\u0003";
const SFTP_VERSION = 2;

async function attackSession(canary: Attacker): Promise<Finding[]> {
  const attack = (name: string, tried: string, expected: string, attempt: () => Promise<Seen>) =>
    probe({ ring: 1, id: `attack.${name}`, tried, expected, remedy: REMEDIES.command }, attempt);
  // One login is asked for a command, a terminal and X11 at once.
  const first = canary.run(["-tt", "-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=yes"], ["id"]);
  first.catch(() => {
    // Each attack that looks at it says so.
  });
  const refusal = async (words: string, granted: string): Promise<Seen> => {
    const result = await first;
    mustHaveConnected(result);
    const refused = result.stderr.includes(words);
    return { holds: refused, happened: refused ? "refused" : granted };
  };
  return [
    await attack("pty", "ask for a terminal", "refused", () =>
      refusal("PTY allocation request failed", "a terminal was GIVEN"),
    ),
    await attack("x11", "have X11 forwarded", "refused", () =>
      refusal("X11 forwarding request failed", "X11 IS forwarded"),
    ),
    await attack("command", "run another command", "only the forced command runs", async () => {
      const commands = ["rclone serve restic --stdio; id", "scp -f /etc/passwd"];
      const ran: string[] = [];
      for (const command of ["id", ...commands]) {
        const result = command === "id" ? await first : await canary.run(["-T"], [command]);
        mustHaveConnected(result);
        if (FOREIGN.test(result.stdout + result.stderr)) ran.push(`"${command}" RAN`);
      }
      return refusedOrNot(ran, `${String(commands.length + 1)} commands, none ran`);
    }),
    await attack(
      "sftp",
      "start the sftp subsystem (scp uses it too)",
      "only the forced command runs",
      async () => {
        const result = await canary.run(["-T", "-s"], ["sftp"], SFTP_INIT);
        mustHaveConnected(result);
        const served = result.stdout.charCodeAt(4) === SFTP_VERSION;
        return { holds: !served, happened: served ? "an sftp server ANSWERED" : "no sftp server answered" };
      },
    ),
    await attack("host-keys", "ask for other host keys than ed25519", "there are none", async () => {
      // ssh would tell the offer of anybody's sshd: this one has to have the pinned key too.
      mustHaveConnected(await first);
      const { stderr } = await canary.run(["-o", "HostKeyAlgorithms=rsa-sha2-512"], ["id"]);
      const offer = /no matching host key type found\. Their offer: (\S+)/.exec(stderr)?.[1];
      if (offer === undefined && !/Host key verification failed/i.test(stderr))
        throw new Error(lastWords(stderr));
      return { holds: offer === "ssh-ed25519", happened: `offered: ${offer ?? "an RSA key"}` };
    }),
  ];
}

// ---- forwarding ------------------------------------------------------------------------------------------------

interface LocalForward {
  name: string;
  what: string;
  /** As ssh -L has it after the first colon. */
  target: string;
  /** What makes the far end speak. */
  greeting: string;
  /** How sshd says that it does not allow it. */
  refusal: RegExp;
}

const PROHIBITED = /open failed: (administratively prohibited)/;
/** sshd has no other word for a unix socket that it may not open than for one that is not there. */
const SOCKET_REFUSED = /open failed: (administratively prohibited|connect failed)/;

const HTTP_GREETING = "GET / HTTP/1.0\r\n\r\n";
const FORWARD_MILLISECONDS = 25_000;
/** ssh says why it closed a connection some time after it did. */
const SAID_MILLISECONDS = 10_000;

async function attackForwarding(canary: Attacker, operations: Operations): Promise<Finding[]> {
  const s3 = new URL(operations.bucket.endpoint);
  const port = s3.port === "" ? (s3.protocol === "http:" ? "80" : "443") : s3.port;
  const forwards: LocalForward[] = [
    { name: "ssh", what: "the proxy's own sshd", target: "127.0.0.1:22", greeting: "", refusal: PROHIBITED },
    {
      name: "metadata",
      what: "the metadata service",
      target: "169.254.169.254:80",
      greeting: HTTP_GREETING,
      refusal: PROHIBITED,
    },
    {
      name: "s3",
      what: "the S3 service",
      target: `${s3.hostname}:${port}`,
      greeting: HTTP_GREETING,
      refusal: PROHIBITED,
    },
    {
      name: "socket",
      what: "a unix socket of the proxy",
      target: "/run/dbus/system_bus_socket",
      greeting: "\0AUTH\r\n",
      refusal: SOCKET_REFUSED,
    },
  ];
  const local = (name: string) => path.join(canary.folder, `${name}.sock`);
  const [program, ...args] = canary.command([
    ...["-N", "-v", "-o", "ExitOnForwardFailure=no"],
    ...forwards.flatMap(({ name, target }) => ["-L", `${local(name)}:${target}`]),
    ...["-R", "0:127.0.0.1:22", "-R", "/tmp/.secure-backups-verify:127.0.0.1:22"],
  ]);
  const ssh = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  const words = new Words(ssh);
  const attack = (name: string, tried: string, attempt: () => Promise<Seen>) =>
    probe(
      { ring: 1, id: `attack.forward-${name}`, tried, expected: "refused", remedy: REMEDIES.command },
      attempt,
    );
  const connected = () => words.match(/Authenticated to/, SSH_SECONDS * 1000);
  const findings: Finding[] = [];
  try {
    // One after the other: ssh's words do not name the connection that they are about.
    for (const { name, what, greeting, refusal } of forwards) {
      findings.push(
        await attack(`to-${name}`, `reach ${what} through the proxy (-L, -W, -D)`, async () => {
          await connected();
          // ssh listens some time after it was let in.
          for (let tries = 0; tries < 100 && !fs.existsSync(local(name)); tries++) await pause(50);
          const from = words.text.length;
          const bytes = await talk(local(name), greeting);
          if (bytes > 0) return { holds: false, happened: `ANSWERED with ${String(bytes)} bytes` };
          const [said] = await words.match(/open failed: .*/, SAID_MILLISECONDS, from);
          const refused = refusal.exec(said)?.[1];
          return refused === undefined
            ? { holds: false, happened: "NOT refused: sshd tried to connect" }
            : { holds: true, happened: `refused: ${refused}` };
        }),
      );
    }
    for (const [name, tried, listen] of [
      ["remote", "open a port on the proxy (-R)", "0"],
      ["remote-socket", "make a unix socket on the proxy (-R)", "/tmp/.secure-backups-verify"],
    ] as const) {
      findings.push(
        await attack(name, tried, async () => {
          await connected();
          const answer = new RegExp(
            `remote forward (failure|success) for: listen ${listen.replaceAll(".", "\\.")}[,:]`,
          );
          const refused = (await words.match(answer, FORWARD_MILLISECONDS))[1] === "failure";
          return { holds: refused, happened: refused ? "refused" : "the proxy LISTENS for the client" };
        }),
      );
    }
    return findings;
  } finally {
    ssh.kill();
  }
}

/** What a program has said on standard error so far. */
class Words {
  text = "";
  private ended = false;

  constructor(child: ChildProcess) {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.text += text;
    });
    for (const event of ["close", "error"]) {
      child.on(event, () => {
        this.ended = true;
      });
    }
  }

  /** Waits until it has said this; `from` is where in its words to begin. */
  async match(pattern: RegExp, milliseconds: number, from = 0): Promise<RegExpExecArray> {
    for (const deadline = Date.now() + milliseconds; ; await pause(50)) {
      const found = pattern.exec(this.text.slice(from));
      if (found) return found;
      if (this.ended || Date.now() > deadline)
        throw new Error(`ssh did not get that far: ${lastWords(this.text)}`);
    }
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Connects to a unix socket, greets, and counts the bytes that come until the far end closes or time is up. */
function talk(socketPath: string, greeting: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const socket = net.connect(socketPath, () => socket.write(greeting));
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(bytes);
    };
    const timer = setTimeout(end, FORWARD_MILLISECONDS);
    socket.on("data", (chunk) => {
      bytes += chunk.length;
      end();
    });
    socket.on("end", end);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") {
        end();
      } else {
        clearTimeout(timer);
        reject(error);
      }
    });
  });
}

// ---- logging in ------------------------------------------------------------------------------------------------

async function attackLogin(canary: Attacker, operations: Operations): Promise<Finding[]> {
  const keyFile = path.join(canary.folder, "stranger");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", keyFile]);
  const stranger = fs.readFileSync(keyFile, "utf8");
  const operator = operations.proxy.host.user;
  const attempts: [name: string, tried: string, change: Partial<HostAccess>][] = [
    [
      "stranger-key",
      `log in as ${PROXY_USER} with an unknown key, or with a password`,
      { privateKey: stranger },
    ],
    ["login-root", "log in as root with a client's key, or with a password", { user: "root" }],
    [
      "login-operator",
      `log in as the operator (${operator}) with a client's key, or with a password`,
      { user: operator },
    ],
  ];
  const findings: Finding[] = [];
  for (const [name, tried, change] of attempts) {
    const about = {
      ring: 1 as const,
      id: `attack.${name}`,
      tried,
      expected: "refused; keys alone are asked for",
    };
    const remedy = `${PUT_BACK}; see the findings sshd.*`;
    findings.push(
      await probe({ ...about, remedy }, async () => {
        const [program = "ssh", ...args] = canary
          .other(change, name)
          .command(["-T", "-o", "PreferredAuthentications=publickey,password,keyboard-interactive"]);
        const { code, stderr } = await run(program, [...args, "id"], { accept: "any", timeout: SSH_SECONDS });
        const methods = /Permission denied \(([^)]*)\)/.exec(stderr)?.[1];
        if (methods !== undefined)
          return { holds: methods === "publickey", happened: `refused; asked for: ${methods}` };
        if (code === 255) throw new Error(lastWords(stderr));
        return { holds: false, happened: "LET IN" };
      }),
    );
  }
  return findings;
}

// ---- the proxy's ports -----------------------------------------------------------------------------------------

/** TCP ports above 1024 where something that matters is often found, rclone's own remote control among them. */
const KNOWN_PORTS = [
  ...[
    1080, 1194, 1433, 1521, 1723, 1883, 2022, 2049, 2181, 2222, 2375, 2376, 2379, 2380, 3000, 3128, 3260,
    3306,
  ],
  ...[
    3389, 4000, 4222, 4443, 4444, 5000, 5001, 5432, 5555, 5572, 5601, 5671, 5672, 5900, 5985, 5986, 6000,
    6379,
  ],
  ...[
    6443, 7000, 7480, 8000, 8008, 8080, 8081, 8088, 8443, 8500, 8888, 9000, 9001, 9090, 9091, 9093, 9100,
    9200,
  ],
  ...[9300, 9418, 9999, 10000, 10050, 10250, 11211, 15672, 19999, 27017, 50000, 51820, 61613],
];
const SCANNED_PORTS = [...Array.from({ length: 1024 }, (_, at) => at + 1), ...KNOWN_PORTS];
const SCAN_AT_ONCE = 128;
const SCAN_MILLISECONDS = 1500;

async function probePorts(operations: Operations): Promise<Finding[]> {
  const { address, host } = operations.proxy;
  return [
    await probe(
      {
        ring: 1,
        id: "attack.ports",
        tried: `connect to ${String(SCANNED_PORTS.length)} TCP ports of the proxy: 1-1024 and ${String(KNOWN_PORTS.length)} known ones`,
        expected: "only 22 answers",
        remedy: REMEDIES.network,
      },
      async () => {
        if (host.proxy)
          throw new Error("the proxy is reached through a jump host, which asks for one port at a time");
        const open: number[] = [];
        await inParallel(SCAN_AT_ONCE, SCANNED_PORTS, async (port) => {
          if (await answers(address, port)) open.push(port);
        });
        if (!open.includes(22))
          throw new Error("not even port 22 answers: the proxy cannot be reached from here");
        const others = open.filter((port) => port !== 22).sort((a, b) => a - b);
        return { holds: others.length === 0, happened: `open: ${[22, ...others].join(", ")}` };
      },
    ),
  ];
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
    for (const event of ["timeout", "error"] as const) {
      socket.on(event, () => {
        end(false);
      });
    }
  });
}
