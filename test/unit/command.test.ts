/** What all commands have in common. None of these command lines may reach Pulumi, a host or S3. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, jest, test } from "@jest/globals";
import { ROOT } from "../../operations/transport/run";
import { execute, OperatorCommand, StackOptions } from "../../scripts/command";
import { command as alarms } from "../../scripts/alarms";
import { command as destroy } from "../../scripts/destroy";
import { freezeCommand, thawCommand } from "../../scripts/freeze";
import { command as instructions } from "../../scripts/instructions";
import { command as keeper } from "../../scripts/keeper";
import { command as password } from "../../scripts/password";
import { command as recover } from "../../scripts/recover";
import { command as ssh } from "../../scripts/ssh";
import { command as status } from "../../scripts/status";
import { command as verify } from "../../scripts/verify";

jest.setTimeout(60_000);

const COMMANDS = [
  alarms,
  destroy,
  freezeCommand,
  instructions,
  keeper,
  password,
  recover,
  ssh,
  status,
  thawCommand,
  verify,
];

/** Runs a command in this process. */
async function run(command: OperatorCommand, ...args: string[]) {
  const printed = { stdout: "", stderr: "" };
  const status = await execute(command, args, {
    stdout: (text) => (printed.stdout += text),
    stderr: (text) => (printed.stderr += text),
  });
  return { status, ...printed };
}

const PROGRAM_ERROR = /^ +at /m;

describe.each(COMMANDS.map((command) => [command.label, command] as const))("%s", (label, command) => {
  test("is an npm script of that name", () => {
    const { scripts } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    expect(scripts[label]).toMatch(/^tsx scripts\/[a-z]+\.ts/);
  });

  test("prints its help on standard output, and nothing else", async () => {
    const long = await run(command, "--help");
    expect(long).toMatchObject({ status: 0, stderr: "" });
    expect(long.stdout).toMatch(new RegExp(`^Usage: npm run (--silent )?${label} -- .*\n\n`));
    expect(long.stdout).toContain("-h, --help");
    expect(long.stdout.includes("--stack <STACK>")).toBe(label !== "password");
    expect(await run(command, "-h")).toEqual(long);
  });

  test.each([
    ["an unknown option", ["--no-such-option"], "unknown option '--no-such-option'"],
    ["an option without its value", ["--stack"], /'--stack( <STACK>)?'/],
  ])("refuses %s", async (_, args, message) => {
    const { status, stdout, stderr } = await run(command, ...args);
    expect([status, stdout]).toEqual([64, ""]);
    expect(stderr).toMatch(message);
    const [first = "", ...others] = stderr.trimEnd().split("\n");
    for (const line of [first]) expect(line.startsWith(`${label}: `)).toBe(true);
    expect(others.at(-1)).toMatch(new RegExp(`^${label}: how it is used: npm run .*${label} -- --help$`));
    expect(stderr).not.toMatch(PROGRAM_ERROR);
  });
});

test.each<[string, OperatorCommand, string[], RegExp]>([
  ["no host", ssh, [], /missing required argument 'HOST'/],
  ["no client of instructions", instructions, [], /missing required argument 'CLIENT'/],
  ["two clients of instructions", instructions, ["web", "mail"], /too many arguments/],
  ["nothing asked of the keeper", keeper, [], /missing required argument 'REQUEST'/],
  ["no repository for the keeper", keeper, ["plan"], /missing required argument 'CLIENT\[\/REPOSITORY\]'/],
  ["what the keeper does not do", keeper, ["forget", "web"], /Allowed choices are status, plan, approve/],
  ["no repository of password", password, [], /missing required argument 'CLIENT\/REPOSITORY'/],
  ["two repositories of password", password, ["web/main", "web/other"], /too many arguments/],
  ["nothing to freeze", freezeCommand, [], /name the clients, or --all/],
  ["nothing to thaw", thawCommand, ["--new-keys"], /name the clients, or --all/],
  ["names besides --all", thawCommand, ["--all", "web"], /leave the names out/],
  ["new keys of a client that is frozen", freezeCommand, ["--new-keys", "web"], /'--new-keys'/],
  ["an operand of alarms", alarms, ["mail"], /too many arguments/],
  ["an operand of destroy", destroy, ["prod"], /too many arguments/],
  ["an operand of status", status, ["prod"], /too many arguments/],
  [
    "a status that repaints no terminal",
    status,
    ["--watch", "--json"],
    /repaints a terminal: standard output is none/,
  ],
  ["a status that repaints a page", status, ["--watch", "--html", "x"], /--json or --html is given/],
  ["an operand of verify", verify, ["prod"], /too many arguments/],
  ["a ring that there is not", verify, ["--ring", "4"], /Allowed choices are 1, 2, 3/],
  [
    "a time without a zone",
    recover,
    ["--client", "web", "--at", "2026-11-20"],
    /is not a date and time with a zone/,
  ],
  ["a misspelt option of recover", recover, ["--client", "web", "--aply"], /'--aply'[^]*--apply/],
  ["restic's arguments without --", recover, ["--client", "web", "restore"], /too many arguments/],
  [
    "another command of restic's",
    recover,
    ["--client", "web", "--repository", "main", "--at", "2026-11-20T03:00Z", "--", "forget"],
    /restic that reads/,
  ],
])(
  "the command line with %s is not understood, and the error says why",
  async (_, command, args, message) => {
    const { status, stdout, stderr } = await run(command, ...args);
    expect([status, stdout]).toEqual([64, ""]);
    expect(stderr).toMatch(message);
  },
);

