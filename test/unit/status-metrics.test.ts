import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect, test } from "@jest/globals";
import { renderMetrics } from "../../keeper/status/metrics";
import type { Status } from "../../keeper/status/schema";
import {
  HOSTILE,
  hostileStatus,
  manyStatus,
  sampleAlarm,
  sampleStatus,
  wellStatus,
} from "../harness/sample-status";

/** The one that scripts/dev/toolchain/promtool gets, else the machine's. */
function promtool(): string {
  const caches = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache");
  const cache = process.env.SECURE_BACKUPS_CACHE ?? path.join(caches, "secure-backups");
  const program = path.join(cache, "promtool/promtool");
  return fs.existsSync(program) ? program : "promtool";
}

/** What promtool says to metrics; nothing if they are as they should be. */
function complaints(metrics: string): string {
  const { status, stdout, stderr, error } = spawnSync(promtool(), ["check", "metrics"], {
    input: metrics,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return status === 0 ? stdout + stderr : `exit status ${String(status)}: ${stdout}${stderr}`;
}

const lines = (status: Status): string[] => renderMetrics(status).split("\n");

test.each([
  ["well", wellStatus()],
  ["amiss", sampleStatus()],
  ["large", manyStatus(60)],
  ["hostile", hostileStatus()],
  ["without a repository", wellStatus({ repositories: [], ways: [] })],
])("promtool has nothing to say to a status that is %s", (_, status) => {
  expect(complaints(renderMetrics(status))).toBe("");
});

test("promtool objects to what is no metric", () => {
  expect(complaints(`${renderMetrics(wellStatus())}a{b="c"d"} 1\n`)).toMatch(/^exit status 1/);
  expect(complaints("# TYPE a_minutes gauge\na_minutes 1\n")).toMatch(/^exit status 3/);
});

test("times are seconds, sizes bytes, and what is unknown is absent", () => {
  const well = lines(wellStatus());
  expect(well).toContain("secure_backups_watch_timestamp_seconds 1805004131");
  expect(well).toContain('secure_backups_repository_listed{client="web1",repository="main"} 1');
  expect(well).toContain("secure_backups_bucket_quota_bytes 2199023255552");
  expect(well).toContain("secure_backups_clock_ahead_seconds 0.14");
  expect(well).toContain('secure_backups_overdue{client="web1",repository="main"} 0');
  expect(well.join("\n")).not.toMatch(/undefined|NaN/);

  const { quota, clockOff, ...bucket } = wellStatus().bucket;
  const { verify, validUntil, ...without } = wellStatus();
  expect([quota, clockOff, verify, validUntil]).not.toContain(undefined);
  const poor = lines({ ...without, bucket, repositories: [] }).join("\n");
  expect(poor).not.toMatch(/bucket_quota|clock_ahead|verify_checks|verify_time|valid_until|undefined|NaN/);
});

test("what is amiss is in the metrics", () => {
  const amiss = lines(sampleStatus());
  for (const line of [
    'alarms{kind="overdue"} 1',
    'alarms{kind="quota"} 1',
    'alarms{kind="unreadable"} 0',
    'overdue{client="db1",repository="postgres"} 1',
    'repository_alarm_since_timestamp_seconds{client="db1",repository="postgres",kind="overdue"} 1804842000',
    'reported_since_timestamp_seconds{client="files",repository="home",result="partial"} 1804816931',
    'suspect_objects{client="git",repository="main",what="hidden"} 3',
    'retention_last_try_succeeded{client="mail",repository="main",action="prune"} 0',
    'locks{client="mail",repository="main"} 1',
    'way_failing{way="webhook ops"} 1',
    'way_failing{way="mail"} 0',
    'way_pending_messages{way="webhook ops"} 4',
    'frozen{client="build",repository="main"} 1',
  ]) {
    expect(amiss).toContain(`secure_backups_${line}`);
  }
});

test("of several alarms of one kind there is one series, since the first", () => {
  const about = { client: "web1", repository: "main" };
  const alarms = [3, 1, 2].map((n) => ({
    ...sampleAlarm("paused", about),
    id: `paused ${n}`,
    since: 1000 * n,
  }));
  const text = renderMetrics(wellStatus({ alarms }));
  expect(text.match(/repository_alarm_since.*\} .*/g)).toEqual([
    'repository_alarm_since_timestamp_seconds{client="web1",repository="main",kind="paused"} 1',
  ]);
  expect(text).toContain('secure_backups_alarms{kind="paused"} 3\n');
});

test("the canary is left out", () => {
  const { repositories, alarms } = sampleStatus();
  expect(repositories.map(({ client }) => client)).toContain(".canary");
  expect(alarms.filter(({ kind }) => kind === "forged-date")).toHaveLength(2);
  expect(renderMetrics(sampleStatus())).not.toContain("canary");
  expect(lines(sampleStatus())).toContain('secure_backups_alarms{kind="forged-date"} 1');
});

test("a hostile name is one label of one line and controls no terminal", () => {
  const text = renderMetrics(hostileStatus());
  expect(text.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  const sizes = text.split("\n").filter((line) => line.startsWith("secure_backups_repository_size_bytes{"));
  expect(sizes).toHaveLength(HOSTILE.length);
  const samples = text.split("\n").filter((one) => one !== "" && !one.startsWith("# "));
  const pair = String.raw`[a-z]+="([^"\\]|\\["\\])*"`;
  const sample = new RegExp(String.raw`^(secure_backups_[a-z_]+(\{${pair}(,${pair})*\})?) [\d.]+$`);
  // The collector rejects a file that has a series twice, and then there are no metrics at all.
  const series = new Set(samples.map((line) => sample.exec(line)?.[1]));
  expect(series).not.toContain(undefined);
  expect(series.size).toBe(samples.length);
});
