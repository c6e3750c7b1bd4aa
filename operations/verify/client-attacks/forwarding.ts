/** Forwarding of ports and unix sockets: a client that has it reaches whatever the proxy reaches. */
import { Deployment } from "../../deployment";
import { ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { endpointUrl } from "../../../s3/client";
import { Finding, Seen } from "../probe";
import { Attacker, COMMAND_REMEDY, lastWords, letIn, MOST_WORDS, probeAlone } from "./attacker";

interface LocalForward {
  name: string;
  what: string;
  /** Each as ssh -L has it after the first colon. */
  targets: readonly string[];
  /** sshd's words for what it does not allow. */
  refusals: readonly string[];
}

/** Of a port sshd says another word where it may be reached, and only the connection failed. */
const PORT_REFUSALS = ["administratively prohibited"];
/** Of a unix socket it says the same whether it may not be reached or is not there: so one must be there. */
const SOCKET_REFUSALS = [...PORT_REFUSALS, "connect failed"];
/** The last one is there on every host with systemd, open to everybody. */
const SOCKETS = ["/run/dbus/system_bus_socket", "/run/systemd/journal/stdout"];

const ANSWER_MILLISECONDS = 60_000;

/** Asks one login for every kind of forwarding. A proxy that makes the unix socket which is asked for keeps it. */
export async function attackForwarding(canary: Attacker, deployment: Deployment): Promise<Finding[]> {
  canary.mustNotBeStuck();
  const port = { refusals: PORT_REFUSALS };
  const forwards: LocalForward[] = [
    { name: "ssh", what: "the proxy's own sshd", targets: ["127.0.0.1:22"], ...port },
    { name: "metadata", what: "the metadata service", targets: ["169.254.169.254:80"], ...port },
    { name: "s3", what: "the S3 service", targets: [s3Target(deployment)], ...port },
    { name: "socket", what: "a unix socket of the proxy", targets: SOCKETS, refusals: SOCKET_REFUSALS },
  ];
  const local = (name: string, at: number) => path.join(canary.folder, `${name}-${String(at)}.sock`);
  // Its own name each time: sshd does not take the place of a socket that an earlier run could make.
  const remoteSocket = `/tmp/.secure-backups-verify-${randomBytes(8).toString("hex")}`;
  const [program, ...args] = canary.command([
    ...["-N", "-vv", "-o", "ExitOnForwardFailure=no"],
    ...forwards.flatMap(({ name, targets }) =>
      targets.flatMap((target, at) => ["-L", `${local(name, at)}:${target}`]),
    ),
    ...remoteForwards(canary.folder, remoteSocket),
  ]);
  const ssh = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  const words = new Words(ssh);
  const attack = (name: string, tried: string, attempt: () => Promise<Seen>) =>
    probeAlone(
      { ring: 1, id: `attack.forward-${name}`, tried, expected: "refused", remedy: COMMAND_REMEDY },
      attempt,
    );
  const connected = words.until((text) => letIn(text) || undefined, canary.seconds * 1000);
  const findings: Finding[] = [];
  try {
    // Before the first attack, whose time is not for the login.
    await connected.catch(() => {
      // Each attack says so.
    });
    // One after the other: ssh does not say which connection of ours a channel is for.
    for (const { name, what, targets, refusals } of forwards) {
      findings.push(
        await attack(`to-${name}`, `reach ${what} through the proxy (-L, -W, -D)`, async () => {
          await connected;
          let said = "";
          for (const at of targets.keys()) {
            said = await answerTo(words, local(name, at));
            if (!refusals.includes(said)) return { holds: false, happened: `NOT refused: ${said}` };
          }
          return { holds: true, happened: `refused: ${said}` };
        }),
      );
    }
    for (const [name, tried, listen, granted] of [
      ["remote", "open a port on the proxy (-R)", "0", "the proxy LISTENS for the client"],
      [
        "remote-socket",
        "make a unix socket on the proxy (-R)",
        remoteSocket,
        `the proxy LISTENS for the client, and keeps ${remoteSocket}: remove it there`,
      ],
    ] as const) {
      findings.push(
        await attack(name, tried, async () => {
          await connected;
          const answer = new RegExp(
            `remote forward (failure|success) for: listen ${listen.replaceAll(".", "\\.")}[,:]`,
          );
          const refused = (await words.match(answer, ANSWER_MILLISECONDS))[1] === "failure";
          return { holds: refused, happened: refused ? "refused" : granted };
        }),
      );
    }
    return findings;
  } finally {
    ssh.kill();
  }
}

/**
 * What has the proxy listen at a port and at a socket of its own. Both lead to nothing, a socket that is not there: a
 * taken proxy would open them, and use what they lead to.
 */
export function remoteForwards(folder: string, remoteSocket: string): string[] {
  const nothing = path.join(folder, "nothing.sock");
  return ["-R", `0:${nothing}`, "-R", `${remoteSocket}:${nothing}`];
}

function s3Target({ bucket }: Deployment): string {
  const { hostname, port, protocol } = new URL(endpointUrl(bucket.endpoint));
  return `${hostname}:${port === "" ? (protocol === "http:" ? "80" : "443") : port}`;
}

/** Connects to where ssh listens, and gives sshd's answer to the channel that ssh asks it for then. */
async function answerTo(words: Words, socketPath: string): Promise<string> {
  // ssh listens some time after it was let in.
  for (let tries = 0; tries < 100 && !fs.existsSync(socketPath); tries++) await pause(50);
  const from = words.text.length;
  const socket = net.connect(socketPath);
  socket.on("error", () => {
    // ssh's words tell it.
  });
  try {
    // By its number: a late answer to an earlier one, whose number is still taken, is not this one's.
    const [, channel = ""] = await words.match(/channel (\d+): new direct-/, ANSWER_MILLISECONDS, from);
    const answer = new RegExp(`channel ${channel}: open (?:failed: ([^:\\r\\n]*)|confirm)`);
    const [, failure] = await words.match(answer, ANSWER_MILLISECONDS, from);
    return failure ?? "it IS reached";
  } finally {
    socket.destroy();
  }
}

/** What a program has said on standard error so far. */
class Words {
  text = "";
  private ended = false;

  constructor(child: ChildProcess) {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (this.text.length < MOST_WORDS) this.text += text;
    });
    for (const event of ["close", "error"]) {
      child.on(event, () => {
        this.ended = true;
      });
    }
  }

  /** Waits until it has said this; `from` is where in its words to begin. */
  match(pattern: RegExp, milliseconds: number, from = 0): Promise<RegExpExecArray> {
    return this.until((text) => pattern.exec(text.slice(from)) ?? undefined, milliseconds);
  }

  /** Waits until something is found in its words. */
  async until<T>(look: (text: string) => T | undefined, milliseconds: number): Promise<T> {
    for (const deadline = Date.now() + milliseconds; ;) {
      const found = look(this.text);
      if (found !== undefined) return found;
      if (this.ended || Date.now() > deadline)
        throw new Error(`ssh did not get that far: ${lastWords(this.text)}`);
      await pause(50);
    }
  }
}
