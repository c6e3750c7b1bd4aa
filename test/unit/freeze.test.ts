import { DeployedClient, Deployment } from "../../operations/deployment";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import * as fc from "fast-check";
import { parse, stringify } from "yaml";
import { chosenClients } from "../../operations/freeze/arguments";
import * as configuration from "../../operations/freeze/configuration";
import { proxyWithout } from "../../operations/freeze/shut-out";
import { PROXY_USER } from "../../hosts";
import { ROOT } from "../../operations/transport/run";
import { SAMPLE_SETTINGS, sampleDeployment } from "../harness/sample-deployment";
import { ed25519 } from "../harness/config-example";

// The command line starts Node, which a busy machine makes slow.
jest.setTimeout(60_000);

/** The configuration of a stack that has its file alone. */
const configuredClients = (text: string) =>
  configuration.configuredClients([{ file: "Pulumi.prod.yaml", text }]);
const withFrozen = (text: string, names: string[], frozen: boolean): string =>
  configuration.withFrozen([{ file: "Pulumi.prod.yaml", text }], names, frozen)[0]?.text ?? text;

/** The one key that the proxy always has. */
const CANARY_LINE = `${sampleDeployment().canary.publicKey} .canary-verify`;

const EXAMPLE = fs.readFileSync(path.join(ROOT, "Pulumi.prod.yaml"), "utf8");

describe("the configuration", () => {
  /** The lines that differ, as `diff` shows them. */
  const difference = (before: string, after: string): string[] => {
    const [old, now] = [before.split("\n"), after.split("\n")];
    return [
      ...old.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
      ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
    ];
  };

  test("is frozen client by client, and no other byte of it changes", () => {
    const frozen = withFrozen(EXAMPLE, ["legacy", "appsrv"], true);
    expect(difference(EXAMPLE, frozen)).toEqual(Array(2).fill("+       frozen: true"));
    expect(frozen.split("\n")).toHaveLength(EXAMPLE.split("\n").length + 2);
    expect(configuredClients(frozen).map(({ name, frozen }) => [name, frozen])).toEqual([
      ["appsrv", true],
      ["legacy", true],
      ["partner", false],
    ]);
    const thawed = withFrozen(frozen, ["appsrv"], false);
    expect(difference(frozen, thawed)).toEqual(["+       frozen: false"]);
  });

  const file = (clients: string): string => `config:\n  secure-backups:clients:\n${clients}`;

  test.each([
    ["an empty value", file("    - name: a\n      frozen: # soon\n      kind: vm\n")],
    ["a value with a comment", file("    - name: a\n      frozen: false # for now\n      kind: vm\n")],
    ["a mapping in braces", file("    - { name: a, kind: vm }\n")],
    ["a name that comes last, without a line end", file("    - kind: vm\n      name: a")],
    ["a name in quotes", file('    - "name": "a"\n      kind: vm\n')],
    ["a name with a comment", file("    - name: a # the first\n      kind: vm\n")],
    ["line ends of Windows", file("    - name: a\n      kind: vm\n").replaceAll("\n", "\r\n")],
    ["an encrypted value", file("    - name: a\n      repositories: [{ password: { secure: v1:x } }]\n")],
  ])("takes %s", (_, before) => {
    const after = withFrozen(before, ["a"], true);
    expect(configuredClients(after)).toMatchObject([{ name: "a", frozen: true }]);
    for (const comment of before.match(/#.*/g) ?? []) expect(after).toContain(comment.trimEnd());
    expect(configuredClients(withFrozen(after, ["a"], false))).toMatchObject([{ frozen: false }]);
  });

  test("says the same otherwise, however it is written", () => {
    const client = fc.record({
      name: fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/),
      frozen: fc.option(fc.boolean(), { nil: undefined }),
      kind: fc.constantFrom("vm", "key-only"),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(client, { minLength: 1, maxLength: 5, selector: ({ name }) => name }),
        fc.boolean(),
        fc.boolean(),
        (clients, flow, frozen) => {
          const before = stringify(
            { config: { "secure-backups:clients": clients } },
            {
              collectionStyle: flow ? "flow" : "block",
            },
          );
          const [first] = clients;
          const after = parse(withFrozen(before, [first?.name ?? ""], frozen)) as object;
          const wanted = [{ ...first, frozen }, ...clients.slice(1)];
          expect(after).toEqual({
            config: { "secure-backups:clients": JSON.parse(JSON.stringify(wanted)) as object },
          });
        },
      ),
    );
  });

  test("is changed in a client's own file, where it has one", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "clients-"));
    const write = (name: string, text: string): void => {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), text);
    };
    write("Pulumi.prod.yaml", `config:\n  secure-backups:clientsFolder: clients/prod\n`);
    write("clients/prod/web.yaml", "# The web server.\nkind: vm\nrepositories: []\n");
    write("clients/prod/mail.yaml", "name: mail # its name\nkind: vm\nfrozen: true\n");
    write("clients/prod/.hidden.yaml", "{");
    try {
      const sources = configuration.readSources(path.join(folder, "Pulumi.prod.yaml"), folder);
      expect(configuration.configuredClients(sources)).toEqual([
        { name: "mail", frozen: true, publicKeys: {} },
        { name: "web", frozen: false, publicKeys: {} },
      ]);
      const changed = configuration.withFrozen(sources, ["web"], true);
      expect(changed).toEqual([
        {
          file: path.join(folder, "clients/prod/web.yaml"),
          text: "# The web server.\nfrozen: true\nkind: vm\nrepositories: []\n",
        },
      ]);
      expect(configuration.withFrozen(sources, ["mail"], false)[0]?.text).toBe(
        "name: mail # its name\nkind: vm\nfrozen: false\n",
      );
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  test.each([
    ["an unknown client", EXAMPLE, "no client web: its clients are appsrv, legacy, partner"],
    ["no list", "config:\n  secure-backups:clients: none\n", "is no list"],
    ["a client without a name of its own", file("    - kind: vm\n"), "clients[0] is no mapping with a name"],
    ["what is no YAML", "config: [", "is no YAML"],
  ])("with %s is refused", (_, before, message) => {
    expect(() => withFrozen(before, ["web"], true)).toThrow(message);
  });
});

