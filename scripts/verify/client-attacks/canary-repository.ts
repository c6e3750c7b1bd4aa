/** What the attacks on the canary's repository stand on: what this run put there, and what an answer means. */
import { Finding, probe, PUT_BACK, Seen } from "../probe";
import { ResticRequest } from "./restic-session";

/** The types of objects that a restic repository keeps for good. */
export const KEPT = ["data", "keys", "snapshots", "index"] as const;

/** The canary's repository in one session with rclone. */
export interface CanaryRepository {
  request: ResticRequest;
  /** The name of every object of this run. */
  id: string;
  /** What the repository's config holds; an earlier run may have put it there. */
  config: string;
  /** Whether an object can be added and read; where not, a refusal means nothing. */
  works: boolean;
}

/** What this run writes into its object of a type. */
export const content = (type: string) => `secure-backups verify ${type}\n`;

/** Where the object of a type is. */
export const place = (type: string, id: string) => (type === "config" ? "/config" : `/${type}/${id}`);

const NO_CONTROL = "the canary cannot even add and read an object, so a refusal would mean nothing";

/** Throws unless the repository works. */
export function needControl({ works }: Pick<CanaryRepository, "works">): void {
  if (!works) throw new Error(NO_CONTROL);
}

/** Whether an answer is a refusal: neither done nor tried in vain. */
export const refuses = (status: number): boolean => status >= 300 && status < 500;

/** What an answer to an attack says, in words. */
export function verdictOn(status: number): string {
  if (refuses(status)) return `refused (${String(status)})`;
  return status < 300 ? `ACCEPTED (${String(status)})` : `tried by rclone, and failed (${String(status)})`;
}

/** Tries what rclone must refuse. */
export const attack = (name: string, tried: string, attempt: () => Promise<Seen>): Promise<Finding> => {
  const remedy = `${PUT_BACK}; see authorized-keys.exact and version.rclone`;
  const about = { ring: 1 as const, id: `attack.${name}`, tried, expected: "refused", remedy };
  return probe(about, attempt);
};
