/** Which snapshots are no backups, but reports of runs that were not whole: restic-backup tags them. */

/** All of them have it. */
export const REPORT_TAG = "secure-backups-report";
const PARTIAL_TAG = "secure-backups-partial";
const FAILED_TAG = "secure-backups-failed";

/** How a run ended that was not whole. */
export type Reported = "partial" | "failed";

/** What a snapshot with these tags reports; `undefined`: it is a backup. Older clients do not say it: then it is `failed`. */
export function reportOf(tags: readonly string[]): Reported | undefined {
  if (!tags.includes(REPORT_TAG)) return undefined;
  return tags.includes(PARTIAL_TAG) && !tags.includes(FAILED_TAG) ? "partial" : "failed";
}
