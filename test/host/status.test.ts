/**
 * What happens to backups, seen by the watcher of a booted keeper: in the status, on its page, in its metrics and in the
 * alarms that are sent, each once. The keeper's units, the guard, RGW and the receivers are real.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { AlarmsConfig } from "../../config";
import { bundleKeeper, keeperInstall, keeperProgramInstall, STATUS_PAGES } from "../../hosts";
import type { Message } from "../../keeper/alarms/message";
import { VERIFY_RECORD } from "../../keeper/gate/names";
import { NEW_STATE } from "../../keeper/retention";
import type { KeeperSettings, KeptRepository } from "../../keeper/settings";
import { type Alarm, type AlarmKind, type Status, statusSchema } from "../../keeper/status/schema";
import { EXIT } from "../../operations/exit-status";
import { show } from "../../operations/status/status";
import { renderTable } from "../../operations/status/table";
import { adoptOrCreate } from "../../s3/create";
import { POLICY } from "../../s3/settings/policy";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import { BootedHost } from "../../scripts/dev/booted-host";
import { address, arns, contentOf, keeper, owner, useIdentities, writer } from "../harness/bucket-identities";
import { artifact, INSTALLED, putInForce } from "../harness/installs";
import { SmtpReceiver } from "../harness/receivers";
import { ResticFolder } from "../harness/restic-folder";
import { strongestPolicy } from "../harness/strongest-policy";

jest.setTimeout(300_000);

useIdentities();

const DAY = 86_400_000;
const PASSWORD = "a password";
/** The machine of the tests, as booted hosts reach it. */
const RECEIVERS = "172.24.4.1";
/** What an attacker calls an object: markup, a control character, and letters that run from right to left. */
const HOSTILE_SIGNS = ["\u0007", "\u202e"];
const HOSTILE = `<img src=x onerror=alert(1)>${HOSTILE_SIGNS.join("")}gnp.`;

const CLIENTS = ["dead", "dates", "fine", "hidden", "index", "locks", "names", "partial", "failed"] as const;
type Client = (typeof CLIENTS)[number];

const kept = (client: Client): KeptRepository => ({
  client,
  repository: "main",
  pins: [],
  schedule: "daily",
  window: 0,
  frozen: false,
});

/** A receiver of JSON, on the machine of the tests. */
class Receiver {
  readonly messages: Message[] = [];
  pings = 0;
  private server: http.Server | undefined;
  port = 0;

  async up(): Promise<void> {
    this.server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        if (request.url === "/ping") this.pings += 1;
        else this.messages.push(JSON.parse(Buffer.concat(chunks).toString()) as Message);
        response.end();
      });
    });
    this.server.listen(this.port, RECEIVERS);
    await once(this.server, "listening");
    this.port = (this.server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.server = undefined;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }

  /** What was sent of one alarm, in order. */
  sent(kind: AlarmKind, client?: Client): string[] {
    return this.messages
      .flatMap(({ transitions }) => transitions)
      .filter(({ alarm }) => alarm.kind === kind && alarm.client === client)
      .map(({ what }) => what);
  }
}

let host: BootedHost;
let bucket: ReturnType<typeof address>;
let restic: ResticFolder;
const receiver = new Receiver();
const gone = new Receiver();
let smtp: SmtpReceiver;
let status: Status;

function settings(): KeeperSettings {
  return {
    s3: bucket,
    repositories: CLIENTS.map(kept),
    approval: { snapshots: 50, share: 0.2 },
    bounds: {
      objects: 10_000,
      metadataBytes: 1 << 26,
      packBytes: 1 << 28,
      readBytes: 1 << 30,
      lateObjects: 200,
    },
    noncurrentVersionDays: 30,
  };
}

const alarms = (): AlarmsConfig => ({
  graceHours: 1,
  digestHour: 0,
  mail: {
    server: RECEIVERS,
    port: smtp.port,
    security: "none",
    from: "keeper@example.com",
    to: ["ops@example.com", "night@example.com"],
  },
  webhooks: [
    { name: "ops", url: `http://${RECEIVERS}:${String(receiver.port)}/hook/a-secret-token`, form: "json" },
    { name: "gone", url: `http://${RECEIVERS}:${String(gone.port)}/another-secret-token`, form: "slack" },
  ],
  ping: `http://${RECEIVERS}:${String(receiver.port)}/ping`,
});

