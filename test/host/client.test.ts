/**
 * A client's install, a key-only client's instructions and restic-backup, run for real where they write; restic and
 * rclone are real too, and ssh is played by a script that starts rclone on a local folder. What a proxy's install does
 * where other programs' files are.
 */
import { CACHE } from "../../scripts/dev/cloud";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, expect, jest, test } from "@jest/globals";
import { clientInstall, ClientRepository, proxyInstall, renderInstructions } from "../../hosts";
import { ROOT } from "../../operations/transport/run";
import { INSTALLED } from "../harness/installs";
import { Ended, inPrivateRoot } from "../harness/private-root";
import { ed25519 } from "../harness/config-example";
import { SAMPLE_SETTINGS } from "../harness/sample-deployment";

jest.setTimeout(180_000);

const STACK = "aaaaaaaaaaaaaaaa";
const OTHER_STACK = "bbbbbbbbbbbbbbbb";
const RESTIC = path.join(CACHE, "artifacts/restic");
const RCLONE = path.join(CACHE, "artifacts/rclone");

interface Given {
  stack?: string;
  bucket?: string;
  hostKey?: string;
  repository?: Partial<ClientRepository>;
  restic?: { version: string; url: string; sha256: string };
}

function install({ stack, bucket, hostKey, repository, restic }: Given = {}): string {
  return clientInstall({
    stack: stack ?? STACK,
    client: "web",
    bucket: bucket ?? "databucket",
    proxy: { address: "192.0.2.1", port: 22, hostKey: hostKey ?? ed25519(1) },
    restic,
    repositories: [
      {
        ...SAMPLE_SETTINGS,
        password: "a",
        privateKey: "key a",
        paths: ["/srv/data"],
        ...repository,
      },
    ],
  }).script;
}

/** The key of a key-only client's operator. */
const KEY = ((): { privateKey: string; publicKey: string } => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "key-"));
  try {
    const file = path.join(folder, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    return {
      privateKey: fs.readFileSync(file, "utf8"),
      publicKey: fs.readFileSync(`${file}.pub`, "utf8").trim(),
    };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
})();

const instructions = (stack = STACK, bucket = "databucket") =>
  renderInstructions({
    stack,
    client: "web",
    bucket,
    proxy: { address: "192.0.2.1", port: 22, hostKey: ed25519(stack === STACK ? 1 : 2) },
    repositories: [{ ...SAMPLE_SETTINGS, publicKey: KEY.publicKey, paths: ["/srv/data"] }],
  });

/** Runs a script where `put NAME` installs `files[NAME]`, and ssh and restic are there. */
function onClient(script: string, files: Record<string, string> = {}): Ended {
  return inPrivateRoot(
    `
cat >/usr/local/bin/ssh <<'END'
#!/bin/sh
exec ${RCLONE} serve restic --stdio --append-only --config /dev/null "/srv/store/$3"
END
chmod +x /usr/local/bin/ssh
ln -s ${RESTIC} /usr/local/bin/restic
# Where this machine is a client itself.
rm -rf /etc/restic-backup /etc/tmpfiles.d/restic-backup.conf
mkdir -p /srv/data /srv/store
echo content >/srv/data/file
put() {
  code=0
  sh -s <"$FILES/$1" || code=$?
  [ $code = ${String(INSTALLED)} ] && echo "installed $1" || echo "refused $1"
}
instruct() {
  sh "$FILES/$1" && echo "instructed $1" || echo "refused $1"
}
${script}`,
    files,
  );
}

/** What stands on a client, but for what packages brought. */
const ALL_FILES =
  "find /usr/local /etc/restic-backup /etc/tmpfiles.d/restic-backup.conf -ls 2>/dev/null || :";

