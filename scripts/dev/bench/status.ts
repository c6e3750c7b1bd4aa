/** What a round of the watcher costs: docs/figures.md has the results. */
import * as os from "node:os";
import type { RepositoryName } from "../../../keeper/gate/names";
import { NEW_STATE } from "../../../keeper/retention";
import type { KeeperSettings } from "../../../keeper/settings";
import { judge } from "../../../keeper/status/judge";
import { renderMetrics } from "../../../keeper/status/metrics";
import { renderPage } from "../../../keeper/status/page";
import type { Status } from "../../../keeper/status/schema";
import { WatchedBucket } from "../../../keeper/watch/bucket";
import { observe } from "../../../keeper/watch/observe";
import { EXIT } from "../../../operations/exit-status";
import { step } from "../../../operations/transport/run";
import { BOUNDS } from "../../../plan/keeper";
import { type BucketAddress, connect } from "../../../s3/client";
import { OperatorCommand, start } from "../../command";
import type { CountingProxy, Traffic } from "./counting-proxy";
import { SIZES, sizesOf, withMany } from "./many";

const KIB = 1024;
const MIB = KIB ** 2;

/** Backups of each repository. */
const BACKUPS = 10;

/** What one round cost. */
interface Figures {
  readonly round: string;
  readonly traffic: Traffic;
  /** To look at the bucket. */
  readonly observed: number;
  /** To judge, and to make status, page and metrics of it. */
  readonly judged: number;
  /** Bytes of each. */
  readonly status: number;
  readonly page: number;
  readonly metrics: number;
  /** The machine's, of the last minute. */
  readonly load: number;
}

const settingsOf = (s3: BucketAddress, names: readonly RepositoryName[]): KeeperSettings => ({
  s3,
  repositories: names.map((name) => ({
    ...name,
    pins: [],
    schedule: "*-*-* 01:30:00",
    window: 60,
    frozen: false,
  })),
  approval: { snapshots: 50, share: 1 },
  bounds: { ...BOUNDS, readBytes: 0 },
  noncurrentVersionDays: 90,
});

/** Seconds since a time of {@link performance}. */
const since = (began: number): number => (performance.now() - began) / 1000;

/** Measures two rounds over so many repositories, and prints what they cost. */
async function measure(count: number): Promise<void> {
  await withMany("status", count, async ({ names, sample, bucket, proxy, address, undo }) => {
    await step(`${count} repositories`, async () => {
      for (let backup = 0; backup < BACKUPS; backup++) await sample.backup();
      await bucket.add(names, sample.added());
      const claim = { time: new Date().toISOString(), hostname: "host" };
      const claims = Object.fromEntries(sample.snapshots.map((id) => [id, claim]));
      const arrivals = Object.fromEntries(sample.snapshots.map((id) => [id, Date.now()]));
      await bucket.putStates(names, { ...NEW_STATE, arrivals, claims, verified: true });
    });

    const settings = settingsOf(address, names);
    const s3 = await connect(address, bucket.keeper);
    undo.push(() => {
      s3.destroy();
      return Promise.resolve();
    });
    const rows: string[] = [];
    let previous: Status | undefined;
    for (const round of ["first", "next"]) {
      proxy.take();
      const { status, figures } = await step(`the ${round} round`, () =>
        watch(round, new WatchedBucket(s3, address), settings, previous, proxy),
      );
      previous = status;
      rows.push(row(count, figures));
    }
    console.log(`\n${[...HEAD, ...rows].join("\n")}\n`);
  });
}

/** @throws Error where not all repositories are seen as they are */
async function watch(
  round: string,
  store: WatchedBucket,
  settings: KeeperSettings,
  previous: Status | undefined,
  proxy: CountingProxy,
): Promise<{ status: Status; figures: Figures }> {
  let began = performance.now();
  const keeper = await store.identity();
  const identities = keeper === undefined ? {} : { keeper };
  const observed = await observe(store, { settings, identities, previous, now: Date.now });
  const looked = since(began);
  const traffic = proxy.take();

  began = performance.now();
  const now = Date.now();
  const limits = { graceHours: 6, digestHour: 6 };
  const status = judge({
    ...{ now, by: "keeper", settings, watch: limits, observed },
    ...(previous === undefined ? {} : { previous }),
  });
  const [json, page, metrics] = [JSON.stringify(status), renderPage(status), renderMetrics(status)];
  const judged = since(began);

  const wrong = observed.errors ?? observed.repositories.flatMap(({ error }) => error ?? []);
  if (wrong[0] !== undefined) throw new Error(wrong[0]);
  const seen = observed.repositories.filter(({ snapshots }) => snapshots.length === BACKUPS);
  if (seen.length !== settings.repositories.length) throw new Error(`${seen.length} repositories were seen`);
  const [load = 0] = os.loadavg();
  const figures = {
    ...{ round, traffic, observed: looked, judged, load },
    status: Buffer.byteLength(json),
    page: Buffer.byteLength(page),
    metrics: Buffer.byteLength(metrics),
  };
  return { status, figures };
}

const HEAD = [
  "| round | repositories | lists | reads | MiB received | seconds to look | to judge and render | status KiB | page KiB | metrics KiB | MiB | load |",
  `| --- |${" ---: |".repeat(11)}`,
];

function row(count: number, figures: Figures): string {
  const { round, traffic, observed, judged, status, page, metrics, load } = figures;
  const cells = [
    ...[round, count, traffic.lists, traffic.reads, (traffic.received / MIB).toFixed(1)],
    ...[observed.toFixed(1), judged.toFixed(1)],
    ...[status, page, metrics].map((bytes) => (bytes / KIB).toFixed(0)),
    ...[(process.memoryUsage.rss() / MIB).toFixed(0), load.toFixed(1)],
  ];
  return `| ${cells.join(" | ")} |`;
}

export const command = new OperatorCommand(
  "bench:status",
  "Measures rounds of the watcher over buckets of the local cloud with copies of a small repository, and removes them. " +
    "Needs a local cloud that is up.",
  { stack: false },
)
  .argument("[REPOSITORIES...]", SIZES)
  .does(async (sizes: string[]) => {
    for (const count of sizesOf(sizes)) await measure(count);
    return EXIT.done;
  });

if (require.main === module) void start(command);