describe("the clients of a command line", () => {
  test.each<[string[], boolean, string]>([
    [[], false, "name the clients, or --all"],
    [["web"], true, "leave the names out"],
  ])("%j with --all %j is refused", (names, all, message) => {
    expect(() => chosenClients(names, all)).toThrow(message);
  });

  test("are those that it names, each once, or all", () => {
    expect(chosenClients(["web", "mail", "web"])).toEqual(["web", "mail"]);
    expect(chosenClients([], true)).toBe("all");
  });
});

const PROXY_COMMAND =
  "urn:pulumi:prod::secure-backups::secure-backups:index:Proxy$command:remote:Command::rclonesrv";
const keyUrn = (name: string): string =>
  `urn:pulumi:prod::secure-backups::secure-backups:index:ClientKeys$tls:index/privateKey:PrivateKey::${name}`;

function client(name: string, byte: number, kind: DeployedClient["kind"] = "vm"): DeployedClient {
  const repositories = [{ ...SAMPLE_SETTINGS, publicKey: ed25519(byte), password: "p" }];
  return { name, kind, frozen: false, repositories };
}

const OPERATIONS: Deployment = sampleDeployment({
  clients: [
    client("web", 11),
    client("web-two", 12),
    { ...client("old", 13), frozen: true },
    client("partner", 14, "key-only"),
  ],
});
OPERATIONS.proxy.rclone.sha256 = "a".repeat(64);

test("what the proxy gets lacks the keys of those who are frozen, and of nobody else", () => {
  const { summary } = proxyWithout(OPERATIONS, new Set(["web"]));
  const { concerns = [] } = summary.files[`/etc/ssh/authorized_keys.d/${PROXY_USER}`] ?? {};
  const admitted = concerns.map((line) => line.split(" ")[0]);
  expect(admitted).toEqual([".canary/verify", "partner/main", "web-two/main"]);
});