describe("a command", () => {
  test("gets operands and options, and returns its exit status", async () => {
    const got: unknown[] = [];
    const command = new OperatorCommand("try", "Tries.")
      .argument("<HOST>")
      .does((host: string, { stack }: StackOptions) => {
        got.push(host, stack);
        return Promise.resolve(7);
      });
    expect(await run(command, "web", "--stack", "prod")).toEqual({ status: 7, stdout: "", stderr: "" });
    expect(await run(command, "mail")).toMatchObject({ status: 7 });
    expect(got).toEqual(["web", "prod", "mail", undefined]);
  });

  test("gets what follows -- unread, where it declares that", async () => {
    const command = new OperatorCommand("try", "Tries.", { rest: "ARGUMENTS…" }).does(() =>
      Promise.resolve(0),
    );
    await run(command, "--stack", "prod", "--", "ls", "--stack", "--", "-h");
    expect(command.rest).toEqual(["ls", "--stack", "--", "-h"]);
    await run(command);
    expect(command.rest).toBeUndefined();
  });

  test("passes on all that follows the host to ssh, options too", () => {
    const { operands, unknown } = ssh.parseOptions([
      "--stack",
      "prod",
      "web",
      "ls",
      "-l",
      "--help",
      "--",
      "--stack",
      "x",
    ]);
    expect([...operands, ...unknown]).toEqual(["web", "ls", "-l", "--help", "--", "--stack", "x"]);
    expect(ssh.opts()).toEqual({ stack: "prod" });
  });

  test.each([
    ["1 unless it says otherwise", undefined, 1],
    ["2 where it reports what could not be found out", 2, 2],
  ])(
    "that throws ends with status %s, without a stack trace or control characters",
    async (_, failure, status) => {
      const command = new OperatorCommand("try", "Tries.", { failure }).does(() =>
        Promise.reject(new Error("no \u009b2J\u202e\nhost")),
      );
      expect(await run(command)).toEqual({
        status,
        stdout: "",
        stderr: "try: no \\u{9b}2J\\u{202e}\nhost\n",
      });
    },
  );
});

test.each<[string, string[], number, RegExp, RegExp]>([
  ["verify.ts", ["-h"], 0, /^Usage: npm run verify/, /^$/],
  ["freeze.ts", ["thaw", "--old-keys"], 64, /^$/, /^thaw: unknown option '--old-keys'/],
  [
    "recover.ts",
    ["--all", "--at", "\u009b2J\u202e"],
    64,
    /^$/,
    /^recover: --at "\\u{9b}2J\\u{202e}" is not a date/,
  ],
  ["ssh.ts", ["web"], 1, /^$/, /^ssh: pulumi is not on PATH: install it from \S+\n$/],
  ["verify.ts", [], 2, /^$/, /^verify: pulumi is not on PATH: install it from \S+\n$/],
])("as a process %s %j ends with %j", (file, args, status, stdout, stderr) => {
  const ended = spawnSync(process.execPath, ["--import", "tsx", path.join(ROOT, "scripts", file), ...args], {
    cwd: ROOT,
    env: { ...process.env, PATH: "/nowhere" },
    encoding: "utf8",
  });
  expect(ended.status).toBe(status);
  expect(ended.stdout).toMatch(stdout);
  expect(ended.stderr).toMatch(stderr);
});
