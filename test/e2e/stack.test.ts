import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import * as YAML from "yaml";
import { backupRoundTrip } from "../../scripts/demo/round-trip";
import { cloudFacts, LocalStack, Outputs } from "../../scripts/lib/local-stack";
import { CACHE, LOCAL_CLOUD, run, shellWord } from "../../scripts/lib/run";
import { SshHost } from "../../scripts/lib/ssh";
import { renderPreviewComment } from "../../scripts/preview-comment";
import { NamespaceHost, sshKey } from "../harness/namespace-host";
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
  repositories: { name: string; paths: string[]; excludes?: string[]; publicKey?: string }[];
  [field: string]: unknown;
}

const stack = new LocalStack();
const namespaceHosts: NamespaceHost[] = [];
let demo = "";

/** Changes the list of clients in the configuration as its owner would in an editor. */
function editClients(change: (clients: Client[]) => void): void {
  stack.editConfig((text) => {
    const document = YAML.parse(text) as { config: Record<string, Client[]> };
    change(document.config["secure-backups:clients"] as Client[]);
    return YAML.stringify(document);
  });
}

/** What a preview would change, as `OPERATION NAME` lines with the resource's type, sorted. */
async function preview(...args: string[]): Promise<string[]> {
  const { stdout } = await stack.pulumi(["preview", "--json", ...args]);
  const { steps } = JSON.parse(stdout) as { steps: Step[] };
  return steps
    .filter(({ op }) => op !== "same" && op !== "read")
    .map(({ op, urn, newState, oldState }) => {
      const type = (newState ?? oldState)?.type ?? "";
      return `${op} ${type} ${urn.split("::").pop() as string}`;
    })
    .filter((line) => !line.includes("pulumi:pulumi:Stack"))
    .sort();
}

/** A restic command with a client's own key and password, run where `ssh` leads. */
function restic(host: SshHost, repository: string, args: string) {
  return host.sh(`restic-backup ${shellWord(repository)} ${args} 2>&1`, { accept: "any", timeout: 240 });
}

/** What a key-only client's operator does before he follows the instructions: he installs restic. */
function provideRestic(host: NamespaceHost) {
  return host.ssh.sh(
    `curl -sf -o /usr/local/bin/restic ${cloudFacts().artifactsUrl}restic && chmod 755 /usr/local/bin/restic`,
  );
}

async function outputs(): Promise<Outputs> {
  return stack.outputs();
}

beforeAll(async () => {
  demo = (await run("npm", ["run", "demo", "--", "--fresh"], { timeout: 2700, show: true })).stdout;
  await stack.open();
  await stack.resetConfig();
}, 2_760_000);

afterAll(async () => {
  for (const host of namespaceHosts) await host.stop();
});

test("the demo backs up, restores and is refused to forget on every repository", () => {
  for (const repository of ["appsrv1/main", "appsrv2/files", "appsrv2/database"]) {
    expect(demo).toMatch(new RegExp(`^ *${repository} .*forget refused: 403$`, "m"));
  }
});

test("an update without a change changes nothing", async () => {
  expect(await preview()).toEqual([]);
  await stack.up(["--expect-no-changes"]);
});

test("restic's own command line works without restic-backup", async () => {
  const host = await stack.host("appsrv1");
  const { stdout } = await host.sh(
    "set -a; . /etc/restic-backup/main/env\n" +
      'restic -o rclone.program="ssh -F /etc/restic-backup/ssh_config main" snapshots --json',
  );
  expect(JSON.parse(stdout)).not.toHaveLength(0);
});

test("a mistake in the configuration is named before anything is changed", async () => {
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
    clients[0]?.repositories[0]?.paths.push("/srv/more path");
  });
  expect(await preview()).toEqual([
    "update command:remote:Command appsrv1",
    "update secure-backups:index:Client appsrv1",
  ]);
  await stack.up();
  const { stdout } = await (await stack.host("appsrv1")).sh("tr '\\0' '\\n' </etc/restic-backup/main/paths");
  expect(stdout).toBe("/srv/data\n/srv/more path\n");
});

