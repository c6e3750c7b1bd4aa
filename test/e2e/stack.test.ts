import { CACHE, LOCAL_CLOUD } from "../../scripts/dev/cloud";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import * as YAML from "yaml";
import { backupRoundTrip } from "../../scripts/dev/demo/round-trip";
import { BootedHost } from "../../scripts/dev/booted-host";
import { cloudFacts, ensurePrerequisites, LocalStack } from "../../scripts/dev/local-stack";
import { shellQuote } from "../../hosts";
import { run } from "../../operations/transport/run";
import { SshHost } from "../../operations/transport/ssh";
import { sshKey } from "../../operations/transport/ssh-key";
import { renderPreviewComment } from "../../operations/preview/comment";
import { ringTests } from "./rings";

jest.setTimeout(3_600_000);

/** What a step of a preview says of one resource. */
interface Step {
  op: string;
  urn: string;
  newState?: { type: string };
  oldState?: { type: string };
  detailedDiff?: Record<string, unknown> | null;
  diffReasons?: string[];
}

interface Client {
  name: string;
  kind: string;
  repositories: {
    name: string;
    paths: string[];
    excludes?: string[];
    schedule?: string;
    publicKey?: string;
  }[];
  [field: string]: unknown;
}

/** A path that means something else wherever it is not quoted. */
const AWKWARD_PATH = '/srv/o\'brien $(id) $5 #1 "é"';

const stack = new LocalStack();
/** Servers that join the stack's own. */
let existing: BootedHost, partner: BootedHost;
let demo = "";

/** Changes the list of clients in the configuration as its owner would in an editor. */
function editClients(change: (clients: Client[]) => void): void {
  stack.editConfig((text) => {
    const document = YAML.parse(text) as { config: Record<string, Client[]> };
    change(document.config["secure-backups:clients"] as Client[]);
    return YAML.stringify(document);
  });
}

/** A preview: what it would change, as `OPERATION TYPE NAME` lines, sorted, and all that Pulumi says of it. */
async function previewed(...args: string[]): Promise<{ changes: string[]; json: unknown }> {
  const { stdout } = await stack.pulumi(["preview", "--json", ...args]);
  const json = JSON.parse(stdout) as { steps: Step[] };
  const changes = json.steps
    .filter(({ op }) => op !== "same" && op !== "read")
    .map(({ op, urn, newState, oldState }) => {
      const type = (newState ?? oldState)?.type ?? "";
      return `${op} ${type} ${urn.split("::").pop() as string}`;
    })
    .filter((line) => !line.includes("pulumi:pulumi:Stack"))
    .sort();
  return { changes, json };
}

/** The lines alone. */
async function preview(...args: string[]): Promise<string[]> {
  return (await previewed(...args)).changes;
}

/** A restic command with a client's own key and password, run where `ssh` leads. */
function restic(host: SshHost, repository: string, args: string) {
  return host.sh(`restic-backup ${shellQuote(repository)} ${args} 2>&1`, { accept: "any", timeout: 240 });
}

/** What a key-only client's operator does before following the instructions: install restic. */
function provideRestic(host: BootedHost) {
  return host.ssh.sh(
    `curl -sf -o /usr/local/bin/restic ${cloudFacts().artifactsUrl}restic && chmod 755 /usr/local/bin/restic`,
  );
}

/** The client of this name in a list that is being edited. */
function named(clients: Client[], name: string): Client {
  const client = clients.find((each) => each.name === name);
  if (client === undefined) throw new Error(`there is no client ${name}`);
  return client;
}

beforeAll(async () => {
  await ensurePrerequisites();
  await stack.open();
  const fresh = (await stack.deployed()) ? ["--", "--fresh"] : [];
  demo = (await run("npm", ["run", "demo", ...fresh], { timeout: 2700, show: true })).stdout;
  await stack.open();
  await stack.resetConfig();
}, 2_760_000);

afterAll(async () => {
  for (const host of [existing, partner] as (BootedHost | undefined)[]) await host?.stop();
});

test("the demo backs up, restores and is refused to forget on every repository", () => {
  for (const repository of ["appsrv1/main", "appsrv1/database", "filesrv1/files"]) {
    expect(demo).toMatch(new RegExp(`^ *${repository} .*forget refused: 403$`, "m"));
  }
});

test("the demo shows a backup that a timer began", () => {
  expect(demo).toMatch(/^files +ok +\d{4}-\d\d-\d\d \d\d:\d\d/m);
});

test("the demo shows a round of the keeper, in which a forged date changes nothing", () => {
  const report = demo.slice(demo.indexOf("What the keeper makes of a snapshot with a forged date"));
  expect(report).toMatch(/0 snapshots to forget, [4-9] stay/);
  expect(report).toMatch(/guard: done /);
  expect(report).toMatch(/check: done /);
  expect(report).toMatch(/1 snapshot with a date that does not fit/);
  expect(report).toMatch(/claims 2099-01-01/);
});

