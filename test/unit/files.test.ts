import { describe, expect, test } from "@jest/globals";
import * as files from "../../hosts";
import { SAMPLE_SETTINGS } from "../harness/sample-deployment";

const KEY_A = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgVKcaNMBCaMI4S5B+BdBeeR0sAdDK7zPKRFQvKPYvC";
const KEY_B = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAolGQhBDtqlsg0GyXQ9MFpPEoHQlVEWKmgCJSJEi9pP";
const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMNWQtLs05vfyBNBTJnjkYM8UVo1SVrIv+mXVW0wUjs1";
const PROXY = { address: "10.88.0.5", port: 22, hostKey: HOST_KEY };
const S3 = {
  endpoint: "https://s3.es1.fra.optimist.innovo.cloud",
  region: "eu-central-1",
  accessKeyId: "111122223333444455556666",
  secretAccessKey: "aaaabbbbccccddddeeeeffffgggghhhh",
};
const RCLONE = {
  version: "1.76.0",
  url: "https://downloads.example/rclone.zip",
  sha256: "0123456789ab".repeat(5),
};
const GRANTS = [
  { client: "appsrv", repository: "main", publicKey: `${KEY_A} appsrv-main\n` },
  { client: "appsrv", repository: "database", publicKey: KEY_B },
];
const REPOSITORIES = [
  {
    ...SAMPLE_SETTINGS,
    password: `it's "odd" \\ $HOME %n #1`,
    privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    paths: ["/srv/myapp", "/srv/with blank\nand line"],
    excludes: ["*.tmp", "#recycle", "/srv/myapp/$cache", " odd "],
  },
];

const proxyArgs = { host: "rclonesrv", bucket: "databucket", rclone: RCLONE, s3: S3, grants: GRANTS };
const STACK = "0123456789abcdef";
const clientArgs = {
  stack: STACK,
  client: "appsrv",
  bucket: "databucket",
  proxy: PROXY,
  repositories: REPOSITORIES,
};

/** The contents that a script carries. */
function carried(script: string): string[] {
  return [...script.matchAll(/^install_file .* <<'EOF'\n([^]*?)^EOF$/gm)].map((match) =>
    Buffer.from(match[1] ?? "", "base64").toString("utf8"),
  );
}

/** The digest of the file at the path, in a summary. */
function digest(install: files.HostInstall, path: string): string | undefined {
  return install.summary.files[path]?.digest;
}

