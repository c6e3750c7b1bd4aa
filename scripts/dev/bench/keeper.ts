/** What a round of the keeper costs: docs/figures.md has the results. */
import * as os from "node:os";
import type { Action } from "../../../keeper/job";
import { instanceOf, nameOf, type RepositoryName } from "../../../keeper/gate/names";
import { NEW_STATE } from "../../../keeper/retention";
import type { KeeperSettings } from "../../../keeper/settings";
import type { RepositoryState, Tried } from "../../../keeper/state";
import { EXIT } from "../../../operations/exit-status";
import { step } from "../../../operations/transport/run";
import type { BucketAddress } from "../../../s3/client";
import { OperatorCommand, start } from "../../command";
import type { Traffic } from "./counting-proxy";
import { KeeperProcesses, type Memory } from "./keeper-process";
import { sideBySide } from "./kept-bucket";
import { type Many, natural, SIZES, sizesOf, withMany } from "./many";

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

/**
 * All clients back up three hours ago, so that no repository's turn comes while this runs. Of four snapshots, the newest
 * of which no guard has read yet, the oldest goes: two days that are known to have a backup stay, and the newest.
 */
function settingsOf(s3: BucketAddress, names: readonly RepositoryName[]): KeeperSettings {
  const hour = new Date(Date.now() - 3 * HOUR).getUTCHours();
  return {
    s3,
    repositories: names.map((name) => ({
      ...name,
      keep: { within: 7, days: 2, weeks: 0, months: 0, years: 0 },
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
    private readonly many: Many,
    private readonly turns: readonly RepositoryName[],
    private readonly keeper: KeeperProcesses,
  ) {}

  /** Measures rounds over so many repositories, of which so many have their turn, and prints what they cost. */
  static async measure(count: number, due: number): Promise<void> {
    await withMany("keeper", count, async (many) => {
      const { folder, names, bucket, address, undo } = many;
      const keeper = new KeeperProcesses(folder, settingsOf(address, names), bucket.keeper);
      undo.push(() => keeper.stopGate());
      const bench = new KeeperBench(many, names.slice(0, due), keeper);
      const rows = (await bench.rounds()).map((figures) => row(count, figures));
      console.log(`\n${[...HEAD, ...rows].join("\n")}\n`);
    });
  }

  private async rounds(): Promise<readonly Figures[]> {
    const { turns } = this;
    const { names, bucket, sample } = this.many;
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
    const { keeper } = this;
    const { names, bucket, proxy } = this.many;
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

export const command = new OperatorCommand(
  "bench:keeper",
  "Measures rounds of the keeper over buckets of the local cloud with copies of a small repository, and removes them. " +
    "Needs a local cloud that is up.",
  { stack: false },
)
  .option("--due <N>", "how many repositories have their turn at most", natural, 100)
  .argument("[REPOSITORIES...]", SIZES)
  .does(async (sizes: string[], { due }: { due: number }) => {
    for (const count of sizesOf(sizes)) await KeeperBench.measure(count, Math.min(due, count));
    return EXIT.done;
  });

if (require.main === module) void start(command);
