import { describe, expect, test } from "@jest/globals";
import {
  type Case,
  changed,
  CONTROL,
  errorsOf,
  FILL_IN,
  PUB,
  reportsEach,
  RESTIC,
  RESTIC_NAMES,
} from "../harness/config-errors";
import { PRIVATE_KEY, blob, ed25519 } from "../harness/config-example";

const BRACKET =
  'is a pattern that restic refuses (a "[" has no "]" with characters or ranges before it, and no slash between; ' +
  'write "\\[" for a bracket)';
const home = (found: string) =>
  `has "${found}", which is not expanded here; write the folder itself, for example "/root"`;
const glob = (above: string) =>
  "is a pattern, but paths are not expanded; list each path by its name, or give " +
  `"${above}" and leave the rest out with excludes`;

describe("a right configuration", () => {
  test.each([
    [
      "clients[0].repositories[0].excludes",
      ["~$*", "*~", "$RECYCLE.BIN", "Foo$Bar.class", "!/a/**/[!x]?", "a]"],
    ],
    [
      "clients[0].repositories[0].paths",
      ["/srv/~", "/srv/a]", "/srv/{a}", "/srv/[]", "/srv/C$", "/process", "/runs"],
    ],
  ])("may have %s: %j", (field, value) => {
    expect(errorsOf(changed(field, value))).toEqual([]);
  });
});

