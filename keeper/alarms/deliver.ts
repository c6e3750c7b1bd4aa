/** Sends what is pending, by all ways at once. */
import { messageOf, printable } from "../printable";
import type { AlarmsConfig } from "../settings";
import type { Status } from "../status/schema";
import { compose } from "./message";
import type { Outbox, WayOutbox } from "./outbox";
import { type Advanced, type Extras, failed, PING, sent } from "./transitions";
import { bounded, ping, secretsOf, type Way, withoutSecrets } from "./ways";

/** Most characters of an error. */
const MOST_ERROR = 300;

const NOTHING: Extras = { digest: false };

/**
 * Sends what is due, each way at most as long as its limit. What could not be sent stays pending.
 *
 * @param ways of the configuration
 * @returns the outbox after that; it has to be kept at once, or all is sent again
 */
export async function deliver(
  now: number,
  config: AlarmsConfig,
  { outbox, due }: Advanced,
  status: Pick<Status, "bucket" | "repositories" | "alarms">,
  ways: readonly Way[],
): Promise<Outbox> {
  const secrets = secretsOf(config);
  const after = await Promise.all(
    ways.map(async ({ name, limitMs, send }): Promise<[string, WayOutbox][]> => {
      const way = outbox.ways[name];
      const extras = due.get(name);
      if (way === undefined || extras === undefined) return [];
      const message = compose(letter(now, status, way, extras));
      return [
        [
          name,
          await tried(now, extras, way, secrets, () => bounded(limitMs, (signal) => send(message, signal))),
        ],
      ];
    }),
  );
  return { ...outbox, ways: { ...outbox.ways, ...Object.fromEntries(after.flat()) } };
}

/** Makes the request that says that a round was whole. */
export async function deliverPing(now: number, config: AlarmsConfig, outbox: Outbox): Promise<Outbox> {
  const { ping: url } = config;
  const way = outbox.ways[PING];
  if (url === undefined || way === undefined) return outbox;
  const after = await tried(now, NOTHING, way, secretsOf(config), async () => {
    await ping(url);
    return undefined;
  });
  return { ...outbox, at: now, ways: { ...outbox.ways, [PING]: after } };
}

function letter(
  at: number,
  status: Pick<Status, "bucket" | "repositories" | "alarms">,
  { pending, leftOut = 0 }: WayOutbox,
  { digest, test }: Extras,
) {
  const summary = {
    repositories: status.repositories.filter(({ canary }) => !canary).length,
    alarms: status.alarms.filter(({ canary }) => !canary),
  };
  return {
    at,
    bucket: status.bucket.name,
    transitions: pending,
    leftOut,
    ...(digest ? { digest: summary } : {}),
    test: test !== undefined,
  };
}

async function tried(
  now: number,
  extras: Extras,
  way: WayOutbox,
  secrets: readonly string[],
  send: () => Promise<string | undefined>,
): Promise<WayOutbox> {
  const shown = (text: string) => printable(withoutSecrets(text, secrets), MOST_ERROR);
  try {
    const warning = await send();
    return sent(now, extras, way, warning === undefined ? undefined : shown(warning));
  } catch (error) {
    return failed(now, extras, shown(messageOf(error)), way);
  }
}
