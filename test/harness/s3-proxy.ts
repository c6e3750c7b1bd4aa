/** A proxy in front of the S3 service: a test sees each request before the service does, and can take the service away. */
import { type IncomingMessage, createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";

/** A request before it is forwarded. */
export interface Passing {
  readonly method: string;
  /** Path without the bucket, decoded; empty for the bucket itself. */
  readonly key: string;
}

export class S3Proxy {
  /** Called before each request, which waits for it. @default nothing */
  before: (request: Passing) => Promise<void> | void = () => undefined;
  /** Whether the service is away: connections end without an answer. */
  away = false;

  private constructor(private readonly server: ReturnType<typeof createServer>) {}

  static async start(endpoint: string): Promise<S3Proxy> {
    const { hostname, port } = new URL(endpoint);
    const server = createServer((request, response) => {
      const { method = "", url = "/", headers } = request;
      void (async () => {
        await proxy.before({ method, key: keyOf(request) });
        if (proxy.away) {
          request.socket.destroy();
          return;
        }
        const onward = forward({ hostname, port, method, path: url, headers }, (back) => {
          response.writeHead(back.statusCode ?? 500, back.headers);
          back.pipe(response);
        });
        onward.on("error", () => response.destroy());
        request.pipe(onward);
      })();
    });
    const proxy = new S3Proxy(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const keyOf = ({ url = "/" }: IncomingMessage): string => {
  const { pathname } = new URL(url, "http://proxy");
  return decodeURIComponent(pathname).split("/").slice(2).join("/");
};
