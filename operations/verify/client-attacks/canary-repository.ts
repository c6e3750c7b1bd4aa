/** What the attacks on the canary's repository stand on: what this run put there, and what an answer means. */
import { setTimeout as pause } from "node:timers/promises";
import { Finding, PUT_BACK, Seen } from "../probe";
import { probeAlone } from "./attacker";
import { ResticAnswer, ResticRequest } from "./restic-session";

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
  /** Whether a lock can be removed, too; where not, a refusal to delete anything else means nothing. */
  removes: boolean;
}

/** As many versions of the canary's are looked at; only somebody with keys of the bucket can have made more. */
export const MOST_VERSIONS = 10_000;

/** What this run writes into its object of a type. */
export const content = (type: string) => `secure-backups verify ${type}\n`;

/** Where the object of a type is. */
export const place = (type: string, id: string) => (type === "config" ? "/config" : `/${type}/${id}`);

const NO_CONTROL = "the canary cannot even add and read an object, so a refusal would mean nothing";
const NO_CONTROL_OF_REMOVAL = "the canary cannot even remove a lock, so a refusal would mean nothing";

/** Throws unless the repository works, and for an attack that removes: unless a lock can be removed. */
export function needControl(
  repository: Pick<CanaryRepository, "works" | "removes">,
  control: "works" | "removes" = "works",
): void {
  if (!repository.works) throw new Error(NO_CONTROL);
  if (!repository[control]) throw new Error(NO_CONTROL_OF_REMOVAL);
}

/** Whether an answer is a refusal: neither done nor tried in vain. */
export const isRefused = (status: number): boolean => status >= 300 && status < 500;

/** What append-only answers; any other failure says that it was passed by. */
const FORBIDDEN = 403;

/** What rclone's answer to a deletion or an overwriting says. */
export function refusal({ status }: Pick<ResticAnswer, "status">): Seen {
  if (status === FORBIDDEN) return { holds: true, happened: `refused (${String(status)})` };
  const how = status < 300 ? "ACCEPTED" : "NOT refused by append-only: it failed";
  return { holds: false, happened: `${how} (${String(status)})` };
}

/** Reads what must be there; again where it is not, for rclone says 404 for every failure of S3's, a passing one too. */
export async function readBack(request: ResticRequest, target: string): Promise<ResticAnswer> {
  let answer = await request("GET", target);
  for (let again = 0; answer.status !== 200 && again < 3; again++) {
    await pause(1000);
    answer = await request("GET", target);
  }
  return answer;
}

/** Tries what rclone must refuse. */
export const attack = (name: string, tried: string, attempt: () => Promise<Seen>): Promise<Finding> => {
  const remedy = `${PUT_BACK}; see authorized-keys.exact and version.rclone`;
  const about = { ring: 1 as const, id: `attack.${name}`, tried, expected: "refused", remedy };
  return probeAlone(about, attempt);
};
