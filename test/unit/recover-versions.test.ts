import type { ListObjectVersionsCommandInput, ListObjectVersionsCommandOutput, S3 } from "@aws-sdk/client-s3";
import { isUtf8 } from "node:buffer";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { firstTextAfter, listFolders, listVersions, plannableVersions } from "../../s3/versions";

const ADDRESS = { endpoint: "s3.example.com", region: "r", bucket: "backups" };
/** In S3's order. The first spells what Amazon makes of the second, and the first page ends between their versions. */
const KEYS = [
  "web/main/a\r1",
  "web/main/a%2541",
  "web/main/a%41",
  "web/main/a+b",
  "web/main/aA",
  "web/main/b c",
  "web/main/z%",
  "web/main/é/\u0001",
];

/** Two versions and, between them, a delete marker of each key, in the order in which S3 lists them. */
const STORED = KEYS.flatMap((key) =>
  ["new", "marker", "old"].map((versionId, i) => ({ key, versionId, latest: i === 0, modified: 3 - i })),
);

/** A service that gives so many entries a page, and spells a page's end as given. */
function service(
  spelt: (key: string) => string,
  atOnce = 4,
): { s3: S3; asked: ListObjectVersionsCommandInput[] } {
  const asked: ListObjectVersionsCommandInput[] = [];
  const listObjectVersions = (
    input: ListObjectVersionsCommandInput,
  ): Promise<Partial<ListObjectVersionsCommandOutput>> => {
    asked.push(input);
    const { KeyMarker, VersionIdMarker, MaxKeys = atOnce } = input;
    const start =
      KeyMarker === undefined
        ? 0
        : STORED.findIndex(({ key, versionId }) => key === KeyMarker && versionId === VersionIdMarker) + 1;
    if (KeyMarker !== undefined && start === 0) throw new Error(`no such position: ${KeyMarker}`);
    const page = STORED.slice(start, start + MaxKeys);
    const listed = page.map(({ key, versionId, latest, modified }) => ({
      Key: encodeURIComponent(key).replaceAll("%20", "+"),
      VersionId: versionId,
      IsLatest: latest,
      LastModified: new Date(modified),
    }));
    const last = page.at(-1);
    return Promise.resolve({
      Versions: listed.filter(({ VersionId }) => VersionId !== "marker"),
      DeleteMarkers: listed.filter(({ VersionId }) => VersionId === "marker"),
      EncodingType: "url",
      IsTruncated: start + MaxKeys < STORED.length,
      ...(last && { NextKeyMarker: spelt(last.key), NextVersionIdMarker: last.versionId }),
    });
  };
  return { s3: { listObjectVersions } as unknown as S3, asked };
}

test("more versions than can be planned with are an error that names the remedy, and no end of the process", async () => {
  const { s3 } = service((key) => key);
  expect(await plannableVersions(s3, ADDRESS, "web/main/", STORED.length)).toHaveLength(STORED.length);
  await expect(plannableVersions(s3, ADDRESS, "web/main/", STORED.length - 1)).rejects.toThrow(
    /below web\/main\/ are more than 23 versions.*--max-old-space-size/s,
  );
});