describe("every rendered file", () => {
  test("rclone.conf", () => {
    expect(files.renderRcloneConfig(S3)).toMatchSnapshot();
  });
  test("rclone command", () => {
    expect(files.PROXY_FILES.rcloneCommand.content()).toMatchSnapshot();
  });
  test("authorized_keys", () => {
    expect(files.renderAuthorizedKeys(GRANTS, "databucket")).toMatchSnapshot();
  });
  test("sshd drop-in", () => {
    expect(files.renderSshdConfig(files.proxyLimits(3))).toMatchSnapshot();
    expect(files.PROXY_FILES.sshdIdleConfig.content()).toMatchSnapshot();
  });
  test("limits", () => {
    const { sliceLimits, connectionLimits, connectionLimitsUnit, slots } = files.PROXY_FILES;
    expect(sliceLimits.content()).toMatchSnapshot();
    expect(connectionLimits.content({ grants: GRANTS })).toMatchSnapshot();
    expect(connectionLimitsUnit.content()).toMatchSnapshot();
    expect(slots.content()).toMatchSnapshot();
  });
  test("environment", () => {
    const environment = (change: { password?: string; oneFileSystem?: boolean }) =>
      files.renderEnvironment({ bucket: "databucket", client: "appsrv" }, { ...SAMPLE_SETTINGS, ...change });
    expect(environment({ password: `it's "odd" \\ $HOME %n #1` })).toMatchSnapshot();
    expect(environment({})).toMatchSnapshot();
    expect(environment({ oneFileSystem: true })).toMatchSnapshot();
  });
  test("known_hosts", () => {
    expect(files.CLIENT_FILES.knownHosts.content({ proxy: PROXY })).toMatchSnapshot();
  });
  test("ssh_config", () => {
    const connections = [
      { name: "main", key: KEY_A },
      { name: "database", key: KEY_B },
    ];
    expect(files.renderSshConfig(PROXY, connections)).toMatchSnapshot();
  });
  test("paths and excludes", () => {
    expect(files.renderPaths(["/srv/myapp", "/srv/with blank\nand line"])).toMatchSnapshot();
    expect(files.renderExcludes(["*.tmp", "#recycle", "/srv/myapp/$cache", " odd "])).toMatchSnapshot();
  });
  test("tmpfiles.d", () => {
    expect(files.CLIENT_FILES.tmpfiles.content()).toMatchSnapshot();
  });
  test("restic-backup", () => {
    expect(files.CLIENT_FILES.command.content()).toMatchSnapshot();
  });
  test("timers, their service, and commands", () => {
    const repository = {
      ...SAMPLE_SETTINGS,
      schedule: "Mon..Fri 22:30",
      before: { command: "systemctl stop shop", minutes: 5 },
      after: { command: "systemctl start shop\necho $RESTIC_BACKUP_RESULT", minutes: 1 },
      stdin: { command: "pg_dump shop", filename: "shop.sql", minutes: 720 },
      bandwidth: { upload: 1000, download: 2000 },
      compression: "max" as const,
      packSize: 32,
    };
    expect(files.timerFiles("appsrv", [repository])).toMatchSnapshot();
    expect(files.hookFiles(repository)).toMatchSnapshot();
    expect(
      files.renderEnvironment({ bucket: "databucket", client: "appsrv" }, { ...repository, password: "p" }),
    ).toMatchSnapshot();
  });
  test("user data", () => {
    const hostKeyPrivate = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    expect(
      files.renderUserData({ hostName: "rclonesrv", hostKeyPrivate, hostKeyPublic: `${HOST_KEY}\n` }),
    ).toMatchSnapshot();
  });
  test("instructions", () => {
    const repositories = [
      { ...SAMPLE_SETTINGS, publicKey: KEY_A, paths: ["/srv/it's here"], excludes: ["*.tmp"] },
      { ...SAMPLE_SETTINGS, name: "database", publicKey: KEY_B, paths: ["/var/lib/db"] },
    ];
    expect(
      files.renderInstructions({
        stack: STACK,
        client: "laptop",
        bucket: "databucket",
        proxy: PROXY,
        repositories,
      }),
    ).toMatchSnapshot();
  });
  test("commands and scripts", () => {
    const proxy = files.proxyInstall(proxyArgs);
    const client = files.clientInstall(clientArgs);
    expect(files.INSTALL_COMMAND).toMatchSnapshot();
    expect(proxy.summary).toMatchSnapshot({ script: expect.stringMatching(/^[0-9a-f]{12}$/) });
    expect(client.summary).toMatchSnapshot({ script: expect.stringMatching(/^[0-9a-f]{12}$/) });
    // The rest are the scripts below hosts/.
    expect(proxy.script.split("# shellcheck")[0]).toMatchSnapshot();
    expect(client.script.split("# shellcheck")[0]).toMatchSnapshot();
  });
});

describe("names", () => {
  test("the address, the forced command and the comment are the documented ones", () => {
    expect(files.repositoryAddress("databucket", "appsrv", "main")).toBe(
      "rclone:s3-resticrepo:databucket/appsrv/main",
    );
    expect(
      files.authorizedKeysLine({ client: "appsrv", repository: "main", publicKey: KEY_A }, "databucket"),
    ).toBe(
      'restrict,command="rclone serve restic --stdio --append-only s3-resticrepo:databucket/appsrv/main/" ' +
        `${KEY_A} appsrv-main`,
    );
  });
  test("the canary's key moves a megabyte in a session, and no name but its own begins with a dot", () => {
    const canary = { ...files.CANARY, publicKey: KEY_A };
    expect(files.authorizedKeysLine(canary, "databucket")).toBe(
      'restrict,command="rclone serve restic --stdio --append-only s3-resticrepo:databucket/.canary/verify/ ' +
        `--max-transfer 1M --cutoff-mode hard" ${KEY_A} .canary-verify`,
    );
    for (const client of [".canary2", ".quarantine", "..canary"]) {
      expect(() => files.authorizedKeysLine({ ...canary, client }, "bucket")).toThrow(/^client .* may have/);
    }
  });
  test.each(["", ".", "..", ".hidden", "a/b", 'a"b', "a b", "-a", "a\nb", "ä", "a,b", "a:b"])(
    "%j is refused",
    (name) => {
      expect(() => files.repositoryAddress("bucket", name, "main")).toThrow(/^client .* may have letters/);
      expect(() => files.repositoryAddress("bucket", "client", name)).toThrow(
        /^repository .* may have letters/,
      );
      expect(() => files.repositoryAddress(name, "client", "main")).toThrow(/^bucket .* may have letters/);
    },
  );
  test.each([
    "",
    "ssh-rsa AAAAB3NzaC1yc2E",
    `command="sh" ${KEY_A}`,
    `${KEY_A}\n${KEY_B}`,
    KEY_A.slice(0, -1),
    `${KEY_A} a\rb`,
  ])("the key %j is refused", (publicKey) => {
    expect(() => files.authorizedKeysLine({ client: "a", repository: "b", publicKey }, "bucket")).toThrow(
      "public key of a/b must be one ed25519 public key",
    );
  });
});

