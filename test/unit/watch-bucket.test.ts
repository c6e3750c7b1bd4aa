/** What the watcher asks an S3 service, by a tiny one in this process. */
import { afterEach, expect, test } from "@jest/globals";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { WatchedBucket } from "../../keeper/watch/bucket";
import { connect } from "../../s3/client";

let close: () => void = () => undefined;
afterEach(() => {
  close();
});

/** A bucket of a service that answers so, by `METHOD /path?query`. */
async function bucketOf(
  answer: (request: string, response: http.ServerResponse) => void,
): Promise<WatchedBucket> {
  const server = http.createServer((request, response) => {
    answer(`${request.method ?? ""} ${request.url ?? ""}`, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  const endpoint = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const address = { endpoint, region: "test", bucket: "vault" };
  return new WatchedBucket(await connect(address, { accessKeyId: "A", secretAccessKey: "s" }), address);
}

const QUOTA = "x-rgw-quota-bucket-size";
/** Further than requests take, in milliseconds. */
const AHEAD = 600_000;

test.each<[string, http.OutgoingHttpHeaders, object]>([
  ["no quota and no time", {}, {}],
  ["a quota", { [QUOTA]: "1000" }, { quota: 1000 }],
  ["that there is none", { [QUOTA]: "-1" }, {}],
  ["words for a time", { date: "noon" }, {}],
])("a service reports %s", async (_, headers, facts) => {
  const bucket = await bucketOf((_request, response) => {
    response.sendDate = false;
    response.writeHead(200, headers).end();
  });
  expect(await bucket.facts()).toEqual(facts);
});

test.each([0, AHEAD])("a service whose clock is %d ms ahead shows how far this one is off", async (ahead) => {
  const bucket = await bucketOf((_, response) => {
    response.writeHead(200, { date: new Date(Date.now() + ahead).toUTCString() }).end();
  });
  const { clockOff = NaN } = await bucket.facts();
  if (ahead === 0) expect(clockOff).toBe(0);
  else expect(clockOff).toBeLessThan(-ahead / 2);
});

test("a refusal is an error", async () => {
  const bucket = await bucketOf((_, response) => {
    response.writeHead(403).end();
  });
  await expect(bucket.facts()).rejects.toThrow(/cannot ask for the bucket's quota/);
  await expect(bucket.shows("web/")).rejects.toThrow(/cannot list the objects below web\//);
  await expect(bucket.identity()).rejects.toThrow(/cannot ask whose keys these are/);
});

test("a full bucket's refusal says what could not be put, why, and the remedy", async () => {
  const bucket = await bucketOf((_, response) => {
    response.writeHead(403).end("<Error><Code>QuotaExceeded</Code></Error>");
  });
  await expect(bucket.put(".status/outbox.json", Buffer.from("{}"))).rejects.toThrow(
    /^S3 bucket "vault" at http:\S+: cannot put \.status\/outbox\.json: QuotaExceeded \(HTTP 403\)\. Ask the operator of the S3 service for a higher quota\.$/,
  );
});

test("what a service refuses of an object names the call and the key", async () => {
  const bucket = await bucketOf((_, response) => {
    response.writeHead(403).end("<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
  });
  await expect(bucket.get("a")).rejects.toThrow(/cannot read a: AccessDenied \(HTTP 403\): no\./);
  await expect(bucket.head("a")).rejects.toThrow(/cannot look for a: .*\(HTTP 403\)/);
  await expect(bucket.hide("a")).rejects.toThrow(/cannot hide a: AccessDenied/);
});

test.each([
  [404, undefined],
  [416, "beyond"],
])("the answer %d to a read is no error", async (code, read) => {
  const bucket = await bucketOf((_, response) => {
    response.writeHead(code).end();
  });
  expect(await bucket.get("a", { range: { first: 9 } })).toBe(read);
});

test("the identity is the owner of the list of buckets", async () => {
  const bucket = await bucketOf((_, response) => {
    response.end("<ListAllMyBucketsResult><Owner><ID>K</ID></Owner></ListAllMyBucketsResult>");
  });
  expect(await bucket.identity()).toBe("K");
});

test("a folder shows something where one object is listed", async () => {
  const bucket = await bucketOf((request, response) => {
    const full = request.includes("prefix=full%2F") && request.includes("max-keys=1");
    const content = full ? "<Contents><Key>full%2Fx</Key></Contents>" : "";
    response.end(`<ListBucketResult>${content}</ListBucketResult>`);
  });
  expect([await bucket.shows("full/"), await bucket.shows("empty/")]).toEqual([true, false]);
});
