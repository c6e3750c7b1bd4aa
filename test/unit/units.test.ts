import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { duration, waitSeconds } from "../../hosts/client/units";

describe("a repository's place in the window", () => {
  test("lies within it, and is the same every time", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.integer({ min: 1, max: 86_400 }),
        (client, repository, window) => {
          const wait = waitSeconds(client, repository, window);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThan(window);
          expect(waitSeconds(client, repository, window)).toBe(wait);
        },
      ),
    );
  });

  test("spreads a fleet: no tenth of an hour has twice its share of 1,000 clients", () => {
    const tenths = Array.from({ length: 1000 }, (_, number) =>
      Math.floor(waitSeconds(`client${String(number)}`, "main", 3600) / 360),
    );
    for (let tenth = 0; tenth < 10; tenth += 1) {
      expect(tenths.filter((each) => each === tenth).length).toBeLessThan(200);
    }
  });

  test("is the timer's own time where there is no window", () => {
    expect(waitSeconds("web", "main", 0)).toBe(0);
  });

  test.each([
    [0, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [3600, "1 h"],
    [5430, "1 h 30 min"],
  ])("%d s reads %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});