const sh = async (text: string): Promise<string> => (await host.ssh.sh(text)).stdout.trim();

const put = (client: Client, at: string, Body: Buffer | string, by = owner) =>
  by.s3.putObject({ Bucket: bucket.bucket, Key: `${client}/main/${at}`, Body });

/** What was put of each client. */
const uploaded = new Set<string>();

/** Puts what the client has not put yet. */
async function upload(client: Client): Promise<void> {
  for (const entry of fs.readdirSync(restic.folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const at = path.relative(restic.folder, file);
    if (uploaded.has(`${client}/${at}`)) continue;
    uploaded.add(`${client}/${at}`);
    await put(client, at, fs.readFileSync(file), writer);
  }
}

/** The same with one snapshot more, that no other client gets. */
async function uploadWith(client: Client, ...options: string[]): Promise<void> {
  const id = restic.backup({ file: randomBytes(1000) }, ...options);
  await upload(client);
  restic.delete({ type: "snapshots", id });
}

/** One look of the watcher: the status that it leaves. */
async function watch(): Promise<Status> {
  await sh(
    "systemctl start keeper-watch.service || { journalctl --quiet --output=cat -u keeper-watch -n 30 >&2; exit 1; }",
  );
  const text = await contentOf(owner.s3, bucket.bucket, ".status/status.json");
  return statusSchema.parse(JSON.parse(text));
}

const ofClient = (client: Client): Alarm[] => status.alarms.filter((alarm) => alarm.client === client);
const kinds = (client: Client): AlarmKind[] => ofClient(client).map(({ kind }) => kind);

beforeAll(async () => {
  bucket = address();
  await adoptOrCreate(owner.s3, bucket, owner);
  await settle(VERSIONING, owner.s3, bucket, true);
  await settle(POLICY, owner.s3, bucket, strongestPolicy({ bucket: bucket.bucket, ...arns() }));
  // The watcher knows the owner by what only the owner can put.
  await owner.s3.putObject({ Bucket: bucket.bucket, Key: ".owner/known", Body: "" });
  host = await BootedHost.start("keepersrv", "172.24.4.216");
  await receiver.up();
  smtp = await SmtpReceiver.start({}, RECEIVERS);
  // Its port belongs to nobody from now on.
  await gone.up();
  await gone.down();

  restic = new ResticFolder(PASSWORD, 2);
  restic.backup({ file: randomBytes(100_000) });
  for (const client of CLIENTS) await upload(client);
  const install = keeperInstall({
    host: "keepersrv",
    node: artifact("node"),
    restic: artifact("restic"),
    settings: settings(),
    s3: { accessKeyId: keeper.accessKeyId, secretAccessKey: keeper.secretAccessKey },
    alarms: alarms(),
    repositories: CLIENTS.map((client) => ({ client, repository: "main", password: PASSWORD })),
  });
  for (const one of [keeperProgramInstall(bundleKeeper()), install]) {
    const { code, text } = await putInForce(host, one);
    if (code !== INSTALLED) throw new Error(text);
  }
  // The rounds of the tests are the only ones.
  await sh("systemctl stop keeper-watch.timer keeper-round.timer keeper-watch.service");
}, 300_000);

afterAll(async () => {
  await (host as BootedHost | undefined)?.stop();
  await Promise.all([receiver.down(), gone.down(), (smtp as SmtpReceiver | undefined)?.stop()]);
  (restic as ResticFolder | undefined)?.remove();
});

describe("nine backups, of which eight go wrong", () => {
  beforeAll(async () => {
    const { bucket: Bucket } = bucket;
    // A client that has been silent: the gate remembers when its snapshot first arrived.
    const [id = ""] = fs.readdirSync(path.join(restic.folder, "snapshots"));
    await keeper.s3.putObject({
      Bucket,
      Key: ".keeper/dead/main/state.json",
      Body: JSON.stringify({ ...NEW_STATE, arrivals: { [id]: Date.now() - 5 * DAY } }),
    });
    await uploadWith("dates", "--time", "2099-01-01 00:00:00");
    await put("index", `index/${"0".repeat(64)}`, randomBytes(200), writer);
    await put("locks", "locks/not-a-lock", "short", writer);
    await put("names", `snapshots/${HOSTILE}`, "x", writer);
    // An attacker with the keeper's keys, who does not trouble about the journal.
    const [pack = ""] = fs
      .readdirSync(path.join(restic.folder, "data"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.length > 60);
    await keeper.s3.deleteObject({ Bucket, Key: `hidden/main/data/${pack}` });
    for (const result of ["partial", "failed"] as const) {
      await uploadWith(result, "--tag", `secure-backups-report,secure-backups-${result}`);
    }
    const { Versions = [] } = await owner.s3.listObjectVersions({ Bucket });
    const used = Versions.reduce((sum, { Size = 0 }) => sum + Size, 0);
    // The service reports a quota to the owner alone, whose verify leaves it.
    const left = { at: Date.now(), passed: 100, failed: 0, unknown: 0, quota: Math.ceil(used * 1.08) };
    await owner.s3.putObject({ Bucket, Key: VERIFY_RECORD, Body: JSON.stringify(left) });
    // One worker fails, that of the repository with a false index.
    await sh("systemctl start keeper-round.service || :");
    status = await watch();
  });

  const expected: readonly [Client, AlarmKind][] = [
    ["dead", "overdue"],
    ["dates", "forged-date"],
    ["hidden", "hidden-object"],
    ["index", "findings"],
    ["locks", "lock"],
    ["names", "unknown-object"],
    ["partial", "partial"],
    ["failed", "failed"],
  ];

  test.each(expected)("%s raises %s, which is sent once, with what to type next", (client, kind) => {
    expect(kinds(client)).toContain(kind);
    expect(receiver.sent(kind, client)).toEqual(["raised"]);
    for (const { next, since, text } of ofClient(client)) {
      expect(next).not.toBe("");
      expect(text).not.toBe("");
      expect(since).toBeLessThanOrEqual(Date.now());
    }
  });

  test("a quota that is nearly full is one of the bucket's", () => {
    expect(status.alarms.filter(({ kind }) => kind === "quota")).toHaveLength(1);
    expect(receiver.sent("quota")).toEqual(["raised"]);
  });

  test("the one that is whole raises nothing", () => {
    expect(kinds("fine")).toEqual([]);
    const row = status.repositories.find(({ client }) => client === "fine");
    expect(row).toMatchObject({ snapshots: 1, findings: 0 });
    expect(row).not.toHaveProperty("overdueSince");
    expect(row).not.toHaveProperty("reported");
    expect(row?.tried.guard?.ok).toBe(true);
  });

  test("one mail has them all", () => {
    expect(smtp.mails.map(({ to }) => to.length)).toEqual([2]);
    // Quoted-printable ends its lines softly.
    const text = (smtp.mails[0]?.content ?? "").replaceAll("=\n", "");
    for (const [client, kind] of expected) {
      expect(text).toContain(`${client}/main: ${kind.replaceAll("-", " ")}`);
    }
    expect(text).not.toContain("fine/main");
    for (const sign of HOSTILE_SIGNS) expect(text).not.toContain(sign);
  });

  test("a second look sends nothing again", async () => {
    const before = receiver.messages.length;
    status = await watch();
    expect(receiver.messages).toHaveLength(before);
    expect(smtp.mails).toHaveLength(1);
    for (const [client, kind] of expected) expect(receiver.sent(kind, client)).toEqual(["raised"]);
  });

  test("each whole round pings", () => {
    expect(receiver.pings).toBe(2);
  });

  test("the table and the page show what is amiss first, and hostile names as text", async () => {
    const table = renderTable(status, Date.now(), "keepersrv");
    const rows = table.split("\n").filter((line) => /^ *[a-z]+\/main /.test(line));
    expect(rows).toHaveLength(CLIENTS.length);
    expect(rows.at(-1)).toContain("fine/main");
    expect(table).toMatch(/dead\/main .*OVERDUE/);
    for (const sign of HOSTILE_SIGNS) expect(table).not.toContain(sign);
    const page = await sh(`cat ${STATUS_PAGES}/status.html`);
    expect(page).toBe((await contentOf(owner.s3, bucket.bucket, ".status/status.html")).trim());
    const words = page.replace(/<[^>]*>/g, "");
    for (const [client, kind] of expected) {
      expect(words).toContain(`${client}/main`);
      expect(words).toContain(kind.replaceAll("-", " "));
    }
    expect(page).toContain("&lt;img src=x");
    for (const sign of ["<img", "<script", ...HOSTILE_SIGNS]) expect(page).not.toContain(sign);
  });

  test("the metrics say the same", async () => {
    const metrics = await sh(`cat ${STATUS_PAGES}/metrics.prom`);
    expect(metrics).toBe((await contentOf(owner.s3, bucket.bucket, ".status/metrics.prom")).trim());
    for (const [, kind] of expected) expect(metrics).toMatch(new RegExp(`kind="${kind}"[^\n]*\\} [1-9]`));
    for (const sign of HOSTILE_SIGNS) expect(metrics).not.toContain(sign);
  });

  test("no status, page or message holds the token of a receiver", async () => {
    const texts = await Promise.all(
      ["status.json", "status.html", "metrics.prom"].map((name) =>
        contentOf(owner.s3, bucket.bucket, `.status/${name}`),
      ),
    );
    const log = await sh("journalctl --quiet --output=cat -u keeper-watch");
    expect([...texts, log, JSON.stringify(receiver.messages)].join("\n")).not.toMatch(/secret-token/);
  });
});

describe("receivers", () => {
  test("one that is down for good stays red, and delays no other", () => {
    const [ops, lost] = ["ops", "gone"].map((name) =>
      status.ways.find((way) => way.name === `webhook ${name}`),
    );
    expect(ops).toMatchObject({ pending: 0 });
    expect(ops?.failingSince).toBeUndefined();
    expect(lost?.failingSince).toBeLessThanOrEqual(status.at + 60_000);
    expect(lost?.pending).toBeGreaterThan(8);
    expect(lost?.error).toMatch(/\S/);
  });

  test("one that is down for minutes gets what it missed once, and what ended", async () => {
    await receiver.down();
    await put("fine", "stray", "x", writer);
    status = await watch();
    expect(kinds("fine")).toEqual(["unknown-object"]);
    expect(status.ways.find(({ name }) => name === "webhook ops")).toMatchObject({ pending: 1 });
    expect(receiver.sent("unknown-object", "fine")).toEqual([]);
    await receiver.up();
    status = await watch();
    expect(receiver.sent("unknown-object", "fine")).toEqual(["raised"]);
    await owner.s3.deleteObject({ Bucket: bucket.bucket, Key: "fine/main/stray" });
    status = await watch();
    expect(kinds("fine")).toEqual([]);
    expect(receiver.sent("unknown-object", "fine")).toEqual(["raised", "cleared"]);
  });

  test("each gets the owner's test", async () => {
    await owner.s3.putObject({ Bucket: bucket.bucket, Key: ".owner/alarms-test", Body: "" });
    status = await watch();
    expect(receiver.messages.filter(({ test }) => test)).toHaveLength(1);
    const outcome = Object.fromEntries(status.ways.map(({ name, test }) => [name, test?.ok]));
    expect(outcome).toMatchObject({ mail: true, "webhook ops": true, "webhook gone": false });
    await watch();
    expect(receiver.messages.filter(({ test }) => test)).toHaveLength(1);
  });
});

test("a keeper that is dead leaves a status that says first that it is old", async () => {
  await host.stop();
  const left = statusSchema.parse(
    JSON.parse(await contentOf(owner.s3, bucket.bucket, ".status/status.json")),
  );
  let text = "";
  const screen = { write: (more: string) => void (text += more), complain: () => undefined };
  const later = (left.validUntil as number) + 60_000;
  expect(show(left, "keepersrv", later, {}, screen)).toBe(EXIT.unknown);
  expect(text.split("\n")[0]).toMatch(/^STALE/);
  expect(show(left, "keepersrv", left.at, {}, screen)).toBe(EXIT.failed);
});
