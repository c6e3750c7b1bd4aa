/** The keeper's watcher: whether it watches, and whether it raises alarms. */
import type { S3 } from "@aws-sdk/client-s3";
import { S3Store } from "../../keeper/gate/store";
import { CANARY } from "../../keeper/settings";
import { isStale } from "../../keeper/status/order";
import type { AlarmKind, Status } from "../../keeper/status/schema";
import { minute } from "../../keeper/words";
import { putAsProxy } from "../../s3/client";
import { listVersions } from "../../s3/versions";
import { withS3 } from "../../s3/with-s3";
import { type DeployedBucket, type Deployment } from "../deployment";
import { printable } from "../printable";
import { findStatus, readStatus, watcherLog } from "../keeper-status";
import { startWatcher, statusAfterRound, type Watcher } from "../start-watcher";
import { removeVersions } from "./remove-versions";
import { type Finding, inTurn, type Probe, type Seen } from "./probe";

/** What is forged in the canary's repository, and the alarm that each has to raise. */
const FOLDER = `${CANARY.client}/${CANARY.repository}/`;
const FORGED: readonly { key: string; kind: AlarmKind }[] = [
  { key: `${FOLDER}snapshots/verify-watch`, kind: "unknown-object" },
  { key: `${FOLDER}locks/verify-watch`, kind: "lock" },
];

/** Seconds for a probe: it waits for one round of the watcher. */
const SECONDS = 300;

/** What these probes need. */
export interface Watching extends Watcher {
  /** Puts a small object as an attacker on the proxy. */
  readonly forge: (key: string) => Promise<unknown>;
  /** Removes these objects with all versions, as the owner. */
  readonly remove: (keys: readonly string[]) => Promise<unknown>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Whether the watcher's last round is fresh, and could list all; of a keeper that has done none yet, whether one can. */
async function watches({ store, keeper, start, now }: Watching): Promise<Seen> {
  let status = await findStatus(store);
  if (status === undefined) {
    await start();
    status = await readStatus(store, keeper);
  }
  const last = `the last round was ${minute(status.at)}`;
  if (isStale(status, now())) return { holds: false, happened: `${last}: it is late, or dead` };
  const [unread] = status.alarms.filter(({ kind }) => kind === "unreadable");
  if (unread !== undefined)
    return { holds: false, happened: `${last}, and not whole: ${printable(unread.text)}` };
  return { holds: true, happened: `${last}, and whole` };
}

/** Whether a status has the canary's alarm of a kind. */
const raises = ({ alarms }: Status, kind: AlarmKind): boolean =>
  alarms.some((alarm) => alarm.canary && alarm.kind === kind);

/** Whether what is forged raises its alarms. */
async function raisesAlarms({ forge, remove, ...watcher }: Watching): Promise<Seen> {
  const missingIn = (status: Status) => FORGED.filter(({ kind }) => !raises(status, kind));
  try {
    for (const { key } of FORGED) await forge(key);
    const missing = missingIn(await statusAfterRound(watcher, (status) => missingIn(status).length === 0));
    return missing.length === 0
      ? { holds: true, happened: `the status has them: ${FORGED.map(({ kind }) => kind).join(", ")}` }
      : { holds: false, happened: `the status has no alarm: ${missing.map(({ kind }) => kind).join(", ")}` };
  } finally {
    await remove(FORGED.map(({ key }) => key)).catch(() => {
      // Where the policy binds the owner too, only the lifecycle removes them.
    });
  }
}

/** The probes, which run one after the other. */
export function watchProbes(watching: Watching): Probe[] {
  const remedy = watcherLog(watching.keeper);
  return [
    {
      ring: 1,
      id: "keeper.watch",
      tried: "read the status that the keeper's watcher left",
      expected: "it is of the last 45 minutes, and nothing could not be listed",
      remedy,
      attempt: () => watches(watching),
      seconds: SECONDS,
    },
    {
      ring: 1,
      id: "keeper.watch-alarm",
      tried: "forge a snapshot's name and a lock in the canary's repository, and have the watcher look",
      expected: "the status has an alarm of each",
      remedy: `${remedy}; until it does, nobody hears of an attack`,
      attempt: () => raisesAlarms(watching),
      seconds: SECONDS,
    },
  ];
}

/** Removes objects with all versions. */
async function removeAll(owner: S3, bucket: DeployedBucket, keys: readonly string[]): Promise<void> {
  for (const key of keys) await removeVersions(owner, bucket, await listVersions(owner, bucket, key, 1000));
}

/** Tries the watcher; where there is no keeper there is none. */
export async function probeWatch({ bucket, keeper }: Deployment): Promise<Finding[]> {
  if (keeper === undefined) return [];
  return await withS3(bucket, bucket.owner, (owner) =>
    withS3(bucket, bucket.writer ?? bucket.owner, (writer) =>
      inTurn(
        watchProbes({
          store: new S3Store(owner, bucket),
          keeper: keeper.name,
          start: () => startWatcher(keeper.host),
          forge: (Key) => putAsProxy(writer, { Bucket: bucket.bucket, Key, Body: "first" }),
          remove: (keys) => removeAll(owner, bucket, keys),
          now: Date.now,
        }),
      ),
    ),
  );
}
