/** Set-up of the gate's tests: a repository of real restic in a store in memory, behind a gate on sockets. */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { startGate, type RunningGate } from "../../keeper/gate/gate";
import { keptKey } from "../../keeper/gate/names";
import type { GateContext } from "../../keeper/gate/repository";
import type { Job } from "../../keeper/job";
import type { StoredObject } from "../../keeper/objects";
import type { KeeperSettings, KeptRepository } from "../../keeper/settings";
import type { RepositoryState } from "../../keeper/state";
import { MemoryStore } from "./memory-store";

export const DAY = 86_400_000;
const RESTIC = path.join(os.homedir(), ".cache/secure-backups/artifacts/restic");
export const PASSWORD = "password of a test";

export const NAME = { client: "web-1", repository: "main" };
export const PREFIX = "web-1/main";

export const KEPT: KeptRepository = {
  ...NAME,
  keep: { within: 0, days: 1, weeks: 0, months: 0, years: 0 },
  pins: [],
  schedule: "none",
  window: 0,
  frozen: false,
};

export const settingsOf = (repositories: readonly KeptRepository[]): KeeperSettings => ({
  s3: { endpoint: "https://s3.example.org", region: "test", bucket: "backups" },
  repositories,
  approval: { snapshots: 100, share: 1 },
  bounds: {
    objects: 10_000,
    metadataBytes: 16 * 1024 ** 2,
    packBytes: 64 * 1024 ** 2,
    readBytes: 1024 ** 3,
    lateObjects: 100,
  },
  noncurrentVersionDays: 90,
});

/** A state in which a guard, a forgetting and a prune are due. */
export const dueState = (now = Date.now()): RepositoryState => ({
  version: 1,
  arrivals: {},
  tried: {
    guard: { at: now - 8 * DAY, ok: true, detail: "" },
    forget: { at: now - 8 * DAY, ok: true, detail: "", succeeded: now - 8 * DAY },
  },
  findings: [],
  verified: true,
  claims: {},
});

export const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

/** What a program ended with. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Ends what {@link restic} started. */
export let kill: () => void = () => undefined;