describe("limits of the proxy", () => {
  test.each([0, 1, 3, 8, 9, 100, 1000])(
    "one address has room for %d repositories, and leaves more",
    (count) => {
      const { startupsPerSource, startups, connectionsPerSource } = files.proxyLimits(count);
      expect(startupsPerSource).toBeGreaterThanOrEqual(count + 10);
      expect(startups.some - startupsPerSource).toBeGreaterThanOrEqual(count + 10);
      expect(startups.all).toBeGreaterThan(startups.some);
      expect(connectionsPerSource).toBeGreaterThanOrEqual(files.RCLONE_PER_REPOSITORY * count + 10);
      expect(connectionsPerSource).toBeLessThanOrEqual(
        2 * files.RCLONE_PER_REPOSITORY * Math.max(count, 4) + 10,
      );
    },
  );
  test("another client seldom changes them", () => {
    expect(files.proxyLimits(9)).toEqual(files.proxyLimits(16));
    expect(files.proxyLimits(17)).not.toEqual(files.proxyLimits(16));
  });
});

describe("authorized_keys", () => {
  test("do not depend on the order of the grants", () => {
    expect(files.renderAuthorizedKeys([...GRANTS].reverse(), "databucket")).toBe(
      files.renderAuthorizedKeys(GRANTS, "databucket"),
    );
  });
  test("one key for two repositories is refused, with both names", () => {
    const grants = [
      { client: "a", repository: "b", publicKey: KEY_A },
      { client: "c", repository: "d", publicKey: `${KEY_A} another comment` },
    ];
    expect(() => files.renderAuthorizedKeys(grants, "bucket")).toThrow("a/b and c/d share one public key");
  });
  test("two keys for one repository are refused", () => {
    const grants = [
      { client: "a", repository: "b", publicKey: KEY_A },
      { client: "a", repository: "b", publicKey: KEY_B },
    ];
    expect(() => files.renderAuthorizedKeys(grants, "bucket")).toThrow("a/b and a/b share the name");
  });
});

