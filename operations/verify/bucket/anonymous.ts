/** What a request without credentials can do, and whether the writer can give everybody access. */
import { endpointUrl, failure } from "../../../s3/client";
import { isDenied } from "../../../s3/services";
import type { Observed } from "../../../s3/observe";
import { ask } from "../http";
import { REFRESH, type Finding, type Seen } from "../probe";
import { ACLS_STAND, DATA, place, ring2, type BucketProbe, type Canary } from "./target";

/** The HTTP status of a request without credentials. */
async function anonymousStatus(target: BucketProbe, path: string, init: RequestInit = {}): Promise<number> {
  const url = `${endpointUrl(target.address.endpoint)}/${target.address.bucket}${path}`;
  const answer = await ask(url, init);
  await answer.body?.cancel();
  return answer.status;
}

/** Tries to list, read and write without credentials, and to publish objects by their ACLs. */
export function anonymous(target: BucketProbe, inForce: Observed | undefined): Promise<Finding>[] {
  const remedy = REFRESH;
  const expected = "refused";
  const judge = (status: number): Seen => {
    if (status === 401 || status === 403) return { holds: true, happened: `refused: HTTP ${String(status)}` };
    if (status >= 200 && status < 300) return { holds: false, happened: "the service did it" };
    throw new Error(`the service answered HTTP ${String(status)}`);
  };
  return [
    ring2(
      { id: "s3.anonymous-lists", tried: "a request without credentials lists the bucket", expected, remedy },
      async () => judge(await anonymousStatus(target, "?list-type=2&max-keys=1")),
    ),
    ring2(
      { id: "s3.anonymous-reads", tried: "a request without credentials reads a canary", expected, remedy },
      async () => {
        const { Key } = await place(target, `${DATA}anonymous-reads`);
        return judge(await anonymousStatus(target, `/${Key}`));
      },
    ),
    ring2(
      { id: "s3.anonymous-writes", tried: "a request without credentials adds a canary", expected, remedy },
      async () =>
        judge(await anonymousStatus(target, `/${DATA}anonymous-writes`, { method: "PUT", body: "garbage" })),
    ),
    publishes(target, inForce, judge),
  ];
}

/** An ACL that comes with an object needs no other action, so that a policy hardly reaches it. */
function publishes(
  target: BucketProbe,
  inForce: Observed | undefined,
  judge: (status: number) => Seen,
): Promise<Finding> {
  const { writer, address } = target;
  return ring2(
    {
      id: "s3.writer-publishes",
      tried: "the writer adds canaries with a public ACL, and a request without credentials reads them",
      expected: "refused: backups are not public, though they are encrypted",
      remedy: `run "pulumi up --refresh", which makes the service ignore public ACLs; ${ACLS_STAND}`,
    },
    async () => {
      const source = await place(target, `${DATA}publishes`);
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
          return judge(await anonymousStatus(target, `/${Key}`)).holds === true;
        }),
      );
      return seen.every((closed) => closed)
        ? { holds: true, happened: "refused" }
        : {
            holds: inForce?.publicAccessBlock === "unsupported" ? "open" : false,
            happened: "the writer can publish every object that it can read",
          };
    },
  );
}
