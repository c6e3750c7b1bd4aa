/** The programs whose version is judged. */
export type Program = "rclone" | "openssh" | "restic";

/** A range of versions that must not be in use, and where it ends. */
export interface KnownBad {
  program: Program;
  /** CVE, or where there is none what the limit rests on. */
  reference: string;
  why: string;
  /** First upstream version that is affected; absent: every one before `fixed`. */
  from?: string;
  /** First upstream version that is not affected any more. */
  fixed: string;
  /** Debian's packages of affected versions that have the fix, each the first one of its release. */
  packages: readonly string[];
}

/**
 * Only what its authors or Debian's changelogs say. OpenSSH in other distributions is patched without a new upstream
 * version: what is not listed here cannot be judged.
 */
export const KNOWN_BAD: readonly KnownBad[] = [
  {
    program: "rclone",
    reference: "CVE-2026-59733",
    why: "a client reads and writes outside its repository",
    fixed: "1.74.4",
    packages: [],
  },
  {
    program: "rclone",
    reference: "CVE-2026-71309",
    why: "a client reads and writes outside its repository",
    fixed: "1.75.0",
    packages: [],
  },
  {
    program: "rclone",
    reference: "CVE-2026-88046",
    why: "append-only lets a client delete objects",
    fixed: "1.75.1",
    packages: [],
  },
  {
    program: "openssh",
    reference: "CVE-2023-48795",
    why: "an attacker between client and proxy can cut messages off the start of a connection (Terrapin)",
    fixed: "9.6p1",
    packages: ["1:9.2p1-2+deb12u2"],
  },
  {
    program: "openssh",
    reference: "CVE-2024-6387",
    why: "an attacker who reaches sshd may run code as root without a key (regreSSHion)",
    from: "8.5p1",
    fixed: "9.8p1",
    packages: ["1:9.2p1-2+deb12u3"],
  },
  {
    program: "openssh",
    reference: "CVE-2025-32728",
    why: "DisableForwarding leaves X11 and agent forwarding open",
    from: "7.4p1",
    fixed: "10.0p1",
    packages: ["1:9.2p1-2+deb12u6"],
  },
  {
    program: "restic",
    reference: "the oldest that secure-backups supports",
    why: "its repositories and messages are not what the scripts on the client expect",
    fixed: "0.12.0",
    packages: [],
  },
];

/** What is known about a version; `undecided` are ranges that it is in by number, while its package may be patched. */
export interface VersionJudgement {
  bad: KnownBad[];
  undecided: KnownBad[];
}

/**
 * Judges an upstream version (`1.76.0`, `9.2p1`) and, where it came as one, the version of its Debian package.
 * @throws Error for a version that has not that form, for it cannot be judged
 */
export function judgeVersion(program: Program, version: string, debianPackage?: string): VersionJudgement {
  if (!/^\d+(\.\d+)+(p\d+)?$/.test(version)) {
    throw new Error(`${JSON.stringify(version)} is no released version of ${program}`);
  }
  const judgement: VersionJudgement = { bad: [], undecided: [] };
  for (const entry of KNOWN_BAD) {
    const { from, fixed } = entry;
    if (entry.program !== program || compareVersions(version, fixed) >= 0) continue;
    if (from !== undefined && compareVersions(version, from) < 0) continue;
    const fixedPackage = entry.packages.find((known) => release(known) === release(debianPackage ?? ""));
    if (fixedPackage !== undefined && debianPackage !== undefined) {
      if (compareVersions(debianPackage, fixedPackage) < 0) judgement.bad.push(entry);
    } else {
      // Distributions mend OpenSSH and keep its number; rclone and restic come from their authors.
      (program === "openssh" ? judgement.undecided : judgement.bad).push(entry);
    }
  }
  return judgement;
}

/** What distinguishes packages that cannot be compared: upstream version and Debian release, `9.2p1 deb12`. */
function release(debianPackage: string): string | undefined {
  const match = /^\d+:([0-9.p]+)-.*\+(deb\d+)u\d+$/.exec(debianPackage);
  return match ? `${match[1] as string} ${match[2] as string}` : undefined;
}

/** Below, at or above zero as `a` is older than, the same as or newer than `b`: their numbers one by one. */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string) => (version.match(/\d+/g) ?? []).map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
