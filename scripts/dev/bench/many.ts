/** What the benches of many repositories share: their sizes, and what each size is measured on. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { RepositoryName } from "../../../keeper/gate/names";
import { UsageError } from "../../../operations/exit-status";
import { step } from "../../../operations/transport/run";
import type { BucketAddress } from "../../../s3/client";
import { CountingProxy } from "./counting-proxy";
import { KeptBucket, SampleRepository } from "./kept-bucket";

/** What the operand of such a bench says of itself. */
export const SIZES = "how many repositories; default: 10, 100 and 1000";

/** How many repositories are measured. */
export const sizesOf = (given: readonly string[]): number[] =>
  given.length === 0 ? [10, 100, 1000] : given.map(natural);

/** @throws UsageError for what is no number from 1 to 9999 */
export function natural(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError(`${text} is no number from 1 to 9999`);
  return Number(text);
}

/** A bucket for many copies of a repository, of which nothing is there yet. */
export interface Many {
  readonly folder: string;
  /** The names of the copies. */
  readonly names: readonly RepositoryName[];
  readonly sample: SampleRepository;
  readonly bucket: KeptBucket;
  readonly proxy: CountingProxy;
  /** The bucket, through the proxy. */
  readonly address: BucketAddress;
  /** What is done at the end, before the bucket is removed; what was added last comes first. */
  readonly undo: (() => Promise<unknown>)[];
}

/**
 * Measures on a bucket of its own, and removes that.
 *
 * @param bench a word of the bucket's name
 */
export async function withMany(
  bench: string,
  count: number,
  measure: (many: Many) => Promise<void>,
): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `bench-${bench}-`));
  const undo: Many["undo"] = [() => fs.promises.rm(folder, { recursive: true })];
  try {
    const passwordFile = path.join(folder, "password");
    fs.writeFileSync(passwordFile, "of the bench", { mode: 0o600 });
    const names = Array.from({ length: count }, (_, n) => ({
      client: `client${String(n).padStart(4, "0")}`,
      repository: "main",
    }));
    const sample = await SampleRepository.create(folder, passwordFile);
    const bucket = await KeptBucket.create(`bench-${bench}-${process.pid}-${count}`);
    undo.push(() => step("remove the bucket", () => bucket.remove()));
    const proxy = await CountingProxy.start(bucket.address.endpoint);
    undo.push(() => proxy.stop());
    const address = { ...bucket.address, endpoint: proxy.endpoint };
    await measure({ folder, names, sample, bucket, proxy, address, undo });
  } finally {
    for (const one of undo.reverse()) await one();
  }
}
