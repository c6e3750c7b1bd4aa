/**
 * One run of a worker over a repository: what restic sees of it and may change. A session has a view, the listing that
 * was admitted last, and behind restic's lock a barrier: restic's first listing after it has its lock is held until a
 * listing that began after that was admitted, and only then may anything be deleted.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Job } from "../job";
import { isObjectId, type ObjectType } from "../objects";
import { GroupCommit, type JournalEntry, locksPut, readJournal, writeRecord } from "./journal";
import { objectKey, ownerKey, typeFolder, type RepositoryName } from "./names";
import { Refusal } from "./refusal";
import type { Held, Store } from "./store";
import { labelOf, LISTED, listType, type RepositoryView, type Seen, sortLocks, TooMany } from "./view";

/** A lock that arrived before so long counts no more, in milliseconds; restic renews a lock every five minutes. */
export const LOCK_MAX_AGE = 24 * 3_600_000;

/** Nor does restic itself count one that was not renewed for so long. */
const LOCK_STALE = 30 * 60_000;

/** Minutes within which a program that works on the repository has put a lock. */
export const LOCK_MINUTES = 10;

/** How long a session lasts at most, in milliseconds: shorter than a lock. */
export const RUN_MAX = 12 * 3_600_000;

/** Locks of a repository that are listed, versions of them aside. */
const MOST_LOCKS = 25_000;

/** Locks that are hidden at once: an attacker can put any number. */
const MOST_CLEARED = 100;

/** Entries of a group of the journal. */
const MOST_GROUP = 100;

/** Bytes of a lock that restic puts. */
const LOCK_BYTES = 64 * 1024;

/** What a session needs of the gate. */
export interface SessionContext {
  readonly store: Store;
  readonly name: RepositoryName;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: (event: string) => void;
  /** The keys of the locks that sessions of this gate put, also of those that are removed again. */
  readonly ownLocks: Set<string>;
  /**
   * Lists the repository.
   *
   * @throws Refusal where an object was put again that nobody judged: the run ends
   */
  readonly list: () => Promise<RepositoryView>;
}

/** Between restic's lock and the admission of what was listed under it. */
interface Barrier {
  /** Whether restic waits for a listing. */
  asked: boolean;
  /** Whether a listing that began after that was admitted. */
  open: boolean;
}

/** What restic sees of an object. */
export interface Visible extends Held {
  readonly id: string;
}

export class Session {
  /** A random name, for the journal and the log. */
  readonly run = randomBytes(8).toString("hex");
  private readonly until: number;
  private readonly timer: NodeJS.Timeout;
  private refusesAll: string | undefined;
  private ending: Promise<void> | undefined;
  /** By type and ID. A repository may have a million objects, so it holds the listing's own objects and strings. */
  private admitted = new Map<ObjectType, Map<string, Held>>();
  /** What this session put, by `TYPE/ID`; before S3 has answered there is no version yet. */
  private readonly own = new Map<string, Held & { readonly pending: boolean }>();
  /** What this session may have put though S3's answer was none or an error, by `TYPE/ID`. */
  private readonly tried = new Set<string>();
  private locks = new Map<string, Held>();
  /** The type of what was to be hidden when it was last made sure that nobody else works on the repository. */
  private hiding: ObjectType | undefined;
  private listing: { view: RepositoryView; under: Barrier | undefined } | undefined;
  private listings = 0;
  private barrier: Barrier | undefined;
  private readonly working = new Set<Promise<unknown>>();
  private waiting: (() => void)[] = [];
  private readonly journal: GroupCommit<JournalEntry>;

  /**
   * @param runMax milliseconds after which everything is refused
   * @param lockMinutes while somebody else has put a lock within them, nothing is pruned
   */
  constructor(
    private readonly context: SessionContext,
    readonly job: Job,
    private readonly config: Held | undefined,
    runMax: number,
    private readonly lockMinutes: number,
  ) {
    this.until = context.now() + runMax;
    this.timer = setTimeout(() => void this.abandon("the run took longer than it may"), runMax);
    this.timer.unref();
    this.journal = new GroupCommit((group) => this.record(group), MOST_GROUP);
  }

  // ---- what the worker asks for

  /** Lists the repository anew, for {@link admit}. */
  async objects(signal: AbortSignal): Promise<readonly Seen[]> {
    this.check();
    const under = this.barrier?.asked === true ? this.barrier : undefined;
    const turn = (this.listings += 1);
    let view: RepositoryView;
    try {
      view = await this.context.list();
      // After the listing: a pack that is in it came after the lock of the backup that put it.
      if (under !== undefined) await this.refuseOthers();
    } catch (error) {
      if (error instanceof Refusal) void this.abandon(error.message);
      throw error;
    }
    this.check();
    // A listing that the worker did not get must not be what it admits.
    if (signal.aborted || turn !== this.listings) throw new Refusal(409, "another listing was asked for");
    this.listing = { view, under };
    return view.objects;
  }

