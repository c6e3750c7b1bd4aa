/**
 * Scheduled backups on a booted host with a real PostgreSQL and a real MariaDB: timers, commands before and after, dumps,
 * and what each way of ending looks like in the status, in the journal and in the repository. Proxy, restic, rclone and S3
 * are real.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { KeyPair, RepositorySettings } from "../../config";
import { clientInstall, proxyInstall } from "../../hosts";
import { BootedHost } from "../../scripts/dev/booted-host";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { sshKey } from "../../operations/transport/ssh-key";
import { showControllers } from "../harness/controllers";
import { artifact, INSTALLED, putInForce } from "../harness/installs";
import { SAMPLE_SETTINGS } from "../harness/sample-deployment";
import { TestBucket } from "../harness/test-bucket";

jest.setTimeout(300_000);

const PROXY = "172.24.4.228";
const CLIENT = "172.24.4.229";

const dump = (command: string, minutes = 5) => ({
  paths: [],
  stdin: { command, filename: "shop.sql", minutes },
});
const REPOSITORIES: Record<string, Partial<RepositorySettings>> = {
  main: { paths: ["/srv/data"], schedule: "yearly", window: 0 },
  postgres: dump("runuser -u postgres -- pg_dump --clean shop"),
  mariadb: dump("mariadb-dump --single-transaction shop"),
};

let bucket: TestBucket;
let proxy: BootedHost, client: BootedHost;
let keys: Map<string, KeyPair>;

const sh = async (script: string) => {
  const { code, stdout, stderr } = await client.ssh.sh(script, { accept: "any" });
  return { code, stdout: stdout.trim(), text: stdout + stderr };
};

/** Puts the proxy in force for the repositories' keys, but for those that are shut out. */
async function admit(...shutOut: string[]) {
  const { accessKeyId, secretAccessKey } = bucket.writer;
  const install = proxyInstall({
    host: "rclonesrv",
    bucket: bucket.address.bucket,
    rclone: artifact("rclone"),
    s3: { endpoint: cloudFacts().s3Endpoint, region: bucket.address.region, accessKeyId, secretAccessKey },
    grants: [...keys]
      .filter(([repository]) => !shutOut.includes(repository))
      .map(([repository, { publicKey }]) => ({ client: "web", repository, publicKey })),
  });
  expect(await putInForce(proxy, install)).toMatchObject({ code: INSTALLED });
}

/** Installs the client, with these settings of `main` besides its own. */
function install(main: Partial<RepositorySettings> = {}) {
  const repositories = Object.entries({ ...REPOSITORIES, main: { ...REPOSITORIES["main"], ...main } });
  return putInForce(
    client,
    clientInstall({
      stack: "0123456789abcdef",
      client: "web",
      bucket: bucket.address.bucket,
      proxy: { address: PROXY, port: 22, hostKey: proxy.hostKey },
      restic: artifact("restic"),
      repositories: repositories.map(([name, settings]) => ({
        ...SAMPLE_SETTINGS,
        ...settings,
        name,
        password: "a password",
        privateKey: keys.get(name)?.privateKey ?? "",
      })),
    }),
  );
}

/** Installs the client with other settings of `main`, runs it as its timer does, and says what came of it. */
async function runMain(settings: Partial<RepositorySettings> = {}, prepare = ":") {
  expect(await install(settings)).toMatchObject({ code: INSTALLED });
  await sh(`${prepare}; systemctl start restic-backup@main.service`);
  return status("main");
}

/** What `restic-backup --status REPOSITORY` says. */
async function status(repository: string) {
  const { code, stdout } = await sh(`restic-backup --status ${repository}`);
  const [, line = "", ...problems] = stdout.split("\n");
  const [, result = "", , , , , why = ""] =
    /^\S+ +(\S+) +(never|\S+ \S+) +(never|\S+ \S+) +((no timer|\S+ \S+)) *(.*)$/.exec(line) ?? [];
  return { code, result, why, problems };
}

/** The newest report of a run that ended like this. */
async function report(repository: string, result: "partial" | "failed") {
  const { stdout } = await sh(
    `restic-backup ${repository} dump --tag secure-backups-report,secure-backups-${result} latest /restic-backup-report.json`,
  );
  return JSON.parse(stdout) as Record<string, unknown>;
}

const snapshots = async (repository: string) =>
  Number((await sh(`restic-backup ${repository} snapshots --json | grep -o '"short_id"' | wc -l`)).stdout);

