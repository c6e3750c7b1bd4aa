/** A versioned bucket in memory, for tests of the gate. */
import { Readable } from "node:stream";
import type { Content, Held, Range, Store } from "../../keeper/gate/store";
import type { Entry } from "../../s3/history";

interface MemoryVersion {
  readonly versionId: string;
  readonly modified: number;
  /** Absent: a delete marker. */
  readonly body?: Buffer;
  readonly by?: string | undefined;
}

export class MemoryStore implements Store {
  /** By key, oldest first. */
  readonly keys = new Map<string, MemoryVersion[]>();
  /** What was changed and looked for, as `put KEY`, `hide KEY`, `head KEY`, `get KEY` and `versions PREFIX`. */
  readonly calls: string[] = [];
  /** Who puts and hides; @default the service does not report it */
  identity: string | undefined;
  /** Runs before each call; may throw in its place. */
  before: (call: string) => Promise<void> | void = () => undefined;
  private count = 0;

  /** Another store with the same content. */
  copy(): MemoryStore {
    const copy = new MemoryStore();
    for (const [key, versions] of this.keys) copy.keys.set(key, versions);
    copy.count = this.count;
    return copy;
  }

  /** Adds a version at a time, in milliseconds since 1970; returns it. */
  add(key: string, body: Buffer | undefined, modified = Date.now(), by = this.identity): string {
    const versionId = `v${(this.count += 1)}`;
    this.keys.set(key, [...(this.keys.get(key) ?? []), { versionId, modified, by, ...(body && { body }) }]);
    return versionId;
  }

  /** The content that a read without a version returns. */
  shown(key: string): Buffer | undefined {
    return this.keys.get(key)?.at(-1)?.body;
  }

  /** The keys that are not hidden. */
  shownKeys(prefix: string): string[] {
    return [...this.keys.keys()]
      .filter((key) => key.startsWith(prefix) && this.shown(key) !== undefined)
      .sort();
  }

  protected async called(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }

  async *versions(prefix: string): AsyncGenerator<Entry[]> {
    await this.called(`versions ${prefix}`);
    for (const key of [...this.keys.keys()].filter((one) => one.startsWith(prefix)).sort()) {
      const versions = this.keys.get(key) ?? [];
      yield versions.toReversed().map(({ versionId, modified, body, by }, at) => ({
        key,
        versionId,
        marker: body === undefined,
        latest: at === 0,
        modified,
        size: body?.length ?? 0,
        etag: "",
        ...(by === undefined ? {} : { by }),
      }));
    }
  }

  async head(key: string): Promise<Held | undefined> {
    await this.called(`head ${key}`);
    const last = this.keys.get(key)?.at(-1);
    return last?.body && { versionId: last.versionId, size: last.body.length };
  }

  async get(
    key: string,
    { versionId, range }: { readonly versionId?: string; readonly range?: Range } = {},
  ): Promise<Content | "beyond" | undefined> {
    await this.called(`get ${key}`);
    const versions = this.keys.get(key) ?? [];
    const found =
      versionId === undefined ? versions.at(-1) : versions.find((one) => one.versionId === versionId);
    if (found?.body === undefined) return undefined;
    const { first, last } = { first: 0, last: found.body.length - 1, ...range };
    if (range !== undefined && first >= found.body.length) return "beyond";
    const body = found.body.subarray(first, last + 1);
    return { body: Readable.from([body]), length: body.length, size: found.body.length };
  }

  async put(key: string, body: Buffer): Promise<string> {
    await this.called(`put ${key}`);
    return this.add(key, body);
  }

  async hide(key: string): Promise<void> {
    await this.called(`hide ${key}`);
    this.add(key, undefined);
  }
}
