/** `npm run alarms`: the test by each way, and the list of them. */
import { describe, expect, test } from "@jest/globals";
import { ALARMS_TEST } from "../../keeper/gate/names";
import { STATUS_KEY } from "../../keeper/status/keys";
import type { WayStatus } from "../../keeper/status/schema";
import { listWays, testAlarms } from "../../operations/alarms/alarms";
import { MemoryStore } from "../harness/memory-store";
import { SAMPLE_AT, wellStatus } from "../harness/sample-status";

const MINUTE = 60_000;
const way = (name: string, test?: WayStatus["test"]): WayStatus => ({
  name,
  pending: 0,
  ...(test && { test }),
});
const done = (at: number, detail = "") => ({ at, ok: detail === "", detail });

/**
 * Tests the ways.
 *
 * @param before the ways of the status before; absent: there is none
 * @param rounds what each round of the watcher leaves
 */
async function tested(
  ways: readonly string[],
  before: WayStatus[] | undefined,
  rounds: readonly WayStatus[][],
) {
  const store = new MemoryStore();
  const leave = (of: WayStatus[]) =>
    store.add(STATUS_KEY, Buffer.from(JSON.stringify(wellStatus({ ways: of }))));
  if (before !== undefined) leave(before);
  const printed: string[] = [];
  let started = 0;
  const code = await testAlarms({
    store,
    keeper: "keepersrv",
    ways,
    start: () => {
      expect(store.shown(ALARMS_TEST)).toBeDefined();
      const left = rounds[started];
      started += 1;
      if (left === undefined) throw new Error("the watcher was started once too often");
      leave(left);
      return Promise.resolve();
    },
    print: (line) => void printed.push(line),
  });
  return { code, printed, started };
}

describe("--test", () => {
  const old = done(SAMPLE_AT - 60 * MINUTE);

  test("shows what came of each way", async () => {
    const all = [way("mail", done(SAMPLE_AT)), way("webhook ops", done(SAMPLE_AT)), way("ping")];
    expect(await tested(["mail", "webhook ops"], [way("mail", old), way("webhook ops")], [all])).toEqual({
      code: 0,
      printed: ["mail: sent", "webhook ops: sent"],
      started: 1,
    });
    expect(await tested(["mail"], undefined, [[way("mail", done(SAMPLE_AT))]])).toMatchObject({ code: 0 });
  });

  test("fails where a way failed, though it worked before", async () => {
    const failed = [way("mail", done(SAMPLE_AT, "connect ECONNREFUSED")), way("command", done(SAMPLE_AT))];
    expect(await tested(["mail", "command"], [way("mail", old), way("command", old)], [failed])).toEqual({
      code: 1,
      printed: ["mail: FAILED: connect ECONNREFUSED", "command: sent"],
      started: 1,
    });
  });

  test("looks again where a round had begun before it was asked for, and takes no old test for a new one", async () => {
    const before = [way("mail", old)];
    const after = [way("mail", done(SAMPLE_AT))];
    expect(await tested(["mail"], before, [before, after])).toMatchObject({ code: 0, started: 2 });
    expect(await tested(["mail"], before, [before, before])).toEqual({
      code: 1,
      printed: ["mail: NOT TESTED: npm run ssh -- keepersrv, and there: journalctl -u keeper-watch"],
      started: 2,
    });
  });

  test("without a way asks nobody", async () => {
    await expect(tested([], [], [])).rejects.toThrow("there is no way by which alarms are sent");
  });
});

describe("the list", () => {
  const listed = (ways: readonly string[], known: WayStatus[], validUntil?: number) => {
    const printed: string[] = [];
    const now = SAMPLE_AT + 90 * MINUTE;
    const status = { at: SAMPLE_AT, ways: known, ...(validUntil !== undefined && { validUntil }) };
    const code = listWays(status, "keepersrv", ways, now, (line) => void printed.push(line));
    return { code, printed };
  };

  test("has each way, and when something was last sent by it", () => {
    const known = [{ ...way("mail"), sent: SAMPLE_AT }];
    expect(listed(["mail", "command"], known)).toEqual({
      code: 0,
      printed: ["mail: last sent 1 h 30 min ago", "command: nothing sent yet"],
    });
  });

  test("says that no alarm is sent where there is none but the ping", () => {
    const none = expect.stringMatching(/^there is no way/);
    expect(listed([], [])).toEqual({ code: 0, printed: [none] });
    expect(listed(["ping"], [])).toEqual({ code: 0, printed: [none, "ping: nothing sent yet"] });
  });

  test("says first that the keeper is late or dead: then nobody knows whether the ways work", () => {
    const { code, printed } = listed(["mail"], [way("mail")], SAMPLE_AT + 89 * MINUTE);
    expect(code).toBe(2);
    expect(printed).toEqual([
      expect.stringMatching(/^STALE: the keeper last looked .*, 1 h 30 min ago/),
      "mail: nothing sent yet",
    ]);
    expect(listed(["mail"], [way("mail")], SAMPLE_AT + 90 * MINUTE).code).toBe(0);
  });

  test("fails where a way fails", () => {
    const failing = { name: "webhook ops", failingSince: SAMPLE_AT, error: "HTTP 500", pending: 3 };
    expect(listed(["webhook ops"], [failing])).toEqual({
      code: 1,
      printed: ["webhook ops: nothing sent yet, FAILS for 1 h 30 min: HTTP 500, 3 messages not sent yet"],
    });
  });
});
