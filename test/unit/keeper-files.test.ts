import { describe, expect, jest, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  KEEPER_FILES,
  keeperInstall,
  keeperPaths,
  keeperProgramInstall,
  type KeeperValues,
  passwordFile,
  PASSWORDS,
  STATUS_PAGES,
} from "../../hosts";
import type { KeeperSettings } from "../../keeper/settings";
import { attempt, inDirectory } from "./files-tools";

jest.setTimeout(120_000);

const REPOSITORY = { pins: [], schedule: "daily", window: 60, frozen: false };
const SETTINGS: KeeperSettings = {
  s3: { endpoint: "https://s3.example", region: "eu-central-1", bucket: "databucket" },
  repositories: [
    {
      ...REPOSITORY,
      client: "app-srv",
      repository: "main",
      keep: { within: 7, days: 7, weeks: 5, months: 12, years: 2 },
    },
    { ...REPOSITORY, client: "db", repository: "main", frozen: true },
  ],
  approval: { snapshots: 50, share: 0.2 },
  bounds: {
    objects: 300_000,
    metadataBytes: 1 << 26,
    packBytes: 1 << 28,
    readBytes: 1 << 30,
    lateObjects: 200,
  },
  noncurrentVersionDays: 30,
};
const VALUES: KeeperValues = {
  settings: SETTINGS,
  s3: { accessKeyId: "1111222233334444", secretAccessKey: "aaaabbbbccccdddd" },
  alarms: {
    graceHours: 6,
    digestHour: 6,
    mail: {
      server: "mail.example.com",
      port: 587,
      security: "starttls",
      user: "backups",
      password: "hush mail",
      from: "backups@example.com",
      to: ["ops@example.com", "night@example.com"],
    },
    webhooks: [
      { name: "team", url: "https://hooks.example.com/T0/hush", form: "slack" },
      { name: "own", url: "http://[2001:db8::7]:8065/hush", form: "json" },
    ],
    command: { path: "/usr/local/bin/page", args: ["--key", "hush"] },
    ping: "https://ping.example.com/hush",
  },
  repositories: [
    { client: "app-srv", repository: "main", password: ` it's "odd" \\ $HOME %n ` },
    { client: "db", repository: "main", password: "password of db" },
  ],
};
const ARTIFACT = { version: "24.1.0", url: "https://x/node.tar.gz", sha256: "0".repeat(64) };
const install = (values = VALUES) =>
  keeperInstall({
    host: "keepersrv",
    node: ARTIFACT,
    restic: { ...ARTIFACT, version: "0.19.1", url: "https://x/restic.bz2" },
    ...values,
  });

