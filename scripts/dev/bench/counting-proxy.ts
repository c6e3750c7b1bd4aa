/** Passes the requests of a program on to an S3 service, and counts them. */
import * as http from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** What went over a {@link CountingProxy}. */
export interface Traffic {
  /** Pages of listings of versions. */
  readonly lists: number;
  /** GET and HEAD of one object. */
  readonly reads: number;
  /** PUT and DELETE. */
  readonly writes: number;
  /** Bytes that the program received, headers included. */
  readonly received: number;
  /** Bytes that it sent, headers included. */
  readonly sent: number;
}

/** Milliseconds after which an idle connection to the service is closed, before the service does so. */
const IDLE_MS = 20_000;

type Kind = "lists" | "reads" | "writes";

const kindOf = ({ method = "", url = "" }: http.IncomingMessage): Kind => {
  if (method !== "GET" && method !== "HEAD") return "writes";
  return /[?&]versions(&|=|$)/.test(url) ? "lists" : "reads";
};

/** Listens on the loopback. Requests are passed on unchanged, so their signatures stay valid. */
export class CountingProxy {
  readonly endpoint: string;
  private counts = { lists: 0, reads: 0, writes: 0 };
  private readonly sockets: Socket[] = [];
  private taken: Traffic = { lists: 0, reads: 0, writes: 0, received: 0, sent: 0 };

  private constructor(
    private readonly server: http.Server,
    private readonly agent: http.Agent,
  ) {
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket) => this.sockets.push(socket));
    server.on("request", (request) => this.counts[kindOf(request)]++);
  }

  /** @param service the endpoint of the S3 service, by HTTP */
  static async start(service: string): Promise<CountingProxy> {
    const { hostname, port } = new URL(service);
    const agent = new http.Agent({ keepAlive: true, timeout: IDLE_MS });
    const server = http.createServer((incoming, response) => {
      const { method, url, headers } = incoming;
      const outgoing = http.request({ agent, hostname, port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(response);
      });
      // The program repeats what failed, as it would without the proxy.
      outgoing.on("error", () => response.destroy());
      incoming.pipe(outgoing);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new CountingProxy(server, agent);
  }

  /** What went over it since the last call. */
  take(): Traffic {
    const sum = (bytes: (socket: Socket) => number) =>
      this.sockets.reduce((all, socket) => all + bytes(socket), 0);
    const all: Traffic = {
      ...this.counts,
      received: sum((socket) => socket.bytesWritten),
      sent: sum((socket) => socket.bytesRead),
    };
    const before = this.taken;
    this.taken = all;
    return {
      lists: all.lists - before.lists,
      reads: all.reads - before.reads,
      writes: all.writes - before.writes,
      received: all.received - before.received,
      sent: all.sent - before.sent,
    };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    this.agent.destroy();
  }
}
