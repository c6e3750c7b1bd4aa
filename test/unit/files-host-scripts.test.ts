import { describe, expect, jest, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { authorizedKeysLine, CANARY, clientInstall, LIBRARY, proxyInstall } from "../../hosts";
import { attempt, inDirectory, run } from "./files-tools";
import { SAMPLE_SETTINGS } from "../harness/sample-deployment";

// A property runs real programs some hundred times, on a busy machine.
jest.setTimeout(180_000);

const HOST = join(__dirname, "../../hosts");
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgVKcaNMBCaMI4S5B+BdBeeR0sAdDK7zPKRFQvKPYvC";

describe("host scripts", () => {
  test.each(readdirSync(HOST, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".sh")))(
    "shellcheck finds nothing in %s",
    (name) => {
      expect(attempt("shellcheck", [join(HOST, name)])).toEqual({ status: 0, output: "" });
    },
  );

  test("dash and shellcheck read the scripts as they are sent", () => {
    const proxy = proxyInstall({
      host: "rclonesrv",
      bucket: "bucket",
      rclone: { version: "1.76.0", url: "https://example/rclone", sha256: "0".repeat(64) },
      s3: { endpoint: "e", region: "r", accessKeyId: "a", secretAccessKey: "s" },
      grants: [{ client: "c", repository: "r", publicKey: KEY }],
    });
    const client = clientInstall({
      stack: "0123456789abcdef",
      client: "c",
      bucket: "bucket",
      proxy: { address: "a", port: 22, hostKey: KEY },
      repositories: [{ ...SAMPLE_SETTINGS, password: "p", privateKey: "k" }],
    });
    for (const { script } of [proxy, client]) {
      expect(attempt("dash", ["-n"], { input: script })).toEqual({ status: 0, output: "" });
      expect(attempt("shellcheck", ["--shell=sh", "--severity=error", "-"], { input: script })).toEqual({
        status: 0,
        output: "",
      });
    }
  });
});

describe("a program that is installed already", () => {
  const library = readFileSync(join(HOST, "lib.sh"), "utf8");
  const functions = [
    "install_artifact",
    "is_packed",
    "sha256_of",
    "program_version",
    "check_version",
    "unpack_bz2",
  ]
    .map((name) => new RegExp(`^${name}\\(\\) \\{\\n[^]*?^\\}\\n`, "m").exec(library)?.[0] ?? "")
    .join("");
  const program = (text: string) => `#!/bin/sh\n# ${text}\necho restic 0.18.1\n`;
  const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

  /** Installs the download over a program and a stamp that agree with each other; returns whether it was downloaded. */
  function installOver(there: string, download: Buffer, url: string) {
    return inDirectory((directory) => {
      writeFileSync(join(directory, "restic"), there, { mode: 0o755 });
      writeFileSync(join(directory, "restic.sha256"), `${sha256(download)} ${sha256(there)}\n`);
      writeFileSync(join(directory, "served"), download);
      const script = `SB_LIB=${directory}
chown() { :; }
need_command() { :; }
say() { :; }
fail() { echo "$*" >&2; exit 1; }
step() { shift; "$@"; }
download() { cp ${directory}/served "$2"; echo downloaded; }
${functions}install_artifact restic 0.18.1 ${url} ${sha256(download)} 0.12.0`;
      const { status, output } = attempt("dash", ["-euc", script]);
      const read = (name: string) => readFileSync(join(directory, name), "utf8");
      expect(status).toBe(0);
      return { output, program: read("restic"), stamp: read("restic.sha256") };
    });
  }

  const good = program("the configured one");
  const bad = program("another one");

  test("stays as it is where it is the configured one, packed or not", () => {
    const packed = execFileSync("bzip2", { input: good });
    for (const [download, url] of [
      [Buffer.from(good), "https://x/restic"],
      [packed, "https://x/restic.bz2"],
    ] as const) {
      expect(installOver(good, download, url)).toMatchObject({ output: "", program: good });
    }
  });

  test("is replaced where it has another sum than the configured one, though the stamp names it", () => {
    expect(installOver(bad, Buffer.from(good), "https://x/restic")).toEqual({
      output: "downloaded\n",
      program: good,
      stamp: `${sha256(good)} ${sha256(good)}\n`,
    });
  });
});