  /** The same, once restic has its lock and waits for its first listing. */
  async frozen(signal: AbortSignal): Promise<readonly Seen[]> {
    await this.waitFor(() => this.barrier?.asked === true && !this.barrier.open, signal);
    return await this.objects(signal);
  }

  /** Lets restic see the last listing, and this key of its keys. */
  admit(keyId: string): void {
    this.check();
    const { listing } = this;
    if (listing === undefined) throw new Refusal(409, "nothing was listed");
    const admitted = new Map(LISTED.map((type) => [type as ObjectType, new Map<string, Held>()]));
    for (const object of listing.view.objects) {
      const { type, id } = object;
      if (isObjectId(id) && (type !== "keys" || id === keyId)) admitted.get(type)?.set(id, object);
    }
    if (admitted.get("keys")?.has(keyId) !== true) throw new Refusal(409, "the listing has no such key");
    this.admitted = admitted;
    this.listing = undefined;
    if (this.barrier !== undefined && listing.under === this.barrier) {
      this.barrier.open = true;
      this.notify();
    }
  }

  /** Refuses everything from now on, waits for what is going on, and hides this session's locks. */
  abandon(why: string): Promise<void> {
    return (this.ending ??= this.close(why));
  }

  private async close(why: string): Promise<void> {
    this.refusesAll = why;
    clearTimeout(this.timer);
    this.context.log(`run ${this.run}: no more requests are taken: ${why}`);
    this.notify();
    while (this.working.size > 0) await Promise.allSettled([...this.working]);
    this.admitted.clear();
    this.listing = undefined;
    try {
      const locks = [...this.own.keys(), ...this.tried].filter((label) => label.startsWith("locks/"));
      await this.clearShown(locks.map((label) => label.slice("locks/".length)));
    } catch (error) {
      this.context.log(`run ${this.run}: its locks stay: ${String(error)}`);
    }
  }

  // ---- what restic asks for

  /** The objects of a type that restic sees. */
  async list(type: ObjectType, signal: AbortSignal): Promise<readonly Visible[]> {
    this.check();
    if (type === "locks") return await this.liveLocks();
    const { barrier } = this;
    if (type !== "keys" && barrier !== undefined) {
      if (!barrier.asked) {
        barrier.asked = true;
        this.notify();
      }
      await this.waitFor(() => barrier.open || this.barrier !== barrier, signal);
    }
    const seen = [...(this.admitted.get(type) ?? [])].map(([id, { versionId, size }]) => ({
      id,
      versionId,
      size,
    }));
    for (const [label, { versionId, size, pending }] of this.own) {
      if (label.startsWith(`${type}/`) && !pending) {
        seen.push({ id: label.slice(type.length + 1), versionId, size });
      }
    }
    return seen;
  }

  /** The version of an object that restic sees. */
  visible(type: ObjectType | "config", id: string): Held {
    this.check();
    const label = `${type}/${id}`;
    const own = this.own.get(label);
    const held =
      type === "config"
        ? this.config
        : own?.pending === false
          ? own
          : type === "locks"
            ? this.locks.get(id)
            : this.admitted.get(type)?.get(id);
    if (held === undefined) throw new Refusal(404, "there is no such object");
    return held;
  }

  /** Most bytes of an object that restic may put; refuses what it may not. */
  uploadLimit(type: ObjectType): number {
    this.check();
    const { actions, bounds } = this.job;
    if (type === "locks" && (actions.includes("forget") || actions.includes("prune"))) return LOCK_BYTES;
    if (type === "index" || type === "data") {
      if (actions.includes("prune") && this.barrier?.open === true) {
        return type === "data" ? bounds.packBytes : bounds.metadataBytes;
      }
    }
    throw new Refusal(403, `no run may put this into ${type}/ now`);
  }