test("a rotated key ends the old one at once and disturbs nobody else", async () => {
  const host = await stack.host("appsrv1");
  const other = await stack.host("appsrv2");
  // The old key in an attacker's hand, with a connection that he keeps open.
  await host.sh(`rm -rf /root/stolen /run/stolen
cp -a /etc/restic-backup /root/stolen
mkdir -m 700 /run/stolen
sed -i 's,/etc/restic-backup,/root/stolen,g; s,/run/restic-backup,/run/stolen,g; s,ControlPersist.*,ControlPersist 1h,' \
  /root/stolen/ssh_config`);
  const stolen = () => host.sh("ssh -F /root/stolen/ssh_config main </dev/null 2>&1", { accept: "any" });
  expect((await stolen()).stdout).not.toContain("Permission denied");
  const slowBackup = other.sh(
    `(for second in $(seq 90); do head -c 50000 /dev/urandom; sleep 1; done) |
  restic-backup files backup --stdin --stdin-filename slow 2>&1`,
  );

  const urn = /urn:\S*::appsrv1-main\b/.exec(
    (await stack.pulumi(["stack", "--show-urns"])).stdout,
  )?.[0] as string;
  const changes = await preview("--replace", urn);
  expect(changes.filter((line) => !line.includes("PrivateKey appsrv1-main"))).toEqual([
    "update command:remote:Command appsrv1",
    "update command:remote:Command rclonesrv",
  ]);
  await stack.up(["--replace", urn]);
  const refused = await stolen();
  expect(refused.code).toBe(255);
  expect(refused.stdout).toContain("Permission denied");
  expect((await restic(host, "main", "snapshots")).code).toBe(0);
  await slowBackup;
});

test("clients of every kind join without touching the others", async () => {
  const operator = await outputs();
  const existing = await NamespaceHost.start("existing", "172.24.4.201", {
    privateKey: operator.operatorPrivateKey,
    publicKey: operator.operatorPublicKey,
  });
  namespaceHosts.push(existing);
  const stranger = await NamespaceHost.start("stranger", "172.24.4.202");
  namespaceHosts.push(stranger);
  const strangerKey = await sshKey();

  editClients((clients) => {
    clients.push({
      name: "existing",
      kind: "existing",
      ssh: { address: existing.address, user: "debian", hostKey: existing.hostKey },
      repositories: [{ name: "main", paths: ['/srv/o\'brien $HOME #1 "é"'] }],
    });
    clients.push({
      name: "stranger",
      kind: "key-only",
      sourceCidrs: [`${stranger.address}/32`],
      repositories: [{ name: "main", paths: ["/srv/data"], publicKey: strangerKey.publicKey }],
    });
  });
  const changes = await preview();
  expect(changes.filter((line) => !line.startsWith("create "))).toEqual([
    "update command:remote:Command rclonesrv",
    expect.stringMatching(/^update secure-backups:index:Network /),
    "update secure-backups:index:Proxy rclonesrv",
  ]);
  expect(changes.filter((line) => /appsrv/.test(line))).toEqual([]);

  const json = (await stack.pulumi(["preview", "--json"])).stdout;
  const comment = renderPreviewComment(JSON.parse(json), "local");
  for (const what of ["existing/main", "stranger/main", existing.address]) expect(comment).toContain(what);
  for (const secret of Object.values(operator.passwords)) expect(comment.includes(secret)).toBe(false);
  await stack.up();

  await existing.ssh.sh('mkdir -p "/srv/o\'brien \\$HOME #1 \\"é\\""');
  const trip = await backupRoundTrip(existing.ssh, "existing", "main");
  expect(trip.files).toBeGreaterThan(600);

  // The operator of the key-only client follows the printed instructions to the letter.
  const { clients, passwords } = await outputs();
  const instructions = clients.stranger?.instructions as string;
  expect(instructions).not.toContain(passwords["stranger/main"]);
  const follow = () => stranger.ssh.sh(instructions, { accept: "any" });
  expect((await follow()).stderr).toContain("put the private key of SHA256:");
  await stranger.ssh.sh(`umask 077
printf %s ${shellWord(strangerKey.privateKey)} >/etc/restic-backup/main/id_ed25519
printf %s ${shellWord(passwords["stranger/main"] as string)} >/etc/restic-backup/main/password
mkdir -p /srv/data && echo hello >/srv/data/file`);
  await provideRestic(stranger);
  expect(await follow()).toMatchObject({ code: 0 });
  await stranger.ssh.sh("restic-backup main && restic-backup main restore latest --target /tmp/restored");
  expect((await stranger.ssh.sh("cat /tmp/restored/srv/data/file")).stdout).toBe("hello\n");
});

