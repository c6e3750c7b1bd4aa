/** The gate on the local cloud's S3, with real restic. */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { readJournal } from "../../keeper/gate/journal";
import { keptKey } from "../../keeper/gate/names";
import { type Content, S3Store } from "../../keeper/gate/store";
import { listType } from "../../keeper/gate/view";
import { adoptOrCreate } from "../../s3/create";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import { address, owner, useIdentities } from "../harness/bucket-identities";
import { dueState, GateBench, NAME, PREFIX, restic, WorkerSide } from "../harness/gate-bench";

jest.setTimeout(240_000);
useIdentities();

let bench: GateBench;
let store: S3Store;

beforeAll(async () => {
  const at = address();
  await adoptOrCreate(owner.s3, at, owner);
  await settle(VERSIONING, owner.s3, at, true);
  store = new S3Store(owner.s3, at);
  bench = await GateBench.create();
});

afterAll(() => bench.remove());

test("the store puts, reads versions and ranges, hides, and says what is not there", async () => {
  const key = `${PREFIX}/index/a b+c\n%41é`;
  const read = async (at?: Parameters<S3Store["get"]>[1]) => {
    const found = (await store.get(key, at)) as Content;
    return [found.length, found.size, await text(found.body)];
  };
  expect(await store.head(key)).toBeUndefined();
  expect(await store.get(key)).toBeUndefined();
  const first = await store.put(key, Buffer.from("0123456789"));
  expect(await store.head(key)).toEqual({ versionId: first, size: 10 });
  const second = await store.put(key, Buffer.from("second"));
  expect(await read()).toEqual([6, 6, "second"]);
  expect(await read({ versionId: first, range: { first: 2, last: 4 } })).toEqual([3, 10, "234"]);
  expect(await read({ versionId: first, range: { first: 8 } })).toEqual([2, 10, "89"]);
  expect(await store.get(key, { versionId: first, range: { first: 10 } })).toBe("beyond");
  expect(await listType(store, NAME, "index", 10)).toMatchObject([
    { id: "a b+c\n%41é", size: 6, versionId: second, again: [second, first] },
  ]);
  await store.hide(key);
  expect(await store.head(key)).toBeUndefined();
  expect(await store.get(key)).toBeUndefined();
  expect(await read({ versionId: second })).toEqual([6, 6, "second"]);
  expect(await listType(store, NAME, "index", 10)).toEqual([]);
});

test("restic forgets and prunes through the gate, and what is left is whole", async () => {
  await bench.backup(["a"], 0, false);
  await bench.backup(["a", "b"], 0, false);
  await bench.backup(["b", "c"], 0, false);
  for (const entry of fs.readdirSync(bench.folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile())
      await store.put(`${PREFIX}/${path.relative(bench.folder, file)}`, fs.readFileSync(file));
  }
  await store.put(keptKey(NAME, "state.json"), Buffer.from(JSON.stringify(dueState())));
  const side = new WorkerSide(await bench.gate({ store }));
  const job = await side.begin();
  // All arrived on one day: its earliest and the newest stay.
  expect(job.forget).toHaveLength(1);
  const forgot = await side.locked(["forget", "--prune", "--max-unused", "0", ...job.forget]);
  expect(forgot).toMatchObject({ code: 0 });
  expect(await restic(side.url, "check", "--no-lock", "--read-data")).toMatchObject({ code: 0 });
  const left = await listType(store, NAME, "snapshots", 10);
  expect(left).toHaveLength(2);
  expect(await listType(store, NAME, "locks", 10)).toEqual([]);
  const entries = (await readJournal(store, NAME)).flatMap((record) => record.entries);
  expect(entries).toContainEqual(
    expect.objectContaining({ key: `${PREFIX}/snapshots/${job.forget[0] ?? ""}` }),
  );
  const big = randomBytes(20 * 1024 ** 2);
  const version = await store.put(keptKey(NAME, "memory"), big);
  expect(await store.head(keptKey(NAME, "memory"))).toEqual({ versionId: version, size: big.length });
});
