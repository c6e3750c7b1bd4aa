/** What a round of the keeper costs: docs/figures.md has the results. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { Action } from "../../../keeper/job";
import { instanceOf, nameOf, type RepositoryName } from "../../../keeper/gate/names";
import { NEW_STATE } from "../../../keeper/retention";
import type { KeeperSettings } from "../../../keeper/settings";
import type { RepositoryState, Tried } from "../../../keeper/state";
import { EXIT, UsageError } from "../../../operations/exit-status";
import { step } from "../../../operations/transport/run";
import type { BucketAddress } from "../../../s3/client";
import { OperatorCommand, start } from "../../command";
import { CountingProxy, type Traffic } from "./counting-proxy";
import { KeeperProcesses, type Memory } from "./keeper-process";
import { KeptBucket, SampleRepository, sideBySide } from "./kept-bucket";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MIB = 1024 ** 2;

/** What one round cost. */
interface Figures {
  readonly round: string;
  readonly due: number;
  readonly seconds: number;
  readonly traffic: Traffic;
  readonly memory: Memory;
  /** The machine's, of the last minute. */
  readonly load: number;
}

/** All clients back up three hours ago, so that no repository's turn comes while this runs. */
function settingsOf(s3: BucketAddress, names: readonly RepositoryName[]): KeeperSettings {
  const hour = new Date(Date.now() - 3 * HOUR).getUTCHours();
  return {
    s3,
    repositories: names.map((name) => ({
      ...name,
      keep: { within: 7, days: 3, weeks: 0, months: 0, years: 0 },
      pins: [],
      schedule: `*-*-* ${String(hour).padStart(2, "0")}:00:00`,
      window: 0,
      frozen: false,
    })),
    approval: { snapshots: 50, share: 1 },
    bounds: {
      objects: 1_000_000,
      metadataBytes: 64 * MIB,
      packBytes: 256 * MIB,
      readBytes: 50 * 1024 * MIB,
      lateObjects: 200,
    },
    noncurrentVersionDays: 90,
  };
}

const succeeded = (at: number): Tried => ({ at, ok: true, detail: "", succeeded: at });

/** @throws Error where the last run on the repository did not do exactly this, and well */
function expectDone(
  state: RepositoryState,
  name: RepositoryName,
  since: number,
  actions: readonly Action[],
): void {
  const tried = Object.entries(state.tried).filter(([, { at }]) => at >= since);
  const wrong = tried.find(([, { ok }]) => !ok);
  if (wrong !== undefined) throw new Error(`${nameOf(name)}: ${wrong[0]}: ${wrong[1].detail}`);
  const done = tried.map(([action]) => action).sort();
  if (done.join() !== [...actions].sort().join() || state.findings.length > 0) {
    throw new Error(`${nameOf(name)}: ${done.join()} done, ${state.findings.length} findings`);
  }
}

/** A keeper of many repositories, and what measures it. */
class KeeperBench {
  private readonly figures: Figures[] = [];

  private constructor(
    private readonly names: readonly RepositoryName[],
    private readonly turns: readonly RepositoryName[],
    private readonly bucket: KeptBucket,
    private readonly sample: SampleRepository,
    private readonly proxy: CountingProxy,
    private readonly keeper: KeeperProcesses,
  ) {}

