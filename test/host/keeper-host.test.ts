/** The keeper as a booted host: its real install, its units and what each process sees, on the local cloud's S3. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import {
  bundleKeeper,
  type HostInstall,
  keeperInstall,
  keeperProgramInstall,
  passwordFile,
} from "../../hosts";
import type { KeeperSettings, KeptRepository } from "../../keeper/settings";
import type { RepositoryState } from "../../keeper/state";
import type { DeployedKeeper, Deployment } from "../../operations/deployment";
import { run } from "../../operations/transport/run";
import { inspectScript, parseFacts } from "../../operations/verify/hosts/facts";
import { judgeKeeper, keeperParameters } from "../../operations/verify/hosts/keeper";
import { adoptOrCreate } from "../../s3/create";
import { POLICY } from "../../s3/settings/policy";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import { BootedHost } from "../../scripts/dev/booted-host";
import { CACHE } from "../../scripts/dev/cloud";
import { address, arns, contentOf, keeper, owner, useIdentities } from "../harness/bucket-identities";
import { artifact, INSTALLED, putInForce } from "../harness/installs";
import { SAMPLE_SETTINGS, sampleBucket, sampleDeployment } from "../harness/sample-deployment";
import { strongestPolicy } from "../harness/strongest-policy";

jest.setTimeout(300_000);

useIdentities();

const PASSWORD = `it's "q" $HOME \\ %h grüße`;
const MAIN: KeptRepository = {
  client: "app-srv",
  repository: "main",
  pins: [],
  schedule: "daily",
  window: 60,
  frozen: false,
};
const OLD: KeptRepository = { ...MAIN, client: "db", repository: "old_1" };
const UNIT = "keeper-worker@app\\x2dsrv-main.service";

let host: BootedHost;
let bucket: ReturnType<typeof address>;
let folder: string;

function settingsOf(repositories: readonly KeptRepository[]): KeeperSettings {
  return {
    s3: bucket,
    repositories,
    approval: { snapshots: 50, share: 0.2 },
    bounds: {
      objects: 100_000,
      metadataBytes: 1 << 26,
      packBytes: 1 << 28,
      readBytes: 1 << 30,
      lateObjects: 200,
    },
    noncurrentVersionDays: 30,
  };
}

function install(repositories: readonly KeptRepository[]) {
  return keeperInstall({
    host: "keepersrv",
    node: artifact("node"),
    restic: artifact("restic"),
    settings: settingsOf(repositories),
    s3: { accessKeyId: keeper.accessKeyId, secretAccessKey: keeper.secretAccessKey },
    alarms: sampleDeployment().alarms,
    repositories: repositories.map(({ client, repository }) => ({ client, repository, password: PASSWORD })),
  });
}

/** restic on a folder. */
function restic(...args: string[]) {
  const repository = path.join(folder, "repository");
  return run(path.join(CACHE, "artifacts/restic"), ["--no-cache", "-r", repository, ...args], {
    timeout: 60,
    env: { RESTIC_PASSWORD: PASSWORD },
  });
}

/** Puts installs in force: all that they said. */
async function putAll(...installs: HostInstall[]): Promise<string> {
  let said = "";
  for (const one of installs) {
    const { code, text } = await putInForce(host, one);
    if (code !== INSTALLED) throw new Error(`${one.summary.title} ended with ${String(code)}: ${text}`);
    said += text;
  }
  return said;
}

const sh = async (text: string): Promise<string> => (await host.ssh.sh(text)).stdout.trim();

/** What a shell script sees that runs in a unit in its program's place: each line it prints, by the line's first word. */
async function lookFrom(
  file: string,
  unit: string,
  script: string,
): Promise<Partial<Record<string, string>>> {
  const text = await sh(
    `mkdir -p '/run/systemd/system/${file}.d'
cat >/usr/local/bin/look <<'END'
#!/bin/sh
${script}
END
chmod 0755 /usr/local/bin/look
printf '[Service]\\nExecStart=\\nExecStart=/usr/local/bin/look\\n' >'/run/systemd/system/${file}.d/look.conf'
systemctl daemon-reload
journalctl --rotate --quiet
systemctl start '${unit}'
journalctl --sync
journalctl --quiet --output=cat _COMM=look -u '${unit}' -n 50
journalctl --quiet --output=cat -u '${unit}' -n 50 | grep -E '^[a-z]+( |$)'
rm -r '/run/systemd/system/${file}.d' /usr/local/bin/look
systemctl daemon-reload`,
  );
  const lines = text.split("\n").map((line) => line.split(/ (.*)/s, 2));
  // The journal keeps no blank at the end of a line.
  return Object.fromEntries(lines.map(([what = "", found = ""]) => [what, found.trim()] as const));
}

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "keeper-host-"));
  bucket = address();
  await adoptOrCreate(owner.s3, bucket, owner);
  await settle(VERSIONING, owner.s3, bucket, true);
  await settle(POLICY, owner.s3, bucket, strongestPolicy({ bucket: bucket.bucket, ...arns() }));
  host = await BootedHost.start("keepersrv", "172.24.4.214");
  await restic("init");
  fs.writeFileSync(path.join(folder, "data"), "x".repeat(100_000));
  await restic("backup", path.join(folder, "data"));
  // The owner puts there what a client would have put through the proxy.
  const repository = path.join(folder, "repository");
  for (const entry of fs.readdirSync(repository, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const Key = `app-srv/main/${path.relative(repository, file)}`;
    await owner.s3.putObject({ Bucket: bucket.bucket, Key, Body: fs.readFileSync(file) });
  }
});

