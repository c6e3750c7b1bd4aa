/** Objects that something happened to, so many or few. */
import { detached } from "../gate/view";
import type { Suspects } from "../status/schema";

/** Keys that are named, and characters of each: a status with an attacker's longest keys has to stay readable. */
const NAMED = 20;
const MOST_KEY = 200;

/** Counts suspects, and names the first. */
export class SuspectList {
  private count = 0;
  private since = Infinity;
  private readonly some: string[] = [];

  /** @param at since when, in milliseconds since 1970. @default unknown */
  add(key: string, at = Infinity): void {
    this.count += 1;
    this.since = Math.min(this.since, at);
    if (this.some.length < NAMED) this.some.push(detached(cut(key)));
  }

  get all(): Suspects {
    const { count, since, some } = this;
    return { count, ...(Number.isFinite(since) ? { since } : {}), some };
  }
}

const cut = (key: string): string => (key.length > MOST_KEY ? `${key.slice(0, MOST_KEY)}…` : key);