describe("every file of the keeper", () => {
  test.each(Object.entries(KEEPER_FILES))(
    "%s",
    (_name, file: { content: (values: KeeperValues) => string }) => {
      expect(file.content(VALUES)).toMatchSnapshot();
    },
  );

  test("the ways of alarms do not depend on the order of their fields", () => {
    const { webhooks, ...others } = VALUES.alarms;
    const alarms = { webhooks, ...others };
    expect(KEEPER_FILES.alarms.content({ alarms })).toBe(KEEPER_FILES.alarms.content(VALUES));
    expect(JSON.parse(KEEPER_FILES.alarms.content(VALUES))).toEqual(VALUES.alarms);
  });

  test("the settings' content does not depend on the order of their fields", () => {
    const backwards = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(backwards)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toReversed()
                .map(([name, field]) => [name, backwards(field)]),
            )
          : value;
    const settings = backwards(SETTINGS) as KeeperSettings;
    expect(KEEPER_FILES.settings.content({ settings })).toBe(KEEPER_FILES.settings.content(VALUES));
  });

  test("an install brings them and no others", () => {
    expect(Object.keys(install().summary.files).sort()).toEqual(keeperPaths(VALUES.repositories).sort());
  });

  test("only root reads the S3 keys and the passwords, and a preview shows neither", () => {
    const { files } = install().summary;
    const secrets = [
      KEEPER_FILES.s3.path,
      KEEPER_FILES.alarms.path,
      ...VALUES.repositories.map((one) => passwordFile(one).path),
    ];
    for (const path of secrets) expect(files[path]).toMatchObject({ mode: "0600", owner: "root:root" });
    const shown = JSON.stringify(install().summary);
    for (const secret of ["aaaabbbb", "odd", "password of db", "hush"]) expect(shown).not.toContain(secret);
  });

  test("a password is its file's content to the byte", () => {
    const [first] = VALUES.repositories;
    expect(passwordFile({ client: "app-srv", repository: "main" }).content(first as never)).toBe(
      ` it's "odd" \\ $HOME %n `,
    );
  });

  test("a preview says in words by which ways alarms are sent", () => {
    expect(install().summary.files[KEEPER_FILES.alarms.path]?.concerns).toEqual([
      "e-mail to ops@example.com, night@example.com by mail.example.com port 587, starttls, as backups",
      "webhook team (slack) at https://hooks.example.com",
      "webhook own (json) at http://[2001:db8::7]:8065",
      "command /usr/local/bin/page",
      "ping of https://ping.example.com",
    ]);
  });

  test("a preview says in words what each repository keeps", () => {
    expect(install().summary.files[KEEPER_FILES.settings.path]?.concerns).toEqual([
      "bucket databucket at https://s3.example, region eu-central-1",
      "app-srv/main keeps all of 7 days, and one of each of 7 days, 5 weeks, 12 months and 2 years",
      "db/main nothing is forgotten",
    ]);
  });

  test("the work on a frozen client's repositories is not among what may go on", () => {
    const { script } = install();
    expect(script).toContain("\nSB_REPOSITORIES='app-srv/main db/main'\n");
    expect(script).toContain("\nSB_LIVE='app-srv/main'\n");
  });

  test("names that a path could not hold are refused", () => {
    const repositories = [{ client: "../etc", repository: "main", password: "p" }];
    expect(() => install({ ...VALUES, repositories })).toThrow("client");
  });

  test("systemd understands the units", () => {
    inDirectory((directory) => {
      const units = Object.values(KEEPER_FILES).filter(({ path }) => path.startsWith("/etc/systemd/"));
      const paths = units.map(({ path, content }) => {
        const file = join(directory, path.split("/").at(-1) as string);
        // The programs are not on this machine.
        const text = (content as () => string)().replace(/^ExecStart=.*$/m, "ExecStart=/bin/true");
        writeFileSync(file, text);
        return file.replace("@.", "@app\\x2dsrv-main.");
      });
      const { output } = attempt("systemd-analyze", ["verify", "--man=no", "--generators=no", ...paths]);
      const own = output.split("\n").filter((line) => line.includes("keeper"));
      expect(own).toEqual([]);
    });
  });
});

