/** Numbers and times in words. */
import { describe, expect, test } from "@jest/globals";
import { bytes, counted, dayOf, duration, minute } from "../../keeper/words";

describe("words", () => {
  test.each([
    [-5, "0 s"],
    [0, "0 s"],
    [999, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [61_000, "1 min 1 s"],
    [4 * 3_600_000, "4 h"],
    [3 * 3_600_000 + 59 * 60_000 + 59_999, "3 h 59 min"],
    [2 * 86_400_000 + 3 * 3_600_000 + 7 * 60_000, "2 d 3 h"],
    [2 * 86_400_000 + 59 * 60_000, "2 d"],
    [400 * 86_400_000, "400 d"],
  ])("shows %d ms as %s", (ms, words) => {
    expect(duration(ms)).toBe(words);
  });

  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [10.4 * 1024, "10 KiB"],
    [1023.4 * 1024, "1023 KiB"],
    [1023.5 * 1024, "1 MiB"],
    [1.5 * 1024 ** 3, "1.5 GiB"],
    [9.96 * 1024 ** 3, "10 GiB"],
    [2 ** 60, "1024 PiB"],
  ])("shows %d bytes as %s", (n, words) => {
    expect(bytes(n)).toBe(words);
  });

  test("shows times in UTC, and one that the calendar does not have as unknown", () => {
    const ms = Date.parse("2026-11-29T23:59:59.999Z");
    expect(minute(ms)).toBe("2026-11-29T23:59Z");
    expect(dayOf(ms)).toBe("2026-11-29");
    expect([minute(NaN), minute(8.64e15 + 1)]).toEqual(["an unknown time", "an unknown time"]);
  });

  test("counts", () => {
    expect([0, 1, 2].map((n) => counted(n, "lock"))).toEqual(["0 locks", "1 lock", "2 locks"]);
  });
});
