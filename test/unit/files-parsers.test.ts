import { describe, expect, jest, test } from "@jest/globals";
import * as fc from "fast-check";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as files from "../../hosts";
import { attempt, inDirectory, run, tool } from "./files-tools";

// A property runs real programs some hundred times, on a busy machine.
jest.setTimeout(180_000);

/** Characters that one format or another treats in its own way, among ordinary ones. */
const oddText = (without: RegExp, maxLength = 12) =>
  fc
    .array(
      fc.oneof(
        fc.constantFrom(...Array.from("'\"\\`$#;%()[]{}=:!*?~&|<> \t\nné€ü😀\u00a0\u2028-_.,@/")),
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
      ),
      { minLength: 1, maxLength },
    )
    .map((parts) => parts.join("").replace(without, "x"));
const CONTROL = /[\p{Control}\p{Surrogate}]/gu;
const CONTROL_BUT_BLANKS = /(?![\t\n])[\p{Control}\p{Surrogate}]/gu;

/** Many values go through one run of a program: a start costs more than a value. */
const batch = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: 1, maxLength: 40 });
const RUNS = { numRuns: 15 };

function keyPair(directory: string, name: string): { privateKey: string; publicKey: string } {
  run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", join(directory, name)]);
  return {
    privateKey: readFileSync(join(directory, name), "utf8"),
    publicKey: readFileSync(join(directory, `${name}.pub`), "utf8"),
  };
}

describe("sh", () => {
  test.each(["dash", "bash"])("%s gives a quoted value back", (shell) => {
    fc.assert(
      fc.property(batch(oddText(/\0/g)), (values) => {
        const script = `printf '%s\\0' ${values.map(files.shellQuote).join(" ")}`;
        expect(run(shell as "dash", ["-c", script])).toBe(values.map((value) => `${value}\0`).join(""));
      }),
      RUNS,
    );
  });

  test("reads an environment file", () => {
    fc.assert(
      fc.property(batch(oddText(CONTROL_BUT_BLANKS)), (values) => {
        const text = values.map((value, index) => files.environmentLine(`V${index}`, value)).join("");
        const print = values.map((_, index) => `"$V${index}"`).join(" ");
        const script = `${text}printf '%s\\0' ${print}`;
        expect(run("dash", ["-eu", "-s"], { input: script })).toBe(values.map((v) => `${v}\0`).join(""));
      }),
      RUNS,
    );
  });
});

describe("systemd", () => {
  // The reader of EnvironmentFile= is also that of os-release, whose fields systemd-tmpfiles writes out.
  test("reads an environment file as sh does", () => {
    fc.assert(
      fc.property(oddText(CONTROL_BUT_BLANKS, 40), (value) => {
        inDirectory((root) => {
          mkdirSync(join(root, "etc"));
          writeFileSync(join(root, "etc/os-release"), files.environmentLine("BUILD_ID", value));
          writeFileSync(join(root, "t.conf"), "f /out - - - - %B\n");
          run("systemd-tmpfiles", [`--root=${root}`, "--create", join(root, "t.conf")]);
          expect(readFileSync(join(root, "out"), "utf8")).toBe(value);
        });
      }),
      { numRuns: 60 },
    );
  });
});