test("a renamed repository starts anew and its former backups stay readable", async () => {
  const before = await outputs();
  editClients((clients) => {
    const repository = clients.find(({ name }) => name === "appsrv2")?.repositories[1];
    if (repository) repository.name = "postgres";
  });
  const changes = await preview();
  expect(changes).toContain("create tls:index/privateKey:PrivateKey appsrv2-postgres");
  expect(changes).toContain("delete tls:index/privateKey:PrivateKey appsrv2-database");
  expect(changes.filter((line) => /appsrv1|existing|stranger/.test(line))).toEqual([]);
  await stack.up();
  const host = await stack.host("appsrv2");
  expect((await restic(host, "postgres", "snapshots --json")).code).toBe(0);
  expect((await host.sh("ls /etc/restic-backup")).stdout).not.toContain("database");

  // With the name back, key and password open the repository of before.
  editClients((clients) => {
    const repository = clients.find(({ name }) => name === "appsrv2")?.repositories[1];
    if (repository) repository.name = "database";
  });
  await stack.up();
  expect((await outputs()).passwords["appsrv2/database"]).toBe(before.passwords["appsrv2/database"]);
  const { stdout } = await host.sh("restic-backup database snapshots --json");
  expect(JSON.parse(stdout)).toHaveLength(2);
});

test("an update that was killed in the middle is completed by the next", async () => {
  editClients((clients) => {
    const appsrv1 = clients.find(({ name }) => name === "appsrv1");
    appsrv1?.repositories.push({ name: "second", paths: ["/srv/second"] });
  });
  const killed = await stack.up([], { timeout: 14, accept: "any" }).catch((error: unknown) => error);
  expect(killed).toBeInstanceOf(Error);
  await stack.pulumi(["cancel", "--yes"], { accept: "any" });
  await stack.up();
  expect(await preview()).toEqual([]);
  expect((await restic(await stack.host("appsrv1"), "second", "snapshots --json")).code).toBe(0);
});

test("another image or user data never rebuilds a host", async () => {
  await stack.setConfig("proxy.image", "no-such-image-yet-another");
  try {
    // The image is looked up, not found, and nothing is planned; one that is found plans nothing either.
    expect((await stack.pulumi(["preview"], { accept: "any" })).code).not.toBe(0);
    await stack.setConfig("proxy.image", "debian-12-kernel");
    expect(await preview()).toEqual(["update secure-backups:index:Host rclonesrv"]);
  } finally {
    await stack.setConfig("proxy.image", "debian-12");
  }
});

ringTests(stack);

test("a removed client's key stops working, and its backups stay and can be read", async () => {
  const { clients, repositoryRootKey } = await outputs();
  const publicKey = clients.appsrv2?.repositories.files?.publicKey as string;
  editClients((clients) => {
    clients.splice(
      clients.findIndex(({ name }) => name === "appsrv2"),
      1,
    );
  });
  const changes = await preview();
  expect(changes).toContain("delete openstack:compute/instance:Instance appsrv2");
  expect(changes.filter((line) => /appsrv1|existing|stranger/.test(line))).toEqual([]);
  await stack.up();
  const proxy = await stack.host("rclonesrv");
  const authorized = (await proxy.sh("cat /etc/ssh/authorized_keys.d/rcloneproxy")).stdout;
  expect(authorized).not.toContain(publicKey);
  expect(authorized).toContain(clients.appsrv1?.repositories.main?.authorizedKeysLine);

  // As the handbook says for the day when all but bucket and root key is gone.
  const settings = (await proxy.sh("cat /home/rcloneproxy/.config/rclone/rclone.conf")).stdout;
  const setting = (name: string) => new RegExp(`^${name} = (.*)$`, "m").exec(settings)?.[1] as string;
  const derived = await run("npm", ["run", "--silent", "password", "appsrv2/files"], {
    input: repositoryRootKey,
  });
  const target = fs.mkdtempSync(path.join(os.tmpdir(), "restored-"));
  try {
    await run(
      LOCAL_CLOUD,
      [
        ...["exec", "--", path.join(CACHE, "artifacts/restic"), "--no-lock"],
        ...["-r", `s3:${cloudFacts().s3Endpoint}/databucket/appsrv2/files`],
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
    expect(fs.readFileSync(path.join(target, "7.txt"), "utf8")).toBe("appsrv2/files 3 7\n");
  } finally {
    fs.rmSync(target, { recursive: true });
  }
});

test("secrets stay out of user data, process lists and what Pulumi prints", async () => {
  const { passwords, repositoryRootKey, operatorPrivateKey } = await outputs();
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

test("destroy ends the hosts and keeps the bucket with its backups", async () => {
  const { stdout, stderr } = await stack.pulumi(["destroy", "--yes", "--suppress-progress"]);
  expect(stdout + stderr).toMatch(/databucket.*(kept|keeps|not deleted)/i);
  const proxyGone = await stack.pulumi(["stack", "export"]);
  expect(proxyGone.stdout).not.toContain("openstack:compute/instance:Instance");
});