describe("what a preview shows", () => {
  test("no secret and no content, only what is named on purpose", () => {
    const proxy = JSON.stringify(files.proxyInstall(proxyArgs).summary);
    const client = JSON.stringify(files.clientInstall(clientArgs).summary);
    for (const secret of [S3.secretAccessKey, S3.accessKeyId, "PRIVATE KEY", "odd\\", "$HOME %n"]) {
      expect(proxy + client).not.toContain(secret);
      expect(proxy + client).not.toContain(Buffer.from(secret).toString("base64").slice(0, 8));
    }
  });
  test("a script carries each file once, and no content in another form", () => {
    const contents = Object.values(files.PROXY_FILES).map((file: files.FileSpec<typeof proxyArgs>) =>
      file.content(proxyArgs),
    );
    expect(carried(files.proxyInstall(proxyArgs).script)).toEqual(contents);
    expect(files.proxyInstall(proxyArgs).script).not.toContain(S3.secretAccessKey);
  });
  test("a grant less: the line about it goes, and no other file changes", () => {
    const before = files.proxyInstall(proxyArgs).summary;
    const after = files.proxyInstall({ ...proxyArgs, grants: GRANTS.slice(0, 1) }).summary;
    const path = `/etc/ssh/authorized_keys.d/${files.PROXY_USER}`;
    const changed = { ...before.files[path], digest: after.files[path]?.digest };
    expect(after.files).toEqual({
      ...before.files,
      [path]: { ...changed, concerns: [`appsrv/main ${files.fingerprint(KEY_A)}`] },
    });
    expect(after.files[path]?.digest).not.toBe(before.files[path]?.digest);
    expect(after.script).not.toBe(before.script);
    expect(after.title).toBe(before.title);
  });
  test("it is known by the paths before the contents are", () => {
    const proxy = files.proxyInstall(proxyArgs).summary;
    const client = files.clientInstall(clientArgs).summary;
    expect(Object.keys(proxy.files).sort()).toEqual([...files.PROXY_PATHS].sort());
    expect(Object.keys(client.files).sort()).toEqual(
      files.clientPaths(clientArgs.client, clientArgs.repositories).sort(),
    );
  });
  test("a summary is read from the inputs that Pulumi records, and what is not known yet is left out", () => {
    const { title, script, files: summaries } = files.proxyInstall(proxyArgs).summary;
    const inputs = { install: { title, script }, ...summaries };
    expect(files.readSummary(inputs)).toEqual({ title, script, files: summaries });
    const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    const [path = ""] = files.PROXY_PATHS;
    expect(files.readSummary({ install: unknown, [path]: unknown })).toEqual(files.readSummary(undefined));
    expect(files.readSummary(undefined)).toEqual({ title: "", script: "", files: {} });
  });
  test("a changed password changes the digest of its environment file alone", () => {
    const before = files.clientInstall(clientArgs);
    const after = files.clientInstall({
      ...clientArgs,
      repositories: REPOSITORIES.map((repository) => ({ ...repository, password: "another" })),
    });
    expect(digest(after, "/etc/restic-backup/main/env")).not.toBe(
      digest(before, "/etc/restic-backup/main/env"),
    );
    expect(digest(after, "/etc/restic-backup/main/id_ed25519")).toBe(
      digest(before, "/etc/restic-backup/main/id_ed25519"),
    );
  });
  test("a weak password cannot be guessed from the digest: it changes with the private key", () => {
    const other = files.clientInstall({
      ...clientArgs,
      repositories: REPOSITORIES.map((repository) => ({ ...repository, privateKey: "another key\n" })),
    });
    expect(digest(other, "/etc/restic-backup/main/env")).not.toBe(
      digest(files.clientInstall(clientArgs), "/etc/restic-backup/main/env"),
    );
  });
});

describe("values that cannot be rendered", () => {
  test.each(["", "a\nb", "a\0b", "a\x7fb", "%(region)s", "\ud800"])("%j in rclone.conf", (value) => {
    expect(() => files.renderRcloneConfig({ ...S3, secretAccessKey: value })).toThrow(
      "s3 secretAccessKey cannot be written to rclone.conf",
    );
  });
  test("the error does not reveal the secret", () => {
    expect(() => files.renderRcloneConfig({ ...S3, secretAccessKey: "geheim\n" })).toThrow(
      /^((?!geheim).)*$/s,
    );
    expect(() => files.environmentLine("RESTIC_PASSWORD", "geheim\r")).toThrow(/^((?!geheim).)*$/s);
  });
  test.each(["\0", "\r", "\x1b", "\x85", "\udfff"])("%j in an environment file", (value) => {
    expect(() => files.environmentLine("RESTIC_PASSWORD", value)).toThrow("RESTIC_PASSWORD has a control");
  });
  test.each(["", "relative", "/a\0b", "/\ud800"])("path %j", (path) => {
    expect(() => files.renderPaths([path])).toThrow("must be absolute");
  });
  test.each(["", "a\nb", "a\0b", "\ud800"])("exclude %j", (pattern) => {
    expect(() => files.renderExcludes([pattern])).toThrow("exclude pattern");
  });
  test.each(["", "-oProxyCommand=x", "a b", "a\nb", "%h"])("proxy address %j", (address) => {
    expect(() => files.renderSshConfig({ ...PROXY, address }, [])).toThrow("address of the proxy");
  });
  test("NUL in a shell word", () => {
    expect(() => files.shellQuote("\0")).toThrow("NUL");
  });
});

