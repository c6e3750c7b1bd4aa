/**
 * The attacker at each ring, on the deployed stack, and the operator who gets everything back with the commands of
 * docs/incident.md as they stand there.
 */
import { CACHE, IN_LOCAL_CLOUD, LOCAL_CLOUD } from "../../scripts/dev/cloud";
import { S3Credentials } from "../../config";
import { shellQuote } from "../../hosts";
import { DeployedClient, Deployment } from "../../operations/deployment";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, expect, test } from "@jest/globals";
import { PROXY_USER } from "../../hosts/names";
import { describeTree, RootShell } from "../../scripts/dev/demo/round-trip";
import { cloudFacts, LocalStack } from "../../scripts/dev/local-stack";
import { Result, ROOT, run, RunOptions, step } from "../../operations/transport/run";
import { SshHost } from "../../operations/transport/ssh";
import { Finding } from "../../operations/verify/probe";
import { withResticSession } from "../../operations/verify/client-attacks/restic-session";
import { DocumentedCommands } from "../harness/documented";

const incident = new DocumentedCommands("docs/incident.md");

/** What an attacker adds to a repository to spoil it: restic comes upon each first. */
const GARBAGE = ["keys", "index", "snapshots"].map((kind) => `${kind}/${"00".repeat(32)}`);

/** A host and a tree on it that one of its repositories holds. */
interface Tree {
  client: string;
  repository: string;
  source: string;
}

const TREES: Tree[] = [
  { client: "appsrv1", repository: "main", source: "/srv/data" },
  { client: "appsrv1", repository: "database", source: "/srv/database" },
  { client: "filesrv1", repository: "files", source: "/srv/files" },
];

/**
 * Registers the tests. They leave clients and backups as they were, with other keys and two hosts rebuilt. What is to
 * be looked at some minutes later is handed back.
 */
