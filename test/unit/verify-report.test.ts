import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Finding, probe, Verdict } from "../../scripts/verify/probe";
import { exitStatus, renderReport, sortFindings, summarize, wrap } from "../../scripts/verify/report";

const finding = (verdict: Verdict, change: Partial<Finding> = {}): Finding => ({
  ring: 1,
  id: `area.${verdict}`,
  tried: `what ${verdict} tried`,
  expected: "refused",
  happened: `what happened to ${verdict}`,
  verdict,
  ...(verdict !== "pass" && { remedy: `remedy of ${verdict}` }),
  ...change,
});

describe("the exit status", () => {
  test.each<[Verdict[], number]>([
    [["pass"], 0],
    [["pass", "open"], 0],
    [["pass", "unknown"], 2],
    [["pass", "unknown", "FAIL"], 1],
    [["open", "FAIL"], 1],
    [[], 2],
  ])("%j: %d", (verdicts, status) => {
    expect(exitStatus(verdicts.map((verdict) => finding(verdict)))).toBe(status);
  });

  test("is that of an untried probe for one that throws, with its reason and remedy", async () => {
    const about = { ring: 1, id: "a.b", tried: "t", expected: "e", remedy: "r" } as const;
    const thrown = await probe(about, () => Promise.reject(new Error("no\n  answer")));
    expect(thrown).toMatchObject({
      verdict: "unknown",
      happened: "could not be tried: no answer",
      remedy: "r",
    });
    expect(exitStatus([finding("pass"), thrown])).toBe(2);
  });
});

test("findings are sorted by ring, then id, whatever order they came in", () => {
  const sorted = [
    finding("pass", { ring: 1, id: "a.b" }),
    finding("FAIL", { ring: 1, id: "a.c" }),
    finding("pass", { ring: 2, id: "a.a" }),
  ];
  expect(sortFindings(sorted.toReversed())).toEqual(sorted);
});

test("each ring is counted for itself", () => {
  const findings = [finding("pass"), finding("pass"), finding("unknown"), finding("open", { ring: 3 })];
  expect(summarize(findings)).toEqual([
    { ring: 1, pass: 2, FAIL: 0, unknown: 1, open: 0 },
    { ring: 3, pass: 0, FAIL: 0, unknown: 0, open: 1 },
  ]);
});

describe("the report", () => {
  const verdicts: Verdict[] = ["pass", "FAIL", "unknown", "open"];

  test("has a table, the remedies and a line of numbers for each ring", () => {
    const report = renderReport(
      [
        finding("pass", { tried: "read the objects of all the other clients by odd paths" }),
        finding("FAIL", { happened: "a host name ".repeat(8) }),
        finding("unknown"),
        finding("open", { ring: 3 }),
      ],
      80,
    );
    expect(report).toMatchInlineSnapshot(`
     "Ring 1: a client is taken
     =========================

              tried                   expected                happened
     -------  ----------------------  ----------------------  ----------------------
     FAIL     what FAIL tried         refused                 a host name a host
                                                              name a host name a
                                                              host name a host name
                                                              a host name a host
                                                              name a host name
     pass     read the objects of     refused                 what happened to pass
              all the other clients
              by odd paths
     unknown  what unknown tried      refused                 what happened to
                                                              unknown

     Ring 1: 1 passed, 1 could not be tried, 1 FAILED

     Ring 3: the cloud account is taken
     ==================================

              tried                   expected                happened
     -------  ----------------------  ----------------------  ----------------------
     open     what open tried         refused                 what happened to open

     Ring 3: 0 passed, 1 left open by the configuration

     FAIL area.FAIL
         a host name a host name a host name a host name a host name a host name a
         host name a host name
         what to do: remedy of FAIL

     unknown area.unknown
         what happened to unknown
         what to do: remedy of unknown

     open area.open
         what happened to open
         what to do: remedy of open
     "
    `);
  });

  test("keeps to the width, and loses no word of what is not passed", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...verdicts),
        fc.array(fc.string({ minLength: 1, maxLength: 90 }), { maxLength: 20 }),
        fc.integer({ min: 70, max: 100 }),
        (verdict, words, width) => {
          const happened = words.join(" ");
          const report = renderReport([finding(verdict, { happened })], width);
          for (const line of report.split("\n")) expect(line.length).toBeLessThanOrEqual(width);
          expect(
            wrap(happened, width - 4)
              .join("")
              .replaceAll(" ", ""),
          ).toBe(happened.replaceAll(" ", ""));
        },
      ),
    );
  });

  test("lets no control character of a host reach the terminal", () => {
    const report = renderReport([finding("FAIL", { happened: "\u001b]0;owned\u0007 \u202e\r\nnext" })], 100);
    // eslint-disable-next-line no-control-regex -- these are what must not be there
    expect(report).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(report).toContain("owned");
  });
});