describe("no other program's file is replaced", () => {
  test.each([
    ["a command of that name", "/usr/local/bin/restic-backup", "echo '#!/bin/sh' >$P; chmod +x $P"],
    ["a link of that name", "/usr/local/bin/restic-backup", "ln -s /opt/their-own $P"],
    ["a tmpfiles.d file", "/etc/tmpfiles.d/restic-backup.conf", "echo 'd /srv/theirs' >$P"],
    ["settings of another program", "/etc/restic-backup", "mkdir $P; echo mine >$P/config.toml"],
  ])("%s stops an install and the instructions before they change anything", (_what, place, made) => {
    const { stdout, stderr } = onClient(
      `P=${place}
mkdir -p /etc/tmpfiles.d
${made}
before=$(${ALL_FILES})
put install
instruct instructions
[ "$before" = "$(${ALL_FILES})" ] && echo unchanged`,
      { install: install(), instructions: instructions() },
    );
    expect(stdout).toMatch(/^refused install$[^]*^refused instructions$[^]*^unchanged$/m);
    expect(stderr.split(`${place} on`)).toHaveLength(3);
    expect(stderr).toContain("then run this again");
  });

  test("a repository's directory without our mark stops an install; so does nothing else that is put there", () => {
    const { stdout, stderr } = onClient(
      `put install
mkdir /etc/restic-backup/second
echo theirs >/etc/restic-backup/second/env
put second
put install
cat /etc/restic-backup/second/env`,
      { install: install(), second: install({ repository: { name: "second" } }) },
    );
    expect(stdout.match(/^(installed|refused|theirs).*$/gm)).toEqual([
      "installed install",
      "refused second",
      "installed install",
      "theirs",
    ]);
    expect(stderr).toContain("/etc/restic-backup/second on");
  });

  test("another program's link /usr/local/bin/restic stays", () => {
    const { stdout, stderr } = onClient(
      `mkdir -p /usr/local/lib/secure-backups
cp ${RESTIC} /usr/local/lib/secure-backups/restic
sum=$(sha256sum <${RESTIC} | cut -c 1-64)
echo "$sum $sum" >/usr/local/lib/secure-backups/restic.sha256
put install
readlink /usr/local/bin/restic`,
      { install: install({ restic: { ...artifact(), url: "http://192.0.2.9/restic" } }) },
    );
    expect([stderr, stdout.split("\n").slice(-3, -1)]).toEqual(["", ["installed install", RESTIC]]);
  });
});

describe("no other program's file is replaced on the proxy", () => {
  const KEYS = "/etc/ssh/authorized_keys.d/rcloneproxy";
  test.each([
    ["a command of that name", "/usr/local/bin/rclone", "echo '#!/bin/sh' >$P", "keys"],
    [
      "an rclone.conf",
      "/home/rcloneproxy/.config/rclone/rclone.conf",
      "mkdir -p ${P%/*}; echo '[theirs]' >$P",
      "keys",
    ],
    ["a tmpfiles.d file", "/etc/tmpfiles.d/rcloneproxy.conf", "echo 'd /srv/theirs' >$P", "keys"],
    [
      "another program's authorized_keys",
      KEYS,
      "mkdir -p ${P%/*}; echo 'ssh-ed25519 AAAA theirs' >$P",
      "no keys",
    ],
    ["an account of that name", "/home/rcloneproxy", "useradd -m rcloneproxy", "no keys"],
  ])("%s stops an install, by the name of %s", (_what, place, made, keys) => {
    const { script } = proxyInstall({
      host: "rclonesrv",
      bucket: "databucket",
      rclone: { version: "1.76.0", url: "http://192.0.2.9/rclone", sha256: "0".repeat(64) },
      s3: { endpoint: "http://192.0.2.9", region: "r", accessKeyId: "a", secretAccessKey: "s" },
      grants: [{ client: "web", repository: "main", publicKey: KEY.publicKey }],
    });
    const { stdout, stderr } = onClient(
      `P=${place}
mkdir -p /etc/tmpfiles.d
${made}
before=$(stat -c '%U %a' "$P"; [ -d "$P" ] || cat "$P")
put install
[ "$before" = "$(stat -c '%U %a' "$P"; [ -d "$P" ] || cat "$P")" ] && echo unchanged
grep -qs 'databucket/web/main' ${KEYS} && echo keys || echo no keys`,
      { install: script },
    );
    expect(stdout).toMatch(/^refused install$[^]*^unchanged$/m);
    expect(stdout.trim().split("\n").pop()).toBe(keys);
    expect(stderr).toContain(`${place} on`);
  });
});

function artifact(): { version: string; sha256: string } {
  const text = fs.readFileSync(path.join(CACHE, "artifacts/restic.json"), "utf8");
  return JSON.parse(text) as { version: string; sha256: string };
}