test("the demo shows an alarm that arrives, and the status of all backups with what is amiss first", () => {
  const report = demo.slice(demo.indexOf("What reached the receiver of alarms"));
  expect(report).toMatch(/filesrv1\/files.*date that does not fit/s);
  const rows = report
    .slice(report.indexOf("How all backups are"), report.indexOf("Every repository was backed up"))
    .split("\n")
    .filter((line) => /^ *(?:appsrv1|filesrv1)\/\w+ /.test(line));
  expect(rows).toHaveLength(3);
  expect(rows[0]).toContain("filesrv1/files");
});

test("an update without a change changes nothing", async () => {
  await stack.up(["--expect-no-changes"]);
});

test("secrets stay out of user data, process lists and what Pulumi prints", async () => {
  const { passwords, repositoryRootKey, operatorPrivateKey } = await stack.outputs();
  const secrets = [...Object.values(passwords), repositoryRootKey, operatorPrivateKey].map((text) =>
    text.trim(),
  );
  const host = await stack.host("appsrv1");
  const seen = [
    (await stack.pulumi(["preview", "--diff"])).stdout,
    (await stack.pulumi(["stack", "output"])).stdout,
    (await stack.pulumi(["stack", "export"])).stdout,
    (
      await host.sh(
        "ps -eo args; cat /var/lib/cloud/instance/user-data.txt; journalctl --no-pager -q || true",
      )
    ).stdout,
  ].join("\n");
  for (const secret of secrets) expect(seen.includes(secret)).toBe(false);
});

test("an error in the configuration is reported before anything changes", async () => {
  const resources = async () => {
    const { stdout } = await stack.pulumi(["stack", "export", "--show-secrets"]);
    return (JSON.parse(stdout) as { deployment: { resources: unknown[] } }).deployment.resources;
  };
  const before = await resources();
  await stack.setConfig("clients[0].repositories[0].name", "locks");
  try {
    const { code, stdout, stderr } = await stack.up([], { accept: "any" });
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain('secure-backups:clients[0].repositories[0].name: "locks"');
    expect(stdout + stderr).not.toMatch(/^ +at /m);
    expect(await resources()).toEqual(before);
  } finally {
    await stack.resetConfig();
  }
});

test("a changed path previews as what it is and reaches that client's host alone", async () => {
  editClients((clients) => {
    named(clients, "filesrv1").repositories[0]?.paths.push("/srv/more path");
  });
  expect(await preview()).toEqual([
    "update command:remote:Command filesrv1",
    "update secure-backups:hosts:Files filesrv1",
    "update secure-backups:index:Client filesrv1",
  ]);
  await stack.up();
  const { stdout } = await (
    await stack.host("filesrv1")
  ).sh("tr '\\0' '\\n' </etc/restic-backup/files/paths");
  expect(stdout).toBe("/srv/files\n/srv/more path\n");
});

test("clients of every kind join without touching the others", async () => {
  const { operatorPrivateKey, operatorPublicKey, passwords } = await stack.outputs();
  const operator = { privateKey: operatorPrivateKey, publicKey: operatorPublicKey };
  [existing, partner] = await Promise.all([
    BootedHost.start("existing", "172.24.4.202", operator),
    BootedHost.start("partner", "172.24.4.203"),
  ]);
  const partnerKey = await sshKey();

  editClients((clients) => {
    clients.push({
      name: "existing",
      kind: "existing",
      ssh: { address: existing.address6, user: "debian", hostKey: existing.hostKey },
      repositories: [{ name: "main", paths: [AWKWARD_PATH], schedule: "yearly" }],
    });
    clients.push({
      name: "partner",
      kind: "key-only",
      sourceCidrs: [`${partner.address}/32`],
      repositories: [
        { name: "main", paths: ["/srv/data"], schedule: "yearly", publicKey: partnerKey.publicKey },
      ],
    });
  });
  const { changes, json } = await previewed();
  expect(changes.filter((line) => !line.startsWith("create "))).toEqual([
    "update command:remote:Command keepersrv",
    "update command:remote:Command rclonesrv",
    "update secure-backups:hosts:Files keepersrv",
    "update secure-backups:hosts:Files rclonesrv",
    "update secure-backups:index:Keeper keepersrv",
    expect.stringMatching(/^update secure-backups:index:Network /),
    "update secure-backups:index:Proxy rclonesrv",
  ]);
  expect(changes.filter((line) => /appsrv|filesrv/.test(line))).toEqual([]);

  const comment = renderPreviewComment(json, "local");
  for (const what of ["existing/main", "partner/main", existing.address6]) expect(comment).toContain(what);
  for (const secret of Object.values(passwords)) expect(comment.includes(secret)).toBe(false);
  await stack.up();

  const now = await stack.outputs();
  const follow = () => partner.ssh.sh(now.clients.partner?.instructions as string, { accept: "any" });
  const firstBackup = async () => {
    await existing.ssh.sh(`mkdir -p ${shellQuote(AWKWARD_PATH)}`);
    const settings = await existing.ssh.sh("cat /etc/restic-backup/ssh_config");
    expect(settings.stdout).toContain(`HostName ${now.proxy.address6 as string}\n`);
    const trip = await backupRoundTrip(existing.ssh, "existing", "main");
    expect(trip.files).toBeGreaterThan(600);
  };
  /** The operator of the key-only client follows the printed instructions to the letter. */
  const byInstructions = async () => {
    expect(now.clients.partner?.instructions).not.toContain(now.passwords["partner/main"]);
    expect((await follow()).stderr).toContain("restic is missing: install version 0.12 or newer");
    await provideRestic(partner);
    expect((await follow()).stderr).toContain("put the private key of SHA256:");
    await partner.ssh.sh(`umask 077
printf %s ${shellQuote(partnerKey.privateKey)} >/etc/restic-backup/main/id_ed25519
printf %s ${shellQuote(now.passwords["partner/main"] as string)} >/etc/restic-backup/main/password
mkdir -p /srv/data && echo hello >/srv/data/file`);
    expect(await follow()).toMatchObject({ code: 0 });
    await partner.ssh.sh("restic-backup main && restic-backup main restore latest --target /tmp/restored");
    expect((await partner.ssh.sh("cat /tmp/restored/srv/data/file")).stdout).toBe("hello\n");
  };
  await Promise.all([firstBackup(), byInstructions()]);
});

