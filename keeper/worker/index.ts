/**
 * The worker: one run over one repository. It has the repository's password and the gate's socket, and nothing else; so
 * what it says, to the gate or by restic, is bounded by what the gate lets pass.
 */
import { readFile } from "node:fs/promises";
import { guard, Memory, MOST_CLAIMS, type GuardInput, type GuardReport, type OpenKey } from "../guard";
import type { Action, Finding, Job, Result } from "../job";
import { isObjectId, type StoredObject } from "../objects";
import { messageOf, printable } from "../printable";
import { Gate } from "./gate";
import { LOCKED, runRestic, type Ended } from "./restic";

export interface WorkerOptions {
  /** Path of the repository's socket. */
  readonly socket: string;
  /** Path of restic. */
  readonly restic: string;
  readonly passwordFile: string;
}

/** Snapshots that one run forgets: a command line is bounded. The rest follow in later runs. */
const MOST_FORGOTTEN = 10_000;
/** Guards before the lock until little is new. */
const MOST_GUARDS = 5;
/** How long restic waits, with its lock, until what arrived late is guarded; its own bound of 5 minutes asks again. */
const LISTING_WAIT = "1h";
/** Characters of a detail in the result. */
const DETAIL_LENGTH = 900;

/**
 * Does what the gate says is due for a repository, and posts how it went. SIGTERM ends it early, with a result.
 *
 * @returns The exit code: 0 the round is done or nothing is due, findings included; 1 the gate or S3 is away, or restic
 *   failed.
 */
export async function runWorker(options: WorkerOptions): Promise<number> {
  const stop = new AbortController();
  const onTerm = () => {
    stop.abort(new Error("the worker was told to end"));
  };
  process.once("SIGTERM", onTerm);
  try {
    const gate = new Gate(options.socket);
    const job = await gate.job();
    return job === undefined ? 0 : await new Round(options, gate, job, stop.signal).all();
  } catch (error) {
    complain(error);
    return 1;
  } finally {
    process.off("SIGTERM", onTerm);
  }
}

const detailOf = (error: unknown) => printable(messageOf(error), DETAIL_LENGTH);
const complain = (error: unknown) => {
  console.error(`keeper worker: ${detailOf(error)}`);
};

/** How an action went. */
type Outcome = NonNullable<Result["done"][Action]>;

/** Whether a listing may be pruned. */
const admissible = ({ verified, findings }: GuardReport): boolean => verified && findings.length === 0;

/** What comes to restic's command line is of known form. */
function checkJob({ forget, keyId, readData }: Job): void {
  const { part = 1, of = 1 } = readData ?? {};
  const ids = keyId === undefined ? forget : [...forget, keyId];
  if (!ids.every(isObjectId) || ![part, of].every(Number.isSafeInteger) || part < 1 || part > of) {
    throw new Error("the gate's job names no IDs of objects, or no part of the data");
  }
}

class Round {
  readonly #options: WorkerOptions;
  readonly #gate: Gate;
  readonly #job: Job;
  readonly #stop: AbortSignal;
  readonly #done: Partial<Record<Action, Outcome>> = {};
  readonly #claims: Record<string, Result["claims"][string]> = {};
  #findings: readonly Finding[] = [];
  #verified = false;
  #readBytes = 0;
  #memory = new Memory();
  #password = "";
  #opened: OpenKey | undefined;
  /** Whether the gate refuses restic for the rest of the session. */
  #abandoned = false;
  #failed = false;

  constructor(options: WorkerOptions, gate: Gate, job: Job, stop: AbortSignal) {
    this.#options = options;
    this.#gate = gate;
    this.#job = job;
    this.#stop = stop;
  }

  /** The whole run; returns the exit code. */
  async all(): Promise<number> {
    for (const step of [() => this.#act(), () => this.#saveMemory()]) {
      try {
        await step();
      } catch (error) {
        this.#failed = true;
        complain(error);
      }
    }
    await this.#gate.result({
      ...(this.#opened === undefined ? {} : { keyId: this.#opened.keyId }),
      findings: this.#findings,
      done: this.#done,
      verified: this.#verified,
      readBytes: this.#readBytes,
      // Each guard of a run has claims of its own, and the gate takes a result of bounded size.
      claims: Object.fromEntries(Object.entries(this.#claims).slice(-MOST_CLAIMS)),
    });
    return this.#failed ? 1 : 0;
  }

  async #act(): Promise<void> {
    const { actions, forget, readData } = this.#job;
    await this.#try("guard", async () => {
      checkJob(this.#job);
      this.#password = (await readFile(this.#options.passwordFile, "utf8")).trim();
      this.#memory = Memory.parse(await this.#gate.memory());
      return await this.#guardUntilQuiet();
    });
    if (!(await this.#admit())) {
      return;
    }

    const forgets = this.#verified && actions.includes("forget") && forget.length > 0;
    if (forgets) {
      const ids = forget.slice(0, MOST_FORGOTTEN);
      await this.#try("forget", () => this.#underLock(["forget", ...ids]));
    }
    const prunes = this.#verified && actions.includes("prune") && this.#done.forget?.ok !== false;
    if (prunes) {
      await this.#try("prune", () => this.#underLock(["prune"]));
    }
    if (this.#abandoned) {
      return;
    }

    if (forgets || prunes) {
      await this.#try("guard", () => this.#guardUntilQuiet());
      if (!(await this.#admit())) {
        return;
      }
    }
    if (actions.includes("check")) {
      const subset = readData === undefined ? [] : [`--read-data-subset=${readData.part}/${readData.of}`];
      await this.#try("check", async () =>
        this.#outcome(await this.#restic(["check", "--no-lock", ...subset], this.#stop)),
      );
    }
  }

  /** Does an action and records how it went; an error ends the run. */
  async #try(action: Action, body: () => Promise<Outcome>): Promise<void> {
    try {
      this.#stop.throwIfAborted();
      this.#done[action] = await body();
      this.#stop.throwIfAborted();
    } catch (error) {
      this.#done[action] = { ok: false, detail: detailOf(error) };
      throw error;
    }
  }