export function ringTests(stack: LocalStack): { expectRevoked: () => Promise<void> } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "rings-"));
  // The cloud's command line client, as an operator has it.
  fs.writeFileSync(
    path.join(folder, "openstack"),
    `#!/bin/sh\nexec ${shellQuote(LOCAL_CLOUD)} openstack "$@"\n`,
    { mode: 0o755 },
  );

  afterAll(() => {
    fs.rmSync(folder, { recursive: true });
  });

  /** Runs commands in the operator's environment. */
  const operator = (script: string, options: RunOptions = {}): Promise<Result> => {
    const environment = stack.environment();
    return run(LOCAL_CLOUD, ["exec", "--", "bash", "--norc", "-c", script], {
      timeout: 1800,
      ...options,
      env: {
        ...environment,
        PATH: `${folder}:${environment["PATH"] ?? ""}`,
        ...options.env,
      },
    });
  };

  /** Follows one step of docs/incident.md; `place`: where its reader stands, default: in the checkout. */
  const follow = (
    section: string,
    number: number,
    variables: Record<string, string> = {},
    place = ROOT,
  ): Promise<Result> => {
    const settings = Object.entries({ STACK: "local", ...variables }).map(
      ([name, value]) => `export ${name}=${shellQuote(value)}`,
    );
    return step(`incident.md, ${section}, step ${String(number)}`, () =>
      operator(
        [`cd ${shellQuote(place)}`, incident.preamble, ...settings, incident.step(section, number)].join(
          "\n",
        ),
        { env: { WORK: folder } },
      ),
    );
  };

  const deployment = () => stack.deployment();

  /** What verify finds, of it what is no pass as `VERDICT ID`, and its exit status. */
  const verify = async (): Promise<{
    code: number;
    findings: Finding[];
    amiss: string[];
  }> => {
    const { code, stdout } = await operator("npm run --silent verify -- --json", {
      accept: "any",
    });
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    expect(findings.length).toBeGreaterThan(150);
    expect(new Set(findings.map(({ ring }) => ring))).toEqual(new Set([1, 2, 3]));
    return {
      code,
      findings,
      amiss: findings
        .filter(({ verdict }) => verdict !== "pass")
        .map(({ id, verdict }) => `${verdict} ${id}`),
    };
  };

  /** A time with nothing happening at it or just before: S3 may have times to the second only. */
  const quietMoment = async (): Promise<string> => {
    await setTimeout(2000);
    const moment = new Date().toISOString();
    await setTimeout(2000);
    return moment;
  };

  const described = async (host: RootShell, tree: string): Promise<string> => {
    const { stdout } = await host.sh(describeTree(tree));
    expect(stdout.length).toBeGreaterThan(10_000);
    return stdout;
  };

  /** What a repository's last snapshot of a tree holds, restored on its client. */
  const restored = async ({ client, repository, source }: Tree): Promise<string> => {
    const host = await stack.host(client);
    const { stdout } = await host.sh(
      `target=$(mktemp -d /var/tmp/restore.XXXXXX)\ntrap 'rm -rf "$target"' EXIT\n` +
        `restic-backup ${repository} restore latest --path ${source} --target "$target" >&2\n` +
        describeTree(`"$target"${source}`),
    );
    expect(stdout.length).toBeGreaterThan(10_000);
    return stdout;
  };

  /** What the repositories hold of TREES, restored side by side. */
  const restoredTrees = () => Promise.all(TREES.map(restored));

  let known: Promise<string[]> | undefined;
  /** What they held when this was asked first: no test changes it for good. */
  const contents = () => (known ??= restoredTrees());

  const restic = async (client: string, args: string): Promise<Result> =>
    (await stack.host(client)).sh(`restic-backup ${args} 2>&1`, { accept: "any", timeout: 240 });

  /** S3 keys that a test revoked, and when. */
  const revocations: { at: number; bucket: Deployment["bucket"]; keys: S3Credentials | undefined }[] = [];

  /** What is open on the local cloud by design: nothing copies its bucket to another account. */
  const BY_DESIGN = ["open s3.ring-3"];

  test("verify names each weakness of the stack and finds no fault with the rest, and an update mends what is the stack's to mend", async () => {
    const { bucket, network } = await deployment();
    const proxy = await stack.host("rclonesrv");
    const openstack = (args: string) => run(LOCAL_CLOUD, ["openstack", ...args.split(" ")]);
    let rule: string | undefined;
    try {
      await proxy.sh(`chmod 0644 /home/rcloneproxy/.config/rclone/rclone.conf
printf '[Slice]\\nMemoryMax=infinity\\n' >"/etc/systemd/system/user-$(id -u rcloneproxy).slice.d/zz.conf"
systemctl daemon-reload
sed -i.kept '/pam_systemd/s/^/#/' /etc/pam.d/common-session
mkdir /opt/retention
echo 'keeper ${bucket.keeper?.accessKeyId ?? ""}' >/opt/retention/env`);
      await rclone(bucket, bucket.owner, ["backend", "versioning", "s3:databucket", "Suspended"]);
      // Not of TCP: a rule's removal makes Neutron forget the connections of its protocol, and some that begin then
      // are lost.
      const created = await openstack(
        `security group rule create --protocol udp --dst-port 8080 --remote-ip 0.0.0.0/0 -f value -c id ${network.groups.proxy}`,
      );
      rule = created.stdout.trim();
      const { code, findings, amiss } = await verify();
      expect(code).toBe(1);
      const slice = findings.find(({ id }) => id === "limits.slice")?.happened;
      expect(slice).toMatch(/MemoryMax=infinity.*Sessions=none/);
      expect(amiss).toEqual([
        "FAIL files.rclone-conf-mode",
        "FAIL limits.slice",
        "FAIL net.rules-proxy",
        ...["keeper-reads-versions", "keeper-removes", "owner-restores", "versioning"].map(
          (id) => `FAIL s3.${id}`,
        ),
        ...["copies-over", "overwrites", "uploads-over"].map((id) => `FAIL s3.writer-${id}`),
        "FAIL secrets.identities",
        "FAIL secrets.identities-readable",
        ...BY_DESIGN,
      ]);
    } finally {
      // Whatever of it was done.
      await proxy.sh(`rm -rf /opt/retention /etc/systemd/system/user-*.slice.d/zz.conf
[ ! -f /etc/pam.d/common-session.kept ] || mv /etc/pam.d/common-session.kept /etc/pam.d/common-session`);
      if (rule !== undefined) await openstack(`security group rule delete ${rule}`);
    }
    // Settings of the bucket come back by themselves; files of a host as the remedy says.
    const urns = (await stack.pulumi(["stack", "--show-urns"])).stdout;
    const command = /urn:\S*Command::rclonesrv\b/.exec(urns)?.[0] as string;
    const { stdout } = await stack.up(["--refresh", "--replace", command]);
    expect(stdout).toMatch(/versioned/);
    const now = await rclone(bucket, bucket.owner, ["backend", "versioning", "s3:databucket"]);
    expect(JSON.parse(now.stdout)).toBe("Enabled");
    const conf = await proxy.sh("stat -c %a /home/rcloneproxy/.config/rclone/rclone.conf");
    expect(conf.stdout.trim()).toBe("640");
  });

  test("the documented commands restore the repository of a compromised client to the byte", async () => {
    const tree = TREES[1] as Tree;
    const compromised = { CLIENT: tree.client, REPOSITORY: tree.repository, WHEN: await quietMoment() };
    const before = await described(await stack.host(tree.client), tree.source);

    // The attacker has the client's keys and passwords, and does what these allow.
    const { clients, proxy } = await deployment();
    const { repositories } = clients.find(({ name }) => name === tree.client) as DeployedClient;
    const stolen = repositories.map(({ name, privateKey }) => {
      const access = {
        ...proxy.host,
        host: proxy.address,
        user: PROXY_USER,
        privateKey: privateKey as string,
      };
      return { name, ssh: new SshHost(access, { folder: path.join(folder, name), via: IN_LOCAL_CLOUD }) };
    });
    const own = tree.repository;
    const ids = async () => {
      const { stdout } = await (await stack.host(tree.client)).sh(`restic-backup ${own} snapshots --json`);
      return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id);
    };
    const snapshots = await ids();
    const key = stolen.find(({ name }) => name === own)?.ssh as SshHost;
    const forget = await restic(tree.client, `${own} forget --keep-last 1 --prune`);
    expect(forget.code).not.toBe(0);
    expect(forget.stdout).toMatch(/403 Forbidden/);
    expect(await ids()).toEqual(snapshots);
    const fake = await restic(tree.client, `${own} backup --time '2099-01-01 00:00:00' /etc/hostname`);
    expect(fake.code).toBe(0);
    await withResticSession([...IN_LOCAL_CLOUD, ...key.command()], async (request) => {
      for (const name of GARBAGE) expect((await request("POST", `/${name}`, "garbage")).status).toBe(200);
    });
    expect((await restic(tree.client, `${own} snapshots`)).code).not.toBe(0);

    const section = "A client is compromised";
    // As in production: what the documented commands replace must be unprotected by them.
    await stack.setConfig("protect", "true");
    await follow(section, 1, compromised);
    expect((await restic(tree.client, `${own} snapshots`)).stdout).toContain("Permission denied");
    expect((await follow(section, 2, compromised)).stdout).toMatch(/will be moved to \.quarantine\/ \(\d+\)/);
    await follow(section, 3, compromised);
    const here = { sh: (script: string) => run("sh", ["-c", script]) };
    expect(await described(here, shellQuote(`${folder}/restored${tree.source}`))).toBe(before);
    await follow(section, 4, compromised);
    await follow(section, 5, compromised);
    await follow(section, 6, compromised);
    const host = await stack.host(tree.client);
    expect(await described(host, `/srv/restored${tree.source}`)).toBe(before);
    await host.sh(`mv /srv/restored${tree.source} ${tree.source}`);
    expect(await ids()).toEqual(snapshots);
    expect(stolen).toHaveLength(2);
    for (const { ssh } of stolen) await expectRefused(ssh);
  });

  test("the documented commands restore every repository after a compromise of the keeper to the byte", async () => {
    const trees = await contents();
    const before = await deployment();
    const WHEN = await quietMoment();
    // Root on the keeper finds its S3 keys and the passwords there, and no key of anybody else.
    const keeper = await stack.host("keepersrv");
    const found = await keeper.sh("cat /etc/keeper/s3.json /etc/keeper/passwords/*/*");
    const passwords = before.clients.flatMap(({ repositories }) =>
      repositories.map(({ password }) => password),
    );
    for (const secret of [before.bucket.keeper?.secretAccessKey ?? "", ...passwords]) {
      expect(found.stdout).toContain(secret);
    }
    const asKeeper = (args: string[], options: RunOptions = {}) =>
      rclone(before.bucket, before.bucket.keeper, args, { accept: "any", ...options });
    for (const { client, repository } of TREES) {
      const at = `s3:databucket/${client}/${repository}`;
      await asKeeper(["delete", at, "--include", "*[02468ace]"]);
      const index = await asKeeper(["rcat", `${at}/index/${"00".repeat(32)}`], { input: "garbage" });
      expect(index.code).toBe(0);
      const snapshot = await asKeeper(["rcat", `${at}/snapshots/${"00".repeat(32)}`], { input: "garbage" });
      expect(snapshot.stderr).toContain("AccessDenied");
      expect((await restic(client, `${repository} check`)).code).not.toBe(0);
    }

    const section = "The keeper is compromised";
    for (const number of [1, 2]) await follow(section, number);
    revocations.push({ at: Date.now(), bucket: before.bucket, keys: before.bucket.keeper });
    for (const number of [3, 4, 5]) await follow(section, number, { WHEN });
    const after = await deployment();
    expect(after.keeper?.host.hostKey).not.toBe(before.keeper?.host.hostKey);
    expect(await restoredTrees()).toEqual(trees);
    expect(await mayList(after.bucket, after.bucket.keeper)).toBe(true);
  });

  test("the documented commands restore every repository after a compromise of the proxy to the byte", async () => {
    const trees = await contents();
    const before = await deployment();
    const WHEN = await quietMoment();
    // How many versions each object has. rclone puts the time of an older one behind its name.
    const versions = async () => {
      const all = ["lsf", "-R", "--files-only", "--s3-versions", "s3:databucket"];
      const { stdout } = await rclone(before.bucket, before.bucket.owner, all);
      // The writer has no access to what the keeper and the owner note, and the keeper may do so meanwhile.
      const lines = stdout
        .split("\n")
        .filter((line) => line !== "" && !/\/locks\/|^\.(keeper|owner|status)\//.test(line));
      const counts = new Map<string, number>();
      for (const line of lines) {
        const key = line.replace(/-v\d{4}-\d\d-\d\d-\d{6}-\d{3}(?=(\.\w+)?$)/, "");
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return { counts, there: lines.filter((line) => counts.has(line)) };
    };
    const was = await versions();

    // Root on the proxy destroys what it can with what is there, and with the keeper's keys as well.
    const proxy = await stack.host("rclonesrv");
    const attack = await proxy.sh(
      `export RCLONE_CONFIG=/home/rcloneproxy/.config/rclone/rclone.conf
rclone=/usr/local/lib/secure-backups/rclone
bucket=s3-resticrepo:${before.bucket.bucket}
list=$(mktemp)
cd "$(mktemp -d)"
$rclone lsf -R --files-only --exclude '/.keeper/**' --exclude '/.owner/**' --exclude '/.status/**' "$bucket" >"$list"
while read -r name; do mkdir -p "$(dirname "$name")" && echo garbage >"$name"; done <"$list"
for attempt in "delete $bucket" "delete --s3-versions $bucket" "backend versioning $bucket Suspended" "purge $bucket"; do
  $rclone --retries 1 $attempt >"$list" 2>&1 && echo 'went through'
  grep -c AccessDenied "$list"
done
$rclone copy --ignore-times . "$bucket"`,
      { timeout: 300 },
    );
    const refused = attack.stdout.trim().split("\n").map(Number);
    expect(refused).toHaveLength(4);
    for (const count of refused) expect(count).toBeGreaterThan(0);
    // One version more of each that was there: the others are all below the garbage.
    expect(was.there.length).toBeGreaterThan(30);
    for (const key of was.there) was.counts.set(key, (was.counts.get(key) ?? 0) + 1);
    expect((await versions()).counts).toEqual(was.counts);
    await rclone(before.bucket, before.bucket.keeper, [
      "delete",
      "s3:databucket",
      "--include",
      "*[02468ace]",
    ]);
    for (const { client, repository } of TREES) {
      expect((await restic(client, `${repository} snapshots`)).code).not.toBe(0);
    }

    const section = "The proxy is compromised";
    await follow(section, 1);
    const revoked = Date.now();
    await follow(section, 2, { WHEN });
    await follow(section, 3);
    const after = await deployment();
    expect(after.proxy.host.hostKey).not.toBe(before.proxy.host.hostKey);
    expect(await restoredTrees()).toEqual(trees);
    for (const identity of ["writer", "keeper"] as const) {
      expect(await mayList(after.bucket, after.bucket[identity])).toBe(true);
      revocations.push({ at: revoked, bucket: before.bucket, keys: before.bucket[identity] });
    }
  });

  test("after a compromise of the workstation its S3 keys, operator key and client keys open nothing, and hidden objects come back", async () => {
    const trees = await contents();
    const before = await deployment();
    const WHEN = await quietMoment();
    const section = "The operator's workstation is compromised";
    // The attacker does with the owner's keys what can be undone: a client would create the hidden repository again.
    const asOwner = (args: string[], options: RunOptions = {}) =>
      rclone(before.bucket, before.bucket.owner, args, options);
    await asOwner(["delete", "s3:databucket/appsrv1/main"]);
    await asOwner(["rcat", "s3:databucket/filesrv1/files/config"], { input: "garbage" });
    // What an attacker leaves behind for the time after the keys are replaced.
    const added = JSON.parse(
      (
        await operator(
          `openstack --os-project-id ${cloudFacts().projects.owner} ec2 credentials create --format json`,
        )
      ).stdout,
    ) as { access: string; secret: string };
    const addedKeys = { accessKeyId: added.access, secretAccessKey: added.secret };
    expect(await mayList(before.bucket, addedKeys)).toBe(true);

    // Pulumi looks for this command's configuration nowhere but in the folder of the project.
    await follow(section, 2, {}, stack.folder);
    const passphrase = path.join(stack.folder, "passphrase");
    const opens = async () => {
      const { code, stderr } = await stack.pulumi(
        ["stack", "output", "repositoryRootKey", "--show-secrets"],
        { accept: "any" },
      );
      return code === 0 ? "opens" : stderr;
    };
    expect(await opens()).toContain("incorrect passphrase");
    fs.copyFileSync(path.join(folder, "passphrase"), passphrase);
    expect(await opens()).toBe("opens");

    const { stdout: left } = await follow(section, 3);
    const revoked = Date.now();
    expect(left.split("\n")).toContain(`${added.access} ${cloudFacts().projects.owner}`);
    for (const identity of ["owner", "writer", "keeper"] as const) {
      expect(left).not.toContain((before.bucket[identity] as S3Credentials).accessKeyId);
    }
    await operator(`openstack ec2 credentials delete ${added.access}`);
    await follow(section, 4);
    await follow(section, 5);
    await follow(section, 6, { WHEN });
    await follow(section, 7);

    const after = await deployment();
    for (const identity of ["owner", "writer", "keeper"] as const) {
      revocations.push({ at: revoked, bucket: before.bucket, keys: before.bucket[identity] });
      expect(await mayList(after.bucket, after.bucket[identity])).toBe(true);
    }
    revocations.push({ at: revoked, bucket: before.bucket, keys: addedKeys });
    const reached = after.clients.flatMap(({ host }) => host ?? []);
    expect(reached.length).toBeGreaterThan(1);
    for (const [place, host] of [after.proxy.host, ...reached].entries()) {
      const stolen = { ...host, privateKey: before.proxy.host.privateKey };
      const ssh = new SshHost(stolen, {
        folder: path.join(folder, `operator-${place}`),
        via: IN_LOCAL_CLOUD,
      });
      await expectRefused(ssh);
    }
    const keys = ({ clients, canary }: Deployment) => [
      canary.privateKey,
      ...clients.flatMap(({ repositories }) => repositories.flatMap(({ privateKey }) => privateKey ?? [])),
    ];
    expect(keys(after)).toHaveLength(keys(before).length);
    for (const [place, privateKey] of keys(before).entries()) {
      const access = { ...after.proxy.host, host: after.proxy.address, user: PROXY_USER, privateKey };
      const ssh = new SshHost(access, { folder: path.join(folder, `key-${place}`), via: IN_LOCAL_CLOUD });
      await expectRefused(ssh);
    }
    expect(await restoredTrees()).toEqual(trees);
    await stack.setConfig("protect", "false");
    await stack.up();
  });

  return {
    /** Ceph's gateway remembers a key for five minutes: after that, one that was revoked must open nothing. */
    expectRevoked: async () => {
      expect(revocations.length).toBeGreaterThan(5);
      for (const { at, bucket, keys } of revocations) {
        // Until then, what is neither a listing nor a refusal is asked for again.
        const opens = () => mayList(bucket, keys).catch(() => true);
        while ((await opens()) && Date.now() < at + 330_000) await setTimeout(5000);
        expect(await mayList(bucket, keys)).toBe(false);
      }
    },
  };
}

/** A host that knows the key no more, and says so: one that does not answer has refused nothing. */
async function expectRefused(ssh: SshHost): Promise<void> {
  expect((await ssh.sh("", { accept: "any" })).stderr).toMatch(/Permission denied \(publickey/);
}

/** rclone with an identity's keys, in the cloud's network; `s3:` is the service. */
function rclone(
  { endpoint, region }: Deployment["bucket"],
  keys: S3Credentials | undefined,
  args: string[],
  options: RunOptions = {},
): Promise<Result> {
  const settings = {
    TYPE: "s3",
    PROVIDER: "Other",
    ENDPOINT: endpoint,
    REGION: region,
    ACCESS_KEY_ID: keys?.accessKeyId ?? "",
    SECRET_ACCESS_KEY: keys?.secretAccessKey ?? "",
  };
  const variables = Object.entries(settings).map(([name, value]) => [`RCLONE_CONFIG_S3_${name}`, value]);
  return run(LOCAL_CLOUD, ["exec", "--", path.join(CACHE, "artifacts/rclone"), ...args], {
    ...options,
    env: { RCLONE_CONFIG: "/dev/null", ...(Object.fromEntries(variables) as Record<string, string>) },
  });
}

/** Whether these keys still open the bucket. */
async function mayList(bucket: Deployment["bucket"], keys: S3Credentials | undefined): Promise<boolean> {
  const { code, stderr } = await rclone(bucket, keys, ["lsf", "--retries", "1", "s3:databucket"], {
    accept: "any",
  });
  if (code !== 0) expect(stderr).toContain("StatusCode: 403");
  return code === 0;
}
