import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import {
  CLIENT_FILES,
  hookFiles,
  proxyLimits,
  renderSshdConfig,
  repositoryFiles,
  timerFiles,
} from "../../hosts";
import type { DeployedClient, Deployment } from "../../operations/deployment";
import { keyLineProblems, sharedAccess } from "../../operations/verify/hosts/authorized-keys";
import { clientParameters, judgeClient, sshProblems } from "../../operations/verify/hosts/client";
import { argumentsSeen, keysSeen, publicKeyOf } from "../../operations/verify/hosts/ways-in";
import { inspectScript, parseFacts } from "../../operations/verify/hosts/facts";
import { modeProblems, parseModes } from "../../operations/verify/hosts/files";
import { unexpectedSockets } from "../../operations/verify/hosts/programs";
import { judgeProxy } from "../../operations/verify/hosts/proxy";
import { conditionalRules, wantedSshdSettings } from "../../operations/verify/hosts/sshd";
import { SAMPLE_SETTINGS, sampleDeployment } from "../harness/sample-deployment";
import { ed25519 } from "../harness/config-example";
import { attempt, run } from "./files-tools";

const line = (name: string, key: string, options = "restrict,") => {
  const path = name.replace("-", "/");
  return `${options}command="rclone serve restic --stdio --append-only s3-resticrepo:b/${path}/" ssh-ed25519 ${key} ${name}`;
};
const WANTED = [line("web-main", "AAAA1"), line("db-main", "AAAA2")];

describe("authorized_keys", () => {
  test("in any order, with comments, is as wanted", () => {
    expect(keyLineProblems(["# a comment", ...WANTED.toReversed()], WANTED)).toEqual([]);
  });

  test.each<[string, string[], string]>([
    [
      "without restrict",
      [line("web-main", "AAAA1", ""), WANTED[1] as string],
      "web-main is without restrict",
    ],
    [
      "with restrict taken back",
      [line("web-main", "AAAA1", "restrict,pty,"), WANTED[1] as string],
      "web-main is changed: restrict,pty,command",
    ],
    [
      "without --append-only",
      WANTED.map((text) => text.replace("--append-only s3-resticrepo:b/web", "s3-resticrepo:b/web")),
      "web-main is without --append-only",
    ],
    ["on another path", WANTED.map((text) => text.replace("b/web/main/", "b/")), "web-main is changed"],
    ["missing", WANTED.slice(1), "web-main is missing"],
    ["too many", [...WANTED, "ssh-ed25519 AAAA3 me"], "a key that is not the stack's: ssh-ed25519 AAAA3 me"],
    ["twice", [...WANTED, line("db-main", "AAAA1")], "web-main is changed"],
  ])("%s is named", (_what, lines, named) => {
    const problems = keyLineProblems(lines, WANTED);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(named);
  });

  test.each<[string, string[], string[]]>([
    ["separate", WANTED, []],
    ["of similar names", [line("web-main", "A1"), line("web-main2", "A2")], []],
    [
      "with one key",
      [line("web-main", "A1"), line("db-main", "A1")],
      ["one key opens b/web/main and b/db/main"],
    ],
    ["on one path", [line("web-main", "A1"), line("web-main", "A2")], ["two keys open b/web/main"]],
    [
      "within another's",
      [line("web-main", "A1"), line("web", "A2").replace("b/web", "b/web")],
      ["two keys open b/web"],
    ],
    [
      "with one key, of which one is another's",
      [line("web-main", "A1"), line("db-main", "A2"), line("db-main", "A1")],
      ["one key opens b/web/main and b/db/main", "two keys open b/db/main"],
    ],
    ["on everything", [line("web-main", "A1"), "ssh-ed25519 A2 me"], ["two keys open everything"]],
  ])("lines %s: %j", (_what, lines, problems) => {
    expect(sharedAccess(lines)).toEqual(problems);
  });

  test.each<[string, string[]]>([
    ["a million lines", Array.from({ length: 1_000_000 }, (_, n) => `ssh-ed25519 ${n}`)],
    ["a line without end", ["ssh-".repeat(1_000_000)]],
    ["a path without end", [`command="x s3-resticrepo:${"b/".repeat(1_000_000)}" ssh-ed25519 A me`]],
  ])("an attacker who is root on the proxy cannot keep verify busy with %s", (_what, lines) => {
    const started = Date.now();
    expect(keyLineProblems(lines, WANTED)).not.toEqual([]);
    sharedAccess(lines);
    expect(Date.now() - started).toBeLessThan(20_000);
  });
});

