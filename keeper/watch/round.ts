/** A round of the watcher: what is seen is judged, sent, and left for all to read. */
import * as path from "node:path";
import { type z, ZodError } from "zod";
import { deliver, deliverPing } from "../alarms/deliver";
import { type Outbox, outboxSchema } from "../alarms/outbox";
import { advance, wayStatus } from "../alarms/transitions";
import type { Way } from "../alarms/ways";
import { nameOf } from "../gate/names";
import { contentOf, type Store, TooLong } from "../gate/store";
import { messageOf } from "../printable";
import type { AlarmsConfig, KeeperSettings } from "../settings";
import { judge } from "../status/judge";
import { METRICS_KEY, MOST_STATUS_BYTES, OUTBOX_KEY, PAGE_KEY, STATUS_KEY } from "../status/keys";
import { renderMetrics } from "../status/metrics";
import { renderPage } from "../status/page";
import { statusSchema } from "../status/schema";
import { counted } from "../words";
import type { WatchedStore } from "./bucket";
import { observe } from "./observe";
import type { Observed } from "./observed";

/** What a round works with. */
export interface WatchRound {
  readonly store: WatchedStore & Pick<Store, "put">;
  /** Asks for the keeper's S3 ID; `undefined`: the service does not report it. */
  readonly identity: () => Promise<string | undefined>;
  readonly settings: KeeperSettings;
  readonly alarms: AlarmsConfig;
  /** Those of `alarms`, without the ping. */
  readonly ways: readonly Way[];
  /** Writes a file that programs of this host read. */
  readonly publish: (name: string, content: string) => Promise<void>;
  /** Reads such a file; `undefined`: there is none. */
  readonly published: (name: string) => Promise<string | undefined>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Gets one line. */
  readonly log: (line: string) => void;
}

/**
 * Makes a round.
 *
 * @returns whether it is whole: all could be listed and left. A way that fails is in the status, and no part of that
 * @throws Error where the bucket cannot be read at all: then nothing is judged
 */
export async function watchRound(round: WatchRound): Promise<boolean> {
  const { store, settings, alarms, publish, now, log } = round;
  let whole = true;
  const done = async (step: () => Promise<unknown>, doing?: string): Promise<void> => {
    try {
      await step();
    } catch (error) {
      whole = false;
      log(`${doing === undefined ? "" : `cannot ${doing}: `}${messageOf(error)}`);
    }
  };
  const leave = async (key: string, render: () => string): Promise<void> => {
    const name = path.posix.basename(key);
    await done(async () => {
      const content = render();
      // The store's errors say themselves what failed.
      await done(() => store.put(key, Buffer.from(content)));
      await done(() => publish(name, content), `write ${name}`);
    }, `make ${name}`);
  };
  const leaveOutbox = (outbox: Outbox) => leave(OUTBOX_KEY, () => JSON.stringify(outbox));

  const previous = await readLeft(round, STATUS_KEY, statusSchema);
  const before = await readOutbox(round);
  const keeper = await round.identity();
  const identities = keeper === undefined ? {} : { keeper };
  const observed = await observe(store, { settings, identities, previous, now });
  for (const line of unlisted(observed)) {
    whole = false;
    log(line);
  }

  const at = now();
  const judged = judge({
    now: at,
    by: "keeper",
    settings,
    watch: alarms,
    observed,
    ...(previous === undefined ? {} : { previous }),
  });
  const outbox = await deliver(
    at,
    alarms,
    advance(at, alarms, judged, observed.testAsked, before),
    judged,
    round.ways,
  );
  // Before all else: what was sent is sent again where this is not kept.
  await leaveOutbox(outbox);

  const status = { ...judged, ways: wayStatus(outbox) };
  await leave(STATUS_KEY, () => JSON.stringify(status));
  await leave(PAGE_KEY, () => renderPage(status));
  await leave(METRICS_KEY, () => renderMetrics(status));
  for (const { name, error } of status.ways) if (error !== undefined) log(`${name}: ${error}`);
  log(`${counted(observed.repositories.length, "listing")}, ${counted(status.alarms.length, "alarm")}`);

  if (whole && alarms.ping !== undefined) await leaveOutbox(await deliverPing(now(), alarms, outbox));
  return whole;
}

/** What could not be listed or read, one line each. */
const unlisted = ({ errors = [], repositories }: Observed): string[] => [
  ...errors,
  ...repositories.flatMap((one) => (one.error === undefined ? [] : `${nameOf(one)}: ${one.error}`)),
];

/** What the last round left in the bucket; `undefined`: nothing, or nothing that this version understands. */
async function readLeft<T>(
  { store, log }: Pick<WatchRound, "store" | "log">,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  return await understood(log, key, schema, async () =>
    (await contentOf(store, key, MOST_STATUS_BYTES))?.toString(),
  );
}

/** The newest outbox: where an attacker has filled the bucket, the one on this host says what was sent already. */
async function readOutbox(round: WatchRound): Promise<Outbox | undefined> {
  const name = path.posix.basename(OUTBOX_KEY);
  const left = await readLeft(round, OUTBOX_KEY, outboxSchema);
  const here = await understood(round.log, name, outboxSchema, () => round.published(name));
  return here !== undefined && (left === undefined || here.at > left.at) ? here : left;
}

async function understood<T>(
  log: WatchRound["log"],
  what: string,
  schema: z.ZodType<T>,
  read: () => Promise<string | undefined>,
): Promise<T | undefined> {
  try {
    const content = await read();
    return content === undefined ? undefined : schema.parse(JSON.parse(content));
  } catch (error) {
    // Without an answer of the service all that was remembered would be lost.
    if (!(error instanceof TooLong || error instanceof SyntaxError || error instanceof ZodError)) throw error;
    log(`${what} of before is not understood, and counts as absent`);
    return undefined;
  }
}
