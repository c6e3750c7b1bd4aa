import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { parseMoment, RecoverOptions, recoverRequest } from "../../operations/recover/arguments";
import { moment } from "../../operations/printable";
import { UsageError } from "../../operations/exit-status";

const NOW = Date.parse("2026-11-23T12:00:00Z");

describe("a moment", () => {
  test.each([
    ["2026-11-20T03:00:00Z", "2026-11-20T03:00:00Z"],
    ["2026-11-20 03:00 +01:00", "2026-11-20T02:00:00Z"],
    ["2026-11-20T03:00-0530", "2026-11-20T08:30:00Z"],
    ["2026-11-20T03:00:00.25Z", "2026-11-20T03:00:00.250Z"],
    ["2028-02-29T00:00Z", "2028-02-29T00:00:00Z"],
  ])("%s is understood", (text, meant) => {
    expect(moment(parseMoment(text, Date.parse("2029-01-01T00:00:00Z")))).toBe(meant);
  });

  test.each([
    "2026-11-20",
    "2026-11-20T03:00:00",
    "2026-11-20 03:00 CET",
    "2026-02-30T03:00:00Z",
    "2026-11-20T25:00:00Z",
    "2026-11-20T03:00:00+25:00",
    "20.11.2026 03:00Z",
    "yesterday",
    "1763600400",
    "",
  ])("%j is refused, and the error shows how to write one", (text) => {
    const attempt = () => parseMoment(text, NOW);
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(/--at .* write 2026-11-22T12:00:00Z$/);
  });

  test("in the future is refused", () => {
    expect(() => parseMoment("2026-11-23T12:00:01Z", NOW)).toThrow(/--at .* is in the future/);
    expect(parseMoment("2026-11-23T13:00:00+01:00", NOW)).toBe(NOW);
  });

  test("is read as it is printed", () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date(NOW), noInvalidDate: true }), (date) => {
        expect(parseMoment(moment(date.getTime()), NOW)).toBe(date.getTime());
      }),
    );
  });
});

describe("the options", () => {
  const GOOD: RecoverOptions = { client: "web", repository: "main", at: "2026-11-20T03:00:00Z" };
  const at = Date.parse("2026-11-20T03:00:00Z");

  test("ask for a plan, for its application, or for a command of restic's", () => {
    const plan = { client: "web", repository: "main", at, apply: false };
    expect(recoverRequest(GOOD, undefined, NOW)).toEqual(plan);
    expect(recoverRequest({ ...GOOD, stack: "prod", apply: true }, undefined, NOW)).toEqual({
      ...plan,
      stack: "prod",
      apply: true,
    });
    const restic = ["restore", "latest", "--target", "/tmp/x"];
    expect(recoverRequest(GOOD, restic, NOW)).toEqual({ ...plan, restic });
    const { repository, ...client } = GOOD;
    expect(repository).toBe("main");
    expect(recoverRequest(client, undefined, NOW)).toEqual({ client: "web", at, apply: false });
    const all = { all: true, apply: true, at: GOOD.at };
    expect(recoverRequest(all, undefined, NOW)).toEqual({ at, apply: true });
  });

  test.each<[RecoverOptions, string[] | undefined, RegExp]>([
    [{}, undefined, /--client is missing/],
    [{ client: "web" }, undefined, /--at is missing/],
    [{ ...GOOD, client: undefined }, undefined, /--client is missing/],
    [{ ...GOOD, repository: undefined }, ["snapshots"], /--repository is missing/],
    [
      { ...GOOD, all: true },
      undefined,
      /--all means every repository .* leave --client and --repository out/,
    ],
    [{ ...GOOD, at: undefined }, undefined, /--at is missing/],
    [{ ...GOOD, client: ".canary" }, undefined, /^--client ".canary" is not safe/],
    [{ ...GOOD, repository: "../db" }, undefined, /^--repository "..\/db" is not safe/],
    [{ ...GOOD, repository: "locks" }, undefined, /--repository "locks" .* restic itself/],
    [{ ...GOOD, apply: true }, ["snapshots"], /--apply and arguments for restic/],
    [GOOD, [], /after -- comes a command/],
    [GOOD, ["forget", "latest"], /after -- comes a command of restic that reads/],
    [GOOD, ["--json", "snapshots"], /its options after it/],
  ])("%j, then restic %j: the error names the option and the remedy", (options, restic, message) => {
    const attempt = () => recoverRequest(options, restic, NOW);
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(message);
  });
});
