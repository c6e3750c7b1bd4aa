/** The worker's side of what it and the gate say to each other, over the repository's socket. */
import { request, type IncomingMessage } from "node:http";
import type { Admission, Job, Result } from "../job";
import type { StoredObject } from "../objects";
import { printable } from "../printable";

/** The gate did not do what it was asked: S3 or the gate is away, or the session has ended. */
export class GateError extends Error {
  override readonly name = "GateError";
}

/** Bytes of a document of JSON, and of the reason of a refusal. */
const DOCUMENT_BYTES = 16 * 1024 * 1024;
const REASON_BYTES = 4096;
/** Bytes of one object's line in a listing; a name in S3 has at most 1,024. */
const LINE_BYTES = 16 * 1024;
const NEWLINE = 0x0a;
/** Bytes of the guard's memory. */
const MEMORY_BYTES = 64 * 1024 * 1024;

/** The gate of one repository. */
export class Gate {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Begins a session; undefined where nothing is due. */
  async job(): Promise<Job | undefined> {
    const body = await this.#bytes("GET", "job", DOCUMENT_BYTES);
    return body === undefined ? undefined : (JSON.parse(body.toString()) as Job);
  }

  /** Lists the repository; at most `most` objects and one. */
  async objects(most: number): Promise<StoredObject[]> {
    return listing(await this.#send("GET", "objects"), most);
  }

  /** The listing that restic waits for once it holds its lock. */
  async frozen(most: number, signal: AbortSignal): Promise<StoredObject[]> {
    return listing(await this.#send("GET", "frozen", undefined, signal), most);
  }

  /** Reads one version of an object. */
  async read({ type, id, size, versionId }: StoredObject): Promise<Buffer> {
    const path = `object/${type}/${encodeURIComponent(id)}?version=${encodeURIComponent(versionId)}`;
    const body = await this.#bytes("GET", path, size);
    if (body?.length !== size) {
      throw new GateError(`an object of type ${type} has other than the ${size} bytes that were listed`);
    }
    return body;
  }

  memory(): Promise<Buffer | undefined> {
    return this.#bytes("GET", "memory", MEMORY_BYTES);
  }

  async keep(memory: Buffer): Promise<void> {
    await this.#bytes("PUT", "memory", DOCUMENT_BYTES, memory);
  }

  async admit(admission: Admission): Promise<void> {
    await this.#bytes("POST", "admit", DOCUMENT_BYTES, Buffer.from(JSON.stringify(admission)));
  }

  async abandon(): Promise<void> {
    await this.#bytes("POST", "abandon", DOCUMENT_BYTES);
  }

  async result(result: Result): Promise<void> {
    await this.#bytes("POST", "result", DOCUMENT_BYTES, Buffer.from(JSON.stringify(result)));
  }

  /** The body of an answer; undefined where there is none. */
  async #bytes(method: string, path: string, most: number, body?: Buffer): Promise<Buffer | undefined> {
    const answer = await this.#send(method, path, body);
    const content = await collect(answer, most);
    return answer.statusCode === 204 ? undefined : content;
  }

  /**
   * Each request has a connection of its own: while a pack is hashed nothing notices that the gate closed an idle one.
   *
   * @throws GateError where the answer is not 2xx.
   */
  async #send(method: string, path: string, body?: Buffer, signal?: AbortSignal): Promise<IncomingMessage> {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ socketPath: this.#socket, agent: false, method, path: `/keeper/${path}`, signal }, resolve)
        .on("error", (error) => {
          reject(new GateError(`${method} ${path}: ${error.message}`, { cause: error }));
        })
        .end(body);
    });
    const status = answer.statusCode ?? 0;
    if (status < 200 || status > 299) {
      const reason = (await collect(answer, REASON_BYTES)).toString();
      throw new GateError(
        `${method} ${path}: the gate answers ${status}: ${printable(reason, REASON_BYTES)}`,
      );
    }
    return answer;
  }
}

/** What was received, bounded. */
async function collect(answer: IncomingMessage, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) {
      answer.destroy();
      throw new GateError(`the gate's answer has more than ${most} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The objects of a listing, one a line; at most `most` and one. */
async function listing(answer: IncomingMessage, most: number): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  let rest = Buffer.alloc(0);
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      objects.push(JSON.parse(bytes.toString("utf8", from, end)) as StoredObject);
      from = end + 1;
      if (objects.length > most) {
        answer.destroy();
        return objects;
      }
    }
    rest = bytes.subarray(from);
    if (rest.length > LINE_BYTES) {
      break;
    }
  }
  if (rest.length > 0) {
    throw new GateError("the gate's listing does not end with a whole line");
  }
  return objects;
}