describe("revoked sessions", () => {
  const scriptText = readFileSync(join(HOST, "proxy/proxy.sh"), "utf8");
  const shellFunction = (name: string) =>
    new RegExp(`^${name}\\(\\) \\{\\n[^]*?^\\}\\n`, "m").exec(scriptText)?.[0] ?? "";

  /**
   * Asks the proxy's script, with what ps would print on a host where rcloneproxy has the UID 999 and the keys
   * changed `newer` seconds ago.
   */
  function doomed(processes: string[], spared: string[], newer = 9): string[] {
    return inDirectory((directory) => {
      writeFileSync(join(directory, "spared"), spared.map((name) => `${name}\n`).join(""));
      const body = shellFunction("doomed_processes");
      const script = `id() { echo 999; }\nSB_USER=rcloneproxy SB_LIB=${LIBRARY} SB_WORK=${directory}\n${body}doomed_processes ${String(newer)}`;
      return run("dash", ["-euc", script], { input: processes.map((line) => `${line}\n`).join("") })
        .split("\n")
        .filter((pid) => pid !== "")
        .sort();
    });
  }
  const RCLONE = `${LIBRARY}/rclone serve restic --stdio --append-only s3-resticrepo:b/c`;
  const OTHERS = [
    "    1     0     0 Ss     60 /sbin/init",
    "    2     1     0 Ss     60 sshd: /usr/sbin/sshd -D [listener] 0 of 100-300 startups",
    "    3     2     0 Ss     60 sshd: debian [priv]",
    "    4     3  1000 S      60 sshd: debian@pts/0",
    "    5     4  1000 S      60 sshd: rcloneproxy [priv]",
    "    6     2   999 Z      60 [rclone] <defunct>",
    "    7     2     0 Ss     60 sshd: rcloneproxy2 [priv]",
  ];
  const RUNNING = [
    "   10     2     0 Ss     60 sshd: rcloneproxy [priv]",
    "   11    10   999 S      60 sshd: rcloneproxy@notty",
    "   12    11   999 Ss     60 sh -c rclone serve restic --stdio --append-only s3-resticrepo:b/c/kept/",
    `   13    12   999 Sl     60 ${RCLONE}/kept/`,
    "   20     2     0 Ss     60 sshd: rcloneproxy [priv]",
    "   21    20   999 S      60 sshd: rcloneproxy@notty",
    `   22    21   999 Sl     60 ${RCLONE}/lost/`,
    "   30     2     0 Ss     60 sshd-session: rcloneproxy [priv]",
    "   31    30   999 S      60 sshd-session: rcloneproxy@notty",
    "   40     2     0 Ss     60 sshd: rcloneproxy [priv]",
    "   50     1   999 S      60 sleep 1000",
  ];

  test("the lost repository, idle connections and logins under way; a backup of another goes on", () => {
    expect(doomed([...OTHERS, ...RUNNING], ["s3-resticrepo:b/c/kept/"])).toEqual([
      "20",
      "21",
      "22",
      "30",
      "31",
      "40",
      "50",
    ]);
  });
  test("no connection that began after the keys changed, nor what it runs", () => {
    const AFTER = [
      "   70     2     0 Ss      8 sshd: rcloneproxy [priv]",
      "   80     2     0 Ss      8 sshd-session: rcloneproxy [priv]",
      "   81    80   999 S       7 sshd-session: rcloneproxy@notty",
      `   82    81   999 Sl      7 ${RCLONE}/joined/`,
    ];
    expect(doomed(AFTER, [])).toEqual([]);
    expect(doomed(AFTER, [], 8)).toEqual(["70", "80", "81", "82"]);
  });
  test("what an older connection runs, and what outlived its own, however new it is", () => {
    const BEFORE = [
      "   90     2     0 Ss      9 sshd: rcloneproxy [priv]",
      "   91    90   999 S       0 sshd: rcloneproxy@notty",
      `   92    91   999 Sl      0 ${RCLONE}/lost/`,
      `   93     1   999 Sl      0 ${RCLONE}/lost/`,
    ];
    expect(doomed(BEFORE, [])).toEqual(["90", "91", "92", "93"]);
  });
  test("the repository of each line of authorized_keys is known, whatever follows it", () => {
    const grants = [
      { client: "web", repository: "main", publicKey: KEY },
      { ...CANARY, publicKey: KEY },
    ];
    const input = grants.map((grant) => `${authorizedKeysLine(grant, "b")}\n`).join("");
    const script = `${shellFunction("repositories_of")}repositories_of`;
    expect(run("dash", ["-euc", script], { input })).toBe(
      "s3-resticrepo:b/web/main/\ns3-resticrepo:b/.canary/verify/\n",
    );
    const canary = `   61     1   999 Sl     60 ${RCLONE.replace("b/c", "b/.canary/verify/ --max-transfer 1M --cutoff-mode hard")}`;
    expect(doomed([canary, ...OTHERS], ["s3-resticrepo:b/.canary/verify/"])).toEqual([]);
    expect(doomed([canary, ...OTHERS], ["s3-resticrepo:b/web/main/"])).toEqual(["61"]);
  });
  test("all, when no line is untouched", () => {
    expect(doomed([...OTHERS, ...RUNNING], [])).toHaveLength(RUNNING.length);
  });
});

