/** What the watcher asks of the bucket; it changes nothing. */
import { explained } from "../../s3/client";
import { headersOf, quotaIn } from "../../s3/settings/quota";
import { type Name, namePages } from "../../s3/versions";
import { S3Store, type Store } from "../gate/store";
import { SECOND } from "../time";

/** What the service says of the bucket and of itself. */
export interface BucketFacts {
  /** Bytes that the bucket may have; absent: it has no quota, or the service does not report one to this identity. */
  readonly quota?: number;
  /** Milliseconds that this machine's clock is ahead of the service's; absent: it showed no time. */
  readonly clockOff?: number;
}

/** The bucket, as the watcher sees it. Every call throws where the service fails or refuses. */
export interface WatchedStore extends Pick<Store, "versions" | "get"> {
  /** The names right below a prefix, see {@link namePages}. */
  names(prefix: string): AsyncIterable<readonly Name[]>;
  /** Whether there is an object below a prefix that is not hidden. */
  shows(prefix: string): Promise<boolean>;
  facts(): Promise<BucketFacts>;
}

/** The bucket of an S3 service. */
export class WatchedBucket extends S3Store implements WatchedStore {
  names(prefix: string): AsyncIterable<readonly Name[]> {
    return namePages(this.s3, this.address, prefix);
  }

  async shows(prefix: string): Promise<boolean> {
    const { Contents = [] } = await explained(this.address, `list the objects below ${prefix}`, () =>
      this.s3.listObjectsV2({
        Bucket: this.address.bucket,
        Prefix: prefix,
        MaxKeys: 1,
        EncodingType: "url",
      }),
    );
    return Contents.length > 0;
  }

  async facts(): Promise<BucketFacts> {
    const earliest = Date.now();
    const headers = await explained(this.address, "ask for the bucket's quota", () =>
      headersOf(this.s3, this.address.bucket),
    );
    const clockOff = aheadOf(Date.parse(headers["date"] ?? ""), earliest, Date.now());
    const quota = quotaIn(headers);
    return {
      ...(typeof quota === "number" ? { quota } : {}),
      ...(clockOff === undefined ? {} : { clockOff }),
    };
  }

  /** The S3 ID of the identity whose keys these are; `undefined`: the service does not report it. */
  async identity(): Promise<string | undefined> {
    const { Owner } = await explained(this.address, "ask whose keys these are", () =>
      this.s3.listBuckets({}),
    );
    return Owner?.ID;
  }
}

/**
 * The least that this clock is ahead of another, in milliseconds: the answer may have taken long.
 *
 * @param shown by the other, a whole second; NaN: it showed no time
 * @param earliest by this clock before the other was asked
 * @param latest by this clock after it answered
 */
export function aheadOf(shown: number, earliest: number, latest: number): number | undefined {
  if (Number.isNaN(shown)) return undefined;
  if (shown > latest) return latest - shown;
  // An HTTP date has whole seconds.
  return Math.max(0, earliest - (shown + SECOND - 1));
}
