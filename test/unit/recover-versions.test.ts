import type { ListObjectVersionsCommandInput, ListObjectVersionsCommandOutput, S3 } from "@aws-sdk/client-s3";
import { describe, expect, test } from "@jest/globals";
import { listFolders, listVersions } from "../../scripts/recover/versions";

const ADDRESS = { endpoint: "s3.example.com", region: "r", bucket: "backups" };
/** In S3's order. The first spells what Amazon makes of the second, and the first page ends between their versions. */
const KEYS = [
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

/** A service that gives four entries a page, and spells a page's end as given. */
function service(spelt: (key: string) => string): { s3: S3; asked: ListObjectVersionsCommandInput[] } {
  const asked: ListObjectVersionsCommandInput[] = [];
  const listObjectVersions = (
    input: ListObjectVersionsCommandInput,
  ): Promise<Partial<ListObjectVersionsCommandOutput>> => {
    asked.push(input);
    const { KeyMarker, VersionIdMarker, MaxKeys = 4 } = input;
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
      IsTruncated: start + MaxKeys < STORED.length,
      ...(last && { NextKeyMarker: spelt(last.key), NextVersionIdMarker: last.versionId }),
    });
  };
  return { s3: { listObjectVersions } as unknown as S3, asked };
}

describe.each([
  ["Amazon's", (key: string) => encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/")],
  ["Ceph's", (key: string) => key],
])("pages with %s spelling of their end", (_name, spelt) => {
  test("give every version and marker once, whatever stands in the keys", async () => {
    const { s3, asked } = service(spelt);
    const entries = await listVersions(s3, ADDRESS, "web/main/");
    const told = (list: { key: string; versionId: string }[]) =>
      list.map(({ key, versionId }) => `${key} ${versionId}`).sort();
    expect(told(entries)).toEqual(told(STORED));
    for (const { marker, versionId, latest } of entries) {
      expect(marker).toBe(versionId === "marker");
      expect(latest).toBe(versionId === "new");
    }
    expect(asked.length).toBeGreaterThan(3);
  });

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
