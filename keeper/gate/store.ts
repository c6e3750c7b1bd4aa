/** What the gate does in the bucket: it lists, reads, puts and hides, and nothing else. */
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf } from "../../s3/answers";
import { type BucketAddress, explained } from "../../s3/client";
import type { Entry } from "../../s3/history";
import { NULL_VERSION } from "../../s3/services";
import { versionPages } from "../../s3/versions";

/** A version of an object. */
export interface Held {
  readonly versionId: string;
  /** Bytes. */
  readonly size: number;
}

/** Bytes of an object, the last one included. */
export interface Range {
  readonly first: number;
  /** @default the object's last */
  readonly last?: number;
}

/** What a read returns. */
export interface Content {
  readonly body: Readable;
  /** Bytes of the body. */
  readonly length: number;
  /** Bytes of the whole object. */
  readonly size: number;
}

/** The bucket. Every call throws where the service fails or refuses, in words that name the call and its key. */
export interface Store {
  /** All versions and markers below a prefix, in the order of their keys. */
  versions(prefix: string): AsyncIterable<readonly Entry[]>;
  /** The current version; `undefined`: there is none, or it is hidden. */
  head(key: string): Promise<Held | undefined>;
  /**
   * @param at the version and the bytes. @default all of the current version
   * @returns `undefined`: there is none; `beyond`: it has no such byte
   */
  get(
    key: string,
    at?: { readonly versionId?: string; readonly range?: Range },
  ): Promise<Content | "beyond" | undefined>;
  /** @returns the new version */
  put(key: string, body: Buffer): Promise<string>;
  /** Puts a delete marker. */
  hide(key: string): Promise<void>;
}

/** The bucket of an S3 service. */
export class S3Store implements Store {
  constructor(
    protected readonly s3: S3,
    protected readonly address: BucketAddress,
  ) {}

  versions(prefix: string): AsyncIterable<readonly Entry[]> {
    return versionPages(this.s3, this.address, prefix);
  }

  async head(key: string): Promise<Held | undefined> {
    const found = await explained(this.address, `look for ${key}`, () =>
      absent(this.s3.headObject({ Bucket: this.address.bucket, Key: key })),
    );
    return found && { versionId: found.VersionId ?? NULL_VERSION, size: found.ContentLength ?? 0 };
  }

  async get(
    key: string,
    at: { readonly versionId?: string; readonly range?: Range } = {},
  ): Promise<Content | "beyond" | undefined> {
    const { versionId, range } = at;
    const call = {
      Bucket: this.address.bucket,
      Key: key,
      ...(versionId === undefined ? {} : { VersionId: versionId }),
      ...(range === undefined ? {} : { Range: `bytes=${range.first}-${range.last ?? ""}` }),
    };
    const found = await explained(this.address, `read ${key}`, () =>
      absent(this.s3.getObject(call)).catch(beyond),
    );
    if (found === undefined || found === "beyond") return found;
    const length = found.ContentLength ?? 0;
    const size = /^bytes \d+-\d+\/(\d+)$/.exec(found.ContentRange ?? "")?.[1];
    return { body: found.Body as Readable, length, size: size === undefined ? length : Number(size) };
  }

  async put(key: string, body: Buffer): Promise<string> {
    const { VersionId } = await explained(this.address, `put ${key}`, () =>
      this.s3.putObject({
        Bucket: this.address.bucket,
        Key: key,
        Body: body,
        ContentLength: body.length,
        ContentType: "application/octet-stream",
        ContentMD5: createHash("md5").update(body).digest("base64"),
      }),
    );
    return VersionId ?? NULL_VERSION;
  }

  async hide(key: string): Promise<void> {
    await explained(this.address, `hide ${key}`, () =>
      this.s3.deleteObject({ Bucket: this.address.bucket, Key: key }),
    );
  }
}

/** The answer to a call; `undefined` where the object does not exist. */
async function absent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (answerOf(error).status === 404) return undefined;
    throw error;
  }
}

/** The answer to a range that begins after the object's last byte. */
function beyond(error: unknown): "beyond" {
  if (answerOf(error).status === 416) return "beyond";
  throw error;
}

/** An object is longer than it may be. */
export class TooLong extends Error {}

/**
 * The whole content of an object.
 *
 * @param limit most bytes
 * @throws TooLong
 */
export async function contentOf(
  store: Pick<Store, "get">,
  key: string,
  limit: number,
): Promise<Buffer | undefined> {
  const found = await store.get(key);
  if (found === undefined || found === "beyond") return undefined;
  if (found.length > limit) {
    found.body.destroy();
    throw new TooLong(`${key} has ${found.length} bytes, more than ${limit}`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of found.body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
