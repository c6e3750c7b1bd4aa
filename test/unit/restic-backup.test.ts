/** The command that a client's cron and its people call, with another program in restic's place. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { CLIENT_FILES, renderPaths } from "../../hosts";
import { inDirectory } from "./files-tools";

/** The variables of the caller that restic gets, as the usage message has them. */
const PASSED = [
  ...["HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "TZ", "GOMAXPROCS"],
  ...["RESTIC_COMPRESSION", "RESTIC_PACK_SIZE", "RESTIC_PROGRESS_FPS", "RESTIC_READ_CONCURRENCY"],
];

interface Given {
  /** The body of a script that plays restic, in the test's directory. */
  restic?: string;
  args?: string[];
  env?: Record<string, string>;
  paths?: string[];
  /** What restic says that `-o` takes. */
  options?: string;
  /** More programs by name, each the body of a script. */
  programs?: Record<string, string>;
}

/** Runs the command with its directories and its PATH moved. */
function backup(
  directory: string,
  { restic = "", options = "", args = ["main"], env = {}, paths = ["/"], programs }: Given,
) {
  const settings = join(directory, "settings");
  mkdirSync(join(settings, "main"), { recursive: true });
  writeFileSync(join(settings, "main/env"), `RESTIC_PASSWORD='x'\nRESTIC_CACHE_DIR='${directory}/cache'\n`);
  writeFileSync(join(settings, "main/paths"), renderPaths(paths));
  const all = {
    restic: `[ "$1" != options ] || { echo "${options}"; exit; }\ncd ${directory}\n${restic}`,
    id: "echo 0",
    sleep: `echo "$1" >>${directory}/slept`,
    ...programs,
  };
  for (const [name, body] of Object.entries(all)) {
    writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(directory, name), 0o755);
  }
  const script = CLIENT_FILES.command
    .content()
    .replaceAll("/etc/restic-backup", settings)
    .replaceAll("/run/restic-backup", join(directory, "run"))
    .replaceAll("/var/lib/restic-backup", join(directory, "state"))
    .replaceAll("/run/systemd/system", join(directory, "no-systemd"))
    .replaceAll("/usr/local/lib/secure-backups/restic", join(directory, "none"))
    .replace("PATH=/usr/local/sbin:", `PATH=${directory}:`);
  writeFileSync(join(directory, "restic-backup"), script);
  const { status, stdout, stderr } = spawnSync("dash", [join(directory, "restic-backup"), ...args], {
    env: { PATH: "/usr/bin:/bin", ...env },
    timeout: 20_000,
    encoding: "utf8",
  });
  return { status, stdout, stderr, settings };
}

describe("the command line", () => {
  test("alone is no success for a machine; it prints its usage and the repositories, as --help does with success", () => {
    inDirectory((directory) => {
      const alone = backup(directory, { restic: "exit 9", args: [] });
      expect(alone).toMatchObject({ status: 64, stdout: "" });
      expect(alone.stderr).toContain("Usage: restic-backup REPOSITORY");
      expect(alone.stderr.trim().split("\n").pop()).toBe("main");
      expect(backup(directory, { args: ["--help"] })).toMatchObject({ status: 0, stdout: alone.stderr });
    });
  });

  test.each(["other", "../main", ".hidden", "main/"])("knows no repository %j", (name) => {
    inDirectory((directory) => {
      const { status, stderr } = backup(directory, { restic: "exit 9", args: [name] });
      expect(status).toBe(1);
      expect(stderr).toContain("restic-backup alone lists them");
    });
  });

  test("passes arguments and status through", () => {
    inDirectory((directory) => {
      const restic = `printf '%s\\n' "$RESTIC_PASSWORD" "$@"; exit 42`;
      const { status, stdout, settings } = backup(directory, {
        restic,
        args: ["main", "diff", "a b", ""],
      });
      expect(status).toBe(42);
      expect(stdout).toBe(`x\n-o\nrclone.program=ssh -F ${settings}/ssh_config main\ndiff\na b\n\n`);
    });
  });

  test("lets restic wait for a busy proxy as long as ssh does, where restic can", () => {
    inDirectory((directory) => {
      const options = "  rclone.timeout   set a timeout limit (default: 1m)";
      const { stdout } = backup(directory, { options, restic: 'echo "$*"', args: ["main", "diff"] });
      expect(stdout).toMatch(/ -o rclone\.timeout=5m diff\n$/);
    });
  });
});

test("restic's command comes first: behind an option it would not be seen", () => {
  inDirectory((directory) => {
    const { status, stderr } = backup(directory, {
      restic: "exit 9",
      args: ["main", "-v", "restore", "latest"],
    });
    expect(status).toBe(1);
    expect(stderr).toContain("give restic's command first");
  });
});

