/** The gate with real restic over its sockets, on a bucket in memory. */
import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { DAY, GateBench, restic, WorkerSide } from "./gate-bench";

let bench: GateBench;
let old: string, older: string, newest: string;

beforeEach(async () => {
  bench = await GateBench.create();
  const now = Date.now();
  old = await bench.backup(["a"], now - 20 * DAY);
  older = await bench.backup(["a", "b"], now - 19 * DAY);
  newest = await bench.backup(["b", "c"], now - DAY);
});

afterEach(() => bench.remove());

/** Whether a repository is whole, and a snapshot's files are those that were backed up. */
async function expectWhole(folder: string, snapshot: string, names: readonly string[]): Promise<void> {
  expect(await restic(folder, "check", "--read-data")).toMatchObject({ code: 0 });
  const target = path.join(folder, "restored");
  expect(await restic(folder, "restore", `${snapshot}:${bench.source}`, "--target", target)).toMatchObject({
    code: 0,
  });
  for (const name of names) {
    expect(fs.readFileSync(path.join(target, name))).toEqual(
      fs.readFileSync(path.join(bench.root, "files", name)),
    );
  }
}

describe("forget and prune", () => {
  test("leave a snapshot whole that arrives after the frozen listing", async () => {
    const worker = new WorkerSide(await bench.gate());
    const job = await worker.begin();
    expect(job.actions).toEqual(["guard", "forget", "prune", "check"]);
    expect(job.forget).toEqual([old, older].sort());
    let late = "";
    const forgot = await worker.locked(
      ["forget", "--prune", "--max-unused", "0", ...job.forget],
      async () => {
        late = await bench.backup(["b", "d"], Date.now());
      },
    );
    expect(forgot).toMatchObject({ code: 0 });
    const shown = bench.shown();
    expect(fs.readdirSync(path.join(shown, "snapshots")).sort()).toEqual([newest, late].sort());
    expect(fs.readdirSync(path.join(shown, "locks"))).toEqual([]);
    await expectWhole(shown, late, ["b", "d"]);
    await expectWhole(shown, newest, ["b", "c"]);
    expect(await worker.result({ forget: { ok: true, detail: "" } })).toBe(204);
  });
});
