/** The clocks of hosts and of the S3 service, compared with that of the machine on which verify runs. */
import { endpointUrl } from "../../s3/client";
import { ask } from "./http";
import { runProbe, type Finding, type Seen } from "./probe";

/** How far two clocks may be apart, in seconds; S3 refuses every request from a quarter of an hour on. */
const TOLERATED_SECONDS = 60;

/** The time that a clock showed, and between which times of this machine; in milliseconds since 1970. */
export interface ClockReading {
  shown: number;
  earliest: number;
  latest: number;
}

/** Judges a reading by the least that the clock must be off: the answer may have taken long. */
export function judgeClock({ shown, earliest, latest }: ClockReading): Seen {
  if (!Number.isFinite(shown)) throw new Error("it reports no time");
  const off = shown < earliest ? shown - earliest : Math.max(0, shown - latest);
  const seconds = Math.round(Math.abs(off) / 1000);
  if (Math.abs(off) <= TOLERATED_SECONDS * 1000) {
    return { holds: true, happened: `less than ${String(TOLERATED_SECONDS)} s apart` };
  }
  return {
    holds: false,
    happened: `it is ${String(seconds)} s ${off < 0 ? "behind" : "ahead of"} the clock of this machine`,
  };
}

/** Whether a host's clock agrees with this machine's. */
export function hostClock(name: string, read: () => Promise<ClockReading>): Promise<Finding> {
  return runProbe({
    ring: 1,
    id: `clock.${name}`,
    tried: `compare the clock of ${name} with that of this machine`,
    expected: `at most ${String(TOLERATED_SECONDS)} s apart`,
    remedy:
      `let ${name} reach time servers (egress.ntp), and look at its time service: timedatectl, or chronyc tracking; ` +
      "if s3.clock fails too, the clock of this machine is wrong",
    attempt: async () => judgeClock(await read()),
  });
}

/** Whether the S3 service's clock agrees with this machine's. */
export function serviceClock(endpoint: string): Promise<Finding> {
  return runProbe({
    ring: 1,
    id: "s3.clock",
    tried: "compare the time of an answer of the S3 service with the clock of this machine",
    expected: `at most ${String(TOLERATED_SECONDS)} s apart: S3 refuses requests that are a quarter of an hour off`,
    remedy:
      "look at the clock of this machine; if that is right, report it to the operator of the S3 service",
    attempt: async () => judgeClock(await s3Clock(endpoint)),
  });
}

/** The S3 service's clock, by the `Date` of an answer, which has whole seconds. */
export async function s3Clock(endpoint: string): Promise<ClockReading> {
  const earliest = Date.now();
  const answer = await ask(endpointUrl(endpoint), { method: "HEAD" });
  return { shown: Date.parse(answer.headers.get("date") ?? ""), earliest, latest: Date.now() };
}