describe("snapshots with a tag", () => {
  const words = (args: string[]) => {
    let seen = "";
    inDirectory((directory) => {
      seen = backup(directory, { restic: 'shift 2; echo "$*"', args: ["main", ...args] }).stdout.trim();
    });
    return seen;
  };

  test.each(["snapshots", "restore", "ls", "dump", "mount", "find", "stats"])(
    "are left out by %s",
    (command) => {
      expect(words([command, "latest", "--target", "/x"])).toBe(`${command} --tag  latest --target /x`);
    },
  );

  test.each([
    ["snapshots", "--tag", "mine"],
    ["restore", "latest", "--tag=mine"],
    ["forget", "latest"],
    ["check"],
  ])("are not with %s %s", (...args) => {
    expect(words(args.filter((word) => typeof word === "string"))).toBe(args.join(" ").trim());
  });
});

describe("the environment", () => {
  test("of restic is the repository's and what the usage message names of the caller's", () => {
    inDirectory((directory) => {
      const given = Object.fromEntries(
        PASSED.map((name) => [name, name === "TMPDIR" ? directory : `a b "$x" '${name}'`]),
      );
      const others = [
        "PASSWORD_FILE",
        "PASSWORD_COMMAND",
        "PASSWORD",
        "REPOSITORY",
        "REPOSITORY_FILE",
        "HOST",
        "KEY_HINT",
        "TLS_CLIENT_CERT",
        "CACERT",
        "FEATURES",
      ];
      const env = {
        ...given,
        ...Object.fromEntries(others.map((name) => [`RESTIC_${name}`, "wrong"])),
        ...{
          RCLONE_CONFIG: "wrong",
          SSH_AUTH_SOCK: "wrong",
          XDG_CACHE_HOME: "wrong",
          AWS_ACCESS_KEY_ID: "wrong",
        },
      };
      const seen = (args: string[]) => {
        const { stdout } = backup(directory, { restic: "env -0", args, env });
        return Object.fromEntries(
          stdout
            .split("\0")
            .map((line) => line.split(/=(.*)/s).slice(0, 2))
            .filter(([name]) => name !== "" && name !== "PWD" && name !== "OLDPWD" && name !== "_"),
        ) as Record<string, string>;
      };
      for (const args of [["main"], ["main", "snapshots"]]) {
        expect(seen(args)).toEqual({
          ...given,
          PATH: expect.stringMatching(/:\/usr\/local\/bin:\/usr\/sbin:\/usr\/bin:\/sbin:\/bin$/),
          RESTIC_PASSWORD: "x",
          RESTIC_CACHE_DIR: `${directory}/cache`,
        });
      }
      const { stdout } = backup(directory, { args: ["--help"] });
      const [, named = ""] = /restic gets ([^.]*)\./.exec(stdout) ?? [];
      expect(named.split(/,\s+|\s+and\s+/)).toEqual(PASSED);
    });
  });

  test("with the password reaches no other program", () => {
    inDirectory((directory) => {
      const spy = (name: string) => `env >>${directory}/seen; exec /usr/bin/${name} "$@"`;
      backup(directory, {
        programs: { awk: spy("awk"), df: spy("df"), xargs: spy("xargs"), mkdir: spy("mkdir") },
      });
      const seen = readFileSync(join(directory, "seen"), "utf8");
      expect(seen).toContain("PATH=");
      expect(seen).not.toContain("RESTIC_PASSWORD");
    });
  });
});

