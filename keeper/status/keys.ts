/** What the watcher leaves in the bucket. The writer can neither read nor put there. */

/** The folder of the status, and of the alarms that are to be sent. */
export const STATUS_FOLDER = ".status/";
/** The status, see `schema.ts`. */
export const STATUS_KEY = `${STATUS_FOLDER}status.json`;
/** The same as a page, and for Prometheus. */
export const PAGE_KEY = `${STATUS_FOLDER}status.html`;
export const METRICS_KEY = `${STATUS_FOLDER}metrics.prom`;
/** What was raised and what is still to be sent. */
export const OUTBOX_KEY = `${STATUS_FOLDER}outbox.json`;
/** Most bytes of each: a thousand repositories' status has ten million. */
export const MOST_STATUS_BYTES = 64 << 20;
