/** What indexes claim of packs, judged by what the packs hold. */
import { createHash } from "node:crypto";
import { packSize, type Blob, type IndexFile } from "../format";
import type { StoredObject } from "../objects";
import type { Findings } from "./findings";
import { DIGEST_BYTES, type Memory } from "./memory";

/** What an index or a pack's own header says of the blobs in a pack, as bytes in a string. */
export function claimsDigest(blobs: readonly Blob[]): string {
  const hash = createHash("sha256");
  for (const { type, id, offset, length, uncompressedLength } of blobs.toSorted(
    (a, b) => a.offset - b.offset,
  )) {
    hash.update(`${type} ${id} ${offset} ${length} ${uncompressedLength ?? "-"}\n`);
  }
  return hash.digest().toString("latin1", 0, DIGEST_BYTES);
}

/** Adds to the list of a key. */
export function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) {
    lists.set(key, [value]);
  } else {
    list.push(value);
  }
}

/** Claims about one pack that differ; two are a finding already. */
const MOST_RIVALS = 16;

/** What an index claims of a pack. */
interface Claim {
  readonly digest: string;
  readonly by: StoredObject;
}

/** The packs of a repository and the claims about them. */
export class Packs {
  readonly #packs = new Map<string, StoredObject>();
  /** Claims that differ from each other, about packs that were not verified when they were made. */
  readonly #claims = new Map<string, Claim[]>();
  readonly #memory: Memory;
  readonly #findings: Findings;

  constructor(packs: readonly StoredObject[], memory: Memory, findings: Findings) {
    this.#memory = memory;
    this.#findings = findings;
    for (const object of packs) {
      this.#packs.set(object.id, object);
    }
  }

  /** Judges what an index claims; claims about packs that are not verified yet wait for `settle`. */
  claim(by: StoredObject, { packs }: IndexFile): void {
    const missing: string[] = [];
    const unfit: string[] = [];
    const untrue: string[] = [];
    for (const { id, blobs } of packs) {
      const pack = this.#packs.get(id);
      if (pack === undefined) {
        missing.push(id);
      } else if (packSize(blobs) !== pack.size) {
        unfit.push(id);
      } else {
        const digest = claimsDigest(blobs);
        const holds = this.#memory.digest(pack);
        if (holds === undefined) {
          const claims = this.#claims.get(pack.id);
          if (claims === undefined) {
            this.#claims.set(pack.id, [{ digest, by }]);
          } else if (claims.length < MOST_RIVALS && !claims.some((claim) => claim.digest === digest)) {
            claims.push({ digest, by });
          }
        } else if (holds !== digest) {
          untrue.push(id);
        }
      }
    }
    this.#report("claims-missing-pack", by, missing, "that do not exist");
    this.#report("claims-other-size", by, unfit, "whose sizes do not fit what it claims");
    this.#report("claims-changed", by, untrue, "that were verified, but hold other blobs");
  }

  #report(kind: string, index: StoredObject, packs: readonly string[], what: string): void {
    if (packs[0] !== undefined) {
      this.#findings.add(
        kind,
        [index],
        `the index claims packs ${what}: ${packs.length}, one is data/${packs[0]}`,
      );
    }
  }

  /** The packs that are not verified, oldest arrival first. */
  unverified(): StoredObject[] {
    const objects = [];
    for (const object of this.#packs.values()) {
      if (!this.#memory.verified(object)) {
        objects.push(object);
      }
    }
    return objects.sort((a, b) => a.arrived - b.arrived);
  }

  /** The indexes that claim something of a pack that was not verified when they were read. */
  claimants({ id }: StoredObject): StoredObject[] {
    return (this.#claims.get(id) ?? []).map(({ by }) => by);
  }

  /** Compares claims with what the packs turned out to hold, and with each other where a pack was not read. */
  settle(): void {
    const untrue = new Map<StoredObject, string[]>();
    for (const [id, claims] of this.#claims) {
      const holds = this.#memory.digest({ type: "data", id });
      if (holds === undefined && claims.length > 1) {
        const by = claims.map((claim) => claim.by);
        const why = `the indexes claim different blobs of data/${id}, which is not verified`;
        this.#findings.add("claims-disagree", by, why);
      }
      for (const { digest, by } of claims) {
        if (holds !== undefined && digest !== holds) {
          append(untrue, by, id);
        }
      }
    }
    for (const [index, packs] of untrue) {
      this.#report("claims-false", index, packs, "that hold other blobs");
    }
  }
}
