/** What reaches a host by SSH: sshd hands it to the login shell of the user, which need not be a POSIX shell. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, jest, test } from "@jest/globals";
import { cameToItsEnd, INSTALL_COMMAND, inPosixShell } from "../../hosts";
import { wrapScript } from "../../hosts/install";
import { remoteCommand, SshHost } from "../../operations/transport/ssh";
import { SAMPLE_HOST } from "../harness/sample-deployment";
import { inDirectory, tool, type Tool } from "./files-tools";

// Real shells, on a busy machine.
jest.setTimeout(180_000);

const SHELLS: Tool[] = ["dash", "bash", "fish", "tcsh"];

/** Runs a command as sshd does with this login shell; sudo is played by a script for those who are not root. */
function login(shell: Tool, directory: string, command: string, input: string) {
  const sudo = join(directory, "sudo");
  writeFileSync(sudo, '#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n');
  chmodSync(sudo, 0o755);
  const { status, stdout, stderr } = spawnSync(tool(shell), ["-c", command], {
    input,
    cwd: directory,
    env: { PATH: `${directory}:/usr/bin:/bin`, HOME: directory },
    timeout: 20_000,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe.each(SHELLS)("with the login shell %s", (shell) => {
  const install = (directory: string, script: string) => login(shell, directory, INSTALL_COMMAND, script);

  test("an install runs whole, its children cannot read it, and it says that it came to its end", () => {
    inDirectory((directory) => {
      const { status, stdout, stderr } = install(directory, wrapScript("cat\ntouch done"));
      expect({ status, stderr, end: cameToItsEnd(stdout) }).toEqual({ status: 0, stderr: "", end: true });
      expect(existsSync(join(directory, "done"))).toBe(true);
    });
  });

  test("an install's failure is passed on", () => {
    inDirectory((directory) => {
      expect(install(directory, wrapScript("exit 7"))).toMatchObject({ status: 7, stdout: "" });
      expect(install(directory, wrapScript("set -eu\nfalse\ntouch done")).status).toBe(1);
      expect(existsSync(join(directory, "done"))).toBe(false);
    });
  });

  test("an operator's tool and the command of `npm run ssh` run in /bin/sh, whatever is in them", async () => {
    const directory = mkdtempSync(join(tmpdir(), "login-"));
    try {
      const ssh = join(directory, "ssh");
      writeFileSync(ssh, `#!/bin/sh\nshift 3\nexec ${tool(shell)} -c "$*"\n`);
      chmodSync(ssh, 0o755);
      const host = new SshHost(SAMPLE_HOST, {
        folder: join(directory, "keys"),
        via: ["env", `PATH=${directory}:/usr/bin:/bin`],
      });
      const { stdout } = await host.sh(`say() { printf '%s\\n' "it's !x"; }\nsay\nreadlink /proc/$$/exe`);
      expect(stdout).toBe(`it's !x\n${programOfSh()}\n`);

      const command = `f() { printf '%s|' "$@" "it's !x \\\\"; }\nif f "a b" 'c'; then exit 7; fi`;
      expect(login(shell, directory, remoteCommand(command), "")).toMatchObject({
        status: 7,
        stdout: "a b|c|it's !x \\|",
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

function programOfSh(): string {
  return spawnSync("/bin/sh", ["-c", "readlink /proc/$$/exe"], { encoding: "utf8" }).stdout.trim();
}

test("a script cut off anywhere runs whole or not at all, and never counts as a success", () => {
  inDirectory((directory) => {
    const script = wrapScript("echo first >>ran\ncat <<'EOF' >>ran\nsecond\nEOF");
    for (let length = 0; length < script.length - 1; length += 1) {
      const { status } = login("dash", directory, INSTALL_COMMAND, script.slice(0, length));
      expect(status).not.toBe(0);
      const ran = join(directory, "ran");
      if (existsSync(ran)) {
        expect(readFileSync(ran, "utf8")).toBe("first\nsecond\n");
        rmSync(ran);
      }
    }
  });
});

test.each(["it's", "a\\b", "wow!", "two\nlines", "\r"])(
  "a program with %j is refused: shells read it differently",
  (program) => {
    expect(() => inPosixShell(program)).toThrow("for any login shell");
  },
);

describe("an install that did not say that it came to its end", () => {
  /** Runs the component against an engine whose remote command succeeded and printed this. */
  function update(stdout: string, preview = false) {
    const program = `
const pulumi = require("@pulumi/pulumi");
const { install } = require("./components/install");
void (async () => {
  await pulumi.runtime.setMocks({
    newResource: ({ name, inputs }) => ({ id: name, state: { ...inputs, stdout: ${JSON.stringify(stdout)} } }),
    call: ({ inputs }) => inputs,
  }, "project", "stack", ${String(preview)});
  const access = pulumi.output({ host: "192.0.2.7", port: 22, user: "debian", hostKey: "k", privateKey: "p" });
  install("web", { access, content: pulumi.output({ summary: { title: "t", script: "d", files: {} }, script: "x" }), paths: [] }, {});
  await pulumi.runtime.disconnect();
})();`;
    return spawnSync(process.execPath, ["--require", "tsx/cjs", "--eval", program], {
      cwd: join(__dirname, "../.."),
      encoding: "utf8",
      timeout: 60_000,
    });
  }

  test.each([
    ["a login that runs nothing", ""],
    ["one that repeats what it is sent", INSTALL_COMMAND + wrapScript(":")],
  ])("fails the update, with the remedy: %s", (_what, stdout) => {
    const { status, stderr } = update(stdout);
    expect(status).not.toBe(0);
    expect(stderr).toContain(
      "web: nothing was installed, though the login debian@192.0.2.7 reported success",
    );
    expect(stderr).toMatch(/pulumi up --replace 'urn:pulumi:stack::project::command:remote:Command::web'/);
  });

  test("is one in an update alone, and with that sentence it is done", () => {
    expect(update("secure-backups: the install came to its end\n")).toMatchObject({ status: 0 });
    expect(update("", true)).toMatchObject({ status: 0 });
  });
});
