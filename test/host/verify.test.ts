/**
 * `npm run verify` on a proxy and a client that are sound, then with one weakness at a time, which it must name:
 * booted hosts with the rendered files in force, a real sshd, rclone and restic, and the local cloud's S3.
 */
import { HostAccess, Deployment, DEPLOYMENT_VERSION, PROJECT_VERSION } from "../../operations/deployment";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { CANARY, clientInstall, HostInstall, proxyInstall } from "../../hosts";
import { keystonePrincipal } from "../../plan/bucket-policy";
import { BootedHost } from "../../scripts/dev/booted-host";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { KeyPair } from "../../config";
import { sshKey } from "../../operations/transport/ssh-key";
import { attackAsClient } from "../../operations/verify/client-attacks/client-attacks";
import { inspectHosts } from "../../operations/verify/hosts/hosts";
import { Finding } from "../../operations/verify/probe";
import { exitStatus } from "../../operations/verify/report";
import { showControllers } from "../harness/controllers";
import { artifact, INSTALLED, putInForce } from "../harness/installs";
import { Identity, s3Identity } from "../../scripts/dev/s3-identity";
import { SAMPLE_SETTINGS } from "../harness/sample-deployment";

jest.setTimeout(300_000);

const BUCKET = `verify-test-${String(process.pid)}-${Date.now().toString(36)}`;
const PROXY = "172.24.4.231";
const CLIENT = "172.24.4.232";
/** What clients back up. */
const SETTINGS = { ...SAMPLE_SETTINGS, paths: ["/srv/data"], excludes: ["*.tmp"] };

const facts = cloudFacts();
let proxy: BootedHost, client: BootedHost;
let owner: Identity, writer: Identity, keeper: Identity;
let main: KeyPair, other: KeyPair, canary: KeyPair;
let deployment: Deployment;

function proxyFiles(): HostInstall {
  return proxyInstall({
    host: "rclonesrv",
    bucket: BUCKET,
    rclone: artifact("rclone"),
    s3: {
      endpoint: facts.s3Endpoint,
      region: "eu-central-1",
      accessKeyId: writer.accessKeyId,
      secretAccessKey: writer.secretAccessKey,
    },
    grants: [
      { client: "web", repository: "main", publicKey: main.publicKey },
      { client: "db", repository: "main", publicKey: other.publicKey },
      { ...CANARY, publicKey: canary.publicKey },
    ],
  });
}

function clientFiles(): HostInstall {
  return clientInstall({
    stack: "0123456789abcdef",
    client: "web",
    bucket: BUCKET,
    proxy: { address: PROXY, port: 22, hostKey: proxy.hostKey },
    restic: artifact("restic"),
    repositories: [
      {
        ...SETTINGS,
        password: "the password of web/main",
        privateKey: main.privateKey,
      },
    ],
  });
}

/** The findings other than `pass`, as `VERDICT ID`. */
function faults(findings: readonly Finding[]): string[] {
  return findings.filter(({ verdict }) => verdict !== "pass").map(({ id, verdict }) => `${verdict} ${id}`);
}

