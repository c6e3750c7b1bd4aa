/** The versions that a bucket holds. */
import { isUtf8 } from "node:buffer";
import { getHeapStatistics } from "node:v8";
import type { ListObjectVersionsCommandOutput, S3 } from "@aws-sdk/client-s3";
import { BucketAddress, explained, where } from "./client";
import type { Entry } from "./history";
import { asInXml, markerReadings, plainEtag } from "./services";

/** A key of the bucket. In S3 keys are UTF-8; some calls of some services accept other bytes too. */
interface Key {
  bytes: Buffer;
  /** With U+FFFD in place of invalid bytes. */
  text: string;
  /** Whether it is valid UTF-8, so that a request can name it. */
  isText: boolean;
}

/** Decodes a key of a listing with `EncodingType: url`; `encoded`: whether the service did that. */
function keyOf(spelt: string | undefined, encoded: boolean): Key {
  const parts = encoded ? (spelt ?? "").replaceAll("+", " ").split(/((?:%[0-9a-f]{2})+)/i) : [spelt ?? ""];
  const bytes = Buffer.concat(
    parts.map((part, i) => (i % 2 === 1 ? Buffer.from(part.replaceAll("%", ""), "hex") : Buffer.from(part))),
  );
  return { bytes, text: bytes.toString(), isText: isUtf8(bytes) };
}

/** The key that S3 lists later: it compares bytes. */
function later(one: Key | undefined, other: Key | undefined): Key | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Buffer.compare(one.bytes, other.bytes) > 0 ? one : other;
}

/** All code points but surrogates, as numbers without a gap: in UTF-8 their order is that of their bytes. */
const CHARACTERS = 0x110000 - 0x800;
const character = (n: number): string => String.fromCodePoint(n < 0xd800 ? n : n + 0x800);

/** The first valid key that S3 lists after these bytes, which are not valid UTF-8; `undefined` if there is none. */
export function firstTextAfter(bytes: Buffer): string | undefined {
  let end = bytes.length;
  while (!isUtf8(bytes.subarray(0, end))) end -= 1;
  for (let before = bytes.subarray(0, end).toString(); ; before = before.replace(/.$/su, "")) {
    const rest = bytes.subarray(Buffer.byteLength(before));
    let [least, most] = [0, CHARACTERS];
    while (least < most) {
      const middle = (least + most) >> 1;
      if (Buffer.compare(Buffer.from(character(middle)), rest) > 0) most = middle;
      else least = middle + 1;
    }
    if (least < CHARACTERS) return before + character(least);
    if (before === "") return undefined;
  }
}

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

function entry(listed: Listed, { text: key, isText }: Key, marker: boolean): Entry {
  const { VersionId, LastModified, Owner } = listed;
  if (VersionId === undefined || LastModified === undefined) {
    throw new Error(`the S3 service lists ${JSON.stringify(key)} without a version or a time`);
  }
  return {
    key,
    ...(isText ? {} : { nameless: true }),
    versionId: VersionId,
    marker,
    latest: listed.IsLatest === true,
    modified: LastModified.getTime(),
    size: listed.Size ?? 0,
    etag: plainEtag(listed.ETag),
    ...(Owner?.ID === undefined ? {} : { by: Owner.ID }),
  };
}

/** A name right below a prefix: of a folder, which ends with a slash, or of an object. */
export interface Name {
  /** In full. */
  readonly name: string;
  /** Whether it is not valid UTF-8, so that no request can name it; `name` has U+FFFD in place of invalid bytes. */
  readonly nameless?: true;
}

/**
 * The folders right below a prefix (empty: the bucket itself) of which the bucket has any version, in full and with
 * their slash, sorted. Those whose names are not UTF-8 are left out: no request can name them.
 */
export async function listFolders(s3: S3, address: BucketAddress, prefix: string): Promise<string[]> {
  const folders = new Set<string>();
  for await (const page of namePages(s3, address, prefix)) {
    for (const { name, nameless } of page) {
      if (nameless !== true && name !== prefix && name.endsWith("/")) folders.add(name);
    }
  }
  return [...folders];
}

/**
 * The names right below a prefix page by page: folders of which the bucket has any version, and objects that are not
 * hidden. A name may come twice.
 */
export async function* namePages(
  s3: S3,
  address: BucketAddress,
  prefix: string,
): AsyncGenerator<Name[], void> {
  let position: Position = {};
  for (;;) {
    const page = await explained(address, `list the folders below ${prefix}`, () =>
      s3.listObjectVersions({
        Bucket: address.bucket,
        Prefix: prefix,
        Delimiter: "/",
        EncodingType: "url",
        ...position,
      }),
    );
    const encoded = page.EncodingType === "url";
    const folders = (page.CommonPrefixes ?? []).map(({ Prefix }) => keyOf(Prefix, encoded));
    const objects = (page.Versions ?? []).filter(({ IsLatest }) => IsLatest === true);
    yield [...folders, ...objects.map(({ Key }) => keyOf(Key, encoded))].map(({ text, isText }) => ({
      name: text,
      ...(isText ? {} : { nameless: true }),
    }));
    if (page.IsTruncated !== true) return;
    const file = [page.Versions, page.DeleteMarkers]
      .flatMap((list) => list?.at(-1) ?? [])
      .map(({ Key }) => keyOf(Key, encoded))
      .reduce(later, undefined);
    const last = later(file, folders.at(-1));
    if (last !== undefined && (last !== file || !last.isText)) {
      // After a folder the next page skips its content.
      const past = last === file ? last.bytes : Buffer.concat([last.bytes, Buffer.from([0xff])]);
      const next = firstTextAfter(past);
      if (next?.startsWith(prefix) !== true) return;
      position = following(address, "folders", position, { KeyMarker: next });
    } else {
      position = following(address, "folders", position, endOf(page, file));
    }
    // A listing that continues after a folder's name skips the folder.
    const { KeyMarker = "" } = position;
    if (
      KeyMarker !== prefix &&
      KeyMarker.endsWith("/") &&
      (await listVersions(s3, address, KeyMarker, 1)).length > 0
    ) {
      yield [{ name: KeyMarker }];
    }
  }
}

