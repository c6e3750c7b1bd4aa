/** Objects that something happened to, so many or few. */
import { detached } from "../gate/view";
import type { Suspects } from "../status/schema";

/** Keys that are named. */
const NAMED = 20;

export const NO_SUSPECTS: Suspects = { count: 0, some: [] };

/** Counts suspects, and names the first. */
export class SuspectList {
  private count = 0;
  private since = Infinity;
  private readonly some: string[] = [];

  /** @param at since when, in milliseconds since 1970. @default unknown */
  add(key: string, at = Infinity): void {
    this.count += 1;
    this.since = Math.min(this.since, at);
    if (this.some.length < NAMED) this.some.push(detached(key));
  }

  get all(): Suspects {
    const { count, since, some } = this;
    return { count, ...(Number.isFinite(since) ? { since } : {}), some };
  }
}
