/** The canary's repository during an attack: what this run added to it, and what rclone's answers mean. */
import { setTimeout as pause } from "node:timers/promises";
import { Probe, PUT_BACK, Seen } from "../probe";
import { ResticAnswer, ResticRequest } from "./restic-session";

/** The types of objects that a restic repository keeps permanently. */
export const KEPT = ["data", "keys", "snapshots", "index"] as const;

/** The canary's repository in one session with rclone. */
export interface CanaryRepository {
  request: ResticRequest;
  /** The name of every object of this run. */
  id: string;
  /** The content of the repository's config, which an earlier run may have added. */
  config: string;
  /** Whether an object can be added and read; if not, a refusal proves nothing. */
  works: boolean;
  /** Whether a lock can be removed, too; if not, a refusal to delete anything else proves nothing. */
  removes: boolean;
}

/** The most versions of the canary's that are looked at; only a holder of the bucket's credentials can add more. */
export const MOST_VERSIONS = 10_000;

/** The content of this run's object of a type. */
export const content = (type: string) => `secure-backups verify ${type}\n`;

/** The path of the object of a type. */
export const place = (type: string, id: string) => (type === "config" ? "/config" : `/${type}/${id}`);

const NO_CONTROL = {
  works: "the canary cannot add and read an object, so a refusal would prove nothing",
  removes: "the canary cannot remove a lock, so a refusal would prove nothing",
};

/** Throws unless the repository works, and for an attack that removes: unless a lock can be removed. */
export function needControl(
  repository: Pick<CanaryRepository, "works" | "removes">,
  control: "works" | "removes" = "works",
): void {
  for (const needed of ["works", control] as const) {
    if (!repository[needed]) throw new Error(NO_CONTROL[needed]);
  }
}

/** Whether an answer is a refusal: neither a success nor a failed attempt. */
export const isRefused = (status: number): boolean => status >= 300 && status < 500;

/** The answer of append-only; any other failure means that append-only was bypassed. */
const FORBIDDEN = 403;

/** Judges rclone's answer to a deletion or an overwrite. */
export function refusal({ status }: Pick<ResticAnswer, "status">): Seen {
  if (status === FORBIDDEN) return { holds: true, happened: `refused (${String(status)})` };
  const how = status < 300 ? "ACCEPTED" : "NOT refused by append-only: it failed";
  return { holds: false, happened: `${how} (${String(status)})` };
}

/** Reads what must exist, up to four times: rclone answers 404 for every failure of S3, temporary ones included. */
export async function readBack(request: ResticRequest, target: string): Promise<ResticAnswer> {
  let answer = await request("GET", target);
  for (let again = 0; answer.status !== 200 && again < 3; again++) {
    await pause(1000);
    answer = await request("GET", target);
  }
  return answer;
}

/** An attack that rclone must refuse. */
export const attack = (name: string, tried: string, attempt: () => Promise<Seen>): Probe => ({
  ring: 1,
  id: `attack.${name}`,
  tried,
  expected: "refused",
  remedy: `${PUT_BACK}; see authorized-keys.exact and version.rclone`,
  attempt,
});
