/** HTTP on a repository's socket: restic's REST protocol, and below `/keeper/` what the worker asks for. */
import * as http from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Admission } from "../job";
import { isObjectId, OBJECT_TYPES, type ObjectType } from "../objects";
import { configKey, keptKey, objectKey } from "./names";
import { Refusal } from "./refusal";
import type { RepositoryGate } from "./repository";
import { Spool } from "./spool";
import { contentOf, type Content, type Held, type Range } from "./store";
import type { Seen } from "./view";

/** Bytes of a document of JSON that a worker sends, and of the guard's memory. */
const JSON_BYTES = 16 * 1024 * 1024;
const MEMORY_BYTES = 64 * 1024 * 1024;

/** restic uses five connections, the worker few. */
const CONNECTIONS = 32;

/** Milliseconds: for a request's head, for all of a request, and without a byte in either direction. */
const HEAD_MS = 10_000;
const REQUEST_MS = 600_000;
/** An answer that waits for a listing sends nothing for as long. */
const IDLE_MS = 3_600_000;

const V1 = "application/vnd.x.restic.rest.v1";
const V2 = "application/vnd.x.restic.rest.v2";

const NO_CONTENT = 204;

/** A request and what belongs to it. */
interface Exchange {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  /** Aborts when the connection ends before the answer. */
  readonly signal: AbortSignal;
  /** Of `?version=`. */
  readonly version: string | undefined;
  /** What the path names. */
  readonly type: string;
  readonly id: string;
}

type Handler = (exchange: Exchange) => Promise<void>;

/** Paths, each with its methods; groups of a path are type and ID. */
type Route = readonly [path: RegExp, methods: Readonly<Record<string, Handler>>];

const TYPE = `(?<type>${OBJECT_TYPES.join("|")})`;
const ID = "(?<id>[0-9a-f]{64})";

/** A server for one repository; it listens nowhere yet. */
export function repositoryServer(gate: RepositoryGate): http.Server {
  const routes = routesOf(gate);
  const server = http.createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: HEAD_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: 60_000,
      requireHostHeader: true,
    },
    (request, response) => void answer(gate, routes, request, response),
  );
  server.maxConnections = CONNECTIONS;
  server.timeout = IDLE_MS;
  return server;
}

