import { describe, expect, test } from "@jest/globals";
import { compareVersions, judgeVersion, KNOWN_BAD, Program } from "../../operations/verify/hosts/known-bad";

const references = (entries: readonly { reference: string }[]) => entries.map(({ reference }) => reference);

describe("versions that are known to be bad", () => {
  test.each<[Program, string, string | undefined, string[]]>([
    ["rclone", "1.60.1", undefined, ["CVE-2026-59733", "CVE-2026-71309", "CVE-2026-88046"]],
    ["rclone", "1.74.4", undefined, ["CVE-2026-71309", "CVE-2026-88046"]],
    ["rclone", "1.75.0", undefined, ["CVE-2026-88046"]],
    ["rclone", "1.75.1", undefined, []],
    ["rclone", "1.76.0", undefined, []],
    ["restic", "0.9.6", undefined, ["the oldest that secure-backups supports"]],
    ["restic", "0.12.0", undefined, []],
    ["openssh", "9.2p1", "1:9.2p1-2+deb12u1", ["CVE-2023-48795", "CVE-2024-6387", "CVE-2025-32728"]],
    ["openssh", "9.2p1", "1:9.2p1-2+deb12u3", ["CVE-2025-32728"]],
    ["openssh", "9.2p1", "1:9.2p1-2+deb12u10", []],
    ["openssh", "10.0p1", undefined, []],
  ])("%s %s (package %s): %j", (program, version, debianPackage, bad) => {
    const judgement = judgeVersion(program, version, debianPackage);
    expect([references(judgement.bad), judgement.undecided]).toEqual([bad, []]);
  });

  test.each<[string | undefined, string]>([
    [undefined, "a build of unknown origin"],
    ["1:9.2p1-2", "a package of Debian before any fix, or of another distribution"],
    ["1:9.3p1-1ubuntu3.6", "Ubuntu's"],
    ["1:9.2p1-2+deb13u1", "another release"],
  ])("an OpenSSH in the range whose package (%s) tells nothing is undecided: %s", (debianPackage) => {
    const { bad, undecided } = judgeVersion("openssh", "9.2p1", debianPackage);
    expect([bad, references(undecided)]).toEqual([[], ["CVE-2023-48795", "CVE-2024-6387", "CVE-2025-32728"]]);
  });

  test("an OpenSSH older than a fault does not have it", () => {
    expect(references(judgeVersion("openssh", "8.4p1").undecided)).toEqual([
      "CVE-2023-48795",
      "CVE-2025-32728",
    ]);
  });

  test.each(["", "unknown", "1.76.0-beta.1", "v1.76.0", "1.76.0; id"])("%j cannot be judged", (version) => {
    expect(() => judgeVersion("rclone", version)).toThrow(/is no released version of rclone/);
  });

  test("every entry says which versions, why, and where it is written", () => {
    for (const { fixed, from, packages, reference, why } of KNOWN_BAD) {
      expect(fixed).toMatch(/^\d+(\.\d+)+(p\d+)?$/);
      expect(from === undefined || compareVersions(from, fixed) < 0).toBe(true);
      expect([reference, why]).not.toContain("");
      for (const known of packages) expect(known).toMatch(/\+deb\d+u\d+$/);
    }
  });
});

test.each([
  ["1.9", "1.10", -1],
  ["1.75.1", "1.75.1", 0],
  ["9.2p1", "9.2p2", -1],
  ["10.0p1", "9.9p2", 1],
  ["1:9.2p1-2+deb12u9", "1:9.2p1-2+deb12u10", -1],
])("%s against %s: %d", (a, b, order) => {
  expect(Math.sign(compareVersions(a, b))).toBe(order);
  expect(Math.sign(compareVersions(b, a))).toBe(order === 0 ? 0 : -order);
});
