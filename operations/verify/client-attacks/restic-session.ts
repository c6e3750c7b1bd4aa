import { ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http2 from "node:http2";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { briefly } from "../probe";

/** rclone's answer to one request. */
export interface ResticAnswer {
  status: number;
  body: Buffer;
}

/** Sends one request of restic's REST protocol; `target` is sent unchanged, with `..` too. */
export type ResticRequest = (method: string, target: string, body?: string) => Promise<ResticAnswer>;

const ANSWER_SECONDS = 60;
/** A small proxy may need long for a login and to start rclone. */
const START_SECONDS = 120;
/** The whole session, whatever the far end does. */
const SESSION_SECONDS = 400;
/** From the end of the connection until ssh has printed the reason and ended. */
const LAST_WORDS_MILLISECONDS = 2000;
/** All objects of the canary's are smaller; a longer answer is cut. */
const MOST_BYTES = 64 * 1024;

/**
 * Opens a connection as restic does: HTTP/2 over the standard streams of `rclone serve restic --stdio`, which the
 * command (ssh with its arguments) starts. It is closed when `work` ends. A request without an answer throws ssh's last
 * messages.
 */
export async function withResticSession<T>(
  [program, ...args]: readonly [string, ...string[]],
  work: (request: ResticRequest) => Promise<T>,
): Promise<T> {
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: SESSION_SECONDS * 1000,
  });
  let messages = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    messages = (messages + text).slice(-1000);
  });
  const lost = (reason: string) => new Error(`${reason}: ${messages.trim() || "it printed nothing"}`);
  const ended = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("close", () => {
      reject(lost("the session with rclone ended"));
    });
  });
  ended.catch(() => {
    // Each request reports it.
  });
  const { socket, close } = await socketOf(child).catch((error: unknown) => {
    child.kill();
    throw error;
  });
  const session = http2.connect("http://localhost", { createConnection: () => socket });
  session.on("error", () => {
    // A request under way reports it, or the end of the program does.
  });
  const started = once(session, "remoteSettings", { signal: AbortSignal.timeout(START_SECONDS * 1000) });
  await Promise.race([started, ended]).catch(() => {
    // Each request will report that there is no answer.
  });
  const answer: ResticRequest = (method, target, body) =>
    new Promise((resolve, reject) => {
      const stream = session.request(
        { ":method": method, ":path": target, accept: "application/vnd.x.restic.rest.v2" },
        { endStream: body === undefined },
      );
      const chunks: Buffer[] = [];
      let status = 0;
      let size = 0;
      const unanswered = new Error(`no answer to ${method} ${target}`);
      const timer = setTimeout(() => stream.destroy(unanswered), ANSWER_SECONDS * 1000);
      stream.on("response", (headers) => {
        status = Number(headers[":status"]);
      });
      stream.on("data", (chunk: Buffer) => {
        if (size < MOST_BYTES) chunks.push(chunk);
        size += chunk.length;
      });
      stream.on("error", reject);
      stream.on("close", () => {
        clearTimeout(timer);
        if (status === 0) reject(unanswered);
        else resolve({ status, body: Buffer.concat(chunks) });
      });
      if (body !== undefined) stream.end(body);
    });
  try {
    return await work((...call) => {
      const answered = answer(...call).catch(async (error: unknown) => {
        await Promise.race([ended, pause(LAST_WORDS_MILLISECONDS, undefined, { ref: false })]);
        throw lost(briefly(error));
      });
      return Promise.race([ended, answered]);
    });
  } finally {
    session.destroy();
    child.kill();
    close();
  }
}

/**
 * The standard streams of a program as one socket. Over any other kind of stream Node's HTTP/2 crashes when the far
 * end closes it too early, as an attacker may.
 */
async function socketOf(
  child: ChildProcessWithoutNullStreams,
): Promise<{ socket: net.Socket; close: () => void }> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "verify-session-"));
  const server = net.createServer();
  server.listen(path.join(folder, "socket"));
  await once(server, "listening");
  const socket = net.connect(path.join(folder, "socket"));
  const [far] = (await once(server, "connection")) as [net.Socket];
  for (const stream of [far, child.stdin, child.stdout]) {
    stream.on("error", () => {
      // Either end may close first; the request under way reports it.
    });
  }
  far.pipe(child.stdin);
  child.stdout.pipe(far);
  const close = () => {
    far.destroy();
    server.close();
    fs.rmSync(folder, { recursive: true, force: true });
  };
  return { socket, close };
}