describe("an error in one field", () => {
  const nextKey = ed25519(9).slice("ssh-ed25519 ".length);
  const cases: Case[] = [
    [
      "clients[0].repositories",
      [],
      "clients[0].repositories: empty list; list the client's repositories, at least one, each with name and paths",
    ],
    [
      "clients[0].repositories[0].password",
      "FILL-IN-PASSWORD",
      `clients[0].repositories[0].password: (secret) ${FILL_IN}`,
    ],
    [
      "clients[0].repositories[1].name",
      "main",
      'clients[0].repositories[1].name: "main" is the name of secure-backups:clients[0].repositories[0].name too; choose another name',
    ],
    [
      "clients[0].repositories[0].paths",
      [],
      'clients[0].repositories[0].paths: missing; list the paths to back up, at least one, for example ["/srv/data"], or give stdin',
    ],
    ...(
      [
        ["schedule", "*-02-30", '"*-02-30" is a time that never comes; correct the date'],
        [
          "schedule",
          "every day",
          '"every day" is not a calendar expression of systemd; write for example "daily", "Mon..Fri 22:30" or "*:0/15", or "none"',
        ],
        [
          "window",
          1440,
          "1440 is not less than 1440 minutes, the shortest time between two runs of a day; write a smaller number",
        ],
        ["window", -1, "-1 is not a number of minutes; write a number from 0 to 10080 without quotes"],
        ["before", { command: "" }, ["before.command: empty; give a command for /bin/sh"]],
        [
          "before",
          { command: "a\u0000b" },
          ['before.command: "a\\u0000b" has a control character; remove it'],
        ],
        [
          "after",
          { command: "x", minutes: 0 },
          ["after.minutes: 0 is not a number of minutes; write a number from 1 to 10080 without quotes"],
        ],
        [
          "stdin",
          { command: "pg_dump shop", filename: "/shop.sql" },
          [
            'stdin.filename: "/shop.sql" is not the plain name of a file; write letters, digits, dots and dashes, for example shop.sql',
            "paths: not beside stdin; give the paths a repository of their own",
          ],
        ],
        [
          "bandwidth",
          { upload: "1M" },
          [
            'bandwidth.upload: "1M" is not a number of KiB a second; write a number from 1 to 100000000 without quotes',
          ],
        ],
        ["compression", "zip", '"zip" is not a compression; write "auto", "off" or "max"'],
        ["packSize", 256, "256 is not a number of MiB; write a number from 4 to 128 without quotes"],
      ] as const
    ).map(([field, value, problem]): Case => {
      const repository = "clients[0].repositories[0]";
      const lines = typeof problem === "string" ? [`${field}: ${problem}`] : problem;
      return [`${repository}.${field}`, value, ...lines.map((line) => `${repository}.${line}`)];
    }),
    [
      "clients[0].repositories[0].paths[0]",
      "srv",
      'clients[0].repositories[0].paths[0]: "srv" is not absolute; begin it with a slash, for example "/srv/data"',
    ],
    ...[
      ["/srv/", "/srv"],
      ["//srv", "/srv"],
      ["/a/./b/../c", "/a/c"],
      ["/..", "/"],
    ].map(([text, normal]): Case => [
      "clients[0].repositories[0].paths",
      [text],
      `clients[0].repositories[0].paths[0]: "${text}" is not in its plain form; write "${normal}"`,
    ]),
    [
      "clients[0].repositories[0].paths[1]",
      "/a\0",
      `clients[0].repositories[0].paths[1]: "/a\\u0000" ${CONTROL}`,
    ],
    [
      "clients[0].repositories[0].paths[1]",
      "/",
      'clients[0].repositories[0].paths[1]: "/" is already in this list, at [0]; remove one of the two',
    ],
    ...[
      ["/home/*/x", "/home"],
      ["/srv/data[12]/a", "/srv"],
      ["/srv/{a,b}", "/srv"],
      ["/srv?", "/"],
    ].map(([text, above = ""]): Case => [
      "clients[0].repositories[0].paths[1]",
      text,
      `clients[0].repositories[0].paths[1]: "${text}" ${glob(above)}`,
    ]),
    ...["paths", "excludes"].flatMap((list): Case[] =>
      [
        ["~/data", "~"],
        ["~web/data", "~web"],
        ["~", "~"],
        ["$HOME/data", "$HOME"],
        ["/srv/${USER}/data", "${USER}"],
        ["$XDG_CACHE_HOME", "$XDG_CACHE_HOME"],
      ].map(([text, found = ""]) => [
        `clients[0].repositories[0].${list}[1]`,
        text,
        `clients[0].repositories[0].${list}[1]: "${text}" ${home(found)}`,
      ]),
    ),
    [
      "clients[0].repositories[0].excludes[1]",
      "!~/keep",
      `clients[0].repositories[0].excludes[1]: "!~/keep" ${home("~")}`,
    ],
    ...["/proc", "/sys/fs", "/dev/shm", "/run/user"].map((path): Case => [
      "clients[0].repositories[0].paths[1]",
      path,
      `clients[0].repositories[0].paths[1]: "${path}" lies in ${path.slice(0, 5).replace(/\/$/, "")}, ` +
        "which the kernel creates at each start and no backup can restore; leave it out",
    ]),
    ...["/srv/[cache", "![a-", "a/[]/b", "[a/b]", "*[^]"].map((pattern): Case => [
      "clients[0].repositories[0].excludes[1]",
      pattern,
      `clients[0].repositories[0].excludes[1]: "${pattern}" ${BRACKET}`,
    ]),
    [
      "clients[0].repositories[0].excludes[1]",
      "cache\\",
      'clients[0].repositories[0].excludes[1]: "cache\\\\" is a pattern that restic refuses ' +
        '(a backslash ends it; write "\\\\" for a backslash)',
    ],
    [
      "clients[0].repositories[0].oneFileSystem",
      "yes",
      'clients[0].repositories[0].oneFileSystem: "yes" is not true or false; write true or false without quotes',
    ],
    [
      "clients[0].repositories[0].excludes[1]",
      "a\nb",
      `clients[0].repositories[0].excludes[1]: "a\\nb" ${CONTROL}`,
    ],
    [
      "clients[0].repositories[0].password",
      "",
      "clients[0].repositories[0].password: empty; give the password of the existing repository, or leave it out",
    ],
    [
      "clients[0].repositories[0].password",
      "hush\n",
      `clients[0].repositories[0].password: (secret) ${CONTROL}`,
    ],
    [
      "clients[0].repositories[0].publicKey",
      ed25519(5),
      'clients[0].repositories[0].publicKey: is for clients of kind "key-only"; leave it out, the stack creates this client\'s key',
    ],
    [
      "clients[2].repositories[0].publicKey",
      undefined,
      'clients[2].repositories[0].publicKey: missing; give the public key that its operator sent, "ssh-ed25519 AAAA…"',
    ],
    [
      "clients[2].repositories[1]",
      { name: "two", paths: ["/b"], publicKey: ed25519(3) },
      `clients[2].repositories[1].publicKey: "${ed25519(3)}" is the key of secure-backups:clients[2].repositories[0].publicKey too; let its operator make one for each repository`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      PRIVATE_KEY.trim(),
      `clients[2].repositories[0].publicKey: (secret) ${CONTROL}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      `${ed25519(3)}\n`,
      `clients[2].repositories[0].publicKey: "${ed25519(3)}\\n" ${CONTROL}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      "ssh-rsa AAAA",
      `clients[2].repositories[0].publicKey: "ssh-rsa AAAA" has the type ssh-rsa, which is not accepted here; use ssh-ed25519: ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      nextKey,
      `clients[2].repositories[0].publicKey: "${nextKey}" is not a public key that begins with ssh-ed25519; ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      `command="x" ${ed25519(3)}`,
      `clients[2].repositories[0].publicKey: "command=\\"x\\" ${ed25519(3)}" is not a public key that begins with ssh-ed25519; ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      "ssh-ed25519 AAA*",
      `clients[2].repositories[0].publicKey: "ssh-ed25519 AAA*" has no valid base64 after its type; ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      `ssh-ed25519 ${blob("ssh-rsa", "x")}`,
      `clients[2].repositories[0].publicKey: "ssh-ed25519 ${blob("ssh-rsa", "x")}" is cut short or altered (its content is not of type ssh-ed25519); ${PUB}`,
    ],
    [
      "clients[2].repositories[0].publicKey",
      `ssh-ed25519 ${blob("ssh-ed25519", Buffer.alloc(31))}`,
      `clients[2].repositories[0].publicKey: "ssh-ed25519 ${blob("ssh-ed25519", Buffer.alloc(31))}" is cut short or altered (an ed25519 key has 32 bytes); ${PUB}`,
    ],
    ...RESTIC_NAMES.map((name): Case => [
      "clients[2].repositories[0].name",
      name,
      `clients[2].repositories[0].name: "${name}" ${RESTIC} "${name}-1"`,
    ]),
  ];
  reportsEach(cases);
});
