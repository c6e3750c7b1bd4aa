import { beforeEach, describe, expect, test } from "@jest/globals";
import { writeRecord } from "../../keeper/gate/journal";
import { isHeld, putHold, removeHold, withHold } from "../../operations/hold";
import { MemoryStore } from "../harness/memory-store";

const NAME = { client: "web", repository: "main" };
const NOW = Date.UTC(2026, 10, 20, 3);
const MINUTE = 60_000;

let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore();
});

/** The keeper journals a lock and puts it. */
async function lock(at: number): Promise<string> {
  const key = `web/main/locks/${String(at).padStart(64, "0")}`;
  const entries = [{ key, action: "put", size: 200, why: "lock" }] as const;
  await writeRecord(store, { version: 1, at, ...NAME, run: "run", entries });
  await store.put(key, Buffer.from("lock"));
  return key;
}

describe("a hold", () => {
  test("is removed by what put it alone, or by the operator", async () => {
    expect(await putHold(store, NAME, "npm run freeze", NOW)).toBe(true);
    expect(await putHold(store, NAME, "npm run recover", NOW)).toBe(false);
    expect(await removeHold(store, NAME, "npm run recover")).toBe(false);
    expect(await isHeld(store, NAME)).toBe(true);
    expect(await removeHold(store, NAME, "npm run freeze")).toBe(true);
    expect(await isHeld(store, NAME)).toBe(false);
    await store.put(".owner/web/main/hold", Buffer.from("by hand"));
    expect(await removeHold(store, NAME, "npm run freeze")).toBe(false);
    expect(await removeHold(store, NAME)).toBe(true);
  });

  /** Works under a hold; each sleep takes its time and does what a test adds. */
  async function work(code: number, meanwhile: (now: number) => Promise<void> = () => Promise.resolve()) {
    let now = NOW;
    const printed: string[] = [];
    let heldAtWork = false;
    const status = await withHold(
      store,
      NAME,
      "npm run recover",
      {
        print: (text) => printed.push(text),
        now: () => now,
        sleep: async (ms) => {
          now += ms;
          await meanwhile(now);
        },
      },
      async () => {
        heldAtWork = await isHeld(store, NAME);
        return code;
      },
    );
    return { status, printed: printed.join("\n"), heldAtWork, waited: now - NOW };
  }

  test("stands while the work is done, and goes with it", async () => {
    expect(await work(0)).toEqual({ status: 0, printed: "", heldAtWork: true, waited: 0 });
    expect(await isHeld(store, NAME)).toBe(false);
  });

  test("stays where the work was not done, and the next one that succeeds removes it", async () => {
    const { status, printed } = await work(1);
    expect(status).toBe(1);
    expect(printed).toContain("npm run keeper -- release web/main");
    expect(await isHeld(store, NAME)).toBe(true);
    await work(0);
    expect(await isHeld(store, NAME)).toBe(false);
  });

  test("of the operator stays after the work", async () => {
    await putHold(store, NAME, "npm run keeper -- hold", NOW);
    await work(0);
    expect(await isHeld(store, NAME)).toBe(true);
  });

  test("waits until the keeper has taken its lock away", async () => {
    const key = await lock(NOW - 4 * MINUTE);
    const { printed, waited } = await work(0, async (now) => {
      if (now >= NOW + MINUTE) await store.hide(key);
    });
    expect(printed).toContain("Waiting for a run of the keeper to end.");
    expect(waited).toBe(MINUTE);
  });

  test("waits for a keeper that is gone no longer than its lock would be renewed", async () => {
    await lock(NOW - 4 * MINUTE);
    const { waited, heldAtWork } = await work(0);
    expect(waited).toBe(2 * MINUTE);
    expect(heldAtWork).toBe(true);
  });

  test("works though the journal cannot be read, and says so", async () => {
    const day = new Date(NOW).toISOString().slice(0, 10);
    await store.put(`.keeper/web/main/journal/${day}T00:00:00.000Z-1.json`, Buffer.from("garbage"));
    const { status, printed } = await work(0);
    expect(status).toBe(0);
    expect(printed).toContain("Whether a run of the keeper goes on could not be read");
  });
});