beforeAll(async () => {
  const { projects } = facts;
  [owner, writer, keeper] = (await Promise.all(
    [projects.owner, projects.writer, projects.keeper].map((project) => s3Identity(project)),
  )) as [Identity, Identity, Identity];
  [main, other, canary] = await Promise.all([sshKey(), sshKey(), sshKey()]);
  await owner.s3.createBucket({ Bucket: BUCKET });
  // All is allowed to the writer: what the proxy refuses, it refuses by itself.
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { AWS: [keystonePrincipal(projects.writer)] },
        Action: "s3:*",
        Resource: [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`],
      },
    ],
  });
  await owner.s3.putBucketPolicy({ Bucket: BUCKET, Policy });
  [proxy, client] = await Promise.all([
    BootedHost.start("verify-proxy", PROXY),
    BootedHost.start("verify-web", CLIENT),
  ]);
  await showControllers(proxy);
  // As cloud-init leaves it, which no existing server has.
  await proxy.ssh.sh(`mkdir -p -m 0700 /root/.ssh; cat >/root/.ssh/authorized_keys <<'END'
no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo 'Please login as the user \\"debian\\" rather than the user \\"root\\".';echo;sleep 10;exit 142" ${proxy.operator.publicKey} made by Nova
END`);
  expect(await putInForce(proxy, proxyFiles())).toMatchObject({ code: INSTALLED });
  expect(await putInForce(client, clientFiles())).toMatchObject({ code: INSTALLED });
  // With content: reading an object that does not exist proves nothing.
  await owner.s3.putObject({ Bucket: BUCKET, Key: "web/main/config", Body: "the config of web/main" });
  deployment = {
    version: DEPLOYMENT_VERSION,
    alarms: { graceHours: 6, digestHour: 6, webhooks: [] },
    project: PROJECT_VERSION,
    stack: "0123456789abcdef",
    bucket: {
      endpoint: facts.s3Endpoint,
      region: "eu-central-1",
      bucket: BUCKET,
      owner: { accessKeyId: owner.accessKeyId, secretAccessKey: owner.secretAccessKey },
      writer: { accessKeyId: writer.accessKeyId, secretAccessKey: writer.secretAccessKey },
      keeper: { accessKeyId: keeper.accessKeyId, secretAccessKey: keeper.secretAccessKey },
      policy: Policy,
      versioning: false,
      noncurrentVersionDays: 30,
    },
    proxy: { host: proxy.access, address: PROXY, rclone: artifact("rclone") },
    restic: artifact("restic"),
    clients: [
      {
        name: "web",
        kind: "existing",
        frozen: false,
        host: client.access,
        repositories: [{ ...SETTINGS, ...main, password: "the password of web/main" }],
      },
      {
        name: "db",
        kind: "key-only",
        frozen: false,
        repositories: [{ ...SETTINGS, publicKey: other.publicKey, password: "the password of db/main" }],
      },
    ],
    canary,
    network: { groups: { proxy: "", appserver: "" }, rules: [], hosts: [] },
    openRings: [],
    repositoryRootKey: "b2b6d6a6c0f14f4d9a0f3f5b6d1e2a3c",
  };
});

afterAll(async () => {
  for (const host of [proxy, client] as (BootedHost | undefined)[]) await host?.stop();
  for (;;) {
    const { Contents = [] } = await owner.s3.listObjectsV2({ Bucket: BUCKET });
    if (Contents.length === 0) break;
    for (const { Key } of Contents) await owner.s3.deleteObject({ Bucket: BUCKET, Key });
  }
  await owner.s3.deleteBucket({ Bucket: BUCKET });
  await Promise.all([owner, writer, keeper].map((identity) => identity.forget()));
});

/** The faults of the proxy alone. */
async function faultsOfProxy(): Promise<string[]> {
  const clients = deployment.clients.map((client) => ({ ...client, host: undefined }));
  return faults(await inspectHosts({ ...deployment, clients }));
}

/** Creates a weakness on a host, looks, and removes it again. */
async function weakened<T>(host: BootedHost, make: string, undo: string, look: () => Promise<T>): Promise<T> {
  await host.ssh.sh(make);
  try {
    return await look();
  } finally {
    await host.ssh.sh(undo);
  }
}

/** The faults of all hosts. */
async function faultsOfHosts(): Promise<string[]> {
  return faults(await inspectHosts(deployment));
}

const UNKNOWN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGUPIecixyzQL8DLOtF/sLzzjhRZ87dhfL9IdY4e36aV me";
const KEYS = "/etc/ssh/authorized_keys.d/rcloneproxy";
const KEEP_KEYS = `cp -p ${KEYS} /root/keys`;
const RESTORE_KEYS = `cp -p /root/keys ${KEYS}`;
/** Reloads sshd's settings. It writes its process ID when it listens again. */
const RELOAD_SSHD = `pid=$(cat /run/sshd.pid); rm /run/sshd.pid; kill -HUP $pid
timeout 60 sh -c 'until [ -s /run/sshd.pid ]; do sleep 0.1; done'`;

describe("a sound deployment", () => {
  test("withstands every attack with a client's key, and nothing remains of them", async () => {
    expect(faults(await attackAsClient(deployment))).toEqual([]);
    const { Contents = [] } = await owner.s3.listObjectsV2({ Bucket: BUCKET, Prefix: ".canary/" });
    expect(Contents.map(({ Key }) => Key)).toEqual([".canary/verify/config"]);
  });

  test("withstands them through a jump host, behind which only its ports are unknown", async () => {
    expect(faults(await attackAsClient(behindJumpHost()))).toEqual(["unknown attack.ports"]);
  });

  test("has no result on reading other repositories if none has content", async () => {
    const clients = deployment.clients.filter(({ name }) => name === "db");
    expect(faults(await attackAsClient({ ...deployment, clients }))).toEqual([
      "unknown attack.read-other-repositories",
    ]);
  });

  test("has hosts without faults", async () => {
    expect(faults(await inspectHosts(deployment))).toEqual([]);
  });
});

describe("a weakness of the proxy is named", () => {
  test.each<[what: string, make: string, undo: string, named: string[]]>([
    [
      "a line of authorized_keys without restrict",
      `${KEEP_KEYS}; sed -i 's/^restrict,\\(.* db-main\\)$/\\1/' ${KEYS}`,
      RESTORE_KEYS,
      ["FAIL authorized-keys.exact"],
    ],
    [
      "an unknown key",
      `${KEEP_KEYS}; echo '${UNKNOWN_KEY}' >>${KEYS}`,
      RESTORE_KEYS,
      ["FAIL authorized-keys.exact", "FAIL authorized-keys.separate"],
    ],
    [
      "a key that opens all repositories of another client",
      `${KEEP_KEYS}; sed -i 's#/db/main/"#/web/"#' ${KEYS}`,
      RESTORE_KEYS,
      ["FAIL authorized-keys.exact", "FAIL authorized-keys.separate"],
    ],
    [
      "a world-readable rclone.conf",
      "chmod 0644 /home/rcloneproxy/.config/rclone/rclone.conf",
      "chmod 0640 /home/rcloneproxy/.config/rclone/rclone.conf",
      ["FAIL files.rclone-conf-mode"],
    ],
    [
      "a directory in which rcloneproxy can replace rclone.conf",
      "chown rcloneproxy /home/rcloneproxy/.config/rclone",
      "chown root /home/rcloneproxy/.config/rclone",
      ["FAIL files.rclone-conf-mode", "FAIL files.writable"],
    ],
    [
      "a unit of systemd's that rcloneproxy can change",
      "mkdir -p /usr/lib/systemd/system; touch /usr/lib/systemd/system/weak.service; chown rcloneproxy /usr/lib/systemd/system/weak.service",
      "rm /usr/lib/systemd/system/weak.service",
      ["FAIL files.writable"],
    ],
    [
      "an rclone.conf with other credentials",
      "sed -i.kept 's/^access_key_id.*/access_key_id = another/' /home/rcloneproxy/.config/rclone/rclone.conf",
      "cd /home/rcloneproxy/.config/rclone; mv rclone.conf.kept rclone.conf; chown root:rcloneproxy rclone.conf",
      ["FAIL files.rclone-conf-content", "FAIL files.home"],
    ],
    [
      "rcloneproxy with sudo and a cron job",
      `echo 'rcloneproxy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/weak
echo '* * * * * rcloneproxy true' >/etc/cron.d/weak`,
      "rm /etc/sudoers.d/weak /etc/cron.d/weak",
      ["FAIL users.sudo", "FAIL users.jobs"],
    ],
    [
      "a second root, and a password",
      "useradd -o -u 0 -M toor; echo 'debian:weak' | chpasswd",
      "sed -i '/^toor:/d' /etc/passwd /etc/shadow; usermod -p '*' debian",
      ["FAIL users.uid-0", "FAIL users.passwords"],
    ],
    [
      "a rule of sshd for some addresses",
      "printf 'Match Address 10.0.0.0/8\\nPermitTTY yes\\nMatch all\\n' >/etc/ssh/sshd_config.d/00-a.conf",
      "rm /etc/ssh/sshd_config.d/00-a.conf",
      ["FAIL sshd.rules"],
    ],
    [
      "another key of the operator's account, of root's and of a new account, and one beside the clients'",
      `for file in /home/debian/.ssh/authorized_keys /root/.ssh/authorized_keys2 /etc/ssh/authorized_keys.d/eve; do
  [ ! -e $file ] || cp -p $file /root/kept
  echo '${UNKNOWN_KEY}' >>$file
done
useradd -m -p '*' eve; install -d /home/eve/.ssh; echo 'restrict ${UNKNOWN_KEY}' >/home/eve/.ssh/authorized_keys`,
      `cp -p /root/kept /home/debian/.ssh/authorized_keys; userdel -r eve
rm /root/kept /root/.ssh/authorized_keys2 /etc/ssh/authorized_keys.d/eve`,
      ["FAIL users.keys"],
    ],
    [
      "keys of others that sshd reads from elsewhere",
      "printf 'AuthorizedKeysFile /etc/keys/%%u\\nTrustedUserCAKeys /etc/keys/ca\\n' >/etc/ssh/sshd_config.d/00-a.conf",
      "rm /etc/ssh/sshd_config.d/00-a.conf",
      ["FAIL sshd.effective-operator"],
    ],
    [
      "an sshd with settings on its command line",
      `bash -c "exec -a 'sshd: /usr/sbin/sshd -D -oPermitRootLogin=yes [listener]' sleep 600" >/dev/null 2>&1 &
echo $! >/root/pids`,
      "kill $(cat /root/pids) || :",
      ["FAIL sshd.arguments"],
    ],
    [
      "an authorized_keys of rcloneproxy",
      "mkdir /home/rcloneproxy/.ssh; echo key >/home/rcloneproxy/.ssh/authorized_keys",
      "rm -r /home/rcloneproxy/.ssh",
      ["FAIL files.home", "FAIL users.keys"],
    ],
  ])("%s", async (_what, make, undo, named) => {
    expect(await weakened(proxy, make, undo, () => faultsOfProxy())).toEqual(named);
  });

  test("the keeper's key ID where rcloneproxy can read it", async () => {
    const make = `mkdir -p /opt/retention; echo 'key = ${keeper.accessKeyId}' >/opt/retention/env; chmod -R go+rX /opt/retention`;
    expect(await weakened(proxy, make, "rm -r /opt/retention", () => faultsOfProxy())).toEqual([
      "FAIL secrets.identities-readable",
      "FAIL secrets.identities",
    ]);
  });

  test("secrets in the process list, in an environment and, in base64, in a log", async () => {
    const leaked = Buffer.from(`{"secret": "${writer.secretAccessKey}"}`).toString("base64");
    const make = `bash -c "exec -a 'tool --password=the password of web/main' sleep 600" >/dev/null 2>&1 &
echo $! >/root/pids
ROOT_KEY=${deployment.repositoryRootKey} sleep 600 >/dev/null 2>&1 &
echo $! >>/root/pids
echo 'sent ${leaked}' >/var/log/tool.log`;
    const undo = "kill $(cat /root/pids) || :; rm /var/log/tool.log";
    const findings = await weakened(proxy, make, undo, () => inspectHosts(deployment));
    expect(faults(findings)).toEqual([
      "FAIL secrets.process-list",
      "FAIL secrets.environment",
      "FAIL secrets.logs",
    ]);
    const happened = Object.fromEntries(findings.map(({ id, happened }) => [id, happened]));
    expect(happened).toMatchObject({
      "secrets.process-list": "the password of web/main IS THERE",
      "secrets.environment": "the repository root key IS THERE",
      "secrets.logs": "the S3 secret key of the writer IS THERE",
    });
  });

  test("an old rclone whose append-only does not hold", async () => {
    const make = `cd /usr/local/lib/secure-backups
mv rclone rclone.kept
cat >rclone <<'END'
#!/bin/sh
[ "$1" != version ] || { echo 'rclone v1.60.1-DEV'; exit; }
for word do
  shift
  [ "$word" = --append-only ] || set -- "$@" "$word"
done
exec /usr/local/lib/secure-backups/rclone.kept "$@"
END
chmod 0755 rclone`;
    const undo = "cd /usr/local/lib/secure-backups; mv rclone.kept rclone";
    const [ofHosts, ofAttacks] = await weakened(proxy, make, undo, async () => [
      await faultsOfProxy(),
      faults(await attackAsClient(deployment)),
    ]);
    expect(ofHosts).toEqual(["FAIL version.rclone", "FAIL files.rclone-program"]);
    expect(ofAttacks).toEqual(NOT_APPEND_ONLY);
  });

  test("a line of authorized_keys without --append-only", async () => {
    const make = `${KEEP_KEYS}; sed -i 's/ --append-only\\(.*canary\\)/\\1/' ${KEYS}`;
    const [ofHosts, ofAttacks] = await weakened(proxy, make, RESTORE_KEYS, async () => [
      await faultsOfProxy(),
      faults(await attackAsClient(deployment)),
    ]);
    expect(ofHosts).toEqual(["FAIL authorized-keys.exact"]);
    expect(ofAttacks).toEqual(NOT_APPEND_ONLY);
    // The config is the attacker's text by now: the next run is to find none of it.
    const { Contents = [] } = await owner.s3.listObjectsV2({ Bucket: BUCKET, Prefix: ".canary/" });
    expect(Contents).toEqual([]);
  });

  test("a line of authorized_keys without a forced command", async () => {
    const make = `${KEEP_KEYS}; sed -i '/canary/s/,command="[^"]*"//' ${KEYS}`;
    const ofAttacks = await weakened(proxy, make, RESTORE_KEYS, () => attackAsClient(deployment));
    expect(faults(ofAttacks)).toEqual(expect.arrayContaining(["FAIL attack.command", "FAIL attack.sftp"]));
    expect(ofAttacks.find(({ id }) => id === "attack.command")?.happened).toBe(
      '"rclone serve restic --stdio; id" RAN; "scp -f /etc/passwd" RAN',
    );
  });

  test("any variable of a client is accepted", async () => {
    const make = `printf 'AcceptEnv *\\n' >/etc/ssh/sshd_config.d/00-a.conf; ${RELOAD_SSHD}`;
    const undo = `rm /etc/ssh/sshd_config.d/00-a.conf; ${RELOAD_SSHD}`;
    const ofAttacks = await weakened(proxy, make, undo, () => attackAsClient(deployment));
    expect(faults(ofAttacks)).toEqual(["FAIL attack.environment"]);
  });

  test("terminal and forwarding switched on, and another port that answers", async () => {
    const make = `${KEEP_KEYS}; sed -i 's/^restrict,\\(.*canary\\)/\\1/' ${KEYS}
printf 'Match User rcloneproxy\\nPermitTTY yes\\nDisableForwarding no\\nMatch all\\n' >/etc/ssh/sshd_config.d/00-a.conf
${RELOAD_SSHD}
python3 -m http.server 8080 >/dev/null 2>&1 &
echo $! >/root/pids
mkdir -p /run/systemd/journal
python3 -c '
import os, socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/systemd/journal/stdout")
os.chmod("/run/systemd/journal/stdout", 0o666)
listener.listen()
time.sleep(600)' >/dev/null 2>&1 &
echo $! >>/root/pids
timeout 60 sh -c 'until ss -Hln | grep -q :8080 && ss -Hlx | grep -q journal/stdout; do sleep 0.1; done'`;
    const undo = `${RESTORE_KEYS}; rm /etc/ssh/sshd_config.d/00-a.conf; kill $(cat /root/pids) || :; ${RELOAD_SSHD}`;
    const [ofHosts, ofAttacks] = await weakened(proxy, make, undo, async () => [
      await faultsOfProxy(),
      faults(await attackAsClient(deployment)),
    ]);
    expect(ofHosts).toEqual([
      "FAIL sshd.effective-disableforwarding",
      "FAIL sshd.effective-permittty",
      "FAIL authorized-keys.exact",
      "FAIL sockets.listening",
    ]);
    expect(ofAttacks).toEqual([
      "FAIL attack.pty",
      "FAIL attack.forward-to-ssh",
      "FAIL attack.forward-to-metadata",
      "FAIL attack.forward-to-s3",
      "FAIL attack.forward-to-socket",
      "FAIL attack.forward-remote",
      "FAIL attack.forward-remote-socket",
      "FAIL attack.ports",
    ]);
  });
});

/** The findings where rclone deletes and overwrites for a client. */
const NOT_APPEND_ONLY = [
  ...["data", "keys", "snapshots", "index", "config"].flatMap((type) => [
    `FAIL attack.delete-${type}`,
    `FAIL attack.overwrite-${type}`,
  ]),
  "FAIL attack.command-rclone",
];

/** The same with the client's host as a jump host. */
function behindJumpHost(
  change: { jump?: Partial<HostAccess>; host?: Partial<HostAccess>; canary?: KeyPair } = {},
): Deployment {
  const { host, ...there } = deployment.proxy;
  const jump = { ...client.access, ...change.jump };
  return {
    ...deployment,
    proxy: { ...there, host: { ...host, ...change.host, proxy: jump } },
    canary: change.canary ?? deployment.canary,
  };
}

describe("a weakness of a client is named", () => {
  test.each<[what: string, make: string, undo: string, named: string[]]>([
    [
      "a world-readable private key",
      "chmod 0644 /etc/restic-backup/main/id_ed25519",
      "chmod 0600 /etc/restic-backup/main/id_ed25519",
      ["FAIL client.files.web"],
    ],
    [
      "fewer files to back up, and more to leave out",
      "cd /etc/restic-backup/main; cp -p paths excludes /root; printf '/srv/none\\0' >paths; echo '*' >excludes",
      "cp -p /root/paths /root/excludes /etc/restic-backup/main",
      ["FAIL client.content.web"],
    ],
    [
      "another pinned host key, or none that must be",
      `cd /etc/restic-backup; cp -p known_hosts ssh_config /root
ssh-keygen -q -t ed25519 -N '' -f /root/other; echo "secure-backups-proxy $(cat /root/other.pub)" >known_hosts
sed -i 's/StrictHostKeyChecking yes/StrictHostKeyChecking accept-new/' ssh_config`,
      "cp -p /root/known_hosts /root/ssh_config /etc/restic-backup; rm /root/other*",
      ["FAIL client.known-hosts.web", "FAIL client.ssh-config.web"],
    ],
    [
      "another restic than the stack's",
      "cd /usr/local/lib/secure-backups; mv restic restic.kept; { cat restic.kept; echo; } >restic; chmod 0755 restic",
      "cd /usr/local/lib/secure-backups; mv restic.kept restic",
      ["FAIL client.restic-program.web"],
    ],
    [
      "the password of another client in a shell's history",
      "echo 'export RESTIC_PASSWORD=\"the password of db/main\"' >/root/.bash_history",
      "rm /root/.bash_history",
      ["FAIL secrets.leaks.web"],
    ],
  ])("%s", async (_what, make, undo, named) => {
    expect(await weakened(client, make, undo, () => faultsOfHosts())).toEqual(named);
  });

  test("S3 credentials on it", async () => {
    const make = `echo ${writer.accessKeyId} >/srv/rclone.conf`;
    expect(await weakened(client, make, "rm /srv/rclone.conf", () => faultsOfHosts())).toEqual([
      "FAIL secrets.identities.web",
    ]);
  });
});

describe("what cannot be seen is never a pass", () => {
  test("endless environments, which any user of the proxy can create: all else is inspected", async () => {
    const flood = `for process in $(seq 80); do
  setsid -f env "MUCH=$(head -c 90000 /dev/zero | tr '\\0' x)" sleep 300 </dev/null >/dev/null 2>&1
done`;
    expect(await weakened(proxy, flood, "pkill -x sleep || :", faultsOfProxy)).toEqual([
      "unknown secrets.environment",
    ]);
  });

  test("a proxy with another host key than the pinned one", async () => {
    const { publicKey } = await sshKey();
    const { proxy: there, ...rest } = deployment;
    const impostor: Deployment = {
      ...rest,
      proxy: { ...there, host: { ...there.host, hostKey: publicKey } },
    };
    const [ofHosts, ofAttacks] = await Promise.all([inspectHosts(impostor), attackAsClient(impostor)]);
    const ofProxy = ofHosts.filter(({ id }) => !id.endsWith(".web"));
    expect(ofProxy.find(({ id }) => id === "host-key.proxy")).toMatchObject({ verdict: "FAIL" });
    const passed = [...ofProxy, ...ofAttacks].filter(({ verdict }) => verdict === "pass").map(({ id }) => id);
    // The open ports are the same on the other host.
    expect(passed).toEqual(["attack.ports"]);
  });

  test("a proxy behind a jump host that refuses the login, or behind which another host answers", async () => {
    const unknown = await sshKey();
    for (const weak of [
      behindJumpHost({ jump: { privateKey: unknown.privateKey } }),
      behindJumpHost({ host: { hostKey: unknown.publicKey } }),
    ]) {
      const verdicts = (await attackAsClient(weak)).map(({ verdict }) => verdict);
      expect(new Set(verdicts)).toEqual(new Set(["unknown"]));
    }
  });

  test("a proxy behind a jump host that does not let the canary in", async () => {
    const findings = await attackAsClient(behindJumpHost({ canary: await sshKey() }));
    const passed = findings.filter(({ verdict }) => verdict === "pass").map(({ id }) => id);
    expect(passed).toEqual(["attack.unknown-key", "attack.login-root", "attack.login-operator"]);
    expect(findings.filter(({ verdict }) => verdict === "FAIL")).toEqual([]);
  });

  test("a client that does not answer", async () => {
    const [web, ...others] = deployment.clients;
    const host = { ...client.access, port: 1 };
    const clients = [{ ...(web as Deployment["clients"][number]), host }, ...others];
    const findings = (await inspectHosts({ ...deployment, clients })).filter(({ id }) => id.endsWith(".web"));
    expect(new Set(findings.map(({ verdict }) => verdict))).toEqual(new Set(["unknown"]));
    expect(exitStatus(findings)).toBe(2);
  });
});