describe("the watcher", () => {
  const unit = KEEPER_FILES.watchUnit.content();
  const settings = (text: string, key: string) =>
    text
      .split("\n")
      .filter((line) => line.startsWith(`${key}=`))
      .map((line) => line.slice(key.length + 1));

  test("has the keeper's S3 keys and the ways of alarms, and no password of a repository", () => {
    expect(settings(unit, "LoadCredential")).toEqual([
      `s3.json:${KEEPER_FILES.s3.path}`,
      `alarms.json:${KEEPER_FILES.alarms.path}`,
    ]);
    expect(settings(unit, "InaccessiblePaths")).toEqual([PASSWORDS]);
    for (const { content } of [KEEPER_FILES.gateUnit, KEEPER_FILES.workerUnit, KEEPER_FILES.dueUnit]) {
      expect(content()).not.toContain("alarms");
    }
  });

  // systemd puts the kept folder of a dynamic user below /run/private, which only root passes.
  test("leaves the status where every user of the host can read it, and no other process writes", () => {
    expect(settings(unit, "ExecStart")[0]).toMatch(new RegExp(` --page ${STATUS_PAGES}$`));
    expect(`/run/${String(settings(unit, "RuntimeDirectory")[0])}`).toBe(STATUS_PAGES);
    expect(settings(unit, "RuntimeDirectoryMode")).toEqual(["0755"]);
    expect(settings(unit, "UMask")).toEqual(["0022"]);
    expect(settings(unit, "DynamicUser")).toEqual([]);
    const [user] = settings(unit, "User");
    expect(install().script).toContain(`\nSB_WATCHER='${String(user)}'\n`);
  });

  test("and the ways of alarms may change without a restart of the gate, which would end what workers do", () => {
    const gate = readFileSync(join(__dirname, "../../hosts/keeper/gate.sh"), "utf8");
    const summed = [...gate.matchAll(/\/etc\/\S+/g)].map(([path]) => path);
    expect(summed.sort()).toEqual(
      [KEEPER_FILES.settings, KEEPER_FILES.s3, KEEPER_FILES.gateUnit].map(({ path }) => path).sort(),
    );
  });

  test("ends before its next start", () => {
    expect(settings(unit, "TimeoutStartSec")).toEqual(["14min"]);
    expect(settings(KEEPER_FILES.watchTimer.content(), "OnCalendar")).toEqual(["*:0/15"]);
  });

  test("is kept from what the gate is kept from", () => {
    const OWN =
      /^(Description|ExecStart|LoadCredential|Type|User|DynamicUser|UMask|RuntimeDirectory.*|StartLimit.*|Restart.*|Timeout.*|WantedBy)=/;
    const kept = (text: string) => text.split("\n").filter((line) => line.includes("=") && !OWN.test(line));
    expect(kept(unit)).toEqual(kept(KEEPER_FILES.gateUnit.content()));
  });

  test("is rated as safe by systemd as the gate is", () => {
    inDirectory((directory) => {
      for (const { path, content } of [KEEPER_FILES.watchUnit, KEEPER_FILES.gateUnit]) {
        const file = join(directory, path.split("/").at(-1) as string);
        writeFileSync(file, content());
        const rated = attempt("systemd-analyze", [
          "security",
          "--no-pager",
          "--offline=yes",
          "--threshold=16",
          file,
        ]);
        expect(rated).toMatchObject({ status: 0 });
      }
    });
  });
});

describe("the install scripts", () => {
  test("dash and shellcheck read them as they are sent", () => {
    const program = keeperProgramInstall({ content: "console.log(1)", sha256: "0".repeat(64) });
    for (const { script } of [program, install()]) {
      expect(attempt("dash", ["-n"], { input: script })).toEqual({ status: 0, output: "" });
      expect(attempt("shellcheck", ["--shell=sh", "--severity=error", "-"], { input: script })).toEqual({
        status: 0,
        output: "",
      });
    }
  });

  test("the program travels packed and arrives as it is", () => {
    const content = "console.log('ä')\n".repeat(1000);
    const { script } = keeperProgramInstall({ content, sha256: "0".repeat(64) });
    const [, sent = ""] = /^install_file .* gzip <<'EOF'\n([^]*?)^EOF$/m.exec(script) ?? [];
    expect(sent.length).toBeLessThan(content.length / 10);
    const library = readFileSync(join(__dirname, "../../hosts/lib.sh"), "utf8");
    const installFile = /^install_file\(\) \{\n[^]*?^\}\n/m.exec(library)?.[0] ?? "";
    inDirectory((directory) => {
      const [user, group] = ["-un", "-gn"].map((option) =>
        execFileSync("id", [option], { encoding: "utf8" }).trim(),
      );
      const owner = `${user} ${group}`;
      const target = join(directory, "keeper.js");
      const shell = `SB_WORK=${directory}\nsay() { :; }\nfail() { echo "$*"; exit 1; }\n${installFile}
install_file ${target} ${owner} 0644 gzip <<'EOF'\n${sent}EOF`;
      expect(attempt("dash", ["-euc", shell])).toEqual({ status: 0, output: "" });
      expect(readFileSync(target, "utf8")).toBe(content);
      // What was cut off on its way is no program.
      const cut = shell.replace(sent, sent.slice(0, 80));
      expect(attempt("dash", ["-euc", cut])).toMatchObject({ status: 1 });
      expect(readFileSync(target, "utf8")).toBe(content);
    });
  });

  test("Node is taken out of the official archive, and out of one alone", () => {
    const library = readFileSync(join(__dirname, "../../hosts/lib.sh"), "utf8");
    const unpack = /^unpack_tar\(\) \{\n[^]*?^\}\n/m.exec(library)?.[0] ?? "";
    inDirectory((directory) => {
      const archive = (name: string, members: Record<string, string>) => {
        for (const [member, text] of Object.entries(members)) {
          mkdirSync(join(directory, member, ".."), { recursive: true });
          writeFileSync(join(directory, member), text);
        }
        execFileSync("tar", ["-czf", join(directory, name), "-C", directory, ...Object.keys(members)]);
        const script = `need_command() { :; }\n${unpack}unpack_tar node ${directory}/${name}`;
        return attempt("dash", ["-euc", script]);
      };
      const own = { "node-v24/bin/node": "program", "node-v24/lib/x/bin/node": "another" };
      expect(archive("one.tar.gz", own)).toEqual({ status: 0, output: "program" });
      expect(archive("two.tar.gz", { ...own, "b/bin/node": "second" })).toMatchObject({ status: 1 });
      expect(archive("none.tar.gz", { "node-v24/README": "" })).toMatchObject({ status: 1 });
    });
  });
});