const journal = async () => (await sh("journalctl --no-pager -o cat -u 'restic-backup*'")).stdout;

beforeAll(async () => {
  bucket = await TestBucket.create("schedule-test");
  keys = new Map(
    await Promise.all(Object.keys(REPOSITORIES).map(async (name) => [name, await sshKey()] as const)),
  );
  [proxy, client] = await Promise.all([
    BootedHost.start("schedproxy", PROXY),
    BootedHost.start("schedclient", CLIENT, undefined, "databases"),
  ]);
  await showControllers(proxy);
  await admit();
  await sh("mkdir -p /srv/data; echo content >/srv/data/file");
  expect(await install()).toMatchObject({ code: INSTALLED });
});

afterAll(async () => {
  for (const host of [proxy, client] as (BootedHost | undefined)[]) await host?.stop();
  await bucket.remove();
});

describe("units", () => {
  test("systemd finds nothing wrong in them, and rates them below 3", async () => {
    expect(await install({ schedule: "daily" })).toMatchObject({ code: INSTALLED });
    const units = "restic-backup@main.timer restic-backup@main.service";
    expect(await sh(`systemd-analyze verify ${units}`)).toEqual({ code: 0, stdout: "", text: "" });
    const { stdout } = await sh("systemd-analyze security restic-backup@main.service | tail -n 1");
    expect(Number(/: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThan(3);
  });

  test("a timer runs by its schedule, follows another one, and goes with it", async () => {
    const before = await snapshots("main");
    expect(await install({ schedule: "*:*:0/10", window: 0 })).toMatchObject({ code: INSTALLED });
    const { code } = await sh(
      `for try in $(seq 60); do [ "$(restic-backup main snapshots --json | grep -o '"short_id"' | wc -l)" -lt ${before + 2} ] || exit 0; sleep 1; done; exit 1`,
    );
    expect(code).toBe(0);
    expect(await install({ schedule: "Mon 3:00 UTC", window: 0 })).toMatchObject({ code: INSTALLED });
    const next = "systemctl show -P NextElapseUSecRealtime restic-backup@main.timer";
    expect((await sh(next)).stdout).toMatch(/^Mon .* 03:00:00 UTC$/);
    expect(await install({ schedule: "none" })).toMatchObject({ code: INSTALLED });
    expect(
      (await sh("ls /etc/systemd/system/*restic* /etc/systemd/system/timers.target.wants/")).stdout,
    ).not.toContain("restic-backup@main.timer");
  });

  test("a schedule in a time zone that the host does not know is refused by name before anything changes", async () => {
    const before = (await sh("find /etc/restic-backup /etc/systemd/system -ls")).stdout;
    const { code, text } = await install({ schedule: "3:00 Mars/Olympus" });
    expect(code).not.toBe(INSTALLED);
    expect(text).toContain("does not understand the schedule '3:00 Mars/Olympus' of repository main");
    expect((await sh("find /etc/restic-backup /etc/systemd/system -ls")).stdout).toBe(before);
  });

  test("what starts restic-backup besides the timers is named", async () => {
    await sh("echo '30 2 * * * root /usr/local/bin/restic-backup main' >/etc/cron.d/backup");
    const { text } = await install({ schedule: "daily" });
    expect(text).toContain("warning: /etc/cron.d/backup on schedclient starts restic-backup too");
    await sh("rm /etc/cron.d/backup");
    expect((await install({ schedule: "daily" })).text).not.toContain("warning");
  });
});

describe("dumps", () => {
  const COMPARE = { postgres: "runuser -u postgres -- psql -At", mariadb: "mariadb -N" };
  const MAKE = {
    postgres: "runuser -u postgres -- createdb",
    mariadb: "mariadb-admin create",
  };

  test.each(["postgres", "mariadb"] as const)("a database of %s comes back whole", async (name) => {
    await sh("until mariadb -e 'select 1' && runuser -u postgres -- psql -c 'select 1'; do sleep 1; done");
    const rows = "select count(*), sum(id), max(name) from goods";
    const into = (database: string, sql: string) =>
      name === "postgres"
        ? `${COMPARE[name]} -c "${sql}" ${database}`
        : `${COMPARE[name]} -e "${sql}" ${database}`;
    const filled =
      name === "postgres"
        ? "create table goods as select i as id, 'good ' || i as name from generate_series(1, 20000) i"
        : "create table goods as select seq as id, concat('good ', seq) as name from seq_1_to_20000";
    expect(await sh(`set -e; ${MAKE[name]} shop; ${into("shop", filled)}`)).toMatchObject({ code: 0 });
    expect(await sh(`restic-backup ${name}`)).toMatchObject({ code: 0 });
    const restored = await sh(
      `set -eu; ${MAKE[name]} again; restic-backup ${name} dump latest /shop.sql >/tmp/shop.sql; ` +
        `${name === "postgres" ? "runuser -u postgres -- psql -q again" : "mariadb again"} </tmp/shop.sql`,
    );
    expect(restored).toMatchObject({ code: 0 });
    const was = (await sh(into("shop", rows))).stdout;
    expect(was).toMatch(/^20000/);
    expect((await sh(into("again", rows))).stdout).toBe(was);
    expect(await status(name)).toMatchObject({ code: 0, result: "ok" });
  });

  test("one that fails, at its end or at once, makes no snapshot", async () => {
    for (const [command, exit] of [
      ["seq 1000000; exit 5", 5],
      ["exit 5", 5],
      // systemd takes these ends of a main process for a success.
      ["seq 10; kill -TERM $$", 143],
      ["seq 10; systemctl stop restic-backup-main-stdin", 143],
    ] as const) {
      const before = await snapshots("main");
      expect(await runMain(dump(command))).toMatchObject({
        code: 1,
        result: "failed",
        why: `the command "stdin" failed with status ${String(exit)}: nothing was backed up`,
      });
      expect(await snapshots("main")).toBe(before);
      expect(await report("main", "failed")).toMatchObject({ result: "failed", status: 1, by: "timer" });
    }
  });
});

describe("commands", () => {
  test("run before and after, outside the limits of the backup's unit, and after learns the result", async () => {
    const settings = {
      before: { command: "echo $RESTIC_BACKUP_REPOSITORY >/srv/data/before", minutes: 1 },
      after: { command: "echo $RESTIC_BACKUP_RESULT >/srv/after", minutes: 1 },
    };
    expect(await runMain(settings)).toMatchObject({ code: 0, result: "ok" });
    expect((await sh("restic-backup main dump latest /srv/data/before; cat /srv/after")).stdout).toBe(
      "main\nok",
    );
  });

  test("one before that fails stops the backup, and after cleans up", async () => {
    const before = await snapshots("main");
    const settings = {
      before: { command: "exit 7", minutes: 1 },
      after: { command: "echo $RESTIC_BACKUP_RESULT >/srv/after", minutes: 1 },
    };
    expect(await runMain(settings)).toMatchObject({
      code: 1,
      why: 'the command "before" failed with status 7: nothing was backed up',
    });
    expect(await snapshots("main")).toBe(before);
    expect((await sh("cat /srv/after")).stdout).toBe("failed");
  });

  test("one that hangs is ended at its limit, with its processes", async () => {
    const hanging = { before: { command: "sleep 1234 & sleep 1234", minutes: 1 } };
    // Its limit of a minute, in seconds.
    const shorten = "echo 2 >/etc/restic-backup/main/before.seconds";
    expect(await runMain(hanging, shorten)).toMatchObject({
      code: 1,
      why: 'the command "before" did not end within 2 s: nothing was backed up',
    });
    expect((await sh("pgrep -f 'sleep 1234' || echo none")).stdout).toBe("none");
  });

  test("one after that fails makes the run a failure, though there is a snapshot", async () => {
    const before = await snapshots("main");
    expect(await runMain({ after: { command: "exit 9", minutes: 1 } })).toMatchObject({
      code: 1,
      why: 'a snapshot was created, but the command "after" failed with status 9',
    });
    expect(await snapshots("main")).toBe(before + 1);
  });
});

describe("a run", () => {
  test("of status 0 is ok", async () => {
    expect(await runMain()).toEqual({ code: 0, result: "ok", why: "", problems: [] });
  });

  test("of status 3 is partial, and its report has the paths", async () => {
    expect(await runMain({ paths: ["/srv/data", '/gone\\"x'] })).toMatchObject({
      code: 3,
      result: "partial",
      problems: ['not there: /gone\\"x'],
    });
    expect(await report("main", "partial")).toMatchObject({
      result: "partial",
      status: 3,
      problems: ['not there: /gone\\"x'],
    });
    expect(await journal()).toContain('restic-backup: not in this backup, for it is not there: /gone\\"x');
  });

  test("with restic's other statuses is failed, each for its reason, and a whole one clears it", async () => {
    const wrong = "sed -i 's/a password/another/' /etc/restic-backup/main/env";
    expect(await runMain({}, wrong)).toMatchObject({
      code: 1,
      result: "failed",
      why: "the password is wrong",
    });
    expect(await runMain()).toMatchObject({ code: 0, result: "ok" });
  });

  test("finds a lock: it fails where it may not try again, and clears this host's own that is stale", async () => {
    expect(await install()).toMatchObject({ code: INSTALLED });
    // The proxy refuses it for seconds, for which it holds the repository; killed, it leaves its lock.
    await sh(
      "restic-backup main forget --keep-last 1 </dev/null >/dev/null 2>&1 & sleep 8; pkill -KILL -x restic",
    );
    await sh("RESTIC_BACKUP_ATTEMPTS=1 restic-backup main");
    expect(await status("main")).toMatchObject({
      code: 1,
      result: "failed",
      why: "the repository stayed locked",
    });
    expect(await sh("restic-backup main")).toMatchObject({
      code: 0,
      text: expect.stringContaining("the repository is locked; attempt 2"),
    });
  });

  test("that could not even begin is failed, though the one before it was ok", async () => {
    expect(await runMain()).toMatchObject({ code: 0, result: "ok" });
    const env = "/etc/restic-backup/main/env";
    await sh(
      `sleep 1; mv ${env} ${env}.away; systemctl start restic-backup@main.service || :; mv ${env}.away ${env}`,
    );
    expect(await status("main")).toMatchObject({
      code: 1,
      result: "failed",
      why: "a later run could not begin: see journalctl -u restic-backup@main",
    });
    expect(await sh("restic-backup main")).toMatchObject({ code: 0 });
    expect(await status("main")).toMatchObject({ code: 0, result: "ok" });
  });

  test("of a client that is frozen says so", async () => {
    expect(await install()).toMatchObject({ code: INSTALLED });
    await admit("main");
    await sh("RESTIC_BACKUP_ATTEMPTS=1 restic-backup main");
    expect(await status("main")).toMatchObject({
      code: 1,
      why: "the proxy refuses this host's key: it may be frozen",
    });
    await admit();
  });

  test("finds another one running: it reports that to a person, and does not disturb it", async () => {
    expect(await install({ before: { command: "sleep 8", minutes: 1 } })).toMatchObject({ code: INSTALLED });
    await sh("systemctl start --no-block restic-backup@main.service; sleep 2");
    expect(await sh("restic-backup main")).toMatchObject({
      code: 75,
      text: expect.stringContaining("a backup of main is running"),
    });
    await sh(
      'while systemctl is-active --quiet restic-backup@main.service || [ "$(systemctl is-active restic-backup@main.service)" = activating ]; do sleep 1; done',
    );
    expect(await status("main")).toMatchObject({ code: 0, result: "ok" });
  });

  test("that is killed, stopped or interrupted is failed, and leaves no command behind", async () => {
    const slow = { before: { command: "sleep 4321", minutes: 5 } };
    for (const [end, why] of [
      ["systemctl kill -s KILL restic-backup@main.service", "the run was killed"],
      ["systemctl stop restic-backup@main.service", "interrupted by a signal"],
    ] as const) {
      expect(await install(slow)).toMatchObject({ code: INSTALLED });
      await sh(`systemctl start --no-block restic-backup@main.service; sleep 3; ${end}`);
      await sh(
        'while [ "$(systemctl is-active restic-backup@main.service)" = deactivating ]; do sleep 1; done',
      );
      expect(await status("main")).toMatchObject({ code: 1, result: "failed", why });
      expect((await sh("pgrep -f 'sleep 4321' || echo none")).stdout).toBe("none");
    }
    await sh("timeout -s INT 3 restic-backup main");
    expect((await status("main")).why).toMatch(/interrupted by a signal|"before" failed/);
  });

  test("of a repository that is gone says so", async () => {
    await bucket.owner.s3.deleteObject({ Bucket: bucket.address.bucket, Key: "web/postgres/config" });
    expect((await sh("restic-backup postgres")).code).toBe(10);
    expect(await status("postgres")).toMatchObject({ code: 1, why: "the repository does not exist" });
  });
});
