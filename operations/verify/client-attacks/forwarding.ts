/** Forwarding of ports and unix sockets: a client with forwarding reaches everything that the proxy reaches. */
import { Deployment } from "../../deployment";
import { ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { urlPort } from "../../../config";
import { endpointUrl } from "../../../s3/client";
import { Finding, inTurn, Probe, Seen } from "../probe";
import { Attacker, COMMAND_REMEDY, lastWords, letIn, MOST_MESSAGES } from "./attacker";

interface LocalForward {
  name: string;
  what: string;
  /** As in ssh -L, after the first colon. */
  targets: readonly string[];
  /** sshd's answers for what it does not allow. */
  refusals: readonly string[];
}

/** For a port that is allowed, and only does not answer, sshd has another message. */
const PORT_REFUSALS = ["administratively prohibited"];
/** For a unix socket the message is the same whether it is forbidden or missing: so one must exist. */
const SOCKET_REFUSALS = [...PORT_REFUSALS, "connect failed"];
/** The last one exists on every host with systemd, open to every user. */
const SOCKETS = ["/run/dbus/system_bus_socket", "/run/systemd/journal/stdout"];

const ANSWER_MILLISECONDS = 60_000;

/** Requests every kind of forwarding in one login. A proxy that creates the requested unix socket keeps it. */
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
  // A new name each time: sshd does not replace a socket that an earlier run could create.
  const remoteSocket = `/tmp/.secure-backups-verify-${randomBytes(8).toString("hex")}`;
  const [program, ...args] = canary.command([
    ...["-N", "-vv", "-o", "ExitOnForwardFailure=no"],
    ...forwards.flatMap(({ name, targets }) =>
      targets.flatMap((target, at) => ["-L", `${local(name, at)}:${target}`]),
    ),
    ...remoteForwards(canary.folder, remoteSocket),
  ]);
  const ssh = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  const messages = new Messages(ssh);
  const connected = messages.until((text) => letIn(text) || undefined, canary.seconds * 1000);
  const attack = (name: string, tried: string, attempt: () => Promise<Seen>): Probe => ({
    ring: 1,
    id: `attack.forward-${name}`,
    tried,
    expected: "refused",
    remedy: COMMAND_REMEDY,
    attempt: async () => {
      await connected;
      return await attempt();
    },
  });
  const attackRemote = (name: string, tried: string, listen: string, granted: string): Probe =>
    attack(name, tried, async () => {
      const answer = new RegExp(
        `remote forward (failure|success) for: listen ${listen.replaceAll(".", "\\.")}[,:]`,
      );
      const refused = (await messages.match(answer, ANSWER_MILLISECONDS))[1] === "failure";
      return { holds: refused, happened: refused ? "refused" : granted };
    });
  try {
    // Awaited here, so that the login does not use up the first probe's time.
    await connected.catch(() => {
      // Each probe reports the error.
    });
    // One after the other: ssh does not report which of our connections a channel belongs to.
    return await inTurn([
      ...forwards.map(({ name, what, targets, refusals }) =>
        attack(`to-${name}`, `reach ${what} through the proxy (-L, -W, -D)`, async () => {
          let answer = "";
          for (const at of targets.keys()) {
            answer = await answerTo(messages, local(name, at));
            if (!refusals.includes(answer)) return { holds: false, happened: `NOT refused: ${answer}` };
          }
          return { holds: true, happened: `refused: ${answer}` };
        }),
      ),
      attackRemote("remote", "open a port on the proxy (-R)", "0", "the proxy LISTENS for the client"),
      attackRemote(
        "remote-socket",
        "create a unix socket on the proxy (-R)",
        remoteSocket,
        `the proxy LISTENS for the client, and keeps ${remoteSocket}: remove it there`,
      ),
    ]);
  } finally {
    ssh.kill();
  }
}

/**
 * Options that request the proxy to listen at a port and at a unix socket. Both lead to a socket that does not exist: a
 * compromised proxy would grant them, and use what they lead to.
 */
export function remoteForwards(folder: string, remoteSocket: string): string[] {
  const nothing = path.join(folder, "nothing.sock");
  return ["-R", `0:${nothing}`, "-R", `${remoteSocket}:${nothing}`];
}

function s3Target({ bucket }: Deployment): string {
  const url = endpointUrl(bucket.endpoint);
  return `${new URL(url).hostname}:${urlPort(url)}`;
}

/** Connects to where ssh listens, and returns sshd's answer to the channel that ssh then requests. */
async function answerTo(messages: Messages, socketPath: string): Promise<string> {
  // ssh listens some time after its login.
  for (let tries = 0; tries < 100 && !fs.existsSync(socketPath); tries++) await pause(50);
  const from = messages.text.length;
  const socket = net.connect(socketPath);
  socket.on("error", () => {
    // ssh's messages report it.
  });
  try {
    // By its number: a late answer to an earlier channel must not count for this one.
    const [, channel = ""] = await messages.match(/channel (\d+): new direct-/, ANSWER_MILLISECONDS, from);
    const answer = new RegExp(`channel ${channel}: open (?:failed: ([^:\\r\\n]*)|confirm)`);
    const [, failure] = await messages.match(answer, ANSWER_MILLISECONDS, from);
    return failure ?? "it ANSWERS";
  } finally {
    socket.destroy();
  }
}

/** What a program has printed on standard error so far. */
class Messages {
  text = "";
  private ended = false;

  constructor(child: ChildProcess) {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (this.text.length < MOST_MESSAGES) this.text += text;
    });
    for (const event of ["close", "error"]) {
      child.on(event, () => {
        this.ended = true;
      });
    }
  }

  /** Waits until the pattern matches the text after `from`. */
  match(pattern: RegExp, milliseconds: number, from = 0): Promise<RegExpExecArray> {
    return this.until((text) => pattern.exec(text.slice(from)) ?? undefined, milliseconds);
  }

  /** Waits until `look` finds something in the text. */
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
