/** The gate of one repository: its sessions, one at a time, and what it remembers between them. */
import type { Job, Result } from "../job";
import { isObjectId } from "../objects";
import { afterRun, decide, type Decision, isDue, mergedArrivals, NEW_STATE, unjudged } from "../retention";
import type { KeeperSettings, KeptRepository } from "../settings";
import type { Approval, Planned, PutAgain, RepositoryState } from "../state";
import { configKey, keptKey, nameOf, ownerKey } from "./names";
import { Refusal } from "./refusal";
import { LOCK_MINUTES, RUN_MAX, Session } from "./session";
import { parseApproval, parseState, readResult } from "./state";
import { contentOf, type Store } from "./store";
import { listRepository, type RepositoryView, TooMany } from "./view";

/** Most bytes of a state and an approval. */
const STATE_BYTES = 256 * 1024 * 1024;
const APPROVAL_BYTES = 16 * 1024 * 1024;

/** What all repositories share. */
export interface GateContext {
  readonly store: Store;
  readonly settings: KeeperSettings;
  /** Milliseconds since 1970. @default the clock */
  readonly now?: () => number;
  /** Writes one event. */
  readonly log: (event: string) => void;
  /** Milliseconds after which a session ends. @default 12 hours */
  readonly runMax?: number;
}

export class RepositoryGate {
  private session: Session | undefined;
  /** Whether the session's outcome is not in the state yet. */
  private owesResult = false;
  private beginning: Promise<Job | undefined> | undefined;
  private stopped = false;
  /** `undefined`: not read yet; `none`: there is none. */
  private known: RepositoryState | "none" | undefined;
  /** The IDs of the keys that were listed last. */
  private keys = new Set<string>();
  private approval: Approval | undefined;
  private readonly ownLocks = new Set<string>();
  readonly now: () => number;

  constructor(
    private readonly context: GateContext,
    readonly kept: KeptRepository,
  ) {
    this.now = context.now ?? Date.now;
  }

  get store(): Store {
    return this.context.store;
  }

  /** Bytes of the objects that may be in memory at once. */
  get packBytes(): number {
    return this.context.settings.bounds.packBytes;
  }

  log(event: string): void {
    this.context.log(`${nameOf(this.kept)}: ${event}`);
  }

  /**
   * Whether any action is due; reads the state once and remembers it.
   *
   * @param requests as {@link runRequests} lists them
   */
  async isDue(requests: ReadonlyMap<string, number>): Promise<boolean> {
    this.known ??= (await this.readState()) ?? "none";
    const { state } = this;
    return isDue(this.now(), this.context.settings, this.kept, state, this.asks(requests, state)).length > 0;
  }

  /** Whether the owner asked for a run since the last one. */
  private asks(requests: ReadonlyMap<string, number>, state: RepositoryState | undefined): boolean {
    return (requests.get(ownerKey(this.kept, "run")) ?? -Infinity) > (state?.tried.guard?.at ?? -Infinity);
  }

  /** What is known of the state; `undefined`: it was not read, or there is none. */
  private get state(): RepositoryState | undefined {
    return this.known === "none" ? undefined : this.known;
  }

  /** The session that is open. */
  current(): Session {
    if (this.session === undefined) throw new Refusal(403, "no run is going on");
    return this.session;
  }

  /** Ends the session before and begins one; `undefined`: nothing is due. */
  async begin(): Promise<Job | undefined> {
    if (this.stopped) throw new Refusal(503, "the gate ends");
    if (this.beginning !== undefined) throw new Refusal(409, "a session is being begun");
    this.beginning = this.end("another run begins").then(() => this.decided());
    try {
      return await this.beginning;
    } finally {
      this.beginning = undefined;
    }
  }

  /** Takes the result of a run and ends it. */
  async result(value: unknown): Promise<void> {
    const session = this.current();
    if (!this.owesResult) throw new Refusal(409, "this run has a result");
    const result = readResult(value);
    this.owesResult = false;
    await session.abandon("the run is over");
    try {
      await this.finish(session.job, result);
    } catch (error) {
      this.owesResult = true;
      throw error;
    }
    this.session = undefined;
    const outcome = Object.entries(result.done).map(
      ([action, { ok }]) => `${action} ${ok ? "ok" : "failed"}`,
    );
    this.log(
      `run ${session.run}: ended: ${outcome.join(", ") || "nothing done"}; ${result.findings.length} findings`,
    );
  }

  /** Takes no more sessions and ends the one that is open. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.allSettled([this.beginning]);
    await this.end("the gate ends");
  }

  private async end(why: string): Promise<void> {
    const { session } = this;
    if (session === undefined) return;
    await session.abandon(why);
    if (this.owesResult) await this.finish(session.job, undefined);
    this.owesResult = false;
    this.session = undefined;
  }

  /** Puts the outcome of a run into the state. */
  private async finish(job: Job, result: Result | undefined): Promise<void> {
    const { keyId, ...rest } = result ?? { keyId: undefined };
    const pinnable = keyId !== undefined && this.keys.has(keyId) ? { keyId } : {};
    await this.writeState(
      afterRun(
        this.now(),
        this.state ?? NEW_STATE,
        job,
        result === undefined ? undefined : ({ ...pinnable, ...rest } as Result),
      ),
    );
  }

