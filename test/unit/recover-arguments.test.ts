import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { parseMoment, parseRequest } from "../../operations/recover/arguments";
import { moment } from "../../operations/printable";
import { run } from "../../operations/transport/run";
import { UsageError } from "../../operations/usage-error";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const NAMES = ["--client", "web", "--repository", "main"];
const GOOD = [...NAMES, "--at", "2026-11-20T03:00:00Z"];

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

describe("the command line", () => {
  test("asks for a plan, for its application, or for a command of restic's", () => {
    const plan = {
      client: "web",
      repository: "main",
      at: Date.parse("2026-11-20T03:00:00Z"),
      apply: false,
    };
    expect(parseRequest(GOOD, NOW)).toEqual(plan);
    expect(parseRequest([...GOOD, "--stack", "prod", "--apply"], NOW)).toEqual({
      ...plan,
      stack: "prod",
      apply: true,
    });
    expect(parseRequest([...GOOD, "--", "restore", "latest", "--target", "/tmp/x"], NOW)).toEqual({
      ...plan,
      restic: ["restore", "latest", "--target", "/tmp/x"],
    });
    expect(parseRequest(["--help"], NOW)).toBe("help");
    const { at } = plan;
    expect(parseRequest(["--client", "web", ...GOOD.slice(4)], NOW)).toEqual({
      client: "web",
      at,
      apply: false,
    });
    expect(parseRequest(["--all", "--apply", ...GOOD.slice(4)], NOW)).toEqual({ at, apply: true });
  });

  test.each<[string[], RegExp]>([
    [[], /--client is missing/],
    [["--client", "web"], /--at is missing/],
    [["--repository", "main", ...GOOD.slice(4)], /--client is missing/],
    [["--client", "web", ...GOOD.slice(4), "--", "snapshots"], /--repository is missing/],
    [["--all", ...GOOD], /--all means every repository .* leave --client and --repository out/],
    [NAMES, /--at is missing/],
    [["--client", ".canary", ...GOOD.slice(2)], /^--client ".canary" is not safe/],
    [["--client", "web", "--repository", "../db", ...GOOD.slice(4)], /^--repository "..\/db" is not safe/],
    [["--client", "web", "--repository", "locks", ...GOOD.slice(4)], /--repository "locks" .* restic itself/],
    [[...GOOD, "--aply"], /'--aply'/],
    [[...GOOD, "restore"], /'restore'/],
    [[...GOOD, "--apply", "--", "snapshots"], /--apply and arguments for restic/],
    [[...GOOD, "--"], /after -- comes a command/],
    [[...GOOD, "--", "forget", "latest"], /after -- comes a command of restic that reads/],
    [[...GOOD, "--", "--json", "snapshots"], /its options after it/],
  ])("%j: the error names the option and the remedy", (args, message) => {
    const attempt = () => parseRequest(args, NOW);
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(message);
  });
});

test("an error cannot move the terminal's cursor, whatever it names", async () => {
  const args = [...NAMES, "--at", "\u009b2J\u202e"];
  const { code, stderr } = await run("npx", ["tsx", "scripts/recover.ts", ...args], { accept: "any" });
  expect(code).toBe(2);
  expect(stderr).toContain('recover: --at "\\u{9b}2J\\u{202e}" is not a date');
  expect(stderr).not.toMatch(/[\u0080-\u009f\u202e]/);
});