  /** Puts an object that restic wrote. */
  async upload(type: ObjectType, id: string, body: Buffer): Promise<void> {
    this.uploadLimit(type);
    if (createHash("sha256").update(body).digest("hex") !== id) {
      throw new Refusal(400, "the content's SHA-256 is not the object's name");
    }
    await this.work(async () => {
      const label = labelOf({ type, id });
      const known = this.own.get(label);
      // restic repeats an upload whose answer it did not get.
      if (known?.pending === false) return;
      if (known !== undefined) throw new Refusal(409, "this upload is going on");
      this.own.set(label, { versionId: "", size: body.length, pending: true });
      try {
        const versionId = await this.put(type, id, body);
        this.own.set(label, { versionId, size: body.length, pending: false });
      } catch (error) {
        this.own.delete(label);
        this.closeUnlocked();
        throw error;
      }
      if (type === "locks") this.barrier ??= { asked: false, open: false };
    });
  }

  /** Puts an object of which there is no other version; returns the version. */
  private async put(type: ObjectType, id: string, body: Buffer): Promise<string> {
    const { store, name } = this.context;
    const label = labelOf({ type, id });
    const key = objectKey(name, type, id);
    const current = await store.head(key);
    if (current !== undefined) {
      // An upload that S3 took, though its answer got lost, is this session's: it was not there before.
      if (!this.tried.has(label)) throw new Refusal(403, "an object of this name exists");
      return current.versionId;
    }
    await this.journal.submit({
      key,
      action: "put",
      size: body.length,
      why: type === "locks" ? "lock" : "prune",
    });
    this.tried.add(label);
    if (type === "locks") this.context.ownLocks.add(key);
    const versionId = await store.put(key, body);
    this.tried.delete(label);
    return versionId;
  }

  /** Without a lock of restic's nothing may be deleted. */
  private closeUnlocked(): void {
    if ([...this.own.keys()].some((label) => label.startsWith("locks/"))) return;
    this.barrier = undefined;
    this.notify();
  }

  /** Hides an object that restic deletes. */
  async hide(type: ObjectType, id: string): Promise<void> {
    this.check();
    const label = labelOf({ type, id });
    const own = this.own.get(label);
    const held =
      own?.pending === false ? own : type === "locks" ? undefined : this.admitted.get(type)?.get(id);
    const { actions, forget } = this.job;
    const may =
      type === "locks"
        ? held !== undefined
        : this.barrier?.open === true &&
          (type === "snapshots"
            ? actions.includes("forget") && forget.includes(id)
            : (type === "index" || type === "data") && actions.includes("prune"));
    if (!may) throw new Refusal(403, `this run may not delete ${type}/${id}`);
    if (held === undefined) throw new Refusal(404, "there is no such object");
    await this.work(async () => {
      const key = objectKey(this.context.name, type, id);
      const current = await this.context.store.head(key);
      if (current !== undefined && current.versionId !== held.versionId) {
        const why = `${label} was put again after it was admitted`;
        void this.abandon(why);
        throw new Refusal(409, why);
      }
      if (current !== undefined) {
        const why = type === "locks" ? "lock" : type === "snapshots" ? "forget" : "prune";
        const { versionId, size } = held;
        await this.journal.submit({ key, action: "hide", versionId, size, why });
        await this.context.store.hide(key);
      }
      this.admitted.get(type)?.delete(id);
      this.own.delete(label);
      this.tried.delete(label);
      this.closeUnlocked();
    });
  }

  // ---- locks

  /** Lists the locks that count, and hides those that are too old where this run forgets or prunes. */
  private async liveLocks(): Promise<readonly Visible[]> {
    const { store, name, now } = this.context;
    let shown: Seen[];
    try {
      shown = await listType(store, name, "locks", MOST_LOCKS);
    } catch (error) {
      throw error instanceof TooMany ? new Refusal(403, error.message) : error;
    }
    const { live, expired } = sortLocks(shown, now() - LOCK_MAX_AGE);
    this.locks = new Map(live.map((lock) => [lock.id, lock]));
    if (this.job.actions.some((action) => action === "forget" || action === "prune")) {
      await this.work(() => this.clear(expired));
    }
    return live;
  }

  /**
   * Hides the locks that a gate put which then ended without hiding them: they stand in the journal. One that still runs
   * (a second keeper by mistake) renews its lock long before it is stale.
   */
  async clearStale(): Promise<void> {
    const { store, name, now, log } = this.context;
    try {
      const shown = await listType(store, name, "locks", MOST_LOCKS);
      const stale = sortLocks(shown, now() - LOCK_STALE).expired;
      if (stale.length === 0) return;
      const own = new Set(locksPut(await readJournal(store, name, [now() - LOCK_MAX_AGE, now()])));
      await this.clear(stale.filter(({ id }) => own.has(objectKey(name, "locks", id))));
    } catch (error) {
      // restic says that the repository is locked; what needs no lock goes on.
      log(`run ${this.run}: locks of an ended run stay: ${String(error)}`);
    }
  }

