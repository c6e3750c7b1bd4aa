/** A small S3 in this process, whose answers a test decides: it checks no signature and keeps no version. */
import { createHash } from "node:crypto";
import * as http from "node:http";
import { AddressInfo } from "node:net";

/** A request as it came in; what was asked for is in `key` (without the bucket) and `query`. */
export interface StoreRequest {
  method: string;
  key: string;
  query: URLSearchParams;
  headers: http.IncomingHttpHeaders;
}

/** What a request is answered in the store's place: a status, `nothing` (the connection ends), or its own answer. */
export type StoreAnswer = number | "nothing" | undefined;

const xml = (text: string) => text.replace(/[<&]/g, (sign) => (sign === "<" ? "&lt;" : "&amp;"));

export class S3Store {
  /** Content by key. */
  readonly objects = new Map<string, Buffer>();
  /** When an object was put, in milliseconds since 1970, where that is not now. */
  readonly modified = new Map<string, number>();
  /** All that was asked so far. */
  readonly requests: StoreRequest[] = [];
  /** Decides answers; default: none. */
  answer: (request: StoreRequest) => StoreAnswer = () => undefined;
  /** How many seconds its clock is ahead. */
  ahead = 0;

  private constructor(
    private readonly server: http.Server,
    private readonly bucket: string,
  ) {}

  /** @param address where it listens; default: the loopback */
  static async start(bucket: string, address = "127.0.0.1"): Promise<S3Store> {
    const server = http.createServer();
    const store = new S3Store(server, bucket);
    server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        store.serve(request, Buffer.concat(chunks), response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    return store;
  }

  get endpoint(): string {
    const { address, port } = this.server.address() as AddressInfo;
    return `http://${address}:${String(port)}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(incoming: http.IncomingMessage, body: Buffer, response: http.ServerResponse): void {
    const url = new URL(incoming.url ?? "/", "http://store");
    const path = decodeURIComponent(url.pathname).replace(/^\//, "");
    const key = path === this.bucket ? "" : path.replace(`${this.bucket}/`, "");
    const method = incoming.method ?? "";
    const request = { method, key, query: url.searchParams, headers: incoming.headers };
    this.requests.push(request);
    response.setHeader("date", new Date(Date.now() + this.ahead * 1000).toUTCString());
    const decided = this.answer(request);
    if (decided === "nothing") {
      incoming.socket.destroy();
    } else if (decided !== undefined) {
      response.writeHead(decided).end();
    } else if (key === "") {
      response.end(this.listing(url.searchParams));
    } else {
      this.object(method, key, body, response);
    }
  }

  private object(method: string, key: string, body: Buffer, response: http.ServerResponse): void {
    if (method === "PUT") this.objects.set(key, body);
    if (method === "DELETE") {
      this.objects.delete(key);
      response.writeHead(204).end();
      return;
    }
    const content = this.objects.get(key);
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      etag: `"${createHash("md5").update(content).digest("hex")}"`,
      "last-modified": new Date().toUTCString(),
      ...(method === "PUT" ? {} : { "content-length": content.length }),
    });
    response.end(method === "GET" ? content : undefined);
  }

  private listing(query: URLSearchParams): string {
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter") ?? "";
    const below = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    const folderOf = (key: string) => {
      const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      return end === -1 ? undefined : key.slice(0, end + 1);
    };
    const folders = new Set(below.flatMap((key) => folderOf(key) ?? []));
    const files = below.filter((key) => folderOf(key) === undefined);
    return (
      '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>false</IsTruncated>' +
      files
        .map(
          (key) =>
            `<Contents><Key>${xml(key)}</Key><LastModified>` +
            `${new Date(this.modified.get(key) ?? Date.now()).toISOString()}</LastModified>` +
            `<ETag>"0"</ETag><Size>${String(this.objects.get(key)?.length)}</Size></Contents>`,
        )
        .join("") +
      [...folders].map((key) => `<CommonPrefixes><Prefix>${xml(key)}</Prefix></CommonPrefixes>`).join("") +
      "</ListBucketResult>"
    );
  }
}
