/**
 * The guard: reads each object of a repository once and finds what restic would not have written, before a prune takes
 * it for the truth. It reports what it finds and changes nothing.
 */
import { createHash } from "node:crypto";
import { readIndex, readKey, readPack, readSnapshot, unpack } from "../format";
import type { Bounds, Claim, Result } from "../job";
import { isObjectId, type StoredObject } from "../objects";
import { messageOf, printable } from "../printable";
import { reportOf } from "../reported";
import { append, claimsDigest, Packs } from "./claims";
import { Findings, nameOf } from "./findings";
import { unlock, type OpenKey } from "./keys";
import { DIGEST_BYTES, type Memory } from "./memory";

export type { OpenKey } from "./keys";
export { Memory } from "./memory";

/** A nonce and a MAC. */
const SEAL_BYTES = 32;
/** The least bytes that restic writes; a pack has a blob, a header with one entry, and the header's length. */
const LEAST_BYTES = {
  keys: 64,
  snapshots: SEAL_BYTES + 2,
  index: SEAL_BYTES + 2,
  data: SEAL_BYTES + (SEAL_BYTES + 37) + 4,
};
type Guarded = keyof typeof LEAST_BYTES;

/** Snapshots whose claims are reported, and the characters of one claim. */
export const MOST_CLAIMS = 5000;
const CLAIM_LENGTH = 255;
/** The digest of what needs none. */
const NO_DIGEST = "\0".repeat(DIGEST_BYTES);

export interface GuardInput {
  /** Objects, listed in the order snapshots, index, data, keys: what an earlier one needs is in the listing, too. */
  readonly objects: readonly StoredObject[];
  /** Reads one version of an object, whole; what it throws ends the guard. */
  readonly read: (object: StoredObject) => Promise<Buffer>;
  /** What is verified; the guard adds to it as it reads, so that an error loses no work. */
  readonly memory: Memory;
  readonly password: string;
  /** The pinned key's ID; absent: this run pins one. */
  readonly keyId?: string;
  /** The key, where an earlier guard of this run has opened it. */
  readonly opened?: OpenKey;
  readonly bounds: Bounds;
  /** Bytes of packs to read; the pack that reaches it is the last. */
  readonly readBytes: number;
  /** New objects above which nothing is read. @default unbounded */
  readonly mostNew?: number;
  /** Ends the reading early, as an exhausted budget does. */
  readonly stop: AbortSignal;
}

/** Without a finding and with `verified`, the listing may be admitted to a prune. */
export interface GuardReport extends Pick<Result, "findings" | "verified" | "readBytes" | "claims"> {
  /** The key that was used; absent after a finding about it, or where nothing was read. */
  readonly opened?: OpenKey;
  /** Objects that were not verified when the guard began. */
  readonly fresh: number;
}

/**
 * Guards one listing.
 *
 * @throws Whatever `read` throws.
 */
export async function guard(input: GuardInput): Promise<GuardReport> {
  const run = new Guard(input);
  const verified = await run.all();
  return {
    ...(run.opened === undefined ? {} : { opened: run.opened }),
    findings: run.findings.all,
    verified,
    readBytes: run.readBytes,
    claims: run.claims,
    fresh: run.fresh,
  };
}

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
/** What the memory keeps of a verified snapshot: the beginning of its tree's ID. */
const treeDigest = (tree: string) => Buffer.from(tree, "hex").toString("latin1", 0, DIGEST_BYTES);

class Guard {
  readonly findings = new Findings();
  readonly claims: Record<string, Claim> = {};
  opened: OpenKey | undefined;
  readBytes = 0;
  fresh = 0;

  readonly #input: GuardInput;
  readonly #objects: Record<Guarded, StoredObject[]> = { keys: [], snapshots: [], index: [], data: [] };
  /** Snapshots that were read, and the digests of their trees. */
  readonly #read = new Map<StoredObject, string>();
  /** Snapshots by the digest of a tree that no index has had yet. */
  readonly #trees = new Map<string, StoredObject[]>();

  constructor(input: GuardInput) {
    this.#input = input;
    this.opened = input.opened;
  }

  /** Whether all is verified. */
  async all(): Promise<boolean> {
    const { objects, memory, bounds, mostNew = Infinity } = this.#input;
    if (objects.length > bounds.objects) {
      const why = `the repository has more objects than the keeper takes, ${bounds.objects} (bounds.objects)`;
      this.findings.add("too-many-objects", [], why);
      return false;
    }
    memory.retain(objects);
    this.fresh = objects.reduce((count, object) => count + (memory.verified(object) ? 0 : 1), 0);
    if (this.fresh > mostNew) {
      return false;
    }
    this.#names();
    await this.#keys();
    if (this.opened === undefined) {
      return false;
    }
    const { key } = this.opened;
    const packs = new Packs(this.#objects.data, memory, this.findings);
    await this.#snapshots(key);
    const indexes = await this.#indexes(key, packs);
    const verified = await this.#packs(key, packs);
    packs.settle();
    // An index is remembered only where all that it claims is verified, and a snapshot only where that shows its tree;
    // until then each run reads them.
    if (verified && this.findings.none) {
      for (const [snapshot, tree] of this.#read) {
        memory.add(snapshot, tree);
      }
      for (const index of indexes) {
        memory.add(index, NO_DIGEST);
      }
    }
    return verified;
  }

  get #stopped(): boolean {
    return this.#input.stop.aborted || this.findings.enough;
  }

