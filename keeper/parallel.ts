/** Bounded concurrency. */

/** Does the work for every item, for at most `atOnce` items at a time; the results have the items' order. */
export async function inParallel<Item, T>(
  atOnce: number,
  items: readonly Item[],
  work: (item: Item) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  const waiting = items.entries();
  const worker = async () => {
    for (const [at, item] of waiting) results[at] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}
