/** What a `keep` means in words and numbers, in the preview too. */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { describeKeep, explainChange, explainKeep } from "../../keeper/retention";
import { keptBy } from "../../keeper/retention/keep";
import { DAY } from "../../keeper/time";
import type { Keep } from "../../keeper/settings";
import { renderPreviewComment } from "../../operations/preview/comment";
import { readPreview } from "../../operations/preview/model";
import { retention } from "../../operations/preview/sections/retention";

const NOW = Date.parse("2026-11-29T12:00:00Z");
const NONE: Keep = { within: 0, days: 0, weeks: 0, months: 0, years: 0 };
const KEEP: Keep = { within: 30, days: 7, weeks: 5, months: 12, years: 2 };

describe("a keep", () => {
  test.each<[Keep | undefined, string]>([
    [undefined, "every snapshot"],
    [NONE, "only the newest and what is pinned"],
    [{ ...NONE, within: 1 }, "all of 1 day, and always the newest and what is pinned"],
    [
      { ...NONE, days: 7, years: 1 },
      "one for each of the last 7 days and 1 year with a backup, and always the newest and what is pinned",
    ],
    [
      KEEP,
      "all of 30 days, then one for each of the last 7 days, 5 weeks, 12 months and 2 years with a backup, and always the newest and what is pinned",
    ],
  ])("%j is said to keep %s", (keep, words) => {
    expect(describeKeep(keep)).toBe(words);
  });

  test.each<[string, Keep | undefined, string, string]>([
    [
      "nothing forgotten",
      undefined,
      "daily",
      "of the 365 backups of the next twelve months all are left at their end",
    ],
    [
      "a year and more",
      { ...NONE, within: 366 },
      "daily",
      "of the 365 backups of the next twelve months all are left at their end",
    ],
    [
      "thirty days",
      { ...NONE, within: 30 },
      "*-*-* 03:00",
      "of the 365 backups of the next twelve months 30 are left at their end, and the first goes on 2026-12-30",
    ],
    [
      "no schedule",
      undefined,
      "none",
      "with one backup a day, of the 365 backups of the next twelve months all",
    ],
    ["every quarter of an hour", undefined, "*:0/15", "counted at one backup an hour, of the 8760 backups"],
  ])("with %s is explained over twelve months", (_, keep, schedule, words) => {
    expect(explainKeep(keep, schedule, NOW)).toContain(`; ${words}`);
  });

  test("is explained by what it leaves when the backups come day by day", () => {
    const keeps = fc.record({
      within: fc.integer({ min: 0, max: 400 }),
      days: fc.integer({ min: 0, max: 40 }),
      weeks: fc.integer({ min: 0, max: 60 }),
      months: fc.integer({ min: 0, max: 15 }),
      years: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(keeps, (keep) => {
        let there: { id: string; arrived: number }[] = [];
        let first: number | undefined;
        for (let day = 0; day <= 365; day += 1) {
          const now = NOW + day * DAY;
          const arrived = Math.floor(now / DAY) * DAY + DAY / 8;
          if (arrived > NOW) there.push({ id: String(arrived), arrived });
          const kept = keptBy(keep, [], there, now);
          if (kept.size < there.length) first ??= now;
          there = there.filter(({ id }) => kept.has(id));
        }
        const words = explainKeep(keep, "*-*-* 03:00", NOW);
        if (first === undefined) expect(words).toMatch(/ all are left at their end$/);
        else {
          const [, left, on] =
            / (\d+) (?:are|is) left at their end, and the first goes on (\S+)$/.exec(words) ?? [];
          expect([left, on]).toEqual([String(there.length), new Date(first).toISOString().slice(0, 10)]);
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe("a change", () => {
  test("to a keep from none says what goes at once, what stays, and how it is in twelve months", () => {
    const { words, removes } = explainChange(undefined, KEEP, "*-*-* 03:00", NOW);
    expect(removes).toBe(true);
    expect(words).toBe(
      "after 3 years of backups: of its 1095 snapshots, the oldest of 2023-12-01, 1052 would go at the first run, leaving 43, the oldest of 2025-01-01; in twelve months there are 42, the oldest of 2026-01-01, where there would have been 1460, the oldest of 2023-12-01",
    );
  });

  test("that keeps more removes nothing, and the same is no change", () => {
    const more = explainChange(KEEP, { ...KEEP, days: 90 }, "daily", NOW);
    expect(more.removes).toBe(false);
    expect(more.words).toContain("nothing goes at once");
    expect(explainChange(KEEP, KEEP, "daily", NOW).removes).toBe(false);
    expect(explainChange(KEEP, undefined, "daily", NOW).removes).toBe(false);
  });

  test("that takes from one unit and gives to another is known to remove", () => {
    expect(explainChange(KEEP, { ...KEEP, within: 7, years: 10 }, "daily", NOW).removes).toBe(true);
  });
});

const URN = "urn:pulumi:prod::secure-backups::secure-backups:index:Keeper::keeper";

/** The comment on a keeper whose input changes. */
function comment(op: string, before: unknown, after: unknown): string {
  const state = (keep: unknown) => ({
    urn: URN,
    custom: false,
    type: "secure-backups:index:Keeper",
    inputs: { name: "keepersrv", node: "24.1.0", restic: "0.19.1", keep },
  });
  const step = {
    op,
    urn: URN,
    ...(before === undefined ? {} : { oldState: state(before) }),
    ...(after === undefined ? {} : { newState: state(after) }),
  };
  return renderPreviewComment({ steps: [step], diagnostics: [] }, "prod", undefined, NOW);
}

describe("the preview", () => {
  test("explains what a new keeper keeps, once for all repositories of which it keeps the same", () => {
    const text = comment("create", undefined, {
      "web/main": { ...KEEP, schedule: "*-*-* 03:00" },
      "mail/main": { ...KEEP, schedule: "*-*-* 03:00" },
      "shop/db": "nothing is forgotten",
    });
    expect(text).toContain("### Retention\n");
    expect(text).toMatch(
      /- of `mail\/main`, `web\/main` the keeper keeps all of 30 days, .* 42 are left at their end/,
    );
    expect(text).toMatch(
      /- of `shop\/db` the keeper keeps every snapshot; with one backup a day, of the 365/,
    );
    expect(text).not.toContain("[!WARNING]");
  });

  test("warns of a keep that removes snapshots, and not of one that keeps more", () => {
    const fewer = comment("update", { "web/main": "nothing is forgotten" }, { "web/main": KEEP });
    expect(fewer).toMatch(
      /\[!WARNING\][^]*> - of `web\/main` \*\*fewer snapshots are kept\*\*: every snapshot → all of 30 days/,
    );
    const more = comment("update", { "web/main": KEEP }, { "web/main": { ...KEEP, months: 24 } });
    expect(more).not.toContain("[!WARNING]");
    expect(more).toContain("- of `web/main` as many snapshots are kept, or more: all of 30 days");
  });

  test("says nothing of a repository of which the same is kept", () => {
    const text = comment(
      "update",
      { "web/main": { ...KEEP, schedule: "daily" }, "web/db": KEEP },
      { "web/main": { ...KEEP, schedule: "hourly" }, "web/db": { ...KEEP, days: 8 } },
    );
    expect(text).not.toContain("`web/main`");
    expect(text).toContain("`web/db`");
  });

  test("says that a keeper goes, and which repository it no longer works on", () => {
    expect(comment("delete", { "web/main": KEEP }, undefined)).toContain(
      "- the keeper is removed: nothing is forgotten",
    );
    expect(comment("update", { "web/main": KEEP }, {})).toContain(
      "- the keeper no longer works on `web/main`",
    );
  });

  test.each([
    ["a secret", "[secret]"],
    ["a list", [1]],
    ["a fraction", { ...KEEP, days: 1.5 }],
    ["a negative number", { ...KEEP, within: -1 }],
    ["a number beyond any calendar", { ...KEEP, years: 1e9 }],
    ["a part", { within: 30 }],
  ])("warns of a keep that it cannot read: %s", (_, keep) => {
    expect(comment("update", { "web/main": KEEP }, { "web/main": keep })).toMatch(
      /\[!WARNING\][^]*what is kept of `web\/main` changes, and is known only during the update/,
    );
  });

  test("works out no more than twenty changes in numbers", () => {
    const many = (days: number) =>
      Object.fromEntries(
        Array.from({ length: 30 }, (_, n) => [`client-${String(n)}/main`, { ...KEEP, days: days + n }]),
      );
    const step = {
      op: "update",
      urn: URN,
      oldState: { inputs: { keep: many(1) } },
      newState: { inputs: { keep: many(2) } },
    };
    const { steps } = readPreview({ steps: [step] });
    const sentences = [...retention(steps, NOW)].map(({ markdown }) => markdown(String));
    expect(sentences.filter((text) => text.includes("as many snapshots are kept"))).toHaveLength(20);
    expect(sentences.filter((text) => text.includes("other snapshots are kept"))).toHaveLength(10);
  });
});
