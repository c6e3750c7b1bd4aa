/** The versions that a bucket holds. */
import type { S3 } from "@aws-sdk/client-s3";
import { BucketAddress, explained, where } from "../../providers/s3-client";
import { Entry } from "./plan";

/** A key as a listing with `EncodingType: url` spells it. */
const decoded = (key: string | undefined): string => decodeURIComponent((key ?? "").replaceAll("+", " "));

/** The one that S3 lists later, which goes by the bytes of UTF-8. */
function later(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Buffer.compare(Buffer.from(one), Buffer.from(other)) > 0 ? one : other;
}

/** ETags come with and without quotes, by service and call. */
export const plainEtag = (etag: string | undefined): string => (etag ?? "").replaceAll('"', "");

/** A version of an object, or a delete marker, as the SDK gives it. */
interface Listed {
  Key?: string;
  VersionId?: string;
  IsLatest?: boolean;
  LastModified?: Date;
  ETag?: string;
  Size?: number;
  Owner?: { ID?: string };
}

function entry(listed: Listed, marker: boolean): Entry {
  const { VersionId, LastModified, Owner } = listed;
  const key = decoded(listed.Key);
  if (VersionId === undefined || LastModified === undefined) {
    throw new Error(`the S3 service lists ${JSON.stringify(key)} without a version or a time`);
  }
  return {
    key,
    versionId: VersionId,
    marker,
    latest: listed.IsLatest === true,
    modified: LastModified.getTime(),
    size: listed.Size ?? 0,
    etag: plainEtag(listed.ETag),
    ...(Owner?.ID === undefined ? {} : { by: Owner.ID }),
  };
}

/**
 * The folders right below a prefix (empty: the bucket itself) of which the bucket has any version, in full and with
 * their slash, sorted.
 */
export async function listFolders(s3: S3, address: BucketAddress, prefix: string): Promise<string[]> {
  const folders: string[] = [];
  let KeyMarker: string | undefined;
  for (;;) {
    const page = await explained(address, `list the folders below ${prefix}`, () =>
      s3.listObjectVersions({
        Bucket: address.bucket,
        Prefix: prefix,
        Delimiter: "/",
        EncodingType: "url",
        ...(KeyMarker === undefined ? {} : { KeyMarker }),
      }),
    );
    const found = (page.CommonPrefixes ?? []).map(({ Prefix }) => decoded(Prefix));
    folders.push(...found);
    // After a folder all that is in it is passed over: its name with the last character that there is.
    const last = found.at(-1);
    if (page.IsTruncated !== true) return folders;
    const next = last === undefined ? decoded(page.NextKeyMarker) : `${last}\u{10FFFF}`;
    if (later(KeyMarker, next) !== next || KeyMarker === next) {
      throw new Error(`${where(address)}: the list of folders does not get past ${JSON.stringify(next)}`);
    }
    KeyMarker = next;
  }
}

/**
 * All versions and delete markers below a prefix.
 *
 * @param limit how many are enough; default: all
 */
export async function listVersions(
  s3: S3,
  address: BucketAddress,
  prefix: string,
  limit = Infinity,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const page of versionPages(s3, address, prefix, limit)) {
    for (const one of page) entries.push(one);
    if (entries.length >= limit) break;
  }
  return entries;
}

/**
 * The same page by page, for whoever has no time for all of them. The keys come in S3's order, those of a page's last
 * key may go on in the next.
 *
 * @param limit how many entries are enough for one page; default: as many as the service gives
 */
export async function* versionPages(
  s3: S3,
  address: BucketAddress,
  prefix: string,
  limit = Infinity,
): AsyncGenerator<Entry[], void> {
  let position: { KeyMarker?: string; VersionIdMarker?: string } = {};
  for (;;) {
    const page = await explained(address, `list the versions below ${prefix}`, () =>
      s3.listObjectVersions({
        Bucket: address.bucket,
        Prefix: prefix,
        // An attacker's keys may hold what XML cannot.
        EncodingType: "url",
        ...position,
        ...(limit < 1000 ? { MaxKeys: limit } : {}),
      }),
    );
    const versions = (page.Versions ?? []).map((listed) => entry(listed, false));
    const markers = (page.DeleteMarkers ?? []).map((listed) => entry(listed, true));
    yield [...versions, ...markers];
    const next = page.NextKeyMarker;
    if (page.IsTruncated !== true || next === undefined) return;
    // Amazon encodes this key too, Ceph does not: it is the page's last.
    const last = [versions.at(-1)?.key, markers.at(-1)?.key].reduce(later);
    const following = {
      KeyMarker: last === next ? last : decoded(next),
      ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
    };
    const { KeyMarker: before, VersionIdMarker: version } = position;
    if (
      later(before, following.KeyMarker) !== following.KeyMarker ||
      (before === following.KeyMarker && version === following.VersionIdMarker)
    ) {
      throw new Error(`${where(address)}: the list of versions does not get past ${JSON.stringify(next)}`);
    }
    position = following;
  }
}
