/** The guard's memory. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Memory } from "../../keeper/guard";
import type { StoredObject } from "../../keeper/objects";

const idOf = (text: string) => createHash("sha256").update(text).digest("hex");
const object = (type: StoredObject["type"], name: string, versionId = "1"): StoredObject => ({
  type,
  id: idOf(name),
  size: 100,
  versionId,
  arrived: 0,
});
const digest = (text: string) => createHash("sha256").update(text).digest().toString("latin1", 0, 24);

describe("the guard's memory", () => {
  test("comes back as it was written, 65 bytes an object", () => {
    const types = fc.constantFrom("keys" as const, "snapshots" as const, "index" as const, "data" as const);
    const known = fc.uniqueArray(
      fc.record({ type: types, name: fc.string(), version: fc.string(), says: fc.string() }),
      {
        selector: ({ type, name }) => `${type} ${name}`,
      },
    );
    fc.assert(
      fc.property(known, (all) => {
        const memory = new Memory();
        const objects = all.map(({ type, name, version, says }) => {
          const made = object(type, name, version);
          memory.add(made, digest(says));
          return made;
        });
        const bytes = memory.serialize();
        expect(bytes.length).toBe(16 + 65 * all.length);
        const again = Memory.parse(bytes);
        again.retain(objects);
        expect(objects.map((each) => again.digest(each))).toEqual(all.map(({ says }) => digest(says)));
        expect(again.changed).toBe(false);
        expect(again.serialize()).toEqual(bytes);
      }),
    );
  });

  test("holds for one version of an object", () => {
    const memory = new Memory();
    memory.add(object("data", "a", "first"), digest("a"));
    memory.retain([object("data", "a", "second")]);
    expect(memory.verified(object("data", "a", "first"))).toBe(false);
  });

  test("holds for one type", () => {
    const memory = new Memory();
    memory.add(object("index", "a"), digest("a"));
    expect(memory.verified(object("data", "a"))).toBe(false);
  });

  test("forgets what is gone, and all indexes with a pack", () => {
    const memory = new Memory();
    const all = [object("snapshots", "a"), object("index", "b"), object("data", "c"), object("data", "d")];
    for (const each of all) memory.add(each, digest("x"));
    memory.serialize();
    memory.retain(all);
    expect(memory.changed).toBe(false);
    memory.retain(all.slice(1));
    expect(memory.changed).toBe(true);
    expect(all.map((each) => memory.verified(each))).toEqual([false, true, true, true]);
    memory.retain(all.slice(0, 3));
    expect(all.map((each) => memory.verified(each))).toEqual([false, false, true, false]);
  });

  test("forgets all indexes with one of them", () => {
    const memory = new Memory();
    const all = [object("snapshots", "a"), object("index", "b"), object("index", "c"), object("data", "d")];
    for (const each of all) memory.add(each, digest("x"));
    memory.retain(all.filter(({ id }) => id !== all[2]?.id));
    expect(all.map((each) => memory.verified(each))).toEqual([true, false, false, true]);
  });

  test("is empty where the bytes are not its own", () => {
    const memory = new Memory();
    memory.add(object("data", "a"), digest("a"));
    const bytes = memory.serialize();
    const badType = Buffer.from(bytes);
    badType[16] = 9;
    for (const bad of [undefined, Buffer.alloc(0), bytes.subarray(0, -1), bytes.subarray(1), badType]) {
      const read = Memory.parse(bad);
      read.retain([object("data", "a")]);
      expect(read.verified(object("data", "a"))).toBe(false);
    }
  });
});