describe("a round", () => {
  const script = readFileSync(join(__dirname, "../../hosts/keeper/round.sh"), "utf8");

  /** Runs it with these repositories due and configured; the starts of `failing` fail. */
  function round(due: string[], configured: string[], failing: string[] = []) {
    return inDirectory((directory) => {
      const file = (name: string, text: string, mode = 0o644) => {
        writeFileSync(join(directory, name), text, { mode });
        return join(directory, name);
      };
      const started = file("started", "");
      file(
        "systemctl",
        `#!/bin/sh\n[ "$2" != keeper-due.service ] || exit 0\necho "$2" >>${started}\n` +
          `case " ${failing.join(" ")} " in *" $2 "*) exit 1 ;; esac\n`,
        0o755,
      );
      const program = file(
        "keeper-round",
        script
          .replace("PATH=/usr/bin:/bin\n", `PATH=${directory}:/usr/bin:/bin\n`)
          .replace("/etc/keeper/instances", file("instances", configured.map((name) => `${name}\n`).join("")))
          .replace("/run/keeper-due", file("due", due.map((name) => `${name}\n`).join(""))),
        0o755,
      );
      const { status, output } = attempt("dash", [program]);
      const units = readFileSync(started, "utf8")
        .split("\n")
        .filter((line) => line !== "");
      return { status, output, started: units.sort() };
    });
  }

  test("starts each repository that is due by the name of its unit", () => {
    expect(round(["app\\x2dsrv-main", "db-main"], ["app-srv/main", "db/main", "db/old"])).toEqual({
      status: 0,
      output: "",
      started: ["keeper-worker@app\\x2dsrv-main.service", "keeper-worker@db-main.service"],
    });
  });

  test("starts nothing where nothing is due", () => {
    expect(round([], ["db/main"])).toEqual({ status: 0, output: "", started: [] });
  });

  test("goes on after a worker that fails, and says so", () => {
    const names = ["a/a", "b/b", "c/c"];
    const { status, started } = round(["a-a", "b-b", "c-c"], names, ["keeper-worker@a-a.service"]);
    expect(status).not.toBe(0);
    expect(started).toHaveLength(3);
  });

  test.each(["x-y", "..-..-etc", "--no\\x2dblock", "db-main db-main", "$(id)", "db", "\\x", ""])(
    "starts nothing for the name %j, which is not configured",
    (name) => {
      const { status, started } = round([name, "db-main"], ["db/main"]);
      expect(started).toEqual(["keeper-worker@db-main.service"]);
      if (name !== "") expect(status).not.toBe(0);
    },
  );
});
