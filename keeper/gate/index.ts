/** The gate: restic's REST protocol in front of S3, with the keeper's keys and without a password. */
import { connect } from "../../s3/client";
import type { S3Credentials } from "../../config";
import { readJson } from "../read-json";
import type { KeeperSettings } from "../settings";
import { logLine, startGate } from "./gate";
import { S3Store } from "./store";

export { askDue } from "./gate";

/** Milliseconds for one whole answer of S3: a pack is up to 128 MiB, and the line may be slow. */
const ANSWER_MS = 600_000;

/** What the command line says. */
export interface GateOptions {
  /** Path of the settings. */
  readonly settings: string;
  /** Folder of the sockets. */
  readonly sockets: string;
  /** Path of the S3 credentials: accessKeyId and secretAccessKey in JSON. */
  readonly credentials: string;
}

/** Serves until SIGTERM. */
export async function runGate(options: GateOptions): Promise<void> {
  const settings = (await readJson(options.settings)) as KeeperSettings;
  const credentials = (await readJson(options.credentials)) as S3Credentials;
  const s3 = await connect(settings.s3, credentials, ANSWER_MS);
  const store = new S3Store(s3, settings.s3);
  const gate = await startGate({ store, settings, log: logLine }, options.sockets);
  await new Promise((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  await gate.stop();
  s3.destroy();
}