describe("the proxy's clock", () => {
  const scriptText = readFileSync(join(HOST, "proxy/proxy.sh"), "utf8");
  const clockText = readFileSync(join(HOST, "clock.sh"), "utf8");
  const NOW = 1_800_000_000;

  /** What the installation says of an S3 whose clock is `ahead` seconds ahead, one number a request. */
  function checkClock(ahead: (number | undefined)[], tries = 6): { status: number | null; output: string } {
    return inDirectory((directory) => {
      ahead.forEach((seconds, at) => {
        const date =
          seconds === undefined ? "" : `Date: ${new Date((NOW + seconds) * 1000).toUTCString()}\r\n`;
        writeFileSync(join(directory, String(at)), `HTTP/1.1 403 Forbidden\r\n${date}Server: x\r\n\r\n`);
      });
      const functions = ["s3_ahead", "check_clock"].map(
        (name) => new RegExp(`^${name}\\(\\) \\{\\n[^]*?^\\}\\n`, "m").exec(clockText)?.[0] ?? "",
      );
      const script = `SB_S3_ENDPOINT=https://s3.example SB_DONE=x clock_tries=${String(tries)}
now() { echo ${String(NOW)}; }
curl() {
  n=$(ls ${directory} | head -n 1)
  cat "${directory}/$n"
  [ "$(ls ${directory} | wc -l)" = 1 ] || rm "${directory}/$n"
}
need_command() { :; }
hostname() { echo rclonesrv; }
say() { echo "$*"; }
fail() { echo "$*"; exit 1; }
sleep() { echo "slept $1"; }
${functions.join("")}check_clock`;
      return attempt("dash", ["-euc", script]);
    });
  }

  test.each([0, 60, -60])("%d seconds are tolerated", (ahead) => {
    expect(checkClock([ahead])).toEqual({ status: 0, output: "" });
  });
  test.each([61, -61, 7 * 86400, -7 * 86400])(
    "%d seconds fail the installation, by name and remedy",
    (ahead) => {
      const { status, output } = checkClock([ahead]);
      expect(status).toBe(1);
      expect(output).toContain("the clock of rclonesrv is not S3's");
      expect(output).toContain(`https://s3.example is ${String(ahead)} s ahead`);
      expect(output).toContain("egress.ntp");
      // It waits for a time service that has just started, and for no other.
      expect(output.match(/slept 5/g)).toHaveLength(5);
      expect(checkClock([ahead], 1).output).not.toContain("slept");
    },
  );
  test("a time service that has just started is waited for", () => {
    expect(checkClock([900, 900, 3])).toEqual({ status: 0, output: "slept 5\nslept 5\n" });
  });
  test("an S3 that sends no date is reported, and fails nothing", () => {
    expect(checkClock([undefined])).toEqual({
      status: 0,
      output: "https://s3.example sends no date: the clock was not compared\n",
    });
  });
  test("nothing of it comes before the keys, for it must not hold up a revocation", () => {
    const calls = scriptText.slice(scriptText.indexOf("\nrefuse_root_login\n")).split("\n");
    const at = (text: string) => calls.findIndex((line) => line.includes(text));
    expect(at("change_keys")).toBeGreaterThan(0);
    for (const later of ["install_artifact", "keep_time", "check_clock", "check_bucket"]) {
      expect(at(later)).toBeGreaterThan(at("change_keys"));
    }
  });
});
