/** The watcher: one round, with the keeper's S3 keys, the ways of alarms, and no password. */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { S3Credentials } from "../../config";
import { connect } from "../../s3/client";
import { waysOf } from "../alarms/ways";
import { logLine } from "../gate/gate";
import { readJson } from "../read-json";
import type { AlarmsConfig, KeeperSettings } from "../settings";
import { WatchedBucket } from "./bucket";
import { watchRound } from "./round";

/** What the command line says, and where systemd put the credentials. */
export interface WatchOptions {
  /** Path of the settings. */
  readonly settings: string;
  /** Folder of the files that programs of this host read. */
  readonly page: string;
  /** Path of the S3 credentials: accessKeyId and secretAccessKey in JSON. */
  readonly credentials: string;
  /** Path of the ways of alarms, an `AlarmsConfig`. */
  readonly alarms: string;
}

/**
 * Makes one round.
 *
 * @returns whether it is whole
 * @throws Error where the bucket cannot be read at all
 */
export async function runWatch({
  settings: file,
  page,
  credentials,
  alarms: ways,
}: WatchOptions): Promise<boolean> {
  const settings = (await readJson(file)) as KeeperSettings;
  const alarms = (await readJson(ways)) as AlarmsConfig;
  const s3 = await connect(settings.s3, (await readJson(credentials)) as S3Credentials);
  const store = new WatchedBucket(s3, settings.s3);
  try {
    return await watchRound({
      store,
      identity: () => store.identity(),
      settings,
      alarms,
      ways: waysOf(alarms),
      publish: (name, content) => publish(path.join(page, name), content),
      published: (name) => published(path.join(page, name)),
      now: Date.now,
      log: logLine,
    });
  } finally {
    s3.destroy();
  }
}

async function published(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes a file so that nobody reads a part of it. */
async function publish(file: string, content: string): Promise<void> {
  const unfinished = path.join(path.dirname(file), `.${path.basename(file)}.new`);
  await fs.writeFile(unfinished, content, { mode: 0o644 });
  await fs.rename(unfinished, file);
}