test("a rotated key ends the old one at once and disturbs no other client", async () => {
  const host = existing.ssh;
  const other = await stack.host("appsrv1");
  // The old key in an attacker's hand, with a connection that they keep open.
  await host.sh(`rm -rf /root/stolen /run/stolen
cp -a /etc/restic-backup /root/stolen
mkdir -m 700 /run/stolen
sed -i 's,/etc/restic-backup,/root/stolen,g; s,/run/restic-backup,/run/stolen,g; s,ControlPersist.*,ControlPersist 1h,' \
  /root/stolen/ssh_config`);
  const stolen = () => host.sh("ssh -F /root/stolen/ssh_config main </dev/null 2>&1", { accept: "any" });
  expect((await stolen()).stdout).not.toContain("Permission denied");
  await other.sh("rm -f /run/rotated");
  const slowBackup = other.sh(
    `(until [ -e /run/rotated ]; do head -c 50000 /dev/urandom; sleep 1; done) |
  restic-backup main backup --stdin --stdin-filename slow 2>&1`,
  );

  const urn = /urn:\S*::existing-main\b/.exec(
    (await stack.pulumi(["stack", "--show-urns"])).stdout,
  )?.[0] as string;
  const changes = await preview("--replace", urn);
  expect(changes.filter((line) => !line.includes("PrivateKey existing-main"))).toEqual([
    "update command:remote:Command existing",
    "update command:remote:Command rclonesrv",
    "update secure-backups:hosts:Files existing",
    "update secure-backups:hosts:Files rclonesrv",
  ]);
  await stack.up(["--replace", urn]);
  const refused = await stolen();
  expect(refused.code).toBe(255);
  expect(refused.stdout).toContain("Permission denied");
  expect((await restic(host, "main", "snapshots")).code).toBe(0);
  await other.sh("touch /run/rotated");
  await slowBackup;
});

test("a renamed repository starts empty and its former backups stay readable; a killed update is completed by the next", async () => {
  const before = await stack.outputs();
  const host = await stack.host("filesrv1");
  const rename = (name: string) => {
    editClients((clients) => {
      const [repository] = named(clients, "filesrv1").repositories;
      if (repository) repository.name = name;
    });
  };
  const ids = async () => (await restic(host, "files", "snapshots --json")).stdout;
  const snapshots = await ids();
  rename("archive");
  const changes = await preview();
  expect(changes).toContain("create tls:index/privateKey:PrivateKey filesrv1-archive");
  expect(changes).toContain("delete tls:index/privateKey:PrivateKey filesrv1-files");
  expect(changes.filter((line) => /appsrv1|existing|partner/.test(line))).toEqual([]);
  await stack.up();
  expect(JSON.parse((await restic(host, "archive", "snapshots --json")).stdout)).toEqual([]);
  expect((await host.sh("ls /etc/restic-backup")).stdout).not.toContain("files");

  // With the name back, key and password open the repository that was left; another one joins in the same update.
  rename("files");
  editClients((clients) => {
    named(clients, "filesrv1").repositories.push({
      name: "second",
      paths: ["/srv/second"],
      schedule: "yearly",
    });
  });
  const killed = await stack.up([], { timeout: 14, accept: "any" }).catch((error: unknown) => error);
  expect(killed).toBeInstanceOf(Error);
  await stack.pulumi(["cancel", "--yes"], { accept: "any" });
  await stack.up();
  expect(await preview()).toEqual([]);
  expect((await stack.outputs()).passwords["filesrv1/files"]).toBe(before.passwords["filesrv1/files"]);
  expect(JSON.parse(await ids())).toEqual(JSON.parse(snapshots));
  // verify fails for a repository without a backup.
  await host.sh("mkdir -p /srv/second && echo content >/srv/second/file && restic-backup second");
});

