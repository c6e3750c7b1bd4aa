/**
 * The rendered files in force: proxy and client as booted hosts with a real sshd, rclone and restic, and the
 * local cloud's S3. First the way it is meant to be used, then what an attacker with a client's keys tries.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http2 from "node:http2";
import * as path from "node:path";
import { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { Artifact, KeyPair } from "../../config";
import {
  clientInstall,
  HostInstall,
  PROXY_USER,
  proxyInstall,
  proxyLimits,
  RCLONE_PER_REPOSITORY,
  renderUserData,
  shellQuote,
} from "../../hosts";
import { backupRoundTrip } from "../../scripts/dev/demo/round-trip";
import { BootedHost } from "../../scripts/dev/booted-host";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { SshHost } from "../../operations/transport/ssh";
import { sshKey } from "../../operations/transport/ssh-key";
import { withResticSession } from "../../operations/verify/client-attacks/restic-session";
import { showControllers } from "../harness/controllers";
import { artifact, INSTALLED, putInForce } from "../harness/installs";
import { TestBucket } from "../harness/test-bucket";
import { SAMPLE_SETTINGS } from "../harness/sample-deployment";

jest.setTimeout(300_000);

const PROXY = "172.24.4.211";
const CLIENT = "172.24.4.212";
const AWKWARD_PASSWORD = ` it's "q" $HOME \`id\` %h #1 \\ grüße `;

const facts = cloudFacts();
let proxy: BootedHost, client: BootedHost;
let bucket: TestBucket;
let main: KeyPair, odd: KeyPair, other: KeyPair;

function proxyFiles(
  change: { rclone?: Partial<Artifact>; secretAccessKey?: string; without?: KeyPair } = {},
): HostInstall {
  return proxyInstall({
    host: "rclonesrv",
    bucket: bucket.address.bucket,
    rclone: { ...artifact("rclone"), ...change.rclone },
    s3: {
      endpoint: facts.s3Endpoint,
      region: "eu-central-1",
      accessKeyId: bucket.writer.accessKeyId,
      secretAccessKey: change.secretAccessKey ?? bucket.writer.secretAccessKey,
    },
    grants: [
      { client: "web", repository: "main", publicKey: main.publicKey },
      { client: "web", repository: "odd", publicKey: odd.publicKey },
      { client: "db", repository: "main", publicKey: other.publicKey },
    ].filter(({ publicKey }) => publicKey !== change.without?.publicKey),
  });
}

function clientFiles(hostKey = proxy.hostKey): HostInstall {
  return clientInstall({
    stack: "0123456789abcdef",
    client: "web",
    bucket: bucket.address.bucket,
    proxy: { address: PROXY, port: 22, hostKey },
    restic: artifact("restic"),
    repositories: [
      {
        ...SAMPLE_SETTINGS,
        password: "main password",
        privateKey: main.privateKey,
        paths: ["/srv/data"],
      },
      {
        ...SAMPLE_SETTINGS,
        name: "odd",
        password: AWKWARD_PASSWORD,
        privateKey: odd.privateKey,
        paths: ['/srv/o\'dd $HOME #1 "é" %'],
        excludes: ["*.t$mp", "#not a comment", " blank "],
      },
    ],
  });
}

/** ssh on the client with the key of repository main, and more arguments of the attacker's. */
function attack(args: string, options: { timeout?: number } = {}) {
  return client.ssh.sh(
    `timeout -k 1 ${String(options.timeout ?? 10)} ssh -F /etc/restic-backup/ssh_config -o ControlMaster=no -o ControlPath=none ${args} </dev/null 2>&1`,
    { accept: "any" },
  );
}

/** The rclone that a key starts, spoken to over HTTP/2 as restic does. */
interface Rclone {
  session: http2.ClientHttp2Session;
  /** What it and ssh said. */
  stderr: () => string;
  end: () => void;
}

/** The ssh that an attacker starts with a key, with the proxy's host key pinned; the key is in `folder`. */
function sshWith(key: KeyPair, folder: string): [string, ...string[]] {
  const { privateKey } = key;
  const access = { host: PROXY, port: 22, user: PROXY_USER, hostKey: proxy.hostKey, privateKey };
  return new SshHost(access, { folder }).command() as [string, ...string[]];
}

