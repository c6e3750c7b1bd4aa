/**
 * What the guard remembers of a repository between two runs: which version of which object it has verified, 65 bytes an
 * object. It is kept where only the keeper can write, so it needs no proof of its own.
 */
import { createHash } from "node:crypto";
import type { StoredObject } from "../objects";

/** First bytes of a memory; others mean that nothing is remembered. */
const MAGIC = Buffer.from("keeper memory 1\n");
/** The types of objects that are remembered; the place of a type is how it is written down. */
const TYPES = ["keys", "snapshots", "index", "data"] as const;
type Remembered = (typeof TYPES)[number];

const ID_BYTES = 32;
/** S3 makes up version IDs, so an attacker cannot search for two that agree in these bytes. */
const VERSION_BYTES = 8;
/** Bytes of SHA-256 that are kept of what an object says; finding two that agree takes 2^96 attempts. */
export const DIGEST_BYTES = 24;
const RECORD_BYTES = 1 + ID_BYTES + VERSION_BYTES + DIGEST_BYTES;

const versionOf = ({ versionId }: StoredObject) =>
  createHash("sha256").update(versionId).digest().toString("latin1", 0, VERSION_BYTES);

const nothing = (): Record<Remembered, Map<string, string>> => ({
  keys: new Map(),
  snapshots: new Map(),
  index: new Map(),
  data: new Map(),
});

/**
 * The objects that are verified. Values are strings of bytes ("latin1"), version and digest: a tenth of what a million
 * buffers would take.
 */
export class Memory {
  #known = nothing();
  #changed = false;

  /** Reads what `serialize` wrote; from anything else, a memory of nothing: all is verified once more. */
  static parse(bytes: Buffer | undefined): Memory {
    const memory = new Memory();
    const wellFormed =
      bytes?.subarray(0, MAGIC.length).equals(MAGIC) === true &&
      (bytes.length - MAGIC.length) % RECORD_BYTES === 0;
    for (let at = MAGIC.length; wellFormed && at < bytes.length; at += RECORD_BYTES) {
      const type = TYPES[bytes.readUInt8(at)];
      if (type === undefined) {
        return new Memory();
      }
      const said = at + 1 + ID_BYTES;
      memory.#known[type].set(
        bytes.toString("hex", at + 1, said),
        bytes.toString("latin1", said, at + RECORD_BYTES),
      );
    }
    return memory;
  }

  serialize(): Buffer {
    const count = TYPES.reduce((sum, type) => sum + this.#known[type].size, 0);
    const bytes = Buffer.alloc(MAGIC.length + count * RECORD_BYTES);
    let at = MAGIC.copy(bytes);
    for (const [number, type] of TYPES.entries()) {
      for (const [id, said] of this.#known[type]) {
        bytes.writeUInt8(number, at);
        bytes.write(id, at + 1, "hex");
        bytes.write(said, at + 1 + ID_BYTES, "latin1");
        at += RECORD_BYTES;
      }
    }
    this.#changed = false;
    return bytes;
  }

  /** Whether it differs from what was last read or written. */
  get changed(): boolean {
    return this.#changed;
  }

  /**
   * Forgets all but the versions of these objects; from then on `verified` may be asked about them alone. Where a pack
   * or an index is gone, all indexes are forgotten, too: what they claim, or a snapshot needs of them, may hold no more.
   */
  retain(objects: readonly StoredObject[]): void {
    const before = this.#known;
    this.#known = nothing();
    for (const object of objects) {
      const said = object.type === "locks" ? undefined : before[object.type].get(object.id);
      if (object.type !== "locks" && said?.startsWith(versionOf(object)) === true) {
        this.#known[object.type].set(object.id, said);
      }
    }
    if (this.#known.data.size < before.data.size || this.#known.index.size < before.index.size) {
      this.#known.index.clear();
    }
    this.#changed ||= TYPES.some((type) => this.#known[type].size < before[type].size);
  }

  /** Whether this version of an object is verified. */
  verified(object: StoredObject): boolean {
    return this.digest(object) !== undefined;
  }

  /** The digest that was remembered with a verified object. */
  digest({ type, id }: Pick<StoredObject, "type" | "id">): string | undefined {
    return type === "locks" ? undefined : this.#known[type].get(id)?.slice(VERSION_BYTES);
  }

  /** The digests of all verified objects of a type. */
  digests(type: Remembered): Set<string> {
    return new Set([...this.#known[type].values()].map((said) => said.slice(VERSION_BYTES)));
  }

  /** Remembers that an object is verified, and the digest of what it says. */
  add(object: StoredObject, digest: string): void {
    if (object.type !== "locks") {
      this.#known[object.type].set(object.id, versionOf(object) + digest);
      this.#changed = true;
    }
  }
}