async function answer(
  gate: Pick<RepositoryGate, "log">,
  routes: readonly Route[],
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const ended = new AbortController();
  response.once("close", () => {
    ended.abort();
  });
  try {
    const { handler, groups, version } = route(routes, request);
    const { type = "", id = "" } = groups;
    await handler({ request, response, signal: ended.signal, version, type, id });
  } catch (error) {
    const refusal = error instanceof Refusal ? error : undefined;
    if (refusal === undefined && !ended.signal.aborted) {
      gate.log(`${request.method ?? ""} ${request.url ?? ""}: ${String(error)}`);
    } else if (refusal?.status === 403 || refusal?.status === 409) {
      gate.log(`refused: ${refusal.message}`);
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // What is left of a body is not read.
    if (!request.complete) response.setHeader("connection", "close");
    response.writeHead(refusal?.status ?? 503, { "content-type": "text/plain" });
    response.end(`${refusal?.message ?? "S3 or the gate failed: see the gate's log"}\n`);
  }
}

/** The handler of a request; refuses what no route matches exactly. */
function route(
  routes: readonly Route[],
  { method = "", url = "" }: http.IncomingMessage,
): { handler: Handler; groups: Partial<Record<string, string>>; version: string | undefined } {
  const [, path = "", version] =
    /^([^?]*)(?:\?version=((?:[A-Za-z0-9._~!'()*-]|%[0-7][0-9A-F]){1,512}))?$/.exec(url) ?? [];
  for (const [pattern, methods] of routes) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (handler === undefined)
      throw new Refusal(method === "DELETE" || method === "POST" ? 403 : 405, "not here");
    return { handler, groups: match.groups ?? {}, version: version && decodeURIComponent(version) };
  }
  throw new Refusal(404, "there is no such path");
}

function routesOf(gate: RepositoryGate): readonly Route[] {
  const spool = new Spool(Math.max(gate.packBytes, MEMORY_BYTES));
  const { store, kept } = gate;

  const keyOf = (type: string, id: string) =>
    type === "config" ? configKey(kept) : objectKey(kept, type as ObjectType, id);

  /** Sends bytes of a version that restic sees. */
  const send = async ({ request, response, type, id }: Exchange, held: Held): Promise<void> => {
    const range = rangeOf(request);
    if (range !== undefined && range.first >= held.size)
      throw new Refusal(416, "the object has no such byte");
    const found = await store.get(keyOf(type, id), { versionId: held.versionId, ...(range && { range }) });
    if (found === undefined || found === "beyond") throw new Refusal(404, "the version is gone");
    await sendContent(response, found, range);
  };

  const head: Handler = ({ response, type, id }) => {
    const { size } = gate.current().visible(type as ObjectType, id);
    response.writeHead(200, { "content-length": size, "accept-ranges": "bytes" }).end();
    return Promise.resolve();
  };
  const get: Handler = async (exchange) => {
    await send(exchange, gate.current().visible(exchange.type as ObjectType, exchange.id));
  };

  /** The worker reads any version, whether admitted or not. */
  const read: Handler = async ({ request, response, type, id, version }) => {
    gate.current();
    const range = rangeOf(request);
    const found = await store.get(keyOf(type, id), {
      ...(version === undefined ? {} : { versionId: version }),
      ...(range === undefined ? {} : { range }),
    });
    if (found === undefined) throw new Refusal(404, "there is no such version");
    if (found === "beyond") throw new Refusal(416, "the object has no such byte");
    await sendContent(response, found, range);
  };

  /** A document of JSON that the worker sends. */
  const document = async (request: http.IncomingMessage): Promise<unknown> => {
    let content: unknown;
    await spool.receive(request, JSON_BYTES, (body) => {
      try {
        content = JSON.parse(body.toString());
      } catch {
        throw new Refusal(400, "this is no JSON");
      }
      return Promise.resolve();
    });
    if (typeof content !== "object" || content === null) throw new Refusal(400, "this is no object of JSON");
    return content;
  };

  return [
    [/^\/(?<type>config)$/, { GET: get, HEAD: head }],
    [
      new RegExp(`^/${TYPE}/$`),
      {
        GET: async ({ request, response, type, signal }) => {
          const seen = await gate.current().list(type as ObjectType, signal);
          const wantsSizes = request.headers.accept === V2;
          const items = seen.map(({ id, size }) => (wantsSizes ? { name: id, size } : id));
          response.writeHead(200, { "content-type": wantsSizes ? V2 : V1 });
          await pipeline(Readable.from(jsonList(items)), response);
        },
      },
    ],
    [
      new RegExp(`^/${TYPE}/${ID}$`),
      {
        GET: get,
        HEAD: head,
        POST: async ({ request, response, type, id }) => {
          const session = gate.current();
          const limit = session.uploadLimit(type as ObjectType);
          await spool.receive(request, limit, (body) => session.upload(type as ObjectType, id, body));
          response.writeHead(200).end();
        },
        DELETE: async ({ response, type, id }) => {
          await gate.current().hide(type as ObjectType, id);
          response.writeHead(200).end();
        },
      },
    ],
    [
      /^\/keeper\/job$/,
      {
        GET: async ({ response }) => {
          const job = await gate.begin();
          if (job === undefined) response.writeHead(NO_CONTENT).end();
          else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(job));
        },
      },
    ],
    [
      /^\/keeper\/objects$/,
      { GET: (exchange) => sendListing(exchange, gate.current().objects(exchange.signal)) },
    ],
    [
      /^\/keeper\/frozen$/,
      { GET: (exchange) => sendListing(exchange, gate.current().frozen(exchange.signal)) },
    ],
    [new RegExp(`^/keeper/object/(?<type>config)/config$`), { GET: read }],
    [new RegExp(`^/keeper/object/${TYPE}/${ID}$`), { GET: read }],
    [
      /^\/keeper\/admit$/,
      {
        POST: async ({ request, response }) => {
          const { keyId } = (await document(request)) as Partial<Admission>;
          if (typeof keyId !== "string" || !isObjectId(keyId)) throw new Refusal(400, "the keyId is no ID");
          gate.current().admit(keyId);
          response.writeHead(NO_CONTENT).end();
        },
      },
    ],
    [
      /^\/keeper\/abandon$/,
      {
        POST: async ({ response }) => {
          await gate.current().abandon("the worker gave up");
          response.writeHead(NO_CONTENT).end();
        },
      },
    ],
    [
      /^\/keeper\/result$/,
      {
        POST: async ({ request, response }) => {
          await gate.result(await document(request));
          response.writeHead(NO_CONTENT).end();
        },
      },
    ],
    [
      /^\/keeper\/memory$/,
      {
        GET: async ({ response }) => {
          gate.current();
          const content = await contentOf(store, keptKey(kept, "memory"), MEMORY_BYTES);
          if (content === undefined) response.writeHead(NO_CONTENT).end();
          else response.writeHead(200, { "content-type": "application/octet-stream" }).end(content);
        },
        PUT: async ({ request, response }) => {
          gate.current();
          await spool.receive(request, MEMORY_BYTES, (body) => store.put(keptKey(kept, "memory"), body));
          response.writeHead(NO_CONTENT).end();
        },
      },
    ],
  ];
}

/**
 * The bytes that a request asks for; `undefined`: all.
 *
 * @throws Refusal for any but one range with a beginning
 */
export function rangeOf({ headers }: Pick<http.IncomingMessage, "headers">): Range | undefined {
  if (headers.range === undefined) return undefined;
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})?$/.exec(headers.range) ?? [];
  if (first === undefined || (last !== undefined && Number(last) < Number(first))) {
    throw new Refusal(416, "the range is not understood");
  }
  return { first: Number(first), ...(last === undefined ? {} : { last: Number(last) }) };
}

async function sendContent(
  response: http.ServerResponse,
  { body, length, size }: Content,
  range: Range | undefined,
): Promise<void> {
  const partial =
    range === undefined
      ? {}
      : { "content-range": `bytes ${range.first}-${range.first + length - 1}/${size}` };
  response.writeHead(range === undefined ? 200 : 206, {
    "content-type": "application/octet-stream",
    "content-length": length,
    "accept-ranges": "bytes",
    ...partial,
  });
  await pipeline(body, response);
}

/** Sends objects, one in JSON a line. */
async function sendListing({ response }: Exchange, listing: Promise<readonly Seen[]>): Promise<void> {
  const objects = await listing;
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  await pipeline(Readable.from(lines(objects)), response);
}

/** Objects of a listing that are sent at once. */
const BATCH = 500;

function* lines(objects: readonly Seen[]): Generator<string> {
  for (let at = 0; at < objects.length; at += BATCH) {
    yield objects
      .slice(at, at + BATCH)
      .map(({ again, ...object }) => `${JSON.stringify(object)}\n`)
      .join("");
  }
}

function* jsonList(items: readonly unknown[]): Generator<string> {
  yield "[";
  for (let at = 0; at < items.length; at += BATCH) {
    const batch = items.slice(at, at + BATCH).map((item) => JSON.stringify(item));
    yield (at === 0 ? "" : ",") + batch.join(",");
  }
  yield "]";
}