describe.each([
  ["Amazon's", (key: string) => encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/")],
  // The end of a line is another in XML.
  ["Ceph's", (key: string) => key.replace("\r", "\n")],
])("pages with %s spelling of their end", (_name, spelt) => {
  test.each([1, 2, 3, 4, 5])(
    "of %i give every version and marker once, whatever stands in the keys",
    async (atOnce) => {
      const { s3, asked } = service(spelt, atOnce);
      const entries = await listVersions(s3, ADDRESS, "web/main/");
      const told = (list: { key: string; versionId: string }[]) =>
        list.map(({ key, versionId }) => `${key} ${versionId}`).sort();
      expect(told(entries)).toEqual(told(STORED));
      for (const { marker, versionId, latest } of entries) {
        expect(marker).toBe(versionId === "marker");
        expect(latest).toBe(versionId === "new");
      }
      expect(asked.length).toBeGreaterThan(3);
    },
  );

  test("end where enough has been seen", async () => {
    const { s3, asked } = service(spelt);
    expect(await listVersions(s3, ADDRESS, "web/main/", 1)).toHaveLength(1);
    expect(asked).toHaveLength(1);
  });
});

test("a service that lists no times is told", async () => {
  const listObjectVersions = () => Promise.resolve({ Versions: [{ Key: "web/main/x", VersionId: "v" }] });
  await expect(listVersions({ listObjectVersions } as unknown as S3, ADDRESS, "web/main/")).rejects.toThrow(
    /"web\/main\/x" without a version or a time/,
  );
});

test("a service whose pages do not get on is told", async () => {
  const page = { Versions: [], IsTruncated: true, NextKeyMarker: "web/main/x", NextVersionIdMarker: "v" };
  let asked = 0;
  const listObjectVersions = () => {
    asked += 1;
    return Promise.resolve(asked < 10 ? page : {});
  };
  await expect(listVersions({ listObjectVersions } as unknown as S3, ADDRESS, "web/main/")).rejects.toThrow(
    /"backups".* does not get past "web\/main\/x"/,
  );
});

test("folders are listed page by page, whatever lies beside them", async () => {
  const names = ["a/", "b c/", "plain", "web/", "web2/", "z", "é/"];
  const asked: (string | undefined)[] = [];
  const listObjectVersions = ({ KeyMarker }: ListObjectVersionsCommandInput) => {
    asked.push(KeyMarker);
    const after = (name: string) =>
      KeyMarker === undefined || Buffer.compare(Buffer.from(name), Buffer.from(KeyMarker)) > 0;
    const page = names.filter(after).slice(0, 2);
    const of = (folder: boolean) =>
      page.filter((name) => name.endsWith("/") === folder).map(encodeURIComponent);
    return Promise.resolve({
      CommonPrefixes: of(true).map((Prefix) => ({ Prefix })),
      Versions: of(false).map((Key) => ({ Key })),
      EncodingType: "url" as const,
      IsTruncated: page.at(-1) !== names.at(-1),
      NextKeyMarker: page.at(-1),
    });
  };
  const s3 = { listObjectVersions } as unknown as S3;
  expect(await listFolders(s3, ADDRESS, "")).toEqual(["a/", "b c/", "web/", "web2/", "é/"]);
  expect(asked.length).toBeGreaterThan(2);
});

test("a service whose list of folders does not get on is told", async () => {
  const listObjectVersions = () =>
    Promise.resolve({ CommonPrefixes: [{ Prefix: "a/" }], IsTruncated: true, NextKeyMarker: "a/" });
  await expect(listFolders({ listObjectVersions } as unknown as S3, ADDRESS, "")).rejects.toThrow(
    /the list of folders does not get past/,
  );
});

describe("names that are no text, by some calls of the service", () => {
  const byBytes = (one: string | Buffer, other: string | Buffer) =>
    Buffer.compare(Buffer.from(one), Buffer.from(other));
  /** Mostly bytes that text has only together with others. */
  const bytes = fc
    .array(fc.constantFrom(0x2e, 0x2f, 0x61, 0x80, 0xbf, 0xc3, 0xed, 0xf4, 0xff), { maxLength: 4 })
    .map((list) => Buffer.from(list));

  test("are passed over to the first text that follows", () => {
    fc.assert(
      fc.property(
        bytes.filter((one) => !isUtf8(one)),
        fc.string({ unit: "binary", maxLength: 3 }),
        (one, text) => {
          const first = firstTextAfter(one);
          if (first !== undefined) expect(byBytes(first, one)).toBe(1);
          const isAfter = byBytes(text, one) > 0;
          expect(isAfter).toBe(first !== undefined && byBytes(text, first) >= 0);
        },
      ),
      { numRuns: 2000 },
    );
    expect(firstTextAfter(Buffer.from("web/\xff", "latin1"))).toBe("web0");
    expect(firstTextAfter(Buffer.from("web/a\x80", "latin1"))).toBe("web/a\x80");
    expect(firstTextAfter(Buffer.from("\xff", "latin1"))).toBeUndefined();
  });

  /** A service that has these keys, spells them byte by byte, and gives a page's end as what XML makes of it. */
  function serviceWith(keys: readonly Buffer[], atOnce: number): S3 {
    const spelt = (key: Buffer) => key.toString("hex").replace(/../g, "%$&");
    const listObjectVersions = ({ Prefix = "", KeyMarker, Delimiter }: ListObjectVersionsCommandInput) => {
      const after = keys.filter(
        (key) =>
          key.subarray(0, Buffer.byteLength(Prefix)).equals(Buffer.from(Prefix)) &&
          (KeyMarker === undefined || byBytes(key, KeyMarker) > 0) &&
          // Ceph's gateway takes a folder's name for all of the folder.
          !(
            Delimiter !== undefined &&
            KeyMarker !== Prefix &&
            KeyMarker?.endsWith(Delimiter) === true &&
            key.indexOf(KeyMarker) === 0
          ),
      );
      const names = after.map((key) => {
        const end = Delimiter === undefined ? -1 : key.indexOf(Delimiter, Buffer.byteLength(Prefix));
        return end === -1 ? key : key.subarray(0, end + 1);
      });
      const unique = names.filter((name, i) => names.findIndex((other) => other.equals(name)) === i);
      const page = unique.slice(0, atOnce);
      const folders = page.filter(
        (name) => Delimiter !== undefined && name.at(-1) === 0x2f && name.length > Prefix.length,
      );
      return Promise.resolve({
        EncodingType: "url" as const,
        CommonPrefixes: folders.map((folder) => ({ Prefix: spelt(folder) })),
        Versions: page
          .filter((name) => !folders.includes(name))
          .map((key) => ({ Key: spelt(key), VersionId: "v", LastModified: new Date(0) })),
        IsTruncated: unique.length > atOnce,
        NextKeyMarker: page.at(-1)?.toString(),
      });
    };
    return { listObjectVersions } as unknown as S3;
  }

  const bucket = fc
    .uniqueArray(bytes, { maxLength: 12, selector: (one) => one.toString("hex") })
    .map((rest) => rest.map((one) => Buffer.concat([Buffer.from("w/"), one])).sort(byBytes));

  test("hide no other, wherever a page ends", async () => {
    await fc.assert(
      fc.asyncProperty(bucket, fc.integer({ min: 1, max: 4 }), async (keys, atOnce) => {
        const entries = await listVersions(serviceWith(keys, atOnce), ADDRESS, "w/");
        const told = entries.filter(({ nameless }) => !nameless).map(({ key }) => key);
        expect(told).toEqual(keys.filter((key) => isUtf8(key)).map(String));
      }),
      { numRuns: 1000 },
    );
  });

  test("are no folders, and hide none", async () => {
    await fc.assert(
      fc.asyncProperty(bucket, fc.integer({ min: 1, max: 4 }), async (keys, atOnce) => {
        const folders = await listFolders(serviceWith(keys, atOnce), ADDRESS, "w/");
        const wanted = keys
          .map((key) => key.subarray(0, key.indexOf("/", 2) + 1))
          .filter(({ length }) => length > 2);
        expect(folders).toEqual([...new Set(wanted.filter((name) => isUtf8(name)).map(String))]);
      }),
      { numRuns: 1000 },
    );
  });
});

test("a file with versions without end hides no folder", async () => {
  const versions = Array.from({ length: 5 }, (_, i) => String(i));
  const listObjectVersions = ({ KeyMarker, VersionIdMarker }: ListObjectVersionsCommandInput) => {
    // As Ceph's gateway: without a version it begins with the key's first.
    const next = KeyMarker === undefined ? 0 : versions.indexOf(VersionIdMarker ?? "") + 1;
    const page = versions.slice(next, next + 2);
    const isEnd = next + 2 >= versions.length;
    return Promise.resolve({
      Versions: page.map((VersionId) => ({ Key: "evil/x", VersionId, LastModified: new Date(0) })),
      CommonPrefixes: isEnd ? [{ Prefix: "evil/y/" }] : [],
      IsTruncated: !isEnd,
      NextKeyMarker: "evil/x",
      NextVersionIdMarker: page.at(-1),
    });
  };
  expect(await listFolders({ listObjectVersions } as unknown as S3, ADDRESS, "evil/")).toEqual(["evil/y/"]);
});

test("a service that does not spell keys as asked for is taken at its word", async () => {
  const listObjectVersions = () =>
    Promise.resolve({ Versions: [{ Key: "w/a+b%zz%41", VersionId: "v", LastModified: new Date(0) }] });
  const [entry] = await listVersions({ listObjectVersions } as unknown as S3, ADDRESS, "w/");
  expect(entry).toMatchObject({ key: "w/a+b%zz%41" });
});