  /** Hides those of this session's locks that are shown; under a hold too, for what put it waits for them to go. */
  private async clearShown(ids: readonly string[]): Promise<void> {
    const { store, name } = this.context;
    const locks: Visible[] = [];
    for (const id of ids) {
      const held = await store.head(objectKey(name, "locks", id));
      if (held !== undefined) locks.push({ id, ...held });
    }
    if (locks.length > 0) await this.hideLocks(locks);
  }

  /** Hides locks of sessions that ended. */
  private async clear(locks: readonly Visible[]): Promise<void> {
    if (locks.length === 0) return;
    await this.refuseHeld();
    await this.hideLocks(locks);
  }

  private async hideLocks(locks: readonly Visible[]): Promise<void> {
    const { store, name, log } = this.context;
    const some = locks.slice(0, MOST_CLEARED).map(({ id, versionId, size }): JournalEntry => {
      return { key: objectKey(name, "locks", id), action: "hide", versionId, size, why: "lock" };
    });
    await this.write(some);
    await Promise.all(some.map(({ key }) => store.hide(key)));
    log(`run ${this.run}: hid ${some.length} locks of ended runs in ${typeFolder(name, "locks")}`);
  }

  // ---- order and bounds

  /** Writes a group of the journal; hold and time are looked at right before. */
  private async record(group: readonly JournalEntry[]): Promise<void> {
    try {
      await this.refuseHeld();
      await this.refuseLateOthers(group);
    } catch (error) {
      if (error instanceof Refusal) void this.abandon(error.message);
      throw error;
    }
    if (this.context.now() >= this.until) throw new Refusal(403, "the run took longer than it may");
    this.check();
    await this.write(group);
  }

  private async write(entries: readonly JournalEntry[]): Promise<void> {
    const { store, name, now } = this.context;
    const { client, repository } = name;
    await writeRecord(store, { version: 1, at: now(), client, repository, run: this.run, entries });
  }

  /** @throws Refusal where the owner holds the repository */
  private async refuseHeld(): Promise<void> {
    if ((await this.context.store.head(ownerKey(this.context.name, "hold"))) !== undefined) {
      throw new Refusal(403, "the owner holds the repository: nothing is deleted");
    }
  }

  /**
   * A client, and an attacker who has its SSH key, may remove any lock, also that of a backup which goes on, and that of
   * this run. So locks count here whether they are shown or not.
   *
   * @throws Refusal where another program has put a lock of late, and this run prunes
   */
  private async refuseOthers(): Promise<void> {
    const { store, name, now, ownLocks } = this.context;
    if (!this.job.actions.includes("prune")) return;
    const since = now() - this.lockMinutes * 60_000;
    for await (const page of store.versions(typeFolder(name, "locks"))) {
      if (page.some(({ key, marker, modified }) => !marker && modified >= since && !ownLocks.has(key))) {
        throw new Refusal(
          403,
          `another program had a lock in the last ${this.lockMinutes} minutes, and may be at work`,
        );
      }
    }
  }

  /**
   * The same before the first of several indexes or packs that are hidden: a backup that has begun since then may rely on
   * packs of the old indexes; one that begins when those are hidden does not know them.
   */
  private async refuseLateOthers(group: readonly JournalEntry[]): Promise<void> {
    for (const type of ["index", "data"] as const) {
      const folder = typeFolder(this.context.name, type);
      const hides = group.some(({ action, key }) => action === "hide" && key.startsWith(folder));
      if (!hides || this.hiding === type) continue;
      await this.refuseOthers();
      this.hiding = type;
    }
  }

  /** Whether the session takes requests. */
  get ended(): boolean {
    return this.refusesAll !== undefined || this.context.now() >= this.until;
  }

  private check(): void {
    if (this.ended) throw new Refusal(403, this.refusesAll ?? "the run took longer than it may");
  }

  /** Does something that {@link abandon} waits for. */
  private async work(task: () => Promise<void>): Promise<void> {
    const doing = task();
    this.working.add(doing);
    try {
      await doing;
    } finally {
      this.working.delete(doing);
    }
  }

  /** Waits until it is so; the session's end refuses. */
  private async waitFor(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (this.refusesAll !== undefined) throw new Refusal(503, this.refusesAll);
      if (signal.aborted) throw new Refusal(409, "the connection ended");
      if (isSo()) return;
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
        signal.addEventListener(
          "abort",
          () => {
            resolve();
          },
          { once: true },
        );
      });
    }
  }

  private notify(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resume of waiting) resume();
  }
}
