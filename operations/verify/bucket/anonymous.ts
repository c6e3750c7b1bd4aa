/** What somebody without credentials can do, and whether the writer can let such a one in. */
import { endpointUrl, failure, isDenied } from "../../../s3/client";
import { ask } from "../http";
import { REFRESH, type Finding, type Seen } from "../probe";
import { ACLS_STAND, DATA, place, ring2, type Bench, type Canary } from "./bench";
import type { BucketSettings } from "./in-force";

/** What somebody without any credentials is answered. */
async function anonymousStatus(bench: Bench, path: string, init: RequestInit = {}): Promise<number> {
  const url = `${endpointUrl(bench.address.endpoint)}/${bench.address.bucket}${path}`;
  const answer = await ask(url, init);
  await answer.body?.cancel();
  return answer.status;
}

/** Lists, reads and writes without credentials, and publishes by ACLs of objects. */
export function anonymous(bench: Bench, inForce: BucketSettings | undefined): Promise<Finding>[] {
  const remedy = REFRESH;
  const expected = "refused";
  const judge = (status: number): Seen => {
    if (status === 401 || status === 403) return { holds: true, happened: `refused: HTTP ${String(status)}` };
    if (status >= 200 && status < 300) return { holds: false, happened: "the service did it" };
    throw new Error(`the service answered HTTP ${String(status)}`);
  };
  return [
    ring2(
      { id: "s3.anonymous-lists", tried: "somebody without credentials lists the bucket", expected, remedy },
      async () => judge(await anonymousStatus(bench, "?list-type=2&max-keys=1")),
    ),
    ring2(
      { id: "s3.anonymous-reads", tried: "somebody without credentials reads a canary", expected, remedy },
      async () => {
        const { Key } = await place(bench, `${DATA}anonymous-reads`);
        return judge(await anonymousStatus(bench, `/${Key}`));
      },
    ),
    ring2(
      { id: "s3.anonymous-writes", tried: "somebody without credentials adds a canary", expected, remedy },
      async () =>
        judge(await anonymousStatus(bench, `/${DATA}anonymous-writes`, { method: "PUT", body: "garbage" })),
    ),
    publishes(bench, inForce, judge),
  ];
}

/** An ACL that comes with an object is no action of its own, so that a policy hardly reaches it. */
function publishes(
  bench: Bench,
  inForce: BucketSettings | undefined,
  judge: (status: number) => Seen,
): Promise<Finding> {
  const { writer, address } = bench;
  return ring2(
    {
      id: "s3.writer-publishes",
      tried: "the writer adds canaries with a public ACL, and somebody without credentials reads them",
      expected: "refused: encrypted or not, backups are not for everybody",
      remedy: `run "pulumi up --refresh", which lets the service disregard public ACLs; ${ACLS_STAND}`,
    },
    async () => {
      const source = await place(bench, `${DATA}publishes`);
      const put = { Bucket: address.bucket, Key: `${DATA}publishes-put` };
      const copy = { Bucket: address.bucket, Key: `${DATA}publishes-copy` };
      const ACL = "public-read";
      const ways: [Canary, () => Promise<unknown>][] = [
        [put, () => writer.putObject({ ...put, ACL, Body: "first" })],
        [copy, () => writer.copyObject({ ...copy, ACL, CopySource: `${source.Bucket}/${source.Key}` })],
      ];
      const seen = await Promise.all(
        ways.map(async ([{ Key }, write]) => {
          try {
            await write();
          } catch (error) {
            if (isDenied(error)) return true;
            throw failure(address, "add a canary with a public ACL", error);
          }
          return judge(await anonymousStatus(bench, `/${Key}`)).holds === true;
        }),
      );
      return seen.every((closed) => closed)
        ? { holds: true, happened: "refused" }
        : {
            holds: inForce?.publicAccessBlock === "unsupported" ? "open" : false,
            happened: "the writer can publish what it can read, as long as it stands",
          };
    },
  );
}
