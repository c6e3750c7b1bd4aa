/** Forwarding of ports and unix sockets: a client that has it reaches whatever the proxy reaches. */
import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Operations } from "../../../plan";
import { Finding, probe, Seen } from "../probe";
import { Attacker, COMMAND_REMEDY, lastWords, SSH_SECONDS } from "./attacker";

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

/** Asks one login for every kind of forwarding. */
export async function attackForwarding(canary: Attacker, operations: Operations): Promise<Finding[]> {
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
      { ring: 1, id: `attack.forward-${name}`, tried, expected: "refused", remedy: COMMAND_REMEDY },
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
    for (const deadline = Date.now() + milliseconds; ;) {
      const found = pattern.exec(this.text.slice(from));
      if (found) return found;
      if (this.ended || Date.now() > deadline)
        throw new Error(`ssh did not get that far: ${lastWords(this.text)}`);
      await pause(50);
    }
  }
}

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
