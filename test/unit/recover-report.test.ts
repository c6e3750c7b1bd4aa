import { describe, expect, test } from "@jest/globals";
import type { Entry } from "../../s3/history";
import { planRecovery } from "../../operations/recover/plan";
import { printable, printableLines } from "../../operations/printable";
import { describePlan, describeSnapshots } from "../../operations/recover/report";
import { resticEnvironment, Snapshot } from "../../operations/recover/restic";
import { sampleBucket } from "../harness/sample-deployment";

const PREFIX = "web/main/";

const entry = (key: string, modified: number, by: string, rest: Partial<Entry> = {}): Entry => ({
  ...{ key: PREFIX + key, versionId: `${key}@${modified}`, marker: false, latest: true, size: 1, etag: by },
  ...{ modified, by, ...rest },
});

test("describes a plan", () => {
  const old = { latest: false };
  const entries = [
    entry("config", 1000, "w", old),
    entry("data/00/kept", 1000, "w"),
    ...["a", "b", "c", "d", "e", "f"].flatMap((name) => [
      entry(`data/00/${name}`, 1000, "w", old),
      entry(`data/00/${name}`, 9000, "k", { marker: true }),
    ]),
    entry("config", 8000, "x"),
    entry("keys/\u001b[2J\u202e", 7000, "w"),
    entry("locks/large", 6500, "w", { size: 2 * 1024 ** 3 }),
    entry("data/00/expired", 9000, "k", { marker: true }),
  ];
  // S3 lists each key's versions with the newest first.
  entries.sort((a, b) => b.modified - a.modified);
  const names: Record<string, string> = { w: "the writer", k: "the keeper" };
  const text = describePlan(
    planRecovery(entries, { prefix: PREFIX, at: 5000, quarantine: ".quarantine/run" }),
    PREFIX,
    (id) => names[id] ?? id,
  );
  expect(text).toBe(`\
                  deleted  overwritten        added
  config                0            1            0
  keys                  0            0            1
  data                  6            0            0
  unchanged: 1; locks: 1

Deleted since; will be undeleted (6):
  from 1970-01-01T00:00:09Z to 1970-01-01T00:00:09Z, by the keeper
    data/00/a  1970-01-01T00:00:09Z by the keeper
    data/00/b  1970-01-01T00:00:09Z by the keeper
    data/00/c  1970-01-01T00:00:09Z by the keeper
    data/00/d  1970-01-01T00:00:09Z by the keeper
    data/00/e  1970-01-01T00:00:09Z by the keeper
    and 1 more

Overwritten since; the version at that time will be copied on top (1):
  from 1970-01-01T00:00:08Z to 1970-01-01T00:00:08Z, by x
    config  1970-01-01T00:00:08Z by x

Added since; will be moved to .quarantine/ (1):
  from 1970-01-01T00:00:07Z to 1970-01-01T00:00:07Z, by the writer
    keys/\\u{1b}[2J\\u{202e}  1970-01-01T00:00:07Z by the writer

Locks, which would block restic; will be moved to .quarantine/, too (1):
  from 1970-01-01T00:00:06.500Z to 1970-01-01T00:00:06.500Z, by the writer
    locks/large  1970-01-01T00:00:06.500Z by the writer, too large, or its name too long, to be copied: will be hidden

Of 1 more files only delete markers are left: if they had content at that time, it has expired.`);
});

test("does not list locks that a command left as added", () => {
  const entries = [entry("config", 1000, "w"), entry("locks/stale", 6500, "w")];
  const plan = planRecovery(entries, { prefix: PREFIX, at: 5000, quarantine: ".quarantine/run" });
  const text = describePlan(plan, PREFIX, (id) => id);
  expect(text).toMatch(/^ {2}unchanged: 1; locks: 1\n\nLocks, /);
  expect(text).not.toMatch(/added/i);
});