describe("two stacks on one server", () => {
  const theirs = install({
    stack: OTHER_STACK,
    bucket: "otherbucket",
    hostKey: ed25519(2),
    repository: { name: "theirs", privateKey: "key b" },
  });
  const files = {
    ours: install(),
    theirs,
    instructions: instructions(),
    "their-instructions": instructions(OTHER_STACK, "otherbucket"),
  };

  test("the second is refused by name, and all of the first's stays", () => {
    const { stdout, stderr } = onClient(
      `put ours
before=$(${ALL_FILES})
put theirs
instruct their-instructions
[ "$before" = "$(${ALL_FILES})" ] && echo unchanged
put ours
restic-backup main`,
      files,
    );
    expect(stdout).toMatch(
      /^refused theirs$[^]*^refused their-instructions$[^]*^unchanged$[^]*^installed ours$/m,
    );
    const named = `backs up with another stack, that of the bucket databucket (its identity is ${STACK}, this one's ${OTHER_STACK})`;
    expect(stderr.split(named)).toHaveLength(3);
  });

  /** What an older version of this project left: no mark of a stack. */
  const unmarked = "rm /etc/restic-backup/.secure-backups";
  test.each([
    ["whose host key is pinned", `${unmarked}; rm /etc/restic-backup/main/id_ed25519`],
    ["whose repository's key is there", `${unmarked}; echo other >/etc/restic-backup/known_hosts`],
  ])("what an older version left is adopted by the stack %s, and not by another", (_what, older) => {
    const { stdout, stderr } = onClient(
      `put ours
${older}
put theirs
put ours
cat /etc/restic-backup/.secure-backups
${older}
put ours
put theirs`,
      files,
    );
    expect(stdout.match(/^(installed|refused|a{16}).*$/gm)).toEqual([
      "installed ours",
      "refused theirs",
      "installed ours",
      `${STACK} databucket`,
      "installed ours",
      "refused theirs",
    ]);
    expect(stderr).toContain("/etc/restic-backup on");
    expect(stderr).toContain("holds no key of this stack");
  });

  test("a repository that is no longer configured goes, and a directory without our mark stays", () => {
    const { stdout } = onClient(
      `mkdir /etc/restic-backup
put ours
mkdir /etc/restic-backup/second /etc/restic-backup/mine
echo mine >/etc/restic-backup/mine/note
put second
ls /etc/restic-backup`,
      { ...files, second: install({ repository: { name: "second" } }) },
    );
    expect(stdout.match(/^(installed|refused).*$/gm)).toEqual(["installed ours", "installed second"]);
    expect(stdout.trim().split("\n").slice(-4)).toEqual(["known_hosts", "mine", "second", "ssh_config"]);
  });
});

describe("a restic that is too old", () => {
  /** restic 0.11 as far as the checks see it. */
  const OLD = `rm /usr/local/bin/restic
cat >/usr/local/bin/restic <<'END'
#!/bin/sh
case $1 in
  version) echo 'restic 0.11.0 compiled with go1.15.9 on linux/amd64' ;;
  backup) printf '      --exclude-file file\\n      --files-from file\\n  -x, --one-file-system\\n' ;;
  *) echo "unknown flag" >&2; exit 1 ;;
esac
END
chmod +x /usr/local/bin/restic
`;
  test("fails an install and the instructions, with the version and what to do", () => {
    const { stdout, stderr } = onClient(
      `${OLD}put install
instruct instructions
[ -e /etc/restic-backup ] || echo nothing`,
      { install: install(), instructions: instructions() },
    );
    expect(stdout).toMatch(/^refused install$[^]*^refused instructions$[^]*^nothing$/m);
    expect(stderr.split("no --files-from-raw, which restic 0.12.0 has")).toHaveLength(3);
    expect(stderr.split("calls itself 'restic 0.11.0 compiled")).toHaveLength(3);
    expect(stderr).toContain("Give a newer one in the configuration, as restic with version, url and sha256");
    expect(stderr).toContain("Install a newer one");
  });

  test("one that is new enough passes both; the key may be there before the instructions run", () => {
    const { stdout } = onClient(
      `put install
rm -r /etc/restic-backup /srv/store/main
mkdir -p /etc/restic-backup/main
cp "$FILES/key" /etc/restic-backup/main/id_ed25519
chmod 0600 /etc/restic-backup/main/id_ed25519
echo password >/etc/restic-backup/main/password
instruct instructions
restic-backup main`,
      { install: install(), instructions: instructions(), key: KEY.privateKey },
    );
    expect(stdout).toMatch(
      /^installed install$[^]*^ready\. Back up: [^]*^instructed instructions$[^]*snapshot [0-9a-f]{8} saved/m,
    );
  });
});