afterAll(async () => {
  await (host as BootedHost | undefined)?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

test("without its program nothing of the keeper is installed", async () => {
  const { code, text } = await putInForce(host, install([MAIN, OLD]));
  expect(code).not.toBe(INSTALLED);
  expect(text).toContain("keeper.js is missing");
  expect(await sh("ls /etc/keeper 2>/dev/null || echo none")).toBe("none");
});

test("program and host are installed, and the gate serves as a user of its own", async () => {
  await putAll(keeperProgramInstall(bundleKeeper()), install([MAIN, OLD]));
  const units = "keeper-gate.service keeper-round.timer keeper-watch.timer";
  expect(await sh(`systemctl is-active ${units}`)).toBe("active\nactive\nactive");
  expect(await sh(`systemctl is-enabled ${units}`)).toBe("enabled\nenabled\nenabled");
  const user = await sh(
    "ps -o user= -p $(systemctl show keeper-gate.service --property=MainPID --value) | tr -d ' '",
  );
  expect(user).not.toBe("root");
  expect(await sh("find /run/keeper-gate -type s | sort")).toBe(
    ["/.round", "/app-srv/main/socket", "/db/old_1/socket"]
      .map((name) => `/run/keeper-gate${name}`)
      .join("\n"),
  );
});

test("nobody but root passes the folder of the sockets, or reads keys and passwords", async () => {
  const unreadable = await sh(
    `for file in /run/keeper-gate/.round /run/keeper-gate/app-srv/main/socket /etc/keeper/s3.json \\
      /etc/keeper/alarms.json /etc/keeper/passwords/app-srv/main; do
      ! runuser -u nobody -- test -e $file || runuser -u nobody -- test ! -r $file || echo "$file"
    done`,
  );
  expect(unreadable).toBe("");
});

test("a second install changes nothing and restarts nothing", async () => {
  const started = () =>
    sh(
      "systemctl show keeper-gate.service keeper-round.timer keeper-watch.timer --property=ActiveEnterTimestampMonotonic",
    );
  const before = await started();
  const text = await putAll(keeperProgramInstall(bundleKeeper()), install([MAIN, OLD]));
  expect(text).not.toMatch(/changed|removed|started|ended/);
  expect(await started()).toBe(before);
});

test("sshd lets root in by no way and forwards nothing", async () => {
  const settings = (await sh("sshd -T -C user=debian,host=x,addr=192.0.2.1")).split("\n");
  expect(settings).toEqual(
    expect.arrayContaining([
      "permitrootlogin no",
      "passwordauthentication no",
      "authenticationmethods publickey",
      "disableforwarding yes",
    ]),
  );
});

describe("a worker", () => {
  test("of a real repository does its round: the guard, and no forget without keep", async () => {
    await sh(
      `systemctl start '${UNIT}' || { journalctl --quiet --output=cat -u '${UNIT}' -u keeper-gate -n 30 >&2; exit 1; }`,
    );
    const text = await contentOf(owner.s3, bucket.bucket, ".keeper/app-srv/main/state.json");
    const state = JSON.parse(text) as RepositoryState;
    expect(state.tried.guard).toMatchObject({ ok: true });
    expect(state.tried.forget).toBeUndefined();
    expect(state).toMatchObject({ findings: [], verified: true });
  });

  test("sees its password, its socket and the system's programs, and nothing else", async () => {
    // The unit as it is, with another program.
    const look = [
      'echo "password $(sha256sum <"$CREDENTIALS_DIRECTORY/password" | cut -d " " -f 1)"',
      'echo "credentials $(ls -A "$CREDENTIALS_DIRECTORY")"',
      'echo "etc $(ls -A /etc | tr "\\n" " ")"',
      'echo "var $(find /var -mindepth 1 ! -path "/var/tmp*" | tr "\\n" " ")"',
      'echo "run $(find /run -mindepth 1 ! -path "/run/credentials/*" -exec stat -c "%F %n" {} + | sort | tr "\\n" ",")"',
      'echo "home $(ls -A /home /root 2>&1 | grep -c debian)"',
      'echo "processes $(ls /proc | grep -c "^[0-9][0-9]*$")"',
      'echo "interfaces $(tail -n +3 /proc/self/net/dev 2>/dev/null | grep -vc lo:)"',
      'echo "capabilities $(sed -n "s/^CapEff:\\t//p" /proc/self/status)"',
      'echo "written $(find / -xdev -type d -writable ! -path "/proc/*" 2>/dev/null | tr "\\n" " ")"',
      'echo "id $(id -u)"',
    ].join("\n");
    const seen = await lookFrom("keeper-worker@.service", UNIT, look);
    expect(seen).toMatchObject({
      password: createHash("sha256").update(PASSWORD).digest("hex"),
      credentials: "password",
      etc: "",
      var: "",
      // The empty folders are systemd's own.
      run:
        "directory /run/credentials,directory /run/systemd,directory /run/systemd/incoming," +
        "socket /run/keeper-socket,",
      home: "0",
      interfaces: "0",
      capabilities: "0000000000000000",
    });
    expect(Number(seen["processes"])).toBeLessThan(10);
    expect(seen["id"]).not.toBe("0");
  });

  test("is rated as safe by systemd, and so is each process of the keeper but the round", async () => {
    const exposure = async (unit: string) => {
      const { stdout } = await host.ssh.sh(`systemd-analyze security --no-pager '${unit}' | tail -n 1`);
      return Number(/: (\d+\.\d) /.exec(stdout)?.[1]);
    };
    expect(await exposure(UNIT)).toBeLessThanOrEqual(0.5);
    expect(await exposure("keeper-due.service")).toBeLessThanOrEqual(0.5);
    expect(await exposure("keeper-gate.service")).toBeLessThanOrEqual(1.5);
    expect(await exposure("keeper-watch.service")).toBeLessThanOrEqual(1.5);
  });
});

describe("the watcher", () => {
  test("has S3 keys and ways of alarms, no password, and may run the host's programs", async () => {
    const look = [
      'echo "credentials $(ls -A "$CREDENTIALS_DIRECTORY" | tr "\\n" " ")"',
      'echo "ways $(sha256sum <"$CREDENTIALS_DIRECTORY/alarms.json" | cut -d " " -f 1)"',
      'echo "passwords $(ls -A /etc/keeper/passwords 2>/dev/null | wc -l)"',
      'echo "programs $(test -x /usr/local/lib/secure-backups/node && test -d /opt && echo there)"',
      'echo "capabilities $(sed -n "s/^CapEff:\\t//p" /proc/self/status)"',
      'echo "sockets $(ls -A /run/keeper-gate 2>/dev/null | wc -l)"',
      'echo "user $(id -un)"',
    ].join("\n");
    expect(await lookFrom("keeper-watch.service", "keeper-watch.service", look)).toMatchObject({
      credentials: "alarms.json s3.json",
      ways: await sh("sha256sum </etc/keeper/alarms.json | cut -d ' ' -f 1"),
      passwords: "0",
      programs: "there",
      capabilities: "0000000000000000",
      sockets: "0",
      user: "keeper-watch",
    });
  });

  test("leaves a status that stays after its run, that everybody reads and nobody else changes", async () => {
    const write = "date >/run/keeper-status/status.json && echo written";
    const seen = await lookFrom("keeper-watch.service", "keeper-watch.service", write);
    expect(seen).toHaveProperty("written");
    expect(await sh("stat -c '%U %a %n' /run/keeper-status /run/keeper-status/status.json")).toBe(
      "keeper-watch 755 /run/keeper-status\nkeeper-watch 644 /run/keeper-status/status.json",
    );
    expect(await sh("runuser -u nobody -- cat /run/keeper-status/status.json | wc -l")).toBe("1");
    expect(await sh("runuser -u nobody -- touch /run/keeper-status/x 2>/dev/null || echo refused")).toBe(
      "refused",
    );
  });
});

test("a round asks the gate, and starts the worker of what is due alone", async () => {
  await sh("systemctl start keeper-round.service || :");
  expect(await sh("cat /run/keeper-due")).not.toContain("app");
  const units = await sh("journalctl --quiet --output=cat -u keeper-round -u keeper-due -n 40");
  expect(units).not.toContain("not configured");
});

describe("verify", () => {
  const restic = artifact("restic");
  const deployed = (): { deployment: Deployment; kept: DeployedKeeper } => {
    const kept: DeployedKeeper = {
      name: "keepersrv",
      host: host.access,
      node: artifact("node"),
      restic,
      program: bundleKeeper().sha256,
      settings: settingsOf([MAIN, OLD]),
    };
    const repository = { ...SAMPLE_SETTINGS, publicKey: "", password: PASSWORD };
    const deployment = sampleDeployment({
      bucket: sampleBucket({ ...bucket, keeper }),
      keeper: kept,
      clients: [MAIN, OLD].map(({ client, repository: name }) => ({
        name: client,
        kind: "key-only",
        frozen: false,
        repositories: [{ ...repository, name }],
      })),
    });
    return { deployment, kept };
  };

  /** The findings that do not pass. */
  async function amiss(): Promise<string[]> {
    const { deployment, kept } = deployed();
    const { stdout } = await host.ssh.sh(inspectScript(keeperParameters(deployment, kept), "boundary-0123"));
    const findings = await judgeKeeper(deployment, kept, parseFacts(stdout, "boundary-0123"));
    return findings
      .filter(({ verdict }) => verdict !== "pass")
      .map(({ id, happened }) => `${id}: ${happened}`);
  }

  test("finds the keeper as the stack made it", async () => {
    // Which OpenSSH Debian has mended is judged elsewhere.
    expect((await amiss()).filter((line) => !line.startsWith("version.openssh"))).toEqual([]);
  });

  test("names what somebody changed", async () => {
    await sh(
      `mkdir '/etc/systemd/system/keeper-worker@.service.d'
printf '[Service]\\nPrivateNetwork=no\\n' >'/etc/systemd/system/keeper-worker@.service.d/open.conf'
systemctl daemon-reload
echo x >/etc/keeper/passwords/app-srv/other
echo '// x' >>/usr/local/lib/secure-backups/keeper.js
chmod 0644 /etc/keeper/s3.json`,
    );
    const found = (await amiss()).join("\n");
    await sh(
      `rm -r '/etc/systemd/system/keeper-worker@.service.d' /etc/keeper/passwords/app-srv/other
systemctl daemon-reload`,
    );
    for (const part of [
      "keeper.units: keeper-worker@x-x.service is changed by",
      "keeper.settings: there is /etc/keeper/passwords/app-srv/other",
      "keeper.program:",
      "keeper.files: /etc/keeper/s3.json is 644",
    ])
      expect(found).toContain(part);
    const text = await putAll(keeperProgramInstall(bundleKeeper()), install([MAIN, OLD]));
    expect(text).toContain("changed /usr/local/lib/secure-backups/keeper.js");
    expect(text).toContain("changed /etc/keeper/s3.json");
  });
});

test("a repository that is gone takes its password, its socket and its running work with it", async () => {
  // Work that does not end by itself.
  await sh(
    `mkdir -p '/run/systemd/system/keeper-worker@.service.d'
printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/sleep 600\\n' >'/run/systemd/system/keeper-worker@.service.d/long.conf'
systemctl daemon-reload
systemctl start --no-block '${UNIT}' keeper-worker@db-old_1.service`,
  );
  const working = () =>
    sh(
      "systemctl list-units --plain --no-legend --state=activating,active 'keeper-worker@*' | cut -d ' ' -f 1",
    );
  expect((await working()).split("\n")).toHaveLength(2);
  const text = await putAll(install([MAIN]));
  expect(text).toContain(`removed ${passwordFile(OLD).path}`);
  expect(text).toContain("ended the work on db/old_1");
  expect(await working()).toBe(UNIT);
  expect(await sh("find /etc/keeper/passwords /run/keeper-gate -mindepth 1 | sort")).toBe(
    [
      "/etc/keeper/passwords/app-srv",
      "/etc/keeper/passwords/app-srv/main",
      "/run/keeper-gate/.round",
      "/run/keeper-gate/app-srv",
      "/run/keeper-gate/app-srv/main",
      "/run/keeper-gate/app-srv/main/socket",
    ].join("\n"),
  );
});

test("a client that is frozen has its running work ended", async () => {
  const text = await putAll(install([{ ...MAIN, frozen: true }]));
  expect(text).toContain("ended the work on app-srv/main");
  expect(await sh("cat /etc/keeper/passwords/app-srv/main | base64 -w 0")).toBe(
    Buffer.from(PASSWORD).toString("base64"),
  );
});
