import type { S3 } from "@aws-sdk/client-s3";
import { describe, expect, test } from "@jest/globals";
import { Applied, applyActions } from "../../operations/recover/actions";
import type { Entry, Version } from "../../s3/history";
import type { Action } from "../../operations/recover/plan";

const ADDRESS = { endpoint: "s3.example.com", region: "r", bucket: "backups" };

const entry = (key: string, marker: boolean): Entry => ({
  ...{ key, versionId: `of ${key}`, marker, latest: true, modified: 1, size: 1, etag: "etag" },
});
const version = (key: string): Version => ({ ...entry(key, false), marker: false });
const undelete = (key: string, markers = 1): Action => ({
  ...{
    does: "undelete",
    key,
    cause: entry(key, true),
    markers: Array<Entry>(markers).fill(entry(key, true)),
  },
});
const putBack = (key: string): Action => ({
  ...{ does: "put-back", key, cause: version(key), version: version(key) },
});
const moveAway = (key: string, target?: string): Action => ({
  ...{ does: "move-away", key, cause: version(key), version: version(key) },
  ...(target === undefined ? {} : { target }),
});

const answer = (status: number, name: string) =>
  Object.assign(new Error("said no"), { name, $metadata: { httpStatusCode: status } });

/** Applies actions on a service that fails the given calls, and returns the calls in their order. */
async function applied(actions: Action[], failing: (call: string) => Error | undefined = () => undefined) {
  const calls: string[] = [];
  const called = (call: string): Promise<object> => {
    calls.push(call);
    const error = failing(call);
    return error ? Promise.reject(error) : Promise.resolve({ CopyObjectResult: { ETag: '"etag"' } });
  };
  const s3 = {
    copyObject: ({ Key, CopySource }: Record<string, string>) => called(`copy ${CopySource} ${Key}`),
    deleteObject: ({ Key, VersionId = "" }: Record<string, string>) => called(`delete ${Key} ${VersionId}`),
  } as unknown as S3;
  const result: Applied | Error = await applyActions(s3, {
    ...{ address: ADDRESS, actions, progress: () => undefined },
    record: (part) => {
      calls.push(`record ${part.length}`);
      return Promise.resolve();
    },
  }).catch((error: unknown) => error as Error);
  return { calls, result };
}

const many = (count: number, make: (key: string) => Action) =>
  Array.from({ length: count }, (_, i) => make(`k${i}`));

describe("actions are applied", () => {
  test("with those that recover data first, each part after its record", async () => {
    const { calls } = await applied([moveAway("a", "q/a"), putBack("b"), undelete("c")]);
    expect(calls).toEqual([
      ...["record 1", "delete c of c"],
      ...["record 1", "copy backups/b?versionId=of%20b b"],
      ...["record 1", "copy backups/a?versionId=of%20a q/a", "delete a "],
    ]);
  });

  test("in parts that one request can record, however many markers a file has", async () => {
    const records = async (actions: Action[]) =>
      (await applied(actions)).calls.filter((call) => call.startsWith("record"));
    expect(await records(many(2500, (key) => putBack(key)))).toEqual([
      "record 1000",
      "record 1000",
      "record 500",
    ]);
    expect(await records(many(5, (key) => undelete(key, 600)))).toEqual(["record 2", "record 2", "record 1"]);
  });

  test.each([
    ["of a customer's key", answer(400, "InvalidRequest")],
    ["in cold storage", answer(403, "InvalidObjectState")],
    ["beyond the quota", answer(403, "QuotaExceeded")],
  ])("added objects %s are requested once and hidden, and all others are moved", async (_what, error) => {
    const added = many(150, (key) => moveAway(key, `q/${key}`));
    const { calls, result } = await applied([...added, moveAway("good", "q/good")], (call) =>
      call.startsWith("copy backups/k") ? error : undefined,
    );
    expect(result).toMatchObject({ failures: [] });
    expect((result as Applied).hidden).toHaveLength(150);
    expect((result as Applied).hidden[0]).toContain(`${error.name}: said no`);
    expect(calls.filter((call) => call.startsWith("copy"))).toHaveLength(151);
    expect(calls.filter((call) => call.startsWith("delete"))).toHaveLength(151);
  });

  test("an added object that the plan only hides is not copied", async () => {
    const { calls, result } = await applied([moveAway("k\u009b")]);
    expect(calls).toEqual(["record 1", "delete k\u009b "]);
    expect((result as Applied).hidden).toEqual([expect.stringMatching(/^k\\u\{9b\}: too large/)]);
  });

  test("a failure is reported, and stops no other action", async () => {
    const { result, calls } = await applied(
      [...many(40, putBack), undelete("c"), moveAway("a", "q/a")],
      (call) => (call.startsWith("copy backups/k") ? answer(403, "QuotaExceeded") : undefined),
    );
    expect((result as Applied).failures).toHaveLength(40);
    expect(calls).toEqual(expect.arrayContaining(["delete c of c", "delete a "]));
  });

  test("a request whose answer may change is repeated", async () => {
    let asked = 0;
    const { result } = await applied([putBack("b")], () => {
      asked += 1;
      return asked === 1 ? answer(503, "SlowDown") : undefined;
    });
    expect(result).toMatchObject({ failures: [] });
    expect(asked).toBe(2);
  });

  test("thousands of refused objects do not stop others from being recovered", async () => {
    const { calls, result } = await applied([...many(2000, putBack), putBack("good")], (call) =>
      call.startsWith("copy backups/k") ? answer(400, "InvalidRequest") : undefined,
    );
    expect((result as Applied).failures).toHaveLength(2000);
    expect(calls).toContainEqual(expect.stringMatching(/^copy backups\/good/));
  });

  test("a large object, which may take too long, comes last of its kind", async () => {
    const large: Action = { ...putBack("a"), does: "put-back", version: { ...version("a"), size: 2 ** 32 } };
    const { calls } = await applied([large, putBack("b")]);
    expect(calls.slice(1)).toEqual([expect.stringMatching(/ b$/), expect.stringMatching(/ a$/)]);
  });

  test("each kind stops where the service does not answer, with the remedy", async () => {
    const all = [...many(500, (key) => undelete(key)), ...many(500, putBack)];
    const { result, calls } = await applied(all, () => answer(503, "SlowDown"));
    expect((result as Error).message).toMatch(
      /"backups".*not everything could be recovered:\n {2}undelete k0: SlowDown/,
    );
    expect((result as Error).message).toContain("run pulumi up --refresh");
    expect(calls.filter((call) => call.startsWith("copy")).length).toBeGreaterThan(0);
    expect(calls.length).toBeLessThan(400);
  });
});
