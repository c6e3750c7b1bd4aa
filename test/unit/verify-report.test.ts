import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Finding, runProbe, Undecided, Verdict } from "../../operations/verify/probe";
import { verify } from "../../operations/verify/verify";
import { sampleBucket, sampleDeployment } from "../harness/sample-deployment";
import { wrap } from "../../operations/printable";
import { exitStatus, renderReport, sortFindings, summarize } from "../../operations/verify/report";

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

  test("is 2 for a probe that throws, whose finding has the cause and a remedy", async () => {
    const about = { ring: 1, id: "a.b", tried: "t", expected: "e", remedy: "r" } as const;
    const thrown = await runProbe({ ...about, attempt: () => Promise.reject(new Error("no\n  answer")) });
    expect(thrown).toMatchObject({
      verdict: "unknown",
      happened: "could not be tried: no answer",
      remedy: expect.stringMatching(/this is no result: fix what prevented the probe/),
    });
    expect(exitStatus([finding("pass"), thrown])).toBe(2);
  });
});

describe("the remedy of a probe without a result", () => {
  const about = { ring: 1, id: "a.b", tried: "t", expected: "e", remedy: "fix the bucket" } as const;
  const late = expect.stringMatching(/this is no result: run verify again when .* less busy/);
  test("is to try again where its time was up", async () => {
    const finding = await runProbe({ ...about, attempt: () => new Promise(() => undefined), seconds: 0.05 });
    expect(finding).toMatchObject({ happened: "could not be tried: no answer within 0.05 s", remedy: late });
  });
  test.each([
    ["the call", Object.assign(new Error("x"), { name: "TimeoutError" })],
    ["a call of it", new Error("x", { cause: Object.assign(new Error("y"), { name: "TimeoutError" }) })],
  ])("is to try again where the time of %s was up", async (_what, error) => {
    expect(await runProbe({ ...about, attempt: () => Promise.reject(error) })).toMatchObject({
      verdict: "unknown",
      remedy: late,
    });
  });
  test("is the remedy of a failure where the observation decides nothing", async () => {
    const finding = await runProbe({
      ...about,
      attempt: () => Promise.reject(new Undecided("it may be patched")),
    });
    expect(finding).toMatchObject({
      verdict: "unknown",
      happened: "undecided: it may be patched",
      remedy: "fix the bucket",
    });
  });
});

test("an observation can have its own remedy", async () => {
  const about = { ring: 1, id: "a.b", tried: "t", expected: "e", remedy: "r" } as const;
  const seen = { holds: false, happened: "h", remedy: "its own" };
  expect(await runProbe({ ...about, attempt: () => seen })).toMatchObject({
    verdict: "FAIL",
    remedy: "its own",
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

test("each ring is counted separately", () => {
  const findings = [finding("pass"), finding("pass"), finding("unknown"), finding("open", { ring: 3 })];
  expect(summarize(findings)).toEqual([
    { ring: 1, pass: 2, FAIL: 0, unknown: 1, open: 0 },
    { ring: 3, pass: 0, FAIL: 0, unknown: 0, open: 1 },
  ]);
});

describe("the report", () => {
  const verdicts: Verdict[] = ["pass", "FAIL", "unknown", "open"];

  const findings = [
    finding("pass", { id: "a.first" }),
    finding("open", { ring: 3 }),
    finding("unknown"),
    finding("FAIL", { happened: "a host name ".repeat(8) }),
    finding("FAIL", { ring: 2, id: "b.FAIL" }),
  ];

  test("shows what failed first, then unknown and open, and counts what passed", () => {
    expect(renderReport(findings, 60)).toMatchInlineSnapshot(`
     "FAIL area.FAIL (ring 1)
         tried: what FAIL tried
         expected: refused
         happened: a host name a host name a host name a host
         name a host name a host name a host name a host name
         what to do: remedy of FAIL

     FAIL b.FAIL (ring 2)
         tried: what FAIL tried
         expected: refused
         happened: what happened to FAIL
         what to do: remedy of FAIL

     unknown area.unknown (ring 1)
         tried: what unknown tried
         expected: refused
         happened: what happened to unknown
         what to do: remedy of unknown

     open area.open (ring 3)
         tried: what open tried
         expected: refused
         happened: what happened to open
         what to do: remedy of open

     Ring 1, a client is compromised: 1 FAILED, 1 could not be
     tried, 1 passed
     Ring 2, the proxy is compromised, root included: 1 FAILED, 0
     passed
     Ring 3, the cloud account is compromised: 1 left open by the
     configuration, 0 passed

     What passed is shown with --all (1).
     "
    `);
  });

  test("shows what passed at its end, with --all", () => {
    const report = renderReport(findings, 60, true);
    expect(report).toContain("pass a.first (ring 1)\n    tried: what pass tried\n");
    expect(report.indexOf("pass a.first")).toBeGreaterThan(report.indexOf("open area.open"));
    expect(report).not.toContain("--all");
  });

  test("keeps to the width, and loses no word", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...verdicts),
        fc.array(fc.string({ minLength: 1, maxLength: 90 }), { maxLength: 20 }),
        fc.integer({ min: 70, max: 100 }),
        (verdict, words, width) => {
          const happened = words.join(" ");
          const report = renderReport([finding(verdict, { happened })], width, true);
          for (const line of report.split("\n")) expect(line.length).toBeLessThanOrEqual(width);
          expect(
            wrap(happened, width - 4)
              .join("")
              .replaceAll(" ", ""),
          ).toBe(happened.replaceAll(" ", ""));
          const bare = (text: string) => text.replace(/\s/g, "");
          expect(bare(report)).toContain(bare(`happened: ${wrap(happened, width).join(" ")}`));
        },
      ),
    );
  });

  test("passes no control character of a host to the terminal", () => {
    const report = renderReport([finding("FAIL", { happened: "\u001b]0;owned\u0007 \u202e\r\nnext" })], 100);
    // eslint-disable-next-line no-control-regex -- these are what must not be there
    expect(report).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(report).toContain("owned");
  });
});

test("progress names the areas that have ended, with the number of findings", async () => {
  const said: string[] = [];
  const bucket = sampleBucket({ endpoint: "http://127.0.0.1:9" });
  const session = Promise.reject(new Error("no cloud"));
  await verify(sampleDeployment({ bucket }), { ring: 3, session, progress: (words) => said.push(words) });
  expect(said.at(-1)).toMatch(/^\d+ s: bucket: \d+ findings/);
});