/** Where a listing continues. */
interface Position {
  KeyMarker?: string;
  VersionIdMarker?: string;
}

/** Where a page ends, as the service says: at the page's last key in either reading, or else at the decoded key. */
function endOf(page: ListObjectVersionsCommandOutput, last: Key | undefined): Position {
  const { NextKeyMarker = "", NextVersionIdMarker: VersionIdMarker } = page;
  const readings = markerReadings(NextKeyMarker, (key) => keyOf(key, page.EncodingType === "url").text);
  const isLast = readings.some((key) => last !== undefined && asInXml(key) === asInXml(last.text));
  return {
    KeyMarker: isLast ? last?.text : readings.at(-1),
    ...(VersionIdMarker === undefined ? {} : { VersionIdMarker }),
  };
}

/**
 * The position that follows.
 *
 * @throws Error where a listing would continue at or before its own start: it would never end
 */
function following(address: BucketAddress, what: string, before: Position, next: Position): Position {
  const [one = "", other = ""] = [before.KeyMarker, next.KeyMarker];
  const order = Buffer.compare(Buffer.from(one), Buffer.from(other));
  const same = order === 0 && before.VersionIdMarker === next.VersionIdMarker;
  if (before.KeyMarker !== undefined && (order > 0 || same)) {
    throw new Error(`${where(address)}: the list of ${what} does not get past ${JSON.stringify(other)}`);
  }
  return next;
}

/**
 * All versions and delete markers below a prefix.
 *
 * @param limit how many are enough. @default all
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

/** A plan takes about 700 bytes for each entry; without memory the process ends, which cannot be caught. */
const MOST_ENTRIES = Math.floor(getHeapStatistics().heap_size_limit / 1000);

/**
 * All versions and delete markers below a prefix, for a plan.
 *
 * @param most maximum number. @default as many as fit into this process's memory with a plan
 * @throws Error where there are more: an attacker who can add to a repository can add any number
 */
export async function plannableVersions(
  s3: S3,
  address: BucketAddress,
  prefix: string,
  most = MOST_ENTRIES,
): Promise<Entry[]> {
  const entries = await listVersions(s3, address, prefix, most + 1);
  if (entries.length <= most) return entries;
  throw new Error(
    `${where(address)}: below ${prefix} are more than ${most} versions, too many for this process's memory. Repeat this ` +
      "on a machine with enough, with NODE_OPTIONS=--max-old-space-size=MEBIBYTES in the environment, one for each 1000 versions",
  );
}

/**
 * The same page by page, for callers without time for all of them. The keys come in S3's order; versions of a page's
 * last key may continue in the next.
 *
 * @param limit how many entries are enough for one page. @default as many as the service returns
 */
export async function* versionPages(
  s3: S3,
  address: BucketAddress,
  prefix: string,
  limit = Infinity,
): AsyncGenerator<Entry[], void> {
  let position: Position = {};
  let given: string | undefined;
  for (;;) {
    const page = await explained(address, `list the versions below ${prefix}`, () =>
      s3.listObjectVersions({
        Bucket: address.bucket,
        Prefix: prefix,
        // An attacker's keys may contain what XML cannot.
        EncodingType: "url",
        ...position,
        ...(limit < 1000 ? { MaxKeys: limit } : {}),
      }),
    );
    const encoded = page.EncodingType === "url";
    const listed = (list: Listed[] = [], marker: boolean) =>
      list.map((one) => {
        const key = keyOf(one.Key, encoded);
        return { key, entry: entry(one, key, marker) };
      });
    const versions = listed(page.Versions, false);
    const markers = listed(page.DeleteMarkers, true);
    const entries = [...versions, ...markers].map((one) => one.entry);
    yield given === undefined ? entries : entries.filter(({ key, nameless }) => nameless || key !== given);
    const last = later(versions.at(-1)?.key, markers.at(-1)?.key);
    if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return;
    if (last?.isText === false) {
      // No request can begin there, so the next begins at the first valid key after it, which is listed separately.
      given = firstTextAfter(last.bytes);
      if (given?.startsWith(prefix) !== true) return;
      position = following(address, "versions", position, { KeyMarker: given });
      yield* versionsOf(s3, address, given);
    } else {
      position = following(address, "versions", position, endOf(page, last));
    }
  }
}

/** Pages of the versions of one key. */
async function* versionsOf(s3: S3, address: BucketAddress, wanted: string): AsyncGenerator<Entry[], void> {
  for await (const page of versionPages(s3, address, wanted)) {
    const own = page.filter(({ key, nameless }) => !nameless && key === wanted);
    yield own;
    if (own.length < page.length) return;
  }
}