export function restic(repository: string, ...args: string[]): Promise<Ended> {
  const base = ["--repo", repository, "--no-cache", "--retry-lock", "0s"];
  const options = { env: { RESTIC_PASSWORD: PASSWORD, HOME: os.tmpdir() }, timeout: 50_000 };
  return new Promise((resolve) => {
    const child = execFile(RESTIC, [...base, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
    kill = () => child.kill("SIGKILL");
  });
}

async function well(ending: Promise<Ended>): Promise<string> {
  const { code, output } = await ending;
  if (code !== 0) throw new Error(output);
  return output;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A folder with a repository, the same in a store, and gates in front of it. */
export class GateBench {
  readonly root = fs.mkdtempSync(path.join(os.tmpdir(), "gate-test-"));
  readonly folder = path.join(this.root, "repository");
  readonly source = path.join(this.root, "source");
  store = new MemoryStore();
  events: string[] = [];
  private saved: MemoryStore | undefined;
  private readonly gates: RunningGate[] = [];
  private sockets = 0;

  static async create(): Promise<GateBench> {
    const bench = new GateBench();
    fs.mkdirSync(bench.source);
    await well(restic(bench.folder, "init"));
    bench.load(Date.now() - 30 * DAY);
    bench.state(dueState());
    return bench;
  }

  async remove(): Promise<void> {
    await this.stop();
    fs.rmSync(this.root, { recursive: true, force: true });
  }

  /** What {@link reset} restores. */
  save(): void {
    this.saved = this.store;
    fs.cpSync(this.folder, `${this.folder}-saved`, { recursive: true });
  }

  async reset(): Promise<void> {
    await this.stop();
    if (this.saved === undefined) throw new Error("nothing was saved");
    this.store = this.saved.copy();
    this.events = [];
    fs.rmSync(this.folder, { recursive: true });
    fs.cpSync(`${this.folder}-saved`, this.folder, { recursive: true });
  }

  state(state: RepositoryState): void {
    this.store.add(keptKey(NAME, "state.json"), Buffer.from(JSON.stringify(state)));
  }

  get kept(): RepositoryState {
    const content = this.store.shown(keptKey(NAME, "state.json"));
    return JSON.parse(content?.toString() ?? "") as RepositoryState;
  }

  /** Puts what the folder has and the store has not. */
  load(modified: number): void {
    const entries = fs.readdirSync(this.folder, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((one) => one.isFile())) {
      const file = path.join(entry.parentPath, entry.name);
      const key = `${PREFIX}/${path.relative(this.folder, file)}`;
      if (!this.store.keys.has(key)) this.store.add(key, fs.readFileSync(file), modified);
    }
  }

  /** Backs up files of random bytes by name (the same name: the same content); returns the snapshot. */
  async backup(names: readonly string[], modified: number, load = true): Promise<string> {
    const all = path.join(this.root, "files");
    fs.mkdirSync(all, { recursive: true });
    fs.rmSync(this.source, { recursive: true });
    fs.mkdirSync(this.source);
    for (const name of names) {
      const file = path.join(all, name);
      if (!fs.existsSync(file)) fs.writeFileSync(file, randomBytes(300_000));
      fs.copyFileSync(file, path.join(this.source, name));
    }
    const output = await well(restic(this.folder, "backup", "--json", this.source));
    if (load) this.load(modified);
    const { snapshot_id } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as { snapshot_id: string };
    return snapshot_id;
  }

  /** Starts a gate; returns the folder of its sockets. */
  async gate(options: Partial<GateContext> = {}): Promise<string> {
    const sockets = path.join(this.root, `s${(this.sockets += 1)}`);
    fs.mkdirSync(sockets);
    const log = (event: string) => void this.events.push(event);
    this.gates.push(
      await startGate({ store: this.store, settings: settingsOf([KEPT]), log, ...options }, sockets),
    );
    return sockets;
  }

  async stop(): Promise<void> {
    for (const gate of this.gates.splice(0)) await gate.stop();
  }

  /** What is shown of the repository in the store, as a repository in a folder of its own. */
  shown(): string {
    const folder = fs.mkdtempSync(path.join(this.root, "shown-"));
    for (const type of ["data", "index", "keys", "locks", "snapshots"]) fs.mkdirSync(path.join(folder, type));
    for (const key of this.store.shownKeys(`${PREFIX}/`)) {
      const file = path.join(folder, key.slice(PREFIX.length + 1));
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, this.store.shown(key) ?? "");
    }
    return folder;
  }
}

/** A worker's side of a gate. */
export class WorkerSide {
  readonly socket: string;
  readonly url: string;

  constructor(sockets: string) {
    this.socket = path.join(sockets, PREFIX, "socket");
    this.url = `rest:http+unix://${this.socket}:/`;
  }

  ask(
    method: string,
    target: string,
    body?: Buffer | object,
    headers: http.OutgoingHttpHeaders = {},
  ): Promise<Answer> {
    const content = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      http
        .request({ socketPath: this.socket, agent: false, method, path: target, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks),
            });
          });
        })
        .on("error", reject)
        .end(content);
    });
  }

  async status(method: string, target: string, body?: Buffer | object): Promise<number> {
    return (await this.ask(method, target, body)).status;
  }

  async job(): Promise<Job> {
    const { status, body } = await this.ask("GET", "/keeper/job");
    if (status !== 200) throw new Error(`no job: ${status} ${body.toString()}`);
    return JSON.parse(body.toString()) as Job;
  }

  async listing(what: "objects" | "frozen"): Promise<StoredObject[]> {
    const { status, body } = await this.ask("GET", `/keeper/${what}`);
    if (status !== 200) throw new Error(`no listing: ${status} ${body.toString()}`);
    return body
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as StoredObject);
  }

  /** Admits the last listing. */
  async admit(listing: readonly StoredObject[]): Promise<void> {
    const keyId = listing.find(({ type }) => type === "keys")?.id;
    const { status, body } = await this.ask("POST", "/keeper/admit", { keyId });
    if (status !== 204) throw new Error(body.toString());
  }

  /** Begins a run up to its first admission. */
  async begin(): Promise<Job> {
    const job = await this.job();
    await this.admit(await this.listing("objects"));
    return job;
  }

  /** Runs restic; what it lists under its lock is admitted after `between`. */
  async locked(
    args: readonly string[],
    between: (listing: readonly StoredObject[]) => Promise<void> | void = () => undefined,
  ): Promise<Ended> {
    const ending = restic(this.url, ...args);
    const listing = await this.listing("frozen");
    await between(listing);
    await this.admit(listing);
    return await ending;
  }

  /** Puts a lock as restic does, and admits what restic's first listing waits for; returns the lock. */
  async lock(
    between: (listing: readonly StoredObject[]) => Promise<void> | void = () => undefined,
  ): Promise<string> {
    const lock = randomBytes(64);
    const id = sha256(lock);
    const { status, body } = await this.ask("POST", `/locks/${id}`, lock);
    if (status !== 200) throw new Error(body.toString());
    const held = this.ask("GET", "/snapshots/");
    const listing = await this.listing("frozen");
    await between(listing);
    await this.admit(listing);
    await held;
    return id;
  }

  async result(done: object = {}): Promise<number> {
    const result = { findings: [], done, verified: true, readBytes: 0, claims: {} };
    return await this.status("POST", "/keeper/result", result);
  }
}