test("escapes control characters of an attacker's name, and leaves others unchanged", () => {
  expect(printable("a\u001b]0;x\u0007\n\u009b\u2028b")).toBe("a\\u{1b}]0;x\\u{7}\\u{a}\\u{9b}\\u{2028}b");
  expect(printableLines("one\n\u009b2J\u2066two\r\n")).toBe("one\n\\u{9b}2J\\u{2066}two\\u{d}\n");
  expect(printable("data/00/grüße é ✓")).toBe("data/00/grüße é ✓");
});

test("restic and rclone get the owner's keys and the time, and none of the operator's own settings", () => {
  const environment = resticEnvironment(
    {
      bucket: sampleBucket({
        ...{ endpoint: "s3.example.com", region: "r", bucket: "backups" },
        owner: { accessKeyId: "id", secretAccessKey: "secret" },
      }),
      client: "web",
      repository: "main",
      password: "a password",
      at: 5000,
    },
    { PATH: "/bin", AWS_PROFILE: "x", RCLONE_S3_NO_HEAD: "true", RESTIC_PASSWORD_COMMAND: "x", HOME: "/h" },
  );
  expect(environment).toEqual({
    PATH: "/bin",
    HOME: "/h",
    RCLONE_CONFIG: "/dev/null",
    RCLONE_CONFIG_RECOVER_TYPE: "s3",
    RCLONE_CONFIG_RECOVER_PROVIDER: "Other",
    RCLONE_CONFIG_RECOVER_ENV_AUTH: "false",
    RCLONE_CONFIG_RECOVER_ACCESS_KEY_ID: "id",
    RCLONE_CONFIG_RECOVER_SECRET_ACCESS_KEY: "secret",
    RCLONE_CONFIG_RECOVER_ENDPOINT: "https://s3.example.com",
    RCLONE_CONFIG_RECOVER_REGION: "r",
    RCLONE_CONFIG_RECOVER_NO_CHECK_BUCKET: "true",
    RCLONE_CONFIG_RECOVER_LIST_URL_ENCODE: "true",
    RCLONE_CONFIG_RECOVER_VERSION_AT: "1970-01-01T00:00:05.000Z",
    RESTIC_REPOSITORY: "rclone:recover:backups/web/main/",
    RESTIC_PASSWORD: "a password",
  });
});

describe("snapshots", () => {
  const snapshot = (id: string, tags?: string[]): Snapshot => ({
    id: `${id}6896b71056c005305`,
    time: "2026-11-29T02:17:34.06267496+01:00",
    hostname: "web",
    paths: ["/etc", "/srv"],
    tags,
  });
  const report = snapshot("0badf00d", ["secure-backups-report"]);

  test("are listed without the reports of failed runs, whose number is told", () => {
    const all = [snapshot("b11ff689"), report, snapshot("cc84757d", ["nightly", "x"]), report];
    expect(describeSnapshots(all, "npm run recover")).toBe(`\
b11ff689  2026-11-29T01:17:34Z  web  /etc, /srv
cc84757d  2026-11-29T01:17:34Z  web  /etc, /srv  tags nightly, x
2 snapshots
Left out: 2 reports of runs that failed or were partial, listed by
  npm run recover`);
  });

  test("none is not the same as reports alone", () => {
    expect(describeSnapshots([], "npm run recover")).toBe(
      "none: the repository existed, but nothing had been backed up to it",
    );
    expect(describeSnapshots([report], "npm run recover")).toMatch(/^none: .*\nLeft out: 1 report of runs /);
  });

  test("cannot forge a line, nor fill the terminal by many paths", () => {
    const paths = ["/a\nb11ff689  x", ...Array.from({ length: 1000 }, (_, n) => `/${n}`)];
    const text = describeSnapshots([{ ...snapshot("b11ff689"), paths, time: "never\u001b[2J" }], "");
    expect(text).toBe(
      "b11ff689  never\\u{1b}[2J  web  /a\\u{a}b11ff689  x, /0, /1, /2, /3 and 996 more\n1 snapshot",
    );
  });
});