  /** Guards one listing and takes over what it says. */
  async #guard(
    objects: readonly StoredObject[],
    bounds: Pick<GuardInput, "readBytes" | "mostNew">,
  ): Promise<GuardReport> {
    const { keyId } = this.#job;
    const report = await guard({
      objects,
      read: (object) => this.#gate.read(object),
      memory: this.#memory,
      password: this.#password,
      ...(keyId === undefined ? {} : { keyId }),
      ...(this.#opened === undefined ? {} : { opened: this.#opened }),
      bounds: this.#job.bounds,
      ...bounds,
      stop: this.#stop,
    });
    this.#opened = report.opened;
    this.#findings = report.findings;
    this.#verified = report.verified;
    this.#readBytes += report.readBytes;
    Object.assign(this.#claims, report.claims);
    return report;
  }

  /** Guards until little arrived while it did, so that little is left to guard under the lock. */
  async #guardUntilQuiet(): Promise<Outcome> {
    const { objects, lateObjects, readBytes } = this.#job.bounds;
    let fresh = 0;
    for (let count = 0; count < MOST_GUARDS; count++) {
      const left = Math.max(0, readBytes - this.#readBytes);
      const report = await this.#guard(await this.#gate.objects(objects), { readBytes: left });
      fresh += report.fresh;
      if (report.findings.length > 0) {
        return {
          ok: false,
          detail: `${report.findings.length} findings: nothing else is done until they are dealt with`,
        };
      }
      if (!report.verified) {
        return {
          ok: true,
          detail: "not all packs are read yet: forget and prune wait until the next runs have read them",
        };
      }
      if (report.fresh <= lateObjects) {
        break;
      }
    }
    await this.#saveMemory();
    return { ok: true, detail: `all is verified; ${fresh} objects were new` };
  }

  async #saveMemory(): Promise<void> {
    if (this.#memory.changed) {
      await this.#gate.keep(this.#memory.serialize());
    }
  }

  /** Lets restic see the guarded listing, if nothing was found. */
  async #admit(): Promise<boolean> {
    if (this.#findings.length > 0 || this.#opened === undefined) {
      return false;
    }
    await this.#gate.admit({ keyId: this.#opened.keyId });
    return true;
  }

  #restic(args: readonly string[], stop: AbortSignal): Promise<Ended> {
    const { socket, restic, passwordFile } = this.#options;
    const repository = `rest:http+unix://${socket}:/`;
    const hint = this.#opened?.keyId ?? "";
    const all = [
      "-r",
      repository,
      "--key-hint",
      hint,
      "--no-cache",
      "--stuck-request-timeout",
      LISTING_WAIT,
      "--password-file",
      passwordFile,
      ...args,
    ];
    return runRestic(restic, all, stop);
  }

  /** How restic ended. A repository that another program has locked is no failure: its turn comes again. */
  #outcome({ code, output }: Ended): Outcome {
    if (code === LOCKED) {
      return { ok: false, detail: "locked" };
    }
    const ok = code === 0;
    this.#failed ||= !ok;
    const end = code === undefined ? "restic was killed" : `restic ended with ${code}`;
    // Without the lines of its progress.
    const lines = output.split(" | ").filter((line) => !/^\[\d+:\d\d\]/.test(line));
    const said = lines.join(" | ").slice(-DETAIL_LENGTH);
    return { ok, detail: ok ? said : `${end}: ${said}` };
  }

  /** Runs restic with its exclusive lock: what arrived before the lock stood is guarded before restic lists anything. */
  async #underLock(args: readonly string[]): Promise<Outcome> {
    const { objects, lateObjects } = this.#job.bounds;
    const poll = new AbortController();
    const end = new AbortController();
    const frozen = this.#gate.frozen(objects, poll.signal);
    const running = this.#restic(args, AbortSignal.any([this.#stop, end.signal]));
    try {
      const listed = await Promise.race([frozen, running.then(() => undefined)]);
      if (listed !== undefined) {
        const report = await this.#guard(listed, { readBytes: Infinity, mostNew: lateObjects });
        if (!admissible(report)) {
          this.#abandoned = true;
          await this.#gate.abandon();
          const { findings, fresh } = report;
          // Of the listing that was guarded before the lock, all is verified still.
          this.#verified = findings.length === 0;
          const why = findings.length > 0 ? `${findings.length} findings` : `${fresh} new objects, too many`;
          return { ok: false, detail: `given up under the lock: ${why} since the guard` };
        }
        await this.#admit();
      }
      return this.#outcome(await running);
    } finally {
      poll.abort();
      end.abort();
      await Promise.allSettled([frozen, running]);
    }
  }
}