  /** Sorts the objects by type and leaves out those that need not be read to be found amiss. */
  #names(): void {
    const { metadataBytes, packBytes } = this.#input.bounds;
    for (const object of this.#input.objects) {
      const { type, id, size } = object;
      if (type === "locks") {
        continue;
      }
      const most = type === "data" ? packBytes : metadataBytes;
      if (!isObjectId(id)) {
        this.findings.add("bad-name", [object], "the name is no SHA-256 in hexadecimal");
      } else if (size < LEAST_BYTES[type]) {
        this.findings.add(
          "too-short",
          [object],
          `${nameOf(object)} has ${size} bytes: restic writes no such object`,
        );
      } else if (size > most) {
        this.findings.add(
          "too-large",
          [object],
          `${nameOf(object)} has ${size} bytes, more than the bound of ${most}`,
        );
      } else {
        this.#objects[type].push(object);
      }
    }
  }

  /** Reads an object and parses it; undefined after a finding. */
  async #parse<T>(
    object: StoredObject,
    parser: (content: Buffer) => T,
    blamed: readonly StoredObject[] = [],
  ): Promise<T | undefined> {
    const content = await this.#input.read(object);
    if (sha256(content) !== object.id) {
      const why = `the SHA-256 of ${nameOf(object)} is not its name`;
      this.findings.add("content-not-name", [object, ...blamed], why);
      return undefined;
    }
    try {
      return parser(content);
    } catch (error) {
      // The parser is given nothing but these bytes: whatever it throws, they are the cause.
      const why = `${nameOf(object)}: ${messageOf(error)}`;
      this.findings.add("malformed", [object, ...blamed], why);
      return undefined;
    }
  }

  async #keys(): Promise<void> {
    const { memory, keyId, password, read } = this.#input;
    for (const object of this.#objects.keys) {
      if (!memory.verified(object) && !this.#stopped && (await this.#parse(object, readKey)) !== undefined) {
        memory.add(object, NO_DIGEST);
      }
    }
    if (this.opened === undefined && !this.#stopped) {
      const sound = this.#objects.keys.filter((object) => memory.verified(object));
      this.opened = await unlock(sound, keyId, password, read, this.findings);
    }
  }

  async #snapshots(key: OpenKey["key"]): Promise<void> {
    const { memory, bounds } = this.#input;
    const known = memory.digests("snapshots");
    // Where every index is read, the trees of all snapshots are looked for: one that had them may be gone.
    const all = this.#objects.index.every((index) => !memory.verified(index));
    let claimed = 0;
    for (const object of this.#objects.snapshots) {
      const remembered = memory.digest(object);
      if (remembered !== undefined && all) {
        append(this.#trees, remembered, object);
      }
      if (remembered !== undefined || this.#stopped) {
        continue;
      }
      const snapshot = await this.#parse(object, (content) =>
        readSnapshot(unpack(key, content, bounds.metadataBytes)),
      );
      if (snapshot === undefined) {
        continue;
      }
      const { time, hostname, tags } = snapshot;
      const report = reportOf(tags);
      const tree = treeDigest(snapshot.tree);
      this.#read.set(object, tree);
      if (all || !known.has(tree)) {
        append(this.#trees, tree, object);
      }
      if (claimed++ < MOST_CLAIMS) {
        this.claims[object.id] = {
          time: printable(time, CLAIM_LENGTH),
          hostname: printable(hostname, CLAIM_LENGTH),
          ...(report === undefined ? {} : { report }),
        };
      }
    }
  }

  /** Reads the indexes that are not verified, and the others where they may be needed; returns the sound ones. */
  async #indexes(key: OpenKey["key"], packs: Packs): Promise<StoredObject[]> {
    const { memory, bounds } = this.#input;
    const read: StoredObject[] = [];
    const verified = this.#objects.index.filter((index) => memory.verified(index));
    const fresh = this.#objects.index.filter((index) => !memory.verified(index));
    for (const object of [...fresh, ...verified]) {
      if (this.#stopped) {
        return read;
      }
      // A new snapshot may show a tree that an old index has.
      if (memory.verified(object) && this.#trees.size === 0) {
        continue;
      }
      const index = await this.#parse(object, (content) =>
        readIndex(unpack(key, content, bounds.metadataBytes)),
      );
      if (index !== undefined) {
        read.push(object);
        packs.claim(object, index);
        for (const { blobs } of index.packs) {
          for (const { type, id } of blobs) {
            if (type === "tree" && this.#trees.size > 0) {
              this.#trees.delete(treeDigest(id));
            }
          }
        }
      }
    }
    for (const [tree, snapshots] of this.#trees) {
      const begins = Buffer.from(tree, "latin1").toString("hex");
      this.findings.add(
        "tree-missing",
        snapshots,
        `no index has the snapshot's tree, which begins ${begins}`,
      );
    }
    return read;
  }

  /** Reads the packs that are not verified, one at a time; whether all are sound. */
  async #packs(key: OpenKey["key"], packs: Packs): Promise<boolean> {
    const { memory, bounds, readBytes } = this.#input;
    let sound = true;
    for (const object of packs.unverified()) {
      if (this.#stopped || this.readBytes >= readBytes) {
        return false;
      }
      this.readBytes += object.size;
      const holds = await this.#parse(
        object,
        (pack) => claimsDigest(readPack(key, object.id, pack, bounds.packBytes)),
        packs.claimants(object),
      );
      if (holds === undefined) {
        sound = false;
      } else {
        memory.add(object, holds);
      }
    }
    return sound && !this.#stopped;
  }
}