  /** Measures rounds over so many repositories, of which so many have their turn, and prints what they cost. */
  static async measure(count: number, due: number): Promise<void> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-keeper-"));
    const undo = [() => fs.promises.rm(folder, { recursive: true })];
    try {
      const passwordFile = path.join(folder, "password");
      fs.writeFileSync(passwordFile, "of the bench", { mode: 0o600 });
      const names = Array.from({ length: count }, (_, n) => ({
        client: `client${String(n).padStart(4, "0")}`,
        repository: "main",
      }));
      const sample = await SampleRepository.create(folder, passwordFile);
      const bucket = await KeptBucket.create(`bench-keeper-${process.pid}-${count}`);
      undo.push(() => step("remove the bucket", () => bucket.remove()));
      const proxy = await CountingProxy.start(bucket.address.endpoint);
      undo.push(() => proxy.stop());
      const settings = settingsOf({ ...bucket.address, endpoint: proxy.endpoint }, names);
      const keeper = new KeeperProcesses(folder, settings, bucket.keeper);
      undo.push(() => keeper.stopGate());
      const bench = new KeeperBench(names, names.slice(0, due), bucket, sample, proxy, keeper);
      const rows = (await bench.rounds()).map((figures) => row(count, figures));
      console.log(`\n${[...HEAD, ...rows].join("\n")}\n`);
    } finally {
      for (const one of undo.reverse()) await one();
    }
  }

  private async rounds(): Promise<readonly Figures[]> {
    const { names, turns, bucket, sample } = this;
    await step(`${names.length} repositories`, async () => {
      for (let backup = 0; backup < 3; backup++) await sample.backup();
      await bucket.add(names, sample.added());
      const now = Date.now();
      const tried = { guard: succeeded(now), check: succeeded(now) };
      await bucket.putStates(names.slice(turns.length), { ...NEW_STATE, verified: true, tried });
    });

    await this.round("first round", ["guard", "check"]);

    const twoDaysAgo = succeeded(Date.now() - 2 * DAY);
    await bucket.changeStates(turns, (state) => ({ ...state, tried: { ...state.tried, guard: twoDaysAgo } }));
    await this.round("nothing new", ["guard"]);

    await sample.backup();
    await bucket.add(turns, sample.added());
    const last = succeeded(Date.now() - 8 * DAY);
    const [oldest = "", ...others] = sample.snapshots.slice(0, 3);
    const arrivals = Object.fromEntries(
      [oldest, ...others].map((id, n) => [id, Date.now() - (20 - n) * DAY]),
    );
    await bucket.changeStates(turns, (state) => ({
      ...state,
      arrivals,
      tried: { guard: last, forget: last, check: last },
    }));
    await this.round("a week and a backup later", ["guard", "forget", "prune", "check"]);

    await this.round("nothing due", []);
    return this.figures;
  }

  /** Measures a round in which the repositories that have their turn get these actions, or none of them any. */
  private async round(round: string, actions: readonly Action[]): Promise<void> {
    const { names, bucket, proxy, keeper } = this;
    const turns = actions.length === 0 ? [] : this.turns;
    await keeper.startGate();
    proxy.take();
    const began = Date.now();
    await step(`${round}, over ${names.length} repositories`, async () => {
      const due = await keeper.due();
      const answered = names.filter((name) => due.has(instanceOf(name)));
      if (answered.length !== turns.length) throw new Error(`${answered.length} repositories are due`);
      await keeper.work(answered);
    });
    const seconds = (Date.now() - began) / 1000;
    const [load = 0] = os.loadavg();
    const [traffic, memory] = [proxy.take(), keeper.takeMemory()];
    this.figures.push({ round, due: turns.length, seconds, traffic, memory, load });
    await keeper.stopGate();
    await sideBySide(turns, async (name) => {
      expectDone(await bucket.state(name), name, began, actions);
    });
  }
}

const HEAD = [
  "| round | repositories | due | lists | reads | writes | MiB received | MiB sent | seconds | gate MiB | worker MiB | restic MiB | load |",
  `| --- |${" ---: |".repeat(12)}`,
];

function row(count: number, { round, due, seconds, traffic, memory, load }: Figures): string {
  const { lists, reads, writes, received, sent } = traffic;
  const { gate, worker, restic } = memory;
  const mebibytes = (bytes: number, digits: number) => (bytes / MIB).toFixed(digits);
  const cells = [
    ...[round, count, due, lists, reads, writes],
    ...[mebibytes(received, 1), mebibytes(sent, 1), seconds.toFixed(1)],
    ...[gate, worker, restic].map((bytes) => (bytes === 0 ? "" : mebibytes(bytes, 0))),
    load.toFixed(1),
  ];
  return `| ${cells.join(" | ")} |`;
}

const natural = (text: string): number => {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError(`${text} is no number from 1 to 9999`);
  return Number(text);
};

export const command = new OperatorCommand(
  "bench:keeper",
  "Measures rounds of the keeper over buckets of the local cloud with copies of a small repository, and removes them. " +
    "Needs a local cloud that is up.",
  { stack: false },
)
  .option("--due <N>", "how many repositories have their turn at most", natural, 100)
  .argument("[REPOSITORIES...]", "how many repositories; default: 10, 100 and 1000")
  .does(async (sizes: string[], { due }: { due: number }) => {
    const counts = sizes.length === 0 ? [10, 100, 1000] : sizes.map(natural);
    for (const count of counts) await KeeperBench.measure(count, Math.min(due, count));
    return EXIT.done;
  });

if (require.main === module) void start(command);