describe("rclone", () => {
  test("gives every field of rclone.conf back", () => {
    fc.assert(
      fc.property(batch(oddText(CONTROL).map((text) => text.replaceAll("%(", "%%"))), (values) => {
        inDirectory((directory) => {
          const config = join(directory, "rclone.conf");
          const sections = values.map((value, index) => {
            const s3 = { endpoint: value, region: value, accessKeyId: value, secretAccessKey: value };
            return files.renderRcloneConfig(s3).replace("[s3-resticrepo]", `[remote${index}]`);
          });
          writeFileSync(config, sections.join("\n"));
          const dump = JSON.parse(run("rclone", ["--config", config, "config", "dump"])) as Record<
            string,
            Record<string, string>
          >;
          values.forEach((value, index) => {
            expect(dump[`remote${index}`]).toEqual({
              type: "s3",
              provider: "Other",
              env_auth: "false",
              access_key_id: value,
              secret_access_key: value,
              region: value,
              endpoint: value,
              upload_concurrency: "8",
              no_check_bucket: "true",
            });
          });
        });
      }),
      RUNS,
    );
  });

  /** The command with its folder of locks moved and another program, a script, in rclone's place. */
  function proxyRclone(directory: string, program: string): string {
    const command = join(directory, "command");
    const fake = join(directory, "rclone");
    writeFileSync(fake, `#!/bin/sh\n${program}\n`);
    chmodSync(fake, 0o755);
    mkdirSync(join(directory, "slots"));
    const text = files.PROXY_FILES.rcloneCommand
      .content()
      .replace("/usr/local/lib/secure-backups/rclone", fake)
      .replaceAll("/run/rcloneproxy", join(directory, "slots"));
    writeFileSync(command, text);
    return command;
  }

  test("runs in a clean environment", () => {
    inDirectory((directory) => {
      const command = proxyRclone(directory, 'env | sort\nprintf "%s\\n" "$@"');
      const env = { PATH: "/nowhere", AWS_CA_BUNDLE: "/nowhere", RCLONE_S3_ENDPOINT: "evil" };
      const output = run("dash", [command, "lsd", "a b"], { env });
      expect(output.split("\n").filter((line) => !line.startsWith("PWD="))).toEqual([
        "HOME=/home/rcloneproxy",
        "LANG=C.UTF-8",
        "PATH=/usr/bin:/bin",
        "RCLONE_BUFFER_SIZE=0",
        "RCLONE_CONFIG=/home/rcloneproxy/.config/rclone/rclone.conf",
        "RCLONE_MAX_BUFFER_MEMORY=16Mi",
        "lsd",
        "a b",
        "",
      ]);
    });
  });

  test("serves one repository with a few processes at once, and others beside it", () => {
    inDirectory((directory) => {
      const serve = (repository: string) =>
        ["serve", "restic", "--stdio", "--append-only", `s3-resticrepo:bucket/${repository}/`].join(" ");
      // Each process prints its lock, and starts another of its kind while it holds it; the first then also another repository's.
      const command = proxyRclone(
        directory,
        `[ "$1" = serve ] || exit 0
lock=$(readlink /proc/self/fd/9)
echo "\${lock##*/}"
case $lock in *db*) exit ;; esac
dash ${directory}/command "$@" 9>&- || echo "refused $?"
case $lock in *.0) dash ${directory}/command ${serve("db/main")} 9>&- ;; esac`,
      );
      const { output } = attempt("dash", [command, ...serve("web/main").split(" ")]);
      expect(output.split("\n").filter((line) => !line.startsWith("secure-backups: "))).toEqual([
        ...Array.from(
          { length: files.RCLONE_PER_REPOSITORY },
          (_, slot) => `s3-resticrepo:bucket+web+main+.${String(slot)}`,
        ),
        "refused 75",
        "s3-resticrepo:bucket+db+main+.0",
        "",
      ]);
      expect(output).toContain(
        `secure-backups: ${String(files.RCLONE_PER_REPOSITORY)} restic commands already use this repository`,
      );
      // All have ended, and their locks with them.
      const after = attempt("dash", [command, ...serve("web/main").split(" ")]).output;
      expect(after.split("\n")[0]).toBe("s3-resticrepo:bucket+web+main+.0");
    });
  });
});

