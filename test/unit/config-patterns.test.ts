import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { excludeProblem } from "../../config/values/paths";
import { renderExcludes, renderPaths } from "../../hosts";
import { inDirectory, run, tool } from "./files-tools";

/** The patterns that restic itself refuses of these, in a backup that would write nothing. */
function refusedByRestic(patterns: string[][]): string[][] {
  return inDirectory((directory) => {
    const env = {
      RESTIC_REPOSITORY: join(directory, "repository"),
      RESTIC_PASSWORD: "x",
      RESTIC_CACHE_DIR: join(directory, "cache"),
    };
    mkdirSync(join(directory, "tree"));
    const paths = join(directory, "paths");
    const excludes = join(directory, "excludes");
    writeFileSync(paths, renderPaths([join(directory, "tree")]));
    run("restic", ["init"], { env });
    return patterns.map((some) => {
      writeFileSync(excludes, renderExcludes(some));
      const args = ["backup", "--dry-run", "--files-from-raw", paths, "--exclude-file", excludes];
      const { status, stderr } = spawnSync(tool("restic"), args, { env, encoding: "utf8", timeout: 20_000 });
      const [said = "", ...refused] = stderr.trim().split("\n");
      if (status !== 0) expect(said).toContain("invalid pattern(s) provided");
      return status === 0 ? [] : refused;
    });
  });
}

/** Fixed numbers of patterns, so that restic is started a few times only; what differs is shown, and not shrunk. */
const ROUNDS = { numRuns: 1, endOnFailure: true };
const rounds = (pattern: fc.Arbitrary<string>) =>
  fc.array(fc.array(pattern, { minLength: 1000, maxLength: 1000 }), { minLength: 3, maxLength: 3 });

describe("exclude patterns", () => {
  test("that restic refuses are refused", () => {
    const character = fc.constantFrom(...Array.from("[[[]]]^-\\*?!/.abü"));
    const pattern = fc.array(character, { minLength: 1, maxLength: 9 }).map((all) => all.join(""));
    fc.assert(
      fc.property(rounds(pattern), (some) => {
        const refused = refusedByRestic(some);
        const missed = refused.map((patterns) => patterns.filter((one) => excludeProblem(one) === undefined));
        expect(missed).toEqual([[], [], []]);
        // Not all: restic ends its own check of a pattern where a name would not match it any more.
        expect(refused.flat().length).toBeGreaterThan(some.flat().length / 4);
        const ours = some.flat().filter((one) => excludeProblem(one) !== undefined);
        expect(refused.flat().length).toBeGreaterThan(ours.length * 0.95);
      }),
      ROUNDS,
    );
  });

  test("that are well formed are taken, and restic takes them, too", () => {
    const literal = fc.constantFrom("a", "ü", ".", "-", "]", "^", "!", "\\[", "\\*", "\\\\", "\\a");
    const single = fc.constantFrom("a", "z", "ü", "[", "*", "?", "!", "\\]", "\\-", "\\^", "\\\\");
    const member = fc.oneof(
      single,
      fc.tuple(single, single).map((ends) => ends.join("-")),
    );
    const set = fc
      .tuple(fc.constantFrom("", "^"), fc.array(member, { minLength: 1, maxLength: 3 }))
      .map(([not, members]) => `[${not}${members.join("")}]`);
    const part = fc.oneof(
      fc.constant("**"),
      fc
        .array(fc.oneof(literal, set, fc.constantFrom("*", "?")), { minLength: 1, maxLength: 4 })
        .map((all) => all.join("")),
    );
    const pattern = fc
      .tuple(fc.constantFrom("", "!", "/", "!/"), fc.array(part, { minLength: 1, maxLength: 3 }))
      .map(([before, parts]) => before + parts.join("/"));
    fc.assert(
      fc.property(rounds(pattern), (some) => {
        expect(some.flat().filter((one) => excludeProblem(one) !== undefined)).toEqual([]);
        expect(refusedByRestic(some)).toEqual([[], [], []]);
      }),
      ROUNDS,
    );
  });
});