  private async decided(): Promise<Job | undefined> {
    const { store, settings } = this.context;
    const { kept } = this;
    const state = await this.readState();
    this.known = state ?? "none";
    const asked = this.asks(await runRequests(store, ownerKey(kept, "run")), state);
    const due = isDue(this.now(), settings, kept, state, asked);
    if (due.length === 0) return undefined;
    const config = await store.head(configKey(kept));
    // The client has not backed up yet: there is nothing to read.
    if (config === undefined && state === undefined) return undefined;
    this.approval = await this.readApproval();
    let view: RepositoryView;
    try {
      view = await this.list();
    } catch (error) {
      if (!(error instanceof TooMany)) throw error;
      await this.tooMany(error, state ?? NEW_STATE, due);
      throw new Refusal(403, error.message);
    }
    const held = await store.head(ownerKey(kept, "hold"));
    const { objects } = view;
    const { approval } = this;
    const decision = decide({
      now: this.now(),
      settings,
      repository: kept,
      state,
      snapshots: snapshotsOf(view),
      dataBytes: objects.reduce((sum, { type, size }) => (type === "data" ? sum + size : sum), 0),
      putAgain: putAgain(view),
      ...(approval === undefined ? {} : { approval }),
      held: held !== undefined,
      asked,
    });
    await this.remember(state, decision);
    if (decision.actions.length === 0) return undefined;
    const { client, repository } = kept;
    const { actions, forget, readData } = decision;
    const keyId = state?.keyId;
    const job: Job = {
      client,
      repository,
      actions,
      forget,
      ...(readData === undefined ? {} : { readData }),
      ...(keyId === undefined ? {} : { keyId }),
      bounds: settings.bounds,
    };
    const session = new Session(
      {
        store,
        name: kept,
        now: this.now,
        log: (event) => {
          this.log(event);
        },
        ownLocks: this.ownLocks,
        list: () => this.listAgain(job),
      },
      job,
      config,
      this.context.runMax ?? RUN_MAX,
      settings.lockMinutes ?? LOCK_MINUTES,
    );
    this.session = session;
    this.owesResult = true;
    await session.clearStale();
    this.log(`run ${session.run}: began: ${actions.join(", ")}; ${forget.length} snapshots to forget`);
    return job;
  }

  /** Writes arrivals, plan and pauses before the run begins. */
  private async remember(state: RepositoryState | undefined, decision: Decision): Promise<void> {
    const { arrivals, pauses, plan, putAgain } = decision;
    const before = state ?? NEW_STATE;
    if (JSON.stringify(arrivals) !== JSON.stringify(before.arrivals)) {
      await this.writeState({ ...before, arrivals });
    }
    const planned: Planned = {
      version: 1,
      at: this.now(),
      pauses,
      putAgain,
      ...(plan === undefined ? {} : { plan }),
    };
    await this.store.put(keptKey(this.kept, "plan.json"), Buffer.from(JSON.stringify(planned)));
  }

  private async tooMany(error: TooMany, state: RepositoryState, actions: Job["actions"]): Promise<void> {
    this.log(error.message);
    const finding = { kind: "too-many-objects", objects: [], why: error.message };
    const result: Result = {
      findings: [finding],
      done: { guard: { ok: false, detail: error.message } },
      verified: false,
      readBytes: 0,
      claims: {},
    };
    await this.writeState(afterRun(this.now(), state, { actions }, result));
  }

  private async list(): Promise<RepositoryView> {
    const { arrivals } = this.state ?? NEW_STATE;
    const view = await listRepository(this.store, this.kept, this.context.settings.bounds.objects, arrivals);
    this.keys = new Set(view.objects.filter(({ type }) => type === "keys").map(({ id }) => id));
    return view;
  }

  /** A listing within a run. */
  private async listAgain(job: Job): Promise<RepositoryView> {
    let view: RepositoryView;
    try {
      view = await this.list();
    } catch (error) {
      throw error instanceof TooMany ? new Refusal(403, error.message) : error;
    }
    const [again] = unjudged(putAgain(view), this.approval);
    if (again !== undefined && job.actions.some((action) => action === "forget" || action === "prune")) {
      throw new Refusal(403, `${again.type}/${again.id} was put again since the run began`);
    }
    const state = this.state ?? NEW_STATE;
    this.known = { ...state, arrivals: mergedArrivals(state.arrivals, snapshotsOf(view)) };
    return view;
  }

  private async readState(): Promise<RepositoryState | undefined> {
    const content = await contentOf(this.store, keptKey(this.kept, "state.json"), STATE_BYTES);
    return content && parseState(content);
  }

  private async writeState(state: RepositoryState): Promise<void> {
    await this.store.put(keptKey(this.kept, "state.json"), Buffer.from(JSON.stringify(state)));
    this.known = state;
  }

  private async readApproval(): Promise<Approval | undefined> {
    const content = await contentOf(this.store, ownerKey(this.kept, "approval.json"), APPROVAL_BYTES);
    try {
      return content && parseApproval(content);
    } catch (error) {
      this.log(String(error));
      return undefined;
    }
  }
}

/**
 * When the owner last asked for runs, in milliseconds since 1970, by the keys of the requests.
 *
 * @param prefix of the keys
 */
export async function runRequests(store: Store, prefix: string): Promise<Map<string, number>> {
  const requests = new Map<string, number>();
  for await (const page of store.versions(prefix)) {
    for (const { key, latest, marker, modified } of page) {
      if (latest && !marker) requests.set(key, modified);
    }
  }
  return requests;
}

/** Snapshots as retention sees them: what restic does not name so is for the guard alone. */
const snapshotsOf = ({ objects }: RepositoryView) =>
  objects.filter(({ type, id }) => type === "snapshots" && isObjectId(id));

/** The objects of which S3 has several versions. */
const putAgain = ({ objects }: RepositoryView): PutAgain[] =>
  objects.flatMap(({ type, id, again }) => (again === undefined ? [] : [{ type, id, versionIds: again }]));