describe("ssh", () => {
  test("reads the client's configuration as meant", () => {
    inDirectory((directory) => {
      const { publicKey } = keyPair(directory, "host");
      const config = join(directory, "ssh_config");
      const proxy = { address: "proxy.example", port: 2222, hostKey: publicKey };
      writeFileSync(
        config,
        files.renderSshConfig(proxy, [
          { name: "main", key: "a" },
          { name: "main2", key: "b" },
        ]),
      );
      const options = (name: string) => run("ssh", ["-G", "-F", config, name]).split("\n");
      expect(options("main")).toEqual(
        expect.arrayContaining([
          "hostname proxy.example",
          "port 2222",
          "user rcloneproxy",
          "hostkeyalias secure-backups-proxy",
          "hostkeyalgorithms ssh-ed25519",
          "identityfile /etc/restic-backup/main/id_ed25519",
          "identitiesonly yes",
          "identityagent none",
          "userknownhostsfile /etc/restic-backup/known_hosts",
          "globalknownhostsfile /dev/null",
          "stricthostkeychecking true",
          "updatehostkeys false",
          "batchmode yes",
          "clearallforwardings yes",
          "forwardagent no",
          "forwardx11 no",
          "requesttty false",
          "controlmaster auto",
          "controlpersist 60",
        ]),
      );
      expect(options("main").find((line) => line.startsWith("ciphers "))).toMatch(
        /^ciphers aes256-gcm@openssh\.com,aes128-gcm@openssh\.com,/,
      );
      expect(options("main2")).toContain("identityfile /etc/restic-backup/main2/id_ed25519");
      const path = (name: string) => options(name).find((line) => line.startsWith("controlpath "));
      expect(path("main")).not.toBe(path("main2"));
    });
  });

  test("finds the pinned key, and its fingerprint is ssh-keygen's", () => {
    inDirectory((directory) => {
      const { publicKey } = keyPair(directory, "host");
      const known = join(directory, "known_hosts");
      writeFileSync(
        known,
        files.CLIENT_FILES.knownHosts.content({ proxy: { address: "x", port: 22, hostKey: publicKey } }),
      );
      expect(run("ssh-keygen", ["-lf", known, "-F", "secure-backups-proxy"])).toContain(
        files.fingerprint(publicKey),
      );
    });
  });

  test("ssh-keygen reads every line of authorized_keys", () => {
    inDirectory((directory) => {
      const a = keyPair(directory, "a").publicKey;
      const b = keyPair(directory, "b").publicKey;
      const path = join(directory, "authorized_keys");
      const grants = [
        { client: "appsrv", repository: "main", publicKey: a },
        { client: "appsrv", repository: "database", publicKey: b },
      ];
      writeFileSync(path, files.renderAuthorizedKeys(grants, "bucket"));
      const lines = run("ssh-keygen", ["-lf", path]).trim().split("\n");
      expect(lines.sort()).toEqual(
        [
          `256 ${files.fingerprint(a)} appsrv-main (ED25519)`,
          `256 ${files.fingerprint(b)} appsrv-database (ED25519)`,
        ].sort(),
      );
    });
  });
});

describe("sshd", () => {
  /** The configuration that sshd would use for a user, with a later file that tries to loosen it. */
  function effective(user: string): string[] {
    return inDirectory((directory) => {
      keyPair(directory, "host");
      mkdirSync(join(directory, "conf.d"));
      const dropIn = files
        .renderSshdConfig(files.proxyLimits(3))
        .replace("/etc/ssh/ssh_host_ed25519_key", join(directory, "host"));
      writeFileSync(join(directory, "conf.d/00-secure-backups.conf"), dropIn);
      writeFileSync(
        join(directory, "conf.d/00-secure-backups-idle.conf"),
        files.PROXY_FILES.sshdIdleConfig.content(),
      );
      const later = "PasswordAuthentication yes\nAllowTcpForwarding yes\nBanner /later\nPermitTTY yes\n";
      writeFileSync(join(directory, "conf.d/50-cloud-init.conf"), later);
      const main = join(directory, "sshd_config");
      writeFileSync(main, `Include ${directory}/conf.d/*.conf\nUsePAM yes\nX11Forwarding yes\n`);
      const where = `user=${user},host=client,addr=192.0.2.1`;
      mkdirSync("/run/sshd", { recursive: true });
      expect(attempt("sshd", ["-t", "-f", main])).toEqual({ status: 0, output: "" });
      return run("sshd", ["-T", "-f", main, "-C", where]).split("\n");
    });
  }

  test("ends a connection of rcloneproxy that runs nothing, and no other user's", () => {
    expect(effective("rcloneproxy")).toContain("unusedconnectiontimeout 120");
    expect(effective("debian")).toContain("unusedconnectiontimeout none");
  });

  test("locks rcloneproxy in", () => {
    expect(effective("rcloneproxy")).toEqual(
      expect.arrayContaining([
        "authorizedkeysfile /etc/ssh/authorized_keys.d/rcloneproxy",
        "authenticationmethods publickey",
        "disableforwarding yes",
        "permittty no",
        "permituserrc no",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "permitrootlogin no",
        "clientaliveinterval 30",
      ]),
    );
  });

  test("lets the administrator work, without passwords, and swallows no later file", () => {
    const lines = effective("debian");
    expect(lines).toEqual(
      expect.arrayContaining([
        "passwordauthentication no",
        "disableforwarding no",
        "permittty yes",
        "allowtcpforwarding yes",
        "banner /later",
        "authenticationmethods any",
      ]),
    );
    expect(lines.find((line) => line.startsWith("ciphers "))).toMatch(/^ciphers aes256-gcm@openssh\.com,/);
    expect(lines.filter((line) => line.startsWith("hostkey "))).toHaveLength(1);
  });
});