describe("the keys of accounts", () => {
  const [own, other] = [ed25519(1), ed25519(2)];
  const operators = `/home/debian/.ssh/authorized_keys:${own} the operator`;
  const refusal = (options: string) =>
    `/root/.ssh/authorized_keys:${options}command="echo 'Please login as the user \\"debian\\" rather than the user \\"root\\".';echo;sleep 10;exit 142" `;
  const refusing = refusal("no-port-forwarding,no-agent-forwarding,no-X11-forwarding,");

  test("are the operator's, whatever its comment; a line that refuses opens nothing, an older key's neither", () => {
    for (const key of [own, `${own} x y`, other])
      expect(keysSeen([operators, `${refusing}${key}`], own).holds).toBe(true);
  });

  test.each([
    ["of another key", `/home/debian/.ssh/authorized_keys:${other} the operator`],
    ["with options", `/home/debian/.ssh/authorized_keys2:from="192.0.2.1" ${own}`],
    ["that refuses less", `${refusal("no-port-forwarding,no-X11-forwarding,")}${own}`],
    ["that does more", `${refusing.replace("exit 142", "exit 142;sh")}${own}`],
    ["that only looks like it", `/home/eve/.ssh/authorized_keys:${own}AAAA`],
    ["of a certificate authority", `/root/.ssh/authorized_keys:cert-authority ${own}`],
  ])("a line %s is reported", (_what, line) => {
    const { holds, happened } = keysSeen([operators, line], own);
    expect(holds).toBe(false);
    expect(happened).toContain(line.slice(0, line.indexOf(":")));
  });

  test("say nothing where the operator's own is not among them", () => {
    for (const lines of [[], [`${refusing}${own}`]]) expect(() => keysSeen(lines, own)).toThrow(/no file/);
  });

  test.each([
    ["ed25519", "RFC4716"],
    ["ecdsa", "PEM"],
    ["rsa", "PEM"],
    ["rsa", "PKCS8"],
  ])("are compared with the public half of any private key: %s, %s", async (type, format) => {
    const folder = mkdtempSync(join(tmpdir(), "key-"));
    try {
      const file = join(folder, "key");
      run("ssh-keygen", ["-q", "-t", type, "-m", format, "-N", "", "-C", "a comment", "-f", file]);
      const [publicKey, privateKey] = [`${file}.pub`, file].map((name) => readFileSync(name, "utf8"));
      expect(`${await publicKeyOf((privateKey ?? "").trim())} a comment\n`).toBe(publicKey);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("cannot be compared with what is no key, or has a passphrase; nothing asks for it", async () => {
    await expect(publicKeyOf("no key")).rejects.toThrow(/ssh-keygen/);
    const { privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" },
    });
    await expect(publicKeyOf(privateKey)).rejects.toThrow(/ssh-keygen/);
  });
});

describe("the arguments of sshd", () => {
  const session = "   12 root     sshd: debian [priv]";
  const listener = (command: string) => `    7 root     sshd: ${command} [listener] 0 of 100-300 startups`;

  test.each(["/usr/sbin/sshd -D", "/usr/sbin/sshd -D -e", "/usr/sbin/sshd", "/sbin/sshd -4D"])(
    "leave its settings as they are: %s",
    (command) => {
      expect(argumentsSeen([session, listener(command)])).toEqual({ holds: true, happened: command });
    },
  );

  test.each([
    "/usr/sbin/sshd -D -oPermitRootLogin=yes",
    "/usr/sbin/sshd -D -o AuthorizedKeysFile=/tmp/keys",
    "/usr/sbin/sshd -D -f /tmp/sshd_config",
    "/usr/sbin/sshd -Df/tmp/sshd_config",
  ])("are reported: %s", (command) => {
    const seen = argumentsSeen([listener("/usr/sbin/sshd -D"), listener(command)]);
    expect(seen).toEqual({ holds: false, happened: command });
  });

  test("say nothing where no sshd listens", () => {
    const forged = listener("/usr/sbin/sshd -D").replace("root", "eve");
    expect(() => argumentsSeen([session, forged])).toThrow(/no sshd/);
  });
});

describe("owners and modes", () => {
  const file = "/etc/app/secret";
  const problems = (text: string) =>
    modeProblems(parseModes(text), { path: file, owner: "root:root", mode: "0600" });
  const above = "755 root:root directory|/etc\n750 root:app directory|/etc/app\n";

  test("as wanted", () => {
    expect(problems(`${above}600 root:root regular file|${file}`)).toEqual([]);
    expect(problems(`${above}600 root:root regular empty file|${file}`)).toEqual([]);
  });

  test.each([
    ["", "is missing"],
    [`${above}644 root:root regular file|${file}`, "is 644 root:root, not 600 root:root"],
    [`${above}600 app:app regular file|${file}`, "is 600 app:app"],
    [`${above}777 root:root symbolic link|${file}`, "is a symbolic link"],
    [
      `755 root:root directory|/etc\n750 app:root directory|/etc/app\n600 root:root regular file|${file}`,
      "/etc/app is 750 app:root: others than root can replace",
    ],
    [
      `755 root:root directory|/etc\n770 root:app directory|/etc/app\n600 root:root regular file|${file}`,
      "/etc/app is 770 root:app: others than root can replace",
    ],
    [
      `1777 root:root directory|/etc\n755 root:root directory|/etc/app\n600 root:root regular file|${file}`,
      "/etc is 1777 root:root: others than root can replace",
    ],
    [`755 root:root directory|/etc\n600 root:root regular file|${file}`, "/etc/app is missing"],
  ])("%j: %s", (text, named) => {
    expect(problems(text).join("; ")).toContain(named);
  });
});

describe("listening sockets", () => {
  test("of sshd and the system's small services are expected", () => {
    const text = `tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=7,fd=3))
tcp   LISTEN 0      128             [::]:22           [::]:*    users:(("sshd",pid=7,fd=4),("systemd",pid=1,fd=9))
udp   UNCONN 0      0      127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=4,fd=11))
udp   UNCONN 0      0            0.0.0.0:68        0.0.0.0:*    users:(("dhclient",pid=5,fd=6))
udp   UNCONN 0      0          127.0.0.1:323       0.0.0.0:*    users:(("chronyd",pid=6,fd=5))
`;
    expect(unexpectedSockets(text)).toEqual([]);
  });

  test.each([
    ['tcp LISTEN 0 5 0.0.0.0:8080 0.0.0.0:* users:(("python3",pid=1,fd=3))', "python3 on tcp 0.0.0.0:8080"],
    ['tcp LISTEN 0 5 0.0.0.0:22 0.0.0.0:* users:(("nc",pid=1,fd=3))', "nc on tcp 0.0.0.0:22"],
    ['tcp LISTEN 0 5 127.0.0.1:2222 0.0.0.0:* users:(("sshd",pid=1,fd=3))', "sshd on tcp 127.0.0.1:2222"],
    ["tcp LISTEN 0 5 0.0.0.0:22 0.0.0.0:*", "an unknown program on tcp 0.0.0.0:22"],
    ["tcp LISTEN 0 5 [::]:111 [::]:*", "an unknown program on tcp [::]:111"],
    [
      'udp UNCONN 0 0 0.0.0.0:53 0.0.0.0:* users:(("systemd-resolve",pid=1,fd=3))',
      "systemd-resolve on udp 0.0.0.0:53",
    ],
  ])("%s", (text, named) => {
    expect(unexpectedSockets(text)).toEqual([named]);
  });
});

test("a program that was replaced is not repaired by an update: the host is rebuilt", async () => {
  const sum = "a".repeat(64);
  const facts: Record<string, string> = {
    sums: `${sum}  /usr/local/lib/secure-backups/rclone\n`,
    stamp: `0 ${sum}\n`,
  };
  const findings = await judgeProxy(sampleDeployment(), (name) => {
    if (facts[name] === undefined) throw new Error(`nothing about ${name}`);
    return facts[name];
  });
  const program = findings.find(({ id }) => id === "files.rclone-program");
  expect(program).toMatchObject({ verdict: "FAIL" });
  expect(program?.remedy).toContain("docs/incident.md");
  expect(program?.remedy).not.toContain("pulumi up");
});

describe("sshd's settings", () => {
  test("of the proxy's user go before those of everybody; a tunnel is refused too", () => {
    const settings = wantedSshdSettings(renderSshdConfig(proxyLimits(3)));
    expect(Object.fromEntries(settings)).toMatchObject({
      permitrootlogin: "no",
      disableforwarding: "yes",
      permittty: "no",
      permittunnel: "no",
      authorizedkeysfile: "/etc/ssh/authorized_keys.d/rcloneproxy",
    });
    expect(settings.has("match")).toBe(false);
  });

  test("may depend on whether it is the proxy's user alone", () => {
    expect(
      conditionalRules(
        `${renderSshdConfig(proxyLimits(3))}
match user rcloneproxy # ours
Include /etc/ssh/sshd_config.d/*.conf`.replace(/^(?!\s*(match|include)).*$/gim, ""),
      ),
    ).toEqual([]);
  });

  test.each([
    "Match Address 10.0.0.0/8",
    "match user rcloneproxy address 10.0.0.1",
    "Match User rclone*",
    "Match User root",
    "Match User rcloneproxy,eve",
    "Match=LocalPort 2222",
    "Include /etc/ssh/more.conf",
    "Include /etc/ssh/sshd_config.d/*.conf /root/sshd",
  ])("that depend on more are named: %s", (rule) => {
    expect(conditionalRules(`Match all\n  ${rule}\n`)).toEqual([rule]);
  });
});

test("a client's ssh that would take another host key is named, for each repository", () => {
  const good = `user rcloneproxy
stricthostkeychecking true
userknownhostsfile /etc/restic-backup/known_hosts
globalknownhostsfile /dev/null
updatehostkeys false
verifyhostkeydns false
identitiesonly yes
identityagent none
batchmode yes
clearallforwardings yes
forwardagent no
forwardx11 no
permitlocalcommand no
identityfile /etc/restic-backup/main/id_ed25519
`;
  expect(sshProblems(`== main\n${good}`)).toEqual([]);
  const other = good.replace("main", "other").replace("checking true", "checking ask");
  expect(sshProblems(`== main\n${good}== other\n${other}`)).toEqual(["other: stricthostkeychecking is ask"]);
  expect(sshProblems(`== main\nuser rcloneproxy\n`)).toContain("main: identityfile is not set");
});

describe("what clients may take of the proxy", () => {
  const most = proxyLimits(1).connectionsPerSource;
  const limits = async (
    slice: string,
    connections: string,
    sshd = "usepam yes\nunusedconnectiontimeout 120\n",
  ) => {
    const facts: Record<string, string> = {
      slice,
      connection_limits: connections,
      "sshd:rcloneproxy": sshd,
    };
    const findings = await judgeProxy(sampleDeployment(), (name) => {
      if (facts[name] === undefined) throw new Error(`nothing about ${name}`);
      return facts[name];
    });
    return findings
      .filter(({ id, verdict }) => verdict !== "unknown" && /^limits|-idle$/.test(id))
      .map(({ id, verdict }) => `${verdict} ${id}`);
  };
  const slice = "Sessions=pam_systemd\nCPUWeight=50\nMemoryMax=346030080\nMemorySwapMax=0\nTasksMax=1200\n";
  /** As nft lists them. */
  const rule = (
    ipv4: number,
    ipv6 = ipv4,
  ) => `		tcp dport 22 ct state new add @sources4 { ip saddr ct count over ${ipv4} } counter packets 0 bytes 0 reject with tcp reset
		tcp dport 22 ct state new add @sources6 { ip6 saddr & ffff:ffff:ffff:ffff:: ct count over ${ipv6} } counter packets 0 bytes 0 reject with tcp reset
`;

  test.each<[string, string, string, string[]]>([
    ["is bounded", slice, rule(most), ["pass limits.slice", "pass limits.connections"]],
    [
      "is not bounded in memory",
      slice.replace("346030080", "infinity"),
      rule(most),
      ["FAIL limits.slice", "pass limits.connections"],
    ],
    ["is bounded too late", slice, rule(most + 1), ["pass limits.slice", "FAIL limits.connections"]],
    [
      "is bounded too late by IPv6",
      slice,
      rule(most, most + 1),
      ["pass limits.slice", "FAIL limits.connections"],
    ],
    [
      "is bounded by IPv6 alone",
      slice,
      rule(most).replace(/.*sources4.*\n/, ""),
      ["pass limits.slice", "FAIL limits.connections"],
    ],
    [
      "is counted in vain",
      slice,
      rule(most).replaceAll(" reject", " accept"),
      ["pass limits.slice", "FAIL limits.connections"],
    ],
    [
      "is not counted",
      slice,
      "table inet secure_backups {\n}",
      ["pass limits.slice", "FAIL limits.connections"],
    ],
  ])("%s; all else that the host does not report is unknown", async (_what, text, connections, expected) => {
    expect(await limits(text, connections)).toEqual(["pass sshd.effective-idle", ...expected]);
  });

  test.each<[string, string, string, string[]]>([
    ["no session is in the slice", "Sessions=none", "usepam yes", ["FAIL limits.slice"]],
    ["sshd does not use PAM", "Sessions=pam_systemd", "usepam no", ["FAIL limits.slice"]],
  ])("do not apply where %s", async (_what, sessions, sshd, expected) => {
    const found = await limits(slice.replace(/Sessions=.*/, sessions), rule(most), `${sshd}\n`);
    expect(found).toEqual(["open sshd.effective-idle", ...expected, "pass limits.connections"]);
  });

  test("leave idle connections where sshd's drop-in is gone", async () => {
    const sshd = "usepam yes\nunusedconnectiontimeout none\n";
    expect(await limits(slice, rule(most), sshd)).toContain("FAIL sshd.effective-idle");
  });
});

describe("a client's own backups", () => {
  const hook = { command: "pg_dump shop >/srv/shop.sql", minutes: 5 };
  const main = { ...SAMPLE_SETTINGS, schedule: "daily", before: hook, publicKey: "", password: "p" };
  const archive = { ...SAMPLE_SETTINGS, name: "archive", publicKey: "", password: "q" };
  const client: DeployedClient = {
    name: "web",
    kind: "existing",
    frozen: false,
    repositories: [main, archive],
  };
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  const files = [...hookFiles(main), ...timerFiles("web", client.repositories)];
  const unit = (name: string, file = "enabled", active = "active") =>
    `Id=restic-backup@${name}.timer\nActiveState=${active}\nUnitFileState=${file}\n`;
  const record = (result: string, rest = "") =>
    `began=1796000000\nended=1796000060\nresult=${result}\nstatus=0\n${rest}`;
  const runs = (ofMain: string, ofArchive = record("ok")) => `== main\n${ofMain}== archive\n${ofArchive}`;

  /** Of the finding that was judged last. */
  let remedy: string | undefined;

  async function judged(
    id: string,
    facts: Record<string, string>,
    deployment: Partial<Deployment> = {},
  ): Promise<string> {
    const findings = await judgeClient(sampleDeployment(deployment), client, (name) => {
      if (facts[name] === undefined) throw new Error(`nothing about ${name}`);
      return facts[name];
    });
    const found = findings.find((finding) => finding.id === `client.${id}.web`);
    remedy = found?.remedy;
    return `${found?.verdict ?? "none"}: ${found?.happened ?? ""}`;
  }

  test("need a timer for each schedule, and no other", () => {
    expect(clientParameters(sampleDeployment(), client).TIMERS).toBe(
      "/etc/systemd/system/restic-backup@main.timer",
    );
  });

  test.each<[string, string, string]>([
    ["as configured", unit("main"), "pass: 1 timers, so they are"],
    ["disabled", unit("main", "disabled"), "FAIL: restic-backup@main.timer is not enabled and active"],
    [
      "stopped",
      unit("main", "enabled", "inactive"),
      "FAIL: restic-backup@main.timer is enabled and inactive",
    ],
    [
      "enabled until the host reboots",
      unit("main", "enabled-runtime"),
      "FAIL: restic-backup@main.timer is not enabled and active",
    ],
    ["without systemd", "", "FAIL: restic-backup@main.timer is not there"],
    [
      "left of a schedule that is gone",
      `${unit("main")}\n${unit("archive")}`,
      "FAIL: there is restic-backup@archive.timer, and no schedule for it",
    ],
  ])("timers %s", async (_what, timers, expected) => {
    expect(await judged("timers", { timers })).toBe(expected);
  });

  test.each<[string, string, string]>([
    ["was whole", runs(record("ok")), "pass: so it was"],
    ["goes on", runs(record("running", "goes-on=yes\n")), "pass: so it was"],
    ["was killed", runs(record("running")), "FAIL: the run of main of 2026-11-30T00:53:20Z was killed"],
    [
      "failed, and so did another",
      runs(
        record("failed", "why=the password is wrong\n"),
        record("partial", "why=it lacks what is named\n"),
      ),
      "FAIL: the run of main of 2026-11-30T00:53:20Z failed: the password is wrong; " +
        "the run of archive of 2026-11-30T00:53:20Z was partial: it lacks what is named",
    ],
    [
      "has a time that is none",
      runs("began=99999999999999999999\nresult=failed\nwhy=x\n"),
      "FAIL: the run of main failed: x",
    ],
    [
      "has a result that is none",
      runs("result=fine\n"),
      "FAIL: the run of main has no result that is known: fine",
    ],
    ["has not been yet", runs(""), "pass: no problem; not run yet: main"],
    [
      "has not been yet, without a schedule",
      runs(record("ok"), ""),
      "pass: no problem; not run yet: archive",
    ],
    [
      "is not told of",
      "== main\nresult=ok\n",
      "unknown: could not be tried: the host said nothing about archive",
    ],
  ])("a last run that %s", async (_what, last_runs, expected) => {
    expect(await judged("runs", { last_runs, timers: unit("main") })).toBe(expected);
  });

  test("a first run is not waited for where its timer is off", async () => {
    expect(await judged("runs", { last_runs: runs(""), timers: unit("main", "disabled") })).toBe(
      "FAIL: main has not run yet, and its timer is not enabled and active",
    );
  });

  test("a failure is reported where nothing is known of the timers, and a first run is unknown", async () => {
    expect(await judged("runs", { last_runs: runs(record("failed")) })).toMatch(/^FAIL: /);
    expect(await judged("runs", { last_runs: runs("") })).toMatch(/^unknown: /);
  });

  test("what a client says is bounded, and controls no terminal", async () => {
    const why = `why=\u001b[2J${"x".repeat(3000)}\n`;
    const text = await judged("runs", { last_runs: runs(record("failed", why)), timers: unit("main") });
    expect(text).toContain("failed: \\u{1b}[2Jxxx");
    expect(text.length).toBeLessThan(300);
  });

  test("commands and timers are judged by owner, mode and content", async () => {
    const paths = files.map(({ path }) => path);
    expect(paths).toEqual([
      "/etc/restic-backup/main/before",
      "/etc/restic-backup/main/before.seconds",
      "/etc/systemd/system/restic-backup@.service",
      "/etc/systemd/system/restic-backup@main.timer",
    ]);
    const { MODES = "", SUMS = "" } = clientParameters(sampleDeployment(), client);
    expect(MODES.split(" ")).toEqual(expect.arrayContaining(paths));
    expect(SUMS.split(" ")).toEqual(expect.arrayContaining(paths));

    const sums = files.map(({ path, content }) => `${sha256(`${content}curl evil\n`)}  ${path}\n`).join("");
    const content = await judged("content", { sums });
    for (const path of paths) expect(content).toContain(`${path} is NOT what the stack wrote`);
    expect(content).toMatch(/^FAIL: /);
    // What another version wrote may differ from what this one writes.
    expect(await judged("content", { sums }, { project: "0.1.0" })).toMatch(
      /^unknown: undecided: version 0\.1\.0 did the last update/,
    );
    expect(remedy).toMatch(/^run verify in a checkout of version 0\.1\.0, or run pulumi up with this one/);

    const sound = [
      ...Object.values(CLIENT_FILES),
      ...["main", "archive"].flatMap((name) => Object.values(repositoryFiles(name))),
    ];
    const folders = ["/etc", "/etc/restic-backup", "/etc/restic-backup/main", "/etc/restic-backup/archive"];
    const others = ["/etc/systemd", "/etc/systemd/system", "/etc/tmpfiles.d"];
    const programs = ["/usr", "/usr/local", "/usr/local/bin"];
    const modes = (changed: string) =>
      [
        ...[...folders, ...others, ...programs].map((folder) => `700 root:root directory|${folder}`),
        ...[...sound, ...files].map(({ path, mode, owner }) =>
          path === changed ? `666 ${owner} regular file|${path}` : `${mode} ${owner} regular file|${path}`,
        ),
      ].join("\n");
    expect(await judged("files", { modes: modes("") })).toMatch(/^pass: /);
    for (const path of paths) {
      const expected = `FAIL: ${path} is 666 root:root, not `;
      expect(await judged("files", { modes: modes(path) })).toContain(expected);
    }
  });
});

describe("what a host prints", () => {
  const printed = (text: string) => gzipSync(text).toString("base64");

  test("is read back, other facts' names within it included", () => {
    const facts = parseFacts(printed("\nB one\na\n\nB\nC two\n\n0\nB two\n\n1\nB\n"), "B");
    expect(facts("one")).toBe("a\n\nB\nC two\n");
    expect(() => facts("two")).toThrow("could not find out about two (status 1)");
    expect(() => facts("three")).toThrow("could not find out about three (status none)");
  });

  test.each(["", printed("\nB one\na\n0"), printed("\nB one\na\n0\nB\n").slice(0, 40)])(
    "cut off is an error",
    (text) => {
      expect(() => parseFacts(text, "B")).toThrow();
    },
  );

  test("is what the script prints, in any POSIX shell", () => {
    const script = inspectScript({ ROLE: "none", KEY_IDS: "", REPOSITORIES: "" }, "BOUNDARY");
    const { status, output } = attempt("dash", ["-eu", "-s"], { input: script, timeout: 60_000 });
    expect(status).toBe(0);
    const facts = parseFacts(output, "BOUNDARY");
    expect(facts("version.openssh")).toContain("OpenSSH_");
    expect(facts("key_ids")).toBe("");
    expect(() => facts("authorized_keys")).toThrow();
  });
});
