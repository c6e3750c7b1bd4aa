/** Bodies of requests, in memory until they are whole: what is put into S3 was hashed before. */
import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal";

/** Bounds the bytes of bodies that are in memory at once; others wait for their turn. */
export class Spool {
  private free: number;
  private waiting: { bytes: number; resume: () => void }[] = [];

  /** @param capacity bytes, of which one body may take all */
  constructor(capacity: number) {
    this.free = capacity;
  }

  /**
   * Reads the body of a request and hands it on.
   *
   * @param limit most bytes
   * @throws Refusal where its length is not given or above the limit
   */
  async receive(
    request: IncomingMessage,
    limit: number,
    use: (body: Buffer) => Promise<unknown>,
  ): Promise<void> {
    const { "content-length": given = "" } = request.headers;
    if (!/^\d{1,15}$/.test(given)) throw new Refusal(411, "the content's length is missing");
    const length = Number(given);
    if (length > limit) throw new Refusal(413, `the content has more than ${limit} bytes`);
    await this.take(length);
    try {
      const body = Buffer.allocUnsafe(length);
      let at = 0;
      for await (const chunk of request as AsyncIterable<Buffer>) at += chunk.copy(body, at);
      if (at < length) throw new Refusal(400, "the content is not whole");
      await use(body);
    } finally {
      this.free += length;
      this.admit();
    }
  }

  private async take(bytes: number): Promise<void> {
    await new Promise<void>((resume) => {
      this.waiting.push({ bytes, resume });
      this.admit();
    });
  }

  /** In the order in which they came. */
  private admit(): void {
    for (let next = this.waiting[0]; next !== undefined && next.bytes <= this.free; next = this.waiting[0]) {
      this.waiting.shift();
      this.free -= next.bytes;
      next.resume();
    }
  }
}