function startRclone(key: KeyPair): Rclone {
  const folder = fs.mkdtempSync("/tmp/attack-");
  const [program, ...args] = sshWith(key, folder);
  const ssh = spawn(program, [...args, "rclone serve restic --stdio"], { stdio: ["pipe", "pipe", "pipe"] });
  let stderr = "";
  ssh.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const session = http2.connect("http://localhost", {
    createConnection: () => Duplex.from({ readable: ssh.stdout, writable: ssh.stdin }),
  });
  session.on("error", () => {
    // The test sees it as a request without an answer.
  });
  return {
    session,
    stderr: () => stderr,
    end: () => {
      session.destroy();
      ssh.kill();
      fs.rmSync(folder, { recursive: true });
    },
  };
}

/** Asks the rclone that the key of repository main starts, as restic would; gives the status of each answer. */
async function withRclone<T>(
  work: (request: (method: string, target: string) => Promise<number>) => Promise<T>,
) {
  const folder = fs.mkdtempSync("/tmp/attack-");
  try {
    return await withResticSession([...sshWith(main, folder), "rclone serve restic --stdio"], (request) =>
      work(async (method, target) => {
        const body = method === "POST" ? "overwritten by an attacker" : undefined;
        return (await request(method, target, body)).status;
      }),
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** Every object of the bucket with the ETag of its newest version; which shows any damage. */
async function objects(): Promise<Record<string, string>> {
  const { Contents = [] } = await bucket.owner.s3.listObjectsV2({ Bucket: bucket.address.bucket });
  return Object.fromEntries(
    Contents.filter(({ Key }) => !Key?.includes("/locks/")).map(({ Key, ETag }) => [
      Key as string,
      ETag as string,
    ]),
  );
}

beforeAll(async () => {
  bucket = await TestBucket.create("proxy-test");
  [main, odd, other] = await Promise.all([sshKey(), sshKey(), sshKey()]);
  [proxy, client] = await Promise.all([
    BootedHost.start("rclonesrv", PROXY),
    BootedHost.start("web", CLIENT),
  ]);
  await showControllers(proxy);
});

afterAll(async () => {
  for (const host of [proxy, client] as (BootedHost | undefined)[]) await host?.stop();
  await bucket.remove();
});

describe("installation", () => {
  test("cloud-init finds no fault with the user data", async () => {
    const { privateKey, publicKey } = await sshKey();
    const text = renderUserData({
      hostName: "rclonesrv",
      hostKeyPrivate: privateKey,
      hostKeyPublic: publicKey,
    });
    const { stdout } = await client.ssh.sh(`printf %s ${shellQuote(text)} >/root/user-data
cloud-init schema --config-file /root/user-data 2>&1`);
    expect(stdout).toContain("Valid");
  });

  test("a program with another checksum is never run", async () => {
    const { code, text } = await putInForce(proxy, proxyFiles({ rclone: { sha256: "0".repeat(64) } }));
    expect(code).not.toBe(INSTALLED);
    expect(text).toContain("not the configured 000000");
    expect((await proxy.ssh.sh("command -v rclone || true")).stdout).toBe("");
  });

  test("S3's refusal fails the installation in rclone's own words, without the secret", async () => {
    const { code, text } = await putInForce(proxy, proxyFiles({ secretAccessKey: "not-the-secret-key" }));
    expect(code).not.toBe(INSTALLED);
    expect(text).toMatch(/SignatureDoesNotMatch|403|Forbidden/);
    expect(text).not.toContain("not-the-secret-key");
  });

  test("the proxy is put in force, and a second time changes nothing", async () => {
    const first = await putInForce(proxy, proxyFiles());
    expect(first).toMatchObject({ code: INSTALLED });
    const state = "find /etc/ssh /home/rcloneproxy /usr/local -type f -printf '%p %T@ %m %u:%g\\n' | sort";
    const before = (await proxy.ssh.sh(state)).stdout;
    expect(await putInForce(proxy, proxyFiles())).toMatchObject({ code: INSTALLED });
    expect((await proxy.ssh.sh(state)).stdout).toBe(before);
  });

  test("nothing that the proxy's user could change decides what its keys may do", async () => {
    const { stdout } = await proxy.ssh.sh(
      `runuser -u rcloneproxy -- find /etc/ssh /usr/local /home/rcloneproxy -writable ! -type l ! -name null`,
    );
    expect(stdout).toBe("");
    const modes = await proxy.ssh.sh("stat -c '%a %U:%G' /home/rcloneproxy/.config/rclone/rclone.conf");
    expect(modes.stdout.trim()).toBe("640 root:rcloneproxy");
  });

  test("the client is put in force, and its repositories are there", async () => {
    expect(await putInForce(client, clientFiles())).toMatchObject({ code: INSTALLED });
    const { stdout } = await client.ssh.sh(
      "stat -c '%a %U' /etc/restic-backup/main/env /etc/restic-backup/main/id_ed25519",
    );
    expect(stdout).toBe("600 root\n600 root\n");
  });
});

describe("use", () => {
  test("backs up and restores byte for byte, and forget is refused with 403", async () => {
    const trip = await backupRoundTrip(client.ssh, "web", "main");
    expect(trip).toMatchObject({ refusal: "forget refused: 403" });
  });

  test("awkward paths, excludes and passwords mean what was written", async () => {
    await client.ssh.sh(`folder=$(printf %s ${shellQuote('/srv/o\'dd $HOME #1 "é" %')})
mkdir -p "$folder"
cd "$folder"
touch keep 'a.t$mp' '#not a comment' ' blank ' 'blank'`);
    await client.ssh.sh("restic-backup odd");
    const { stdout } = await client.ssh.sh("restic-backup odd ls latest");
    const names = stdout
      .split("\n")
      .flatMap((line) => (line.startsWith("/srv/o'dd") ? [path.basename(line)] : []));
    expect(names.sort()).toEqual(["blank", "keep", 'o\'dd $HOME #1 "é" %']);
    const env = await client.ssh.sh(
      'set -a; . /etc/restic-backup/odd/env; printf %s "$RESTIC_PASSWORD" | base64 -w 0',
    );
    expect(Buffer.from(env.stdout, "base64").toString()).toBe(AWKWARD_PASSWORD);
  });

  test("restic's own command line works without restic-backup", async () => {
    const { stdout } = await client.ssh.sh(
      "set -a; . /etc/restic-backup/main/env; set +a\n" +
        'restic -o rclone.program="ssh -F /etc/restic-backup/ssh_config main" snapshots --json',
    );
    expect(JSON.parse(stdout)).toHaveLength(2);
  });
});

describe("a client's key in an attacker's hand", () => {
  test.each([
    ["another command", "main id"],
    ["a shell", "-tt main"],
    ["sftp", "-s main sftp"],
    ["the same command without append-only", "main rclone serve restic --stdio s3-resticrepo:databucket"],
    ["reading the credentials", "main cat /home/rcloneproxy/.config/rclone/rclone.conf"],
  ])("%s starts nothing but rclone on its own repository", async (_what, args) => {
    const { stdout } = await attack(args);
    expect(stdout).not.toMatch(/uid=|secret_access_key|\$ $/);
    expect(stdout).not.toContain(bucket.writer.secretAccessKey);
  });

  test("no terminal is given", async () => {
    expect((await attack("-tt main")).stdout).toMatch(/PTY allocation request failed/);
  });

  test.each([
    ["to a port", `-W 127.0.0.1:22 main`],
    ["to the S3 service", `-W ${new URL(facts.s3Endpoint).host} main`],
  ])("no forwarding %s", async (_what, args) => {
    const { code, stdout } = await attack(args);
    expect(code).not.toBe(0);
    expect(stdout).toMatch(/administratively prohibited|stdio forwarding failed/);
    expect(stdout).not.toContain("SSH-2.0");
  });

  test("no forwarding by -L, -D, -R or to a unix socket", async () => {
    const { stdout } = await client.ssh.sh(
      `cd /root
ssh -F /etc/restic-backup/ssh_config -o ControlMaster=no -o ControlPath=none -o ClearAllForwardings=no -N -v \\
  -L 9001:127.0.0.1:22 -D 9002 -L 9003:/run/dbus/system_bus_socket -R 9004:127.0.0.1:22 main </dev/null >forward.log 2>&1 &
pid=$!
timeout 60 sh -c 'until grep -q "remote port forwarding failed" forward.log; do sleep 0.1; done' || true
for port in 9001 9003; do
  timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && head -c 8 <&3" 2>/dev/null || true
done
timeout 5 curl -s --max-time 4 --socks5 127.0.0.1:9002 telnet://127.0.0.1:22 </dev/null || true
kill $pid 2>/dev/null || true
grep -v '^debug1' forward.log`,
      { accept: "any" },
    );
    expect(stdout).not.toContain("SSH-2.0");
    expect(stdout).toMatch(/administratively prohibited|remote port forwarding failed|open failed/);
  });

  test("no agent and no X11 are forwarded", async () => {
    const { stdout } = await attack("-v -o ForwardAgent=yes -o ForwardX11=yes main", { timeout: 6 });
    expect(stdout).not.toMatch(/Requesting X11 forwarding.*succeeded/);
    const listening = await proxy.ssh.sh("ss -H -ltn | awk '{print $4}' | sort -u");
    expect(listening.stdout.split("\n").filter((line) => line && !/:22$/.test(line))).toEqual([]);
  });

  test("deleting, overwriting and reaching beyond the repository are refused, and harm nothing", async () => {
    const before = await objects();
    const inside = Object.keys(before).filter((key) => key.startsWith("web/main/"));
    const restUrl = (key: string) => key.replace(/^web\/main/, "").replace(/^\/data\/..\//, "/data/");
    const attempts: [string, string][] = [
      ...inside.slice(0, 6).flatMap((key): [string, string][] => [
        ["DELETE", restUrl(key)],
        ["POST", restUrl(key)],
      ]),
      ["DELETE", "/"],
      ["DELETE", "/config"],
      ["POST", "/config"],
      ["GET", "/../odd/config"],
      ["GET", "/../../db/main/config"],
      ["POST", "/../odd/data/aaaa"],
      ["GET", "/%2e%2e/odd/config"],
      ["GET", "/..%2fodd%2fconfig"],
      ["DELETE", "/locks/../config"],
      ["DELETE", "/locks/..%2fconfig"],
      ["DELETE", "/data/aaaa/locks/.."],
      ["GET", "//etc/passwd"],
    ];
    const answers = await withRclone(async (request) => {
      const seen: string[] = [];
      for (const [method, target] of attempts)
        seen.push(`${method} ${target} ${String(await request(method, target))}`);
      return seen;
    });
    expect(answers.filter((line) => / 2\d\d$/.test(line))).toEqual([]);
    expect(await objects()).toEqual(before);
  });

  test("an object whose name XML cannot hold stops no command", async () => {
    await withRclone(async (request) => {
      expect(await request("POST", "/snapshots/%01")).toBe(200);
    });
    const Key = "web/main/snapshots/\u0001";
    expect(await objects()).toHaveProperty([Key]);
    await client.ssh.sh("restic-backup main snapshots && restic-backup main check");
    await bucket.owner.s3.deleteObject({ Bucket: bucket.address.bucket, Key });
  });

  test("another key opens nothing", async () => {
    const unknown = await sshKey();
    await client.ssh.sh(`umask 077; printf %s ${shellQuote(unknown.privateKey)} >/root/unknown`);
    const { code, stdout } = await client.ssh.sh(
      `ssh -F none -i /root/unknown -o BatchMode=yes -o HostKeyAlias=secure-backups-proxy \\
  -o UserKnownHostsFile=/etc/restic-backup/known_hosts rcloneproxy@${PROXY} </dev/null 2>&1`,
      { accept: "any" },
    );
    expect(code).toBe(255);
    expect(stdout).toContain("Permission denied");
  });

  test("a proxy with another host key gets no password and no data", async () => {
    const impostor = await sshKey();
    const { code, text } = await putInForce(client, clientFiles(impostor.publicKey));
    expect(code).not.toBe(INSTALLED);
    expect(text).toMatch(/Host key verification failed|host key/i);
    expect(await putInForce(client, clientFiles())).toMatchObject({ code: INSTALLED });
  });
});

describe("one client cannot keep out another", () => {
  /** Looks every tenth of a second for the rclone processes of repository main, until there are so many. */
  const rclones = (
    count: number,
  ) => `processes() { pgrep -f '^/usr/local/lib/secure-backups/rclone serve .*/web/main/$' || true; }
for try in $(seq 200); do
  [ "$(processes | wc -l)" != ${String(count)} ] || break
  sleep 0.1
done
`;

  test("a repository has four rclone processes; restic reports why it gets no fifth, and others go on", async () => {
    await proxy.ssh.sh(rclones(0));
    const taken = Array.from({ length: RCLONE_PER_REPOSITORY }, () => startRclone(main));
    try {
      const { stdout } = await proxy.ssh.sh(`${rclones(taken.length)}cat /proc/self/oom_score_adj
for pid in $(processes); do cat "/proc/$pid/oom_score_adj"; done | sort -n`);
      const [own, ...scores] = stdout.trim().split("\n").map(Number);
      // Where the tests themselves are to be ended early, no process can be less so.
      expect(scores).toEqual([0, 300, 600, 900].map((score) => Math.max(score, own as number)));
      const refused = await client.ssh.sh("restic-backup main snapshots 2>&1", { accept: "any" });
      expect(refused.code).not.toBe(0);
      expect(refused.stdout).toContain("4 restic commands already use this repository");
      await client.ssh.sh("restic-backup odd");
    } finally {
      for (const { end } of taken) end();
    }
    await proxy.ssh.sh(rclones(0));
    await client.ssh.sh("restic-backup main snapshots");
  });

  test("a flood of uploads takes little memory and ends with its connection, and others go on", async () => {
    const flood = startRclone(main);
    try {
      const chunk = Buffer.alloc(1 << 20);
      for (let number = 0; number < 200; number += 1) {
        const target = `/data/${number.toString(16).padStart(64, "0")}`;
        const stream = flood.session.request({ ":method": "POST", ":path": target }, { endStream: false });
        stream.on("error", () => {
          // The session ends before its uploads do.
        });
        for (let part = 0; part < 16; part += 1) stream.write(chunk);
      }
      await client.ssh.sh(
        'head -c 20000000 /dev/urandom >"/srv/o\'dd \\$HOME #1 \\"é\\" %/more"; restic-backup odd',
      );
      const { stdout } = await proxy.ssh.sh(
        `${rclones(1)}sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB$/\\1/p' "/proc/$(processes)/status"`,
      );
      expect(Number(stdout)).toBeGreaterThan(50_000);
      expect(Number(stdout)).toBeLessThan(200_000);
    } finally {
      flood.end();
    }
    expect((await proxy.ssh.sh(`${rclones(0)}processes`)).stdout).toBe("");
    await client.ssh.sh("restic-backup main snapshots");
  });

  test("a client that keeps reconnecting does not delay its revocation", async () => {
    await client.ssh.sh(`for knocker in $(seq 6); do
  setsid -f timeout 600 sh -c '
    while :; do ssh -F /etc/restic-backup/ssh_config -o ControlMaster=no -o ControlPath=none odd; done
  ' </dev/null >/dev/null 2>&1
done`);
    const { code, text } = await putInForce(proxy, proxyFiles({ without: odd }));
    // They reconnected until now, or this fails; between two attempts there may be no ssh.
    await client.ssh.sh("pkill -x timeout\npkill -x ssh || :");
    expect(text).toContain("ended the sessions of keys that lost their access");
    expect(code).toBe(INSTALLED);
    expect(await putInForce(proxy, proxyFiles())).toMatchObject({ code: INSTALLED });
    await client.ssh.sh("restic-backup odd snapshots");
  });

  test("one address has so many connections and no more, and others get in", async () => {
    // The rules as they are put, but for the number: as many logins as they allow take half a minute.
    const limit = 12;
    await proxy.ssh.sh(
      `rules=/etc/secure-backups-connections.nft
grep -Fq 'ct count over ${String(proxyLimits(3).connectionsPerSource)} ' $rules
sed 's/ct count over [0-9]*/ct count over ${String(limit)}/' $rules | nft -f -`,
    );
    const ssh = "ssh -F /etc/restic-backup/ssh_config -o ControlMaster=no -o ControlPath=none";
    const { stdout } = await client.ssh.sh(
      `opened=0
for number in $(seq ${String(limit + 2)}); do
  ${ssh} -f -N main </dev/null >/dev/null 2>/root/refused || break
  opened=$((opened + 1))
done
echo "$opened"
cat /root/refused`,
    );
    const [opened, refusal] = stdout.split("\n");
    // Connections of the tests before may not have ended yet.
    expect(Number(opened)).toBeGreaterThan(limit - 5);
    expect(Number(opened)).toBeLessThanOrEqual(limit);
    expect(refusal).toMatch(/Connection (reset|refused)|kex_exchange_identification/);

    const another = startRclone(other);
    const stream = another.session.request({ ":path": "/config" });
    const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
    expect(headers[":status"]).toBe(404);
    another.end();

    await client.ssh.sh("pkill -x ssh; sleep 1; restic-backup main snapshots");
    await proxy.ssh.sh("nft delete table inet secure_backups");
  });
});

test("an sshd that would not start is never put in force", async () => {
  await proxy.ssh.sh("printf 'NoSuchOption yes\\n' >/etc/ssh/sshd_config.d/50-broken.conf");
  const { code, text } = await putInForce(proxy, proxyFiles());
  await proxy.ssh.sh("rm /etc/ssh/sshd_config.d/50-broken.conf");
  expect(code).not.toBe(INSTALLED);
  expect(text).toContain("50-broken.conf");
  expect((await proxy.ssh.sh("echo reachable")).stdout).toBe("reachable\n");
});