test("another image never rebuilds a host, nor stops an update where the cloud does not have it", async () => {
  await stack.setConfig("proxy.image", "no-such-image");
  try {
    expect(await preview()).toEqual(["update secure-backups:index:Host rclonesrv"]);
  } finally {
    await stack.setConfig("proxy.image", "debian-12");
  }
});

const { expectRevoked } = ringTests(stack);

test("a removed client's key stops working, and its backups stay and can be read", async () => {
  const { clients, repositoryRootKey } = await stack.outputs();
  const publicKey = clients.filesrv1?.repositories.files?.publicKey as string;
  editClients((clients) => {
    clients.splice(
      clients.findIndex(({ name }) => name === "filesrv1"),
      1,
    );
  });
  const changes = await preview();
  expect(changes).toContain("delete command:remote:Command filesrv1");
  expect(changes.filter((line) => /appsrv1|existing|partner/.test(line))).toEqual([]);
  await stack.up();
  const proxy = await stack.host("rclonesrv");
  const authorized = (await proxy.sh("cat /etc/ssh/authorized_keys.d/rcloneproxy")).stdout;
  expect(authorized).not.toContain(publicKey);
  expect(authorized).toContain(clients.appsrv1?.repositories.main?.authorizedKeysLine);

  // As the handbook says for the day when all but bucket and root key is gone.
  const settings = (await proxy.sh("cat /home/rcloneproxy/.config/rclone/rclone.conf")).stdout;
  const setting = (name: string) => new RegExp(`^${name} = (.*)$`, "m").exec(settings)?.[1] as string;
  const derived = await run("npm", ["run", "--silent", "password", "filesrv1/files"], {
    input: repositoryRootKey,
  });
  const target = fs.mkdtempSync(path.join(os.tmpdir(), "restored-"));
  try {
    await run(
      LOCAL_CLOUD,
      [
        ...["exec", "--", path.join(CACHE, "artifacts/restic"), "--no-lock"],
        ...["-r", `s3:${cloudFacts().s3Endpoint}/databucket/filesrv1/files`],
        // By its path: the latest of all is the stream of another test.
        ...["restore", "latest:/srv/files/many/3", "--path", "/srv/files", "--target", target],
      ],
      {
        env: {
          AWS_ACCESS_KEY_ID: setting("access_key_id"),
          AWS_SECRET_ACCESS_KEY: setting("secret_access_key"),
          RESTIC_PASSWORD: derived.stdout.trim(),
        },
      },
    );
    expect(fs.readFileSync(path.join(target, "7.txt"), "utf8")).toBe("filesrv1/files 3 7\n");
  } finally {
    fs.rmSync(target, { recursive: true });
  }
});

test("S3 keys that were revoked open nothing", expectRevoked);

test("destroy ends the hosts, and keeps the bucket with its backups and the key that opens them until they are given up", async () => {
  const { code, stdout, stderr } = await stack.pulumi(
    ["destroy", "--yes", "--suppress-progress", "--continue-on-error"],
    {
      accept: "any",
    },
  );
  expect(code).not.toBe(0);
  expect(stdout + stderr).toMatch(/databucket.*KEPT/);
  expect(stdout + stderr).toContain("the root key stays in the stack");
  const left = async () => (await stack.pulumi(["stack", "export"])).stdout;
  expect(await left()).not.toContain("openstack:compute/instance:Instance");
  expect(await left()).toContain("PrivateKey::repository-root");

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "destroy-"));
  const destroy = () =>
    run("npm", ["run", "local", "--", "npm", "run", "destroy", "--", "--yes"], {
      env: { XDG_STATE_HOME: folder },
      accept: "any",
    });
  try {
    expect((await destroy()).stderr).toContain("s3.givenUp to true");
    await stack.setConfig("s3.givenUp", "true");
    expect((await destroy()).code).toBe(0);
    expect(await left()).not.toContain("repository-root");
    const [file = ""] = fs.readdirSync(path.join(folder, "secure-backups"));
    expect(fs.readFileSync(path.join(folder, "secure-backups", file), "utf8")).toContain("appsrv1/main");
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
