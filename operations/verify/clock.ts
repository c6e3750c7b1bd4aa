/** Clocks: those of hosts and of the S3 service against that of the machine on which verify runs. */
import { endpointUrl } from "../../s3/client";
import { ask } from "./http";
import { probe, type Finding, type Seen } from "./probe";

/** How far two clocks may be apart, in seconds; from a quarter of an hour on S3 refuses every request. */
export const TOLERATED_SECONDS = 60;

/** What a clock showed, and between which times of this machine; all in milliseconds since 1970. */
export interface ClockReading {
  shown: number;
  earliest: number;
  latest: number;
}

/** Judges one reading: only what it must be off at least counts, for an answer may have taken long. */
export function judgeClock({ shown, earliest, latest }: ClockReading): Seen {
  if (!Number.isFinite(shown)) throw new Error("it tells no time");
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
  return probe(
    {
      ring: 1,
      id: `clock.${name}`,
      tried: `the clock of ${name} is held against that of this machine`,
      expected: `at most ${String(TOLERATED_SECONDS)} s apart`,
      remedy:
        `let ${name} reach time servers (egress.ntp), and look at its time service: timedatectl, or chronyc tracking; ` +
        "where s3.clock fails too, it is the clock of this machine that is wrong",
    },
    async () => judgeClock(await read()),
  );
}

/** Whether the S3 service's clock does. */
export function serviceClock(endpoint: string): Promise<Finding> {
  return probe(
    {
      ring: 1,
      id: "s3.clock",
      tried: "the time of an answer of the S3 service is held against the clock of this machine",
      expected: `at most ${String(TOLERATED_SECONDS)} s apart: it refuses whoever is a quarter of an hour off`,
      remedy: "look at the clock of this machine; where that is right, tell the operator of the S3 service",
    },
    async () => judgeClock(await s3Clock(endpoint)),
  );
}

/** The S3 service's clock, by the `Date` of its answer, which is cut off to the second. */
export async function s3Clock(endpoint: string): Promise<ClockReading> {
  const earliest = Date.now();
  const answer = await ask(endpointUrl(endpoint), { method: "HEAD" });
  return { shown: Date.parse(answer.headers.get("date") ?? ""), earliest, latest: Date.now() };
}
