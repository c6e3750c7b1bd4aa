/** A status on a terminal. */
import { describe, expect, test } from "@jest/globals";
import { renderTable } from "../../operations/status/table";
import {
  hostileStatus,
  manyStatus,
  SAMPLE_AT,
  sampleAlarm,
  sampleStatus,
  wellStatus,
} from "../harness/sample-status";

const MINUTE = 60_000;
const NOW = SAMPLE_AT + 3 * MINUTE;

const table = (status = sampleStatus(), width?: number, now = NOW) =>
  renderTable(status, now, "keepersrv", width);
/** The table's own lines: heading and rows. */
const rowsOf = (text: string): string[] => {
  const lines = text.split("\n");
  const first = lines.findIndex((line) => line.startsWith("REPOSITORY"));
  return lines.slice(first, lines.indexOf("", first));
};

test("what is amiss comes first, and the canary last", () => {
  const rows = rowsOf(table());
  expect(rows.map((line) => line.split(" ")[0])).toEqual([
    "REPOSITORY",
    ...["db1/postgres", "git/main", "files/home", "mail/main"],
    ...["appsrv/main", "appsrv/uploads", "build/main", "new-laptop/main", "web1/main", "web2/main"],
    ".canary/verify",
  ]);
  const [, dead, lying, partial, locked, well] = rows;
  expect(dead).toMatch(
    /^db1\/postgres +3 d 4 h +2027-03-11T02:02Z +OVERDUE for 1 d 21 h +2027-03-12T02:00Z /,
  );
  expect(lying).toMatch(/ claims 2031-01-01T00:00:00Z .* 903 /);
  expect(partial).toMatch(/ partial for 2 d 4 h /);
  expect(locked).toMatch(/ lock, check-late .* FAILED, 8 d +44 d +1, \d d 3 h +2$/);
  expect(well).toMatch(/ ok +2027-03-15T02:00Z +[\d.]+ GiB +\+\d+ MiB +46 +2 h 3 min +7 d +9 d +- +0$/);
});

test("each alarm says of what, since when, what is amiss and what to type next; the canary's that it is sent to nobody", () => {
  const text = table();
  const [dead] = sampleStatus().alarms;
  expect(text).toContain(`
CRITICAL: overdue of db1/postgres, since 2027-03-12T09:00Z (1 d 21 h)
    ${dead?.text ?? ""}
    next: ${dead?.next ?? ""}
`);
  expect(text).toMatch(/\n(CRITICAL|warning): quota of the bucket, since /);
  expect(text).toContain("\nof the canary, sent to nobody: forged-date of .canary/verify, since ");
  expect(text).toContain("\nwebhook ops: last sent 6 d ago, FAILS for 5 h 3 min: connect ECONNREFUSED");
  expect(text).toContain(", 4 messages not sent yet\n");
});

test("where all is well there is a line of the bucket, one of verify, and a row for each repository", () => {
  const [summary, verify, , ...rows] = table(wellStatus()).split("\n");
  expect(summary).toMatch(
    /^backups-prod, seen by the keeper 2027-03-14T06:02Z \(3 min ago\): 3 repositories, \d+ GiB of 2 TiB, no alarm$/,
  );
  expect(verify).toBe("Last verify: 2 d ago: 61 passed, 0 failed, 0 could not be tried");
  expect(rows.join("\n")).not.toContain(".canary");
  const { verify: _verify, ...never } = wellStatus();
  expect(table(never)).toContain("\nLast verify: none of all rings yet\n");
  expect(table(wellStatus({ ways: [] }))).toMatch(/\nthere is no way by which alarms are sent: .*$/);
  expect(table(wellStatus({ ways: [], by: "workstation" }))).not.toContain("no way by which");
});

test("a status that is too old says so first, and what to do", () => {
  const late = SAMPLE_AT + 46 * MINUTE;
  expect(table(wellStatus(), undefined, late).split("\n")[0]).toBe(
    "STALE: the keeper last looked 2027-03-14T06:02Z, 46 min ago, and does so every 15 minutes. See why: " +
      "npm run ssh -- keepersrv, and there: systemctl status keeper-watch.timer keeper-watch.service",
  );
  expect(table()).not.toContain("STALE");
});

describe("on a narrow terminal", () => {
  test.each([160, 120, 100, 80, 60, 40])(
    "of %i characters nothing but what is to be copied is longer",
    (width) => {
      const lines = table(sampleStatus(), width).split("\n");
      expect(lines.filter((line) => line.length > width && !line.startsWith("    next: "))).toEqual([]);
      expect(rowsOf(lines.join("\n"))).toHaveLength(12);
    },
  );

  test("repository, age and state stay, and no command is folded", () => {
    const text = table(sampleStatus(), 60);
    expect(rowsOf(text)[0]).toBe("REPOSITORY       LAST BACKUP  STATE");
    for (const { next } of sampleStatus().alarms) expect(text).toContain(`\n    next: ${next}\n`);
    expect(rowsOf(table(sampleStatus(), 40))[2]).toMatch(/^git\/main +3 h \d+ min +claims 20\d*…$/);
  });
});

test("names of an attacker neither control the terminal nor make a line of their own", () => {
  for (const width of [undefined, 100, 61, 40]) {
    const text = table(hostileStatus(), width);
    expect(text).not.toMatch(/[^\P{C}\n]|[\p{Zl}\p{Zp}\p{DI}]/u);
    expect(text.split("\n").filter((line) => line.startsWith("next line"))).toEqual([]);
    const spoofing = wellStatus({
      alarms: [sampleAlarm("lock", undefined, { text: `${"x ".repeat(12)}next: rm -r /`.repeat(9) })],
    });
    const commands = table(spoofing, width)
      .split("\n")
      .filter((line) => /^ {0,4}next:/.test(line));
    expect(commands).toEqual(["    next: npm run keeper -- status --stack prod"]);
    expect(rowsOf(text)).toHaveLength(hostileStatus().repositories.length + 1);
  }
});

test("of very many alarms the rest is counted", () => {
  const many = { client: "web1", repository: "main" };
  const alarms = Array.from({ length: 45 }, (_, n) => sampleAlarm("lock", many, { id: `lock ${n}` }));
  expect(table(wellStatus({ alarms }))).toContain("\nand 5 alarms more: --json has all\n");
  expect(rowsOf(table(manyStatus(1000)))).toHaveLength(1001);
});