describe("restic", () => {
  /** The names, below a new directory, that restic backs up of these files with these excludes. */
  function kept(names: string[], excludes: string[]): string[] {
    return inDirectory((directory) => {
      const tree = join(directory, "tree");
      mkdirSync(tree);
      for (const name of names) {
        mkdirSync(dirname(join(tree, name)), { recursive: true });
        writeFileSync(join(tree, name), "");
      }
      writeFileSync(join(directory, "paths"), files.renderPaths([tree]));
      writeFileSync(join(directory, "excludes"), files.renderExcludes(excludes));
      const options = {
        env: {
          RESTIC_REPOSITORY: join(directory, "repository"),
          RESTIC_PASSWORD: "x",
          RESTIC_CACHE_DIR: join(directory, "cache"),
          HOME: "/EXPANDED",
        },
      };
      run("restic", ["init"], options);
      const from = [
        "--files-from-raw",
        join(directory, "paths"),
        "--exclude-file",
        join(directory, "excludes"),
      ];
      run("restic", ["backup", ...from], options);
      const lines = run("restic", ["ls", "--json", "latest"], options).trim().split("\n");
      return lines
        .map((line) => JSON.parse(line) as { type?: string; path?: string })
        .filter((node) => node.type === "file")
        .map((node) => node.path?.slice(tree.length + 1) ?? "")
        .sort();
    });
  }

  const NAMES = ["$HOME", "#a", " a", "a ", "a\u00a0", "\ta", "a", "$$", "a$b", "ab", "!a", "\\a", "b\\ "];

  test("excludes what the pattern says, and nothing else", () => {
    expect(kept(NAMES, [])).toEqual([...NAMES].sort());
    const excludes = ["$HOME", "#a", " a", "a ", "a\u00a0", "\ta", "$$", "a$b", "\\\\a"];
    expect(kept(NAMES, excludes)).toEqual(["!a", "a", "ab", "b\\ "].sort());
  });

  test("an escaped blank at the end stays one", () => {
    expect(kept(["a ", "a\\ ", "a\\"], ["a\\ "])).toEqual(["a\\", "a\\ "].sort());
    expect(kept(["a ", "a\\ ", "a\\"], ["a\\\\ "])).toEqual(["a ", "a\\"].sort());
  });

  test("any name can be excluded by its escaped self, and its neighbors stay", () => {
    const name = oddText(/[\0/]|\p{Surrogate}/gu).filter(
      (text) => !/[\n\r]/.test(text) && !/^\.{1,2}$/.test(text),
    );
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 6, maxLength: 6 }), (names) => {
        const excludes = names.slice(0, 3).map((text) => `/**/tree/${text.replace(/[\\*?[]/g, "\\$&")}`);
        expect(kept(names, excludes)).toEqual(names.slice(3).sort());
      }),
      { numRuns: 8 },
    );
  });
});

test("every program of these tests is here", () => {
  for (const name of ["dash", "shellcheck", "ssh", "sshd", "rclone", "restic"] as const) {
    expect(tool(name)).toContain(name);
  }
});
