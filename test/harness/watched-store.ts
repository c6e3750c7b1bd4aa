/** A versioned bucket in memory, for tests of the watcher. */
import type { BucketFacts, WatchedStore } from "../../keeper/watch/bucket";
import type { Name } from "../../s3/versions";
import { MemoryStore } from "./memory-store";

export class WatchedMemory extends MemoryStore implements WatchedStore {
  /** What the service says. */
  said: BucketFacts = {};

  async *names(prefix: string): AsyncGenerator<Name[]> {
    await this.called(`names ${prefix}`);
    const names = new Set<string>();
    for (const key of [...this.keys.keys()].filter((one) => one.startsWith(prefix)).sort()) {
      const slash = key.indexOf("/", prefix.length);
      if (slash !== -1) names.add(key.slice(0, slash + 1));
      else if (this.shown(key) !== undefined) names.add(key);
    }
    for (const name of names) yield [{ name }];
  }

  async shows(prefix: string): Promise<boolean> {
    await this.called(`shows ${prefix}`);
    return this.shownKeys(prefix).length > 0;
  }

  async facts(): Promise<BucketFacts> {
    await this.called("facts");
    return this.said;
  }
}