describe("restic-backup", () => {
  test("runs by the handbook's line for cron, with the PATH that cron gives root", () => {
    const handbook = fs.readFileSync(path.join(ROOT, "docs/handbook.md"), "utf8");
    const [, command = ""] = /^\d+ \d+ \* \* \* (.*)$/m.exec(handbook) ?? [];
    expect(command).toContain("restic-backup main");
    const { status, stdout } = onClient(
      `put install
printf '%s\\n' ${JSON.stringify(command)} >/root/command
env -i PATH=/usr/bin:/bin HOME=/root SHELL=/bin/sh LOGNAME=root /bin/sh -c "$(cat /root/command)"`,
      { install: install() },
    );
    expect([status, stdout]).toEqual([0, expect.stringMatching(/snapshot [0-9a-f]{8} saved/)]);
  });

  test("a path that is not there makes a backup partial, and is named; what is there is backed up", () => {
    const paths = ["/srv/data", "/not-mounted", "/srv/not there"];
    const { status, stdout, stderr } = onClient("put install\nrestic-backup main", {
      install: install({ repository: { paths } }),
    });
    expect(status).toBe(3);
    expect(stdout).toMatch(/snapshot [0-9a-f]{8} saved/);
    expect(stderr).toContain("not in this backup, for it is not there: /not-mounted\n");
    expect(stderr).toContain("not in this backup, for it is not there: /srv/not there\n");
    expect(stderr).toContain("main: partial: the backup lacks what is named above");
  });

  test("no variable of root's shell changes what restic opens", () => {
    const { status, stdout } = onClient(
      `put install
echo wrong >/root/wrong
export RESTIC_PASSWORD_FILE=/root/wrong RESTIC_PASSWORD_COMMAND='echo wrong' RESTIC_REPOSITORY_FILE=/root/wrong
export RESTIC_PASSWORD=wrong RESTIC_CACERT=/root/wrong RESTIC_KEY_HINT=wrong RESTIC_HOST=wrong RESTIC_CACHE_DIR=/root/c
export RCLONE_CONFIG=/root/wrong XDG_CACHE_HOME=/root/c
restic-backup main
restic-backup main snapshots
ls -d /root/c || echo no other cache`,
      { install: install() },
    );
    expect(status).toBe(0);
    expect(stdout).toContain("1 snapshots");
    expect(stdout).not.toContain("wrong");
    expect(stdout).toMatch(/^no other cache$/m);
  });

  test("backs up a disk that is full, and without a cache", () => {
    const { status, stdout, stderr } = onClient(
      `put install
head -c 20000000 /dev/urandom >/srv/data/random
for dir in /tmp /var/tmp /var/cache; do
  mount -t tmpfs -o size=64k tmpfs "$dir"
  head -c 65536 /dev/zero >"$dir/full" 2>/dev/null || :
done
restic-backup main
restic-backup main check --read-data`,
      { install: install() },
    );
    expect([status, stderr.match(/no space left/i) && stderr]).toEqual([0, null]);
    expect(stdout).toMatch(/snapshot [0-9a-f]{8} saved[^]*no errors were found/);
  });

  test("stays on one file system where that is configured", () => {
    const { stdout } = onClient(
      // Directories and files of an overlay may count as two file systems.
      `mount -t tmpfs tmpfs /srv/data
echo x >/srv/data/file
mkdir /srv/data/mounted
mount -t tmpfs tmpfs /srv/data/mounted
echo x >/srv/data/mounted/inside
for install in one all; do
  put $install
  restic-backup main
  echo "== $install"
  restic-backup main ls latest
done`,
      {
        one: install({ repository: { oneFileSystem: true } }),
        all: install(),
      },
    );
    const [, one, all] = stdout.split(/^== .*$/m);
    expect(one).toContain("/srv/data/file");
    expect(one).not.toContain("/srv/data/mounted/inside");
    expect(all).toContain("/srv/data/mounted/inside");
  });
});