describe("the commands", () => {
  let folder: string;
  const at = (name: string): string => path.join(folder, name);

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "freeze-"));
    const partner = { name: "partner", repositories: [{ name: "main", publicKey: ed25519(14) }] };
    const names = ["web", "web-two", "old"].map((name) => ({ name, frozen: name === "old" }));
    fs.writeFileSync(
      at("Pulumi.prod.yaml"),
      stringify({ config: { "secure-backups:clients": [...names, partner] } }),
    );
  });
  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  /** Runs a command with a `pulumi` and an `ssh` of the test's making; these are the URNs of the stack. */
  async function tool(
    args: string[],
    {
      urns = [PROXY_COMMAND],
      up = 0,
      ssh = `cat >/dev/null; echo '${CANARY_LINE}'`,
    }: { urns?: string[]; up?: number; ssh?: string } = {},
  ) {
    const program = (name: string, script: string): void => {
      fs.writeFileSync(at(name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    };
    fs.writeFileSync(at("deployment"), JSON.stringify({ deployment: OPERATIONS }));
    program(
      "pulumi",
      `case $1-$2 in
  stack-output) cat ${at("deployment")} ;;
  stack-*) printf '%s\\n' ${urns.map((urn) => `'    URN: ${urn}'`).join(" ")} ;;
  up-*) printf '%s\\n' "$@" >${at("up")}; exit ${String(up)} ;;
esac`,
    );
    program("ssh", `echo "ssh" >>${at("ssh-calls")}\n${ssh}`);
    const child = spawn(
      process.execPath,
      ["--import", "tsx", path.join(ROOT, "scripts/freeze.ts"), ...args],
      {
        cwd: ROOT,
        env: {
          ...process.env,
          PATH: `${folder}:${process.env.PATH ?? ""}`,
          PULUMI_OPTION_CONFIG_FILE: at("Pulumi.prod.yaml"),
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const closed = once(child, "close") as Promise<[number]>;
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const [code] = await closed;
    const read = (name: string): string => (fs.existsSync(at(name)) ? fs.readFileSync(at(name), "utf8") : "");
    const frozen = configuredClients(read("Pulumi.prod.yaml")).filter(({ frozen }) => frozen);
    return {
      code,
      stdout,
      stderr,
      frozen: frozen.map(({ name }) => name),
      up: read("up").trim().split("\n"),
      sshCalls: read("ssh-calls").split("\n").length - 1,
    };
  }

  test("freeze edits the configuration, ends the access on the proxy, and runs an update that contacts no client", async () => {
    const { code, stdout, frozen, up, sshCalls } = await tool(["freeze", "--stack", "prod", "web"]);
    expect([code, stdout, frozen, sshCalls]).toEqual([0, "web\n", ["web", "old"], 2]);
    expect(up).toEqual(
      expect.arrayContaining(["--stack", "prod", "--yes", "--continue-on-error", "--exclude"]),
    );
    expect(up.slice(-2)).toEqual([
      "urn:pulumi:prod::**Client$command:remote:Command::**",
      "--exclude-dependents",
    ]);
  });

  test("freeze --all names those whom it froze, so that they can be thawed", async () => {
    const { stdout, frozen } = await tool(["freeze", "--all"]);
    expect(stdout).toBe("web\nweb-two\npartner\n");
    expect(frozen).toEqual(["web", "web-two", "old", "partner"]);
  });

  test("freeze shuts out although the update fails, and says which of the two was done", async () => {
    const failed = await tool(["freeze", "web"], { up: 255 });
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(
      /the proxy admits none of their keys any more[\s\S]*They are shut out all the same/,
    );
    const neither = await tool(["freeze", "web"], { up: 255, ssh: "echo gone away >&2; exit 255" });
    expect(neither.stderr).toMatch(/could not be removed directly[\s\S]*They are NOT shut out/);
  });

  test("freeze takes a proxy's word for nothing: a key that is still there is named", async () => {
    const { stderr } = await tool(["freeze", "web", "web-two"], {
      up: 1,
      ssh: `cat >/dev/null; echo '${CANARY_LINE}'; echo '${ed25519(12)} web-two-main'`,
    });
    expect(stderr).toContain("the proxy still admits web-two/main");
    const silent = await tool(["freeze", "web"], { up: 1, ssh: "cat >/dev/null" });
    expect(silent.stderr).toMatch(/the proxy's keys could not be read[\s\S]*They are NOT shut out/);
  });

  test("freeze makes no proxy where there is none", async () => {
    const { code, stderr, frozen, up, sshCalls } = await tool(["freeze", "web"], {
      urns: [keyUrn("web-main")],
    });
    expect([code, frozen, up, sshCalls]).toEqual([0, ["web", "old"], [""], 0]);
    expect(stderr).toContain("the stack has no proxy now");
  });

  test("a name that is no client's changes nothing", async () => {
    const { code, stderr, frozen, up } = await tool(["freeze", "web", "wbe"]);
    expect([code, frozen, up]).toEqual([1, ["old"], [""]]);
    expect(stderr).toContain("no client wbe");
  });

  test("thaw --new-keys replaces the keys of those clients alone", async () => {
    const urns = [PROXY_COMMAND, ...["old-main", "web-main", "web-two-main"].map(keyUrn)];
    const { code, frozen, up } = await tool(["thaw", "--new-keys", "old", "web"], { urns });
    expect([code, frozen]).toEqual([0, []]);
    expect(up.filter((arg) => arg.startsWith("urn:"))).toEqual([keyUrn("old-main"), keyUrn("web-main")]);
    expect(up).not.toContain("--exclude");
  });

  test("thaw --new-keys refuses a key-only client whose old keys are still configured, before it changes anything", async () => {
    await tool(["freeze", "partner"]);
    fs.rmSync(at("up"));
    const { code, stderr, frozen, up } = await tool(["thaw", "--new-keys", "partner"]);
    expect([code, frozen, up]).toEqual([1, ["old", "partner"], [""]]);
    expect(stderr).toContain("still has the old publicKey of partner/main");
  });
});