describe("what a host may have at a path already", () => {
  test("is recognized by a signature at each path that the stack's name or folder does not mark", () => {
    const scripts = [files.proxyInstall(proxyArgs).script, files.clientInstall(clientArgs).script];
    const marked = /secure-backups|^\/etc\/restic-backup\//;
    const unmarked = scripts.flatMap((script) =>
      [...script.matchAll(/^install_file (?:"\$\{1:-(\S+)\}"|'(\S+)') /gm)]
        .map(([, single = "", path = ""]) => single + path)
        .filter((path) => !marked.test(path))
        .map((path) => [path, script.includes(`\nneed_ours '${path}' `)]),
    );
    expect(unmarked.map(([path]) => path)).toEqual([
      "/usr/local/bin/rclone",
      `/home/${files.PROXY_USER}/.config/rclone/rclone.conf`,
      "/etc/tmpfiles.d/rcloneproxy.conf",
      `/etc/ssh/authorized_keys.d/${files.PROXY_USER}`,
      "/usr/local/bin/restic-backup",
      "/etc/tmpfiles.d/restic-backup.conf",
    ]);
    expect(unmarked.filter(([, guarded]) => guarded !== true)).toEqual([]);
  });

  test("and what is written there has the signature", () => {
    for (const { script } of [files.proxyInstall(proxyArgs), files.clientInstall(clientArgs)]) {
      const contents = carried(script);
      for (const [, text = ""] of script.matchAll(/^need_ours '\S+' '([^']+)'$/gm)) {
        expect([text, contents.some((content) => content.includes(text))]).toEqual([text, true]);
      }
    }
  });

  test.each(["", "ssh-rsa AAAA", "-----BEGIN PRIVATE KEY-----"])("no stack has the identity of %j", (key) => {
    expect(() => files.stackIdentity(key)).toThrow("root key must be one ed25519 public key");
  });
});

describe("the ssh_config of a client", () => {
  /** What OpenSSH 8.0 knows of what we use; Enterprise Linux 8 has it. */
  const KEYWORDS = [
    ...["host", "hostname", "port", "user", "hostkeyalias", "hostkeyalgorithms", "userknownhostsfile"],
    ...["globalknownhostsfile", "stricthostkeychecking", "updatehostkeys", "checkhostip", "verifyhostkeydns"],
    ...["identityfile", "identitiesonly", "identityagent", "preferredauthentications", "batchmode"],
    ...["clearallforwardings", "forwardagent", "forwardx11", "permitlocalcommand", "requesttty"],
    ...["controlmaster", "controlpath", "controlpersist", "ciphers", "connecttimeout"],
    ...["serveraliveinterval", "serveralivecountmax"],
  ];

  test("is one that OpenSSH 8.0 reads: its keywords, and no list that adds to a default", () => {
    const lines = files
      .renderSshConfig(PROXY, [{ name: "main", key: KEY_A }])
      .split("\n")
      .map((text) => text.trim())
      .filter((text) => text !== "" && !text.startsWith("#"))
      .map((text) => text.split(/ (.*)/));
    expect(lines.filter(([keyword = ""]) => !KEYWORDS.includes(keyword.toLowerCase()))).toEqual([]);
    expect(lines.filter(([, value = ""]) => /^[-+^]/.test(value))).toEqual([]);
  });

  test("prefers AES-GCM and leaves every cipher that OpenSSH 8.0 offers by itself", () => {
    const ciphers = /^ +Ciphers (.*)$/m.exec(files.renderSshConfig(PROXY, []))?.[1]?.split(",") ?? [];
    expect(ciphers.slice(0, 2)).toEqual(["aes256-gcm@openssh.com", "aes128-gcm@openssh.com"]);
    expect([...ciphers].sort()).toEqual([
      ...["aes128-ctr", "aes128-gcm@openssh.com", "aes192-ctr", "aes256-ctr", "aes256-gcm@openssh.com"],
      "chacha20-poly1305@openssh.com",
    ]);
  });
});

describe("connections", () => {
  const socket = (key: string, proxy = PROXY) =>
    /ControlPath (\S+)/.exec(files.renderSshConfig(proxy, [{ name: "main", key }]))?.[1];

  test("are shared for one key and one proxy alone", () => {
    const sockets = [
      socket(KEY_A),
      socket(KEY_B),
      socket(KEY_A, { ...PROXY, address: "10.88.0.6" }),
      socket(KEY_A, { ...PROXY, hostKey: KEY_B }),
    ];
    expect(new Set(sockets).size).toBe(4);
    expect(socket(`${KEY_A}\n`)).toBe(socket(KEY_A));
  });
});