describe("a backup", () => {
  test("is of the configured paths, and stdout and stderr stay apart", () => {
    inDirectory((directory) => {
      const restic = 'shift 2; echo "$*"; echo no >&2; exit 3';
      const { status, stdout, stderr, settings } = backup(directory, { restic });
      expect(status).toBe(3);
      expect(stdout).toBe(
        `backup --files-from-raw ${settings}/main/paths --exclude-file ${settings}/main/excludes\n`,
      );
      expect(stderr).toMatch(/^no\nrestic-backup: main: partial: the backup lacks what is named above\n/);
    });
  });

  test.each([
    [0, 3],
    [3, 3],
    [1, 1],
    [11, 11],
    [12, 12],
  ])("of paths of which some are not there: restic's %d is %d, and each is named", (restic, expected) => {
    inDirectory((directory) => {
      const paths = ["/not there", "/", join(directory, "restic"), "/nor\nthis"];
      const { status, stderr } = backup(directory, { restic: `exit ${String(restic)}`, paths });
      expect(status).toBe(expected);
      const named = stderr.split("\n").filter((line) => line.includes("it is not there"));
      expect(named).toEqual([
        "restic-backup: not in this backup, for it is not there: /not there",
        "restic-backup: not in this backup, for it is not there: /nor",
        "restic-backup: not in this backup, for it is not there: this",
      ]);
      expect(stderr.includes("main: partial")).toBe(expected === 3);
    });
  });

  test.each([
    [3, "partial"],
    [1, "failed"],
  ])("with restic's status %d leaves a report, tagged as one and as %s", (restic, result) => {
    inDirectory((directory) => {
      backup(directory, {
        restic: `case "$*" in *--stdin*) cat >report; echo "$*" >args ;; *) exit ${restic} ;; esac`,
      });
      const args = readFileSync(join(directory, "args"), "utf8");
      expect(args).toContain(`--stdin-filename restic-backup-report.json --tag secure-backups-report`);
      expect(args.trim()).toMatch(new RegExp(` --tag secure-backups-report --tag secure-backups-${result}$`));
      expect(JSON.parse(readFileSync(join(directory, "report"), "utf8"))).toMatchObject({
        result,
        status: restic,
      });
    });
  });

  test("that ends before its first attempt keeps no problems of the run before", () => {
    inDirectory((directory) => {
      expect(backup(directory, { paths: ["/not there"] }).status).toBe(3);
      const problems = () => readFileSync(join(directory, "state/main/problems"), "utf8");
      expect(problems()).toBe("not there: /not there\n");
      writeFileSync(join(directory, "settings/main/before"), "exit 7\n");
      writeFileSync(join(directory, "settings/main/before.seconds"), "60\n");
      expect(backup(directory, {}).stderr).toContain('the command "before" failed with status 7');
      expect(problems()).toBe("");
    });
  });

  test("of what is there is whole, a dangling link too", () => {
    inDirectory((directory) => {
      const link = join(directory, "link");
      spawnSync("ln", ["-s", "/nowhere", link]);
      expect(backup(directory, { paths: [link, directory] })).toMatchObject({ status: 0, stderr: "" });
    });
  });

  test("is tried again when the connection was lost, with a pause, and only then", () => {
    inDirectory((directory) => {
      const restic =
        "echo x >>tries; [ $(wc -l <tries) -ge 3 ] || { echo 'stdio connection already closed' >&2; exit 1; }";
      expect(backup(directory, { restic }).status).toBe(0);
      expect(readFileSync(join(directory, "slept"), "utf8")).toBe("15\n30\n");
    });
    inDirectory((directory) => {
      const restic = "echo x >>tries; echo 'stdio connection already closed' >&2; exit 1";
      expect(backup(directory, { restic, env: { RESTIC_BACKUP_ATTEMPTS: "2" } }).status).toBe(1);
      expect(readFileSync(join(directory, "tries"), "utf8")).toBe("x\nx\n");
    });
    inDirectory((directory) => {
      expect(
        backup(directory, { restic: "echo x >>tries; echo 'wrong password or no key found' >&2; exit 1" })
          .status,
      ).toBe(12);
      expect(readFileSync(join(directory, "tries"), "utf8")).toBe("x\n");
    });
    inDirectory((directory) => {
      const restic = "echo x >>tries; echo 'stdio connection already closed' >&2; exit 3";
      expect(backup(directory, { restic }).status).toBe(3);
      expect(readFileSync(join(directory, "tries"), "utf8")).toBe("x\n");
    });
  });

  test("shows its progress each minute where there is no terminal, and no other command does", () => {
    inDirectory((directory) => {
      const restic = 'echo "${RESTIC_PROGRESS_FPS-none}"';
      expect(Number(backup(directory, { restic }).stdout)).toBeCloseTo(1 / 60, 3);
      expect(backup(directory, { restic, args: ["main", "dump", "latest", "/f"] }).stdout).toBe("none\n");
      expect(backup(directory, { restic, env: { RESTIC_PROGRESS_FPS: "1" } }).stdout).toBe("1\n");
    });
  });

  test("needs no temporary file of its own, and gives restic's a place with room", () => {
    inDirectory((directory) => {
      const full = "echo 'No space left on device' >&2; exit 1";
      // The free KiB of each place, by its path.
      const df = (rooms: Record<string, number>) =>
        `echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'
case $2 in
${Object.entries(rooms)
  .map(([place, free]) => `${place}) echo "a disk 9999999 1 ${String(free)} 99% /a mount" ;;`)
  .join("\n")}
*) exit 1 ;;
esac`;
      const place = (rooms: Record<string, number>) =>
        backup(directory, {
          restic: 'echo "$TMPDIR" "$1"',
          programs: {
            mktemp: full,
            mkfifo: full,
            tee: full,
            df: df({ [`${directory}/cache`]: 1e6, ...rooms }),
          },
        });
      expect(place({ "/tmp": 1e6 })).toMatchObject({ status: 0, stdout: "/tmp -o\n" });
      const run = join(directory, "run");
      expect(place({ "/tmp": 0, "/var/tmp": 1e6, [run]: 1e6 }).stdout).toBe("/var/tmp -o\n");
      expect(place({ "/tmp": 0, "/var/tmp": 2e4, [run]: 2e5, "/dev/shm": 1e5 }).stdout).toBe(`${run} -o\n`);
      expect(place({ "/tmp": 1e6, [`${directory}/cache`]: 100 })).toMatchObject({
        status: 0,
        stdout: "/tmp --no-cache\n",
        stderr: expect.stringContaining("no room for a cache"),
      });
    });
  });
});
