/** Alarms as their receivers get them: by e-mail, web services and a program, each of them well or broken. */
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as tls from "node:tls";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { buildSync } from "esbuild";
import { deliver, deliverPing } from "../../keeper/alarms/deliver";
import { messageSchema } from "../../keeper/alarms/message";
import type { Outbox } from "../../keeper/alarms/outbox";
import { advance, wayStatus } from "../../keeper/alarms/transitions";
import { type Way, waysOf } from "../../keeper/alarms/ways";
import type { AlarmsConfig } from "../../keeper/settings";
import type { Alarm } from "../../keeper/status/schema";
import { type Certificate, certificate, HttpReceiver, SmtpReceiver } from "../harness/receivers";
import { HOSTILE, hostileStatus, sampleAlarm, wellStatus } from "../harness/sample-status";

jest.setTimeout(120_000);

/** Of Node 24. */
interface DefaultAuthorities {
  readonly getCACertificates: (type: "default") => string[];
  readonly setDefaultCACertificates: (certificates: readonly string[]) => void;
}

/** Before the hour of the daily summary. */
const NIGHT = Date.UTC(2027, 2, 14, 0, 10);
const MORNING = Date.UTC(2027, 2, 14, 6);
const PASSWORD = "hunter2-of-the-mail";
const OVERDUE = sampleAlarm("overdue", { client: "db1", repository: "main" }, { severity: "critical" });
const LOCK = sampleAlarm("lock", { client: "web1", repository: "main" });

const QUIET: AlarmsConfig = { graceHours: 6, digestHour: 6, webhooks: [] };

let folder: string;
let trusted: Certificate;
const stops: (() => Promise<void>)[] = [];

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "alarms-"));
  trusted = certificate(folder);
});

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

afterAll(() => {
  fs.rmSync(folder, { recursive: true });
});

async function smtp(manners: Parameters<typeof SmtpReceiver.start>[0] = {}): Promise<SmtpReceiver> {
  const receiver = await SmtpReceiver.start(manners);
  stops.push(() => receiver.stop());
  return receiver;
}

async function web(): Promise<HttpReceiver> {
  const receiver = await HttpReceiver.start();
  stops.push(() => receiver.stop());
  return receiver;
}

/** A port at which nothing listens. */
async function closedPort(): Promise<string> {
  const receiver = await HttpReceiver.start();
  await receiver.stop();
  return receiver.port;
}

const mailTo = (port: number, change: Partial<NonNullable<AlarmsConfig["mail"]>> = {}): AlarmsConfig => ({
  ...QUIET,
  mail: {
    server: "127.0.0.1",
    port,
    security: "none",
    from: "keeper@example.org",
    to: ["ops@example.org"],
    ...change,
  },
});

const hookTo = (url: string, form: "json" | "slack" = "json"): AlarmsConfig => ({
  ...QUIET,
  webhooks: [{ name: "ops", url, form }],
});

/** Writes a program and returns its configuration. */
function program(name: string, script: string, ...args: string[]): AlarmsConfig {
  const file = path.join(folder, name);
  fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { ...QUIET, command: { path: file, args } };
}

/** One round: sends what is due, and returns the outbox after it. */
async function round(
  config: AlarmsConfig,
  alarms: readonly Alarm[],
  before?: Outbox,
  { now = NIGHT, testAsked, ways = waysOf(config) }: { now?: number; testAsked?: number; ways?: Way[] } = {},
): Promise<Outbox> {
  const status = wellStatus({ alarms: [...alarms] });
  return await deliver(now, config, advance(now, config, status, testAsked, before), status, ways);
}

/** What the status says of the only way. */
const only = (outbox: Outbox) => wayStatus(outbox)[0];

/** The error of the only way, which could not send the alarm. */
async function errorOf(config: AlarmsConfig): Promise<string | undefined> {
  const outbox = await round(config, [OVERDUE]);
  expect(only(outbox)).toMatchObject({ failingSince: NIGHT, pending: 1 });
  return only(outbox)?.error;
}

describe("by e-mail", () => {
  test("a message arrives as text, with a login", async () => {
    const receiver = await smtp();
    const config = mailTo(receiver.port, {
      user: "keeper",
      password: PASSWORD,
      to: ["ops@example.org", "boss@example.org"],
    });
    expect(only(await round(config, [OVERDUE]))).toEqual({ name: "mail", sent: NIGHT, pending: 0 });
    const [mail] = receiver.mails;
    expect(receiver.mails).toHaveLength(1);
    expect(mail).toMatchObject({
      encrypted: false,
      login: `keeper:${PASSWORD}`,
      from: expect.stringContaining("<keeper@example.org>") as unknown,
    });
    expect(mail?.to).toHaveLength(2);
    expect(mail?.content).toMatch(/^Subject: \[backups-prod\] db1\/main: overdue$/m);
    expect(mail?.content).toMatch(/^Auto-Submitted: auto-generated$/m);
    expect(mail?.content).toMatch(/^Content-Type: text\/plain/m);
    expect(mail?.content).toMatch(/^ {2}Next: npm run keeper -- status --stack prod db1\/main$/m);
    expect(mail?.content).not.toContain(PASSWORD);
  });

  test("TLS is required, and a certificate that nobody vouches for refused", async () => {
    const known = await smtp({ certificate: trusted });
    expect(await errorOf(mailTo(known.port, { security: "starttls" }))).toMatch(/self-signed certificate/);
    const implicit = await smtp({ certificate: trusted, implicit: true });
    expect(await errorOf(mailTo(implicit.port, { security: "tls" }))).toMatch(/self-signed certificate/);
    const plain = await smtp({ answers: { STARTTLS: "454 not now" } });
    const login = { user: "keeper", password: PASSWORD };
    expect(await errorOf(mailTo(plain.port, { security: "starttls", ...login }))).toMatch(/STARTTLS/);
    for (const receiver of [known, implicit, plain]) expect(receiver.mails).toEqual([]);
  });

  test("a certificate of an authority of this host is taken, for its name alone", async () => {
    // As systemd's unit has it: --use-system-ca.
    const { getCACertificates, setDefaultCACertificates } = tls as unknown as DefaultAuthorities;
    const before = getCACertificates("default");
    setDefaultCACertificates([...before, trusted.cert]);
    try {
      const starting = await smtp({ certificate: trusted });
      const implicit = await smtp({ certificate: trusted, implicit: true });
      await round(mailTo(starting.port, { security: "starttls" }), [OVERDUE]);
      await round(mailTo(implicit.port, { security: "tls" }), [OVERDUE]);
      for (const { mails } of [starting, implicit]) expect(mails).toMatchObject([{ encrypted: true }]);
      const other = mailTo(starting.port, { security: "starttls", server: "localhost" });
      expect(await errorOf(other)).toMatch(/does not match certificate/);
    } finally {
      setDefaultCACertificates(before);
    }
  });

  test("what a server says is in the error, but no secret", async () => {
    const echo = Buffer.from(`\0keeper\0${PASSWORD}`).toString("base64");
    const login = { user: "keeper", password: PASSWORD };
    const { port } = await smtp({ answers: { AUTH: `535 no ${PASSWORD} ${echo} \u001b[31m` } });
    const error = await errorOf(mailTo(port, login));
    expect(error).toContain("535 no (secret) (secret) ?[31m");
    const refusing = await smtp({ refused: ["ops@example.org"] });
    expect(await errorOf(mailTo(refusing.port))).toContain("550 no such mailbox");
  });

  test("a recipient that is refused beside others is named, and nobody gets the message twice", async () => {
    const receiver = await smtp({ refused: ["gone@example.org"] });
    const config = mailTo(receiver.port, { to: ["ops@example.org", "gone@example.org"] });
    const first = await round(config, [OVERDUE]);
    const error = "the server refused gone@example.org";
    expect(only(first)).toEqual({ name: "mail", sent: NIGHT, failingSince: NIGHT, error, pending: 0 });
    await round(config, [OVERDUE], first);
    expect(receiver.mails).toHaveLength(1);
  });

  test("names that an attacker chose make no header and no control character", async () => {
    const receiver = await smtp();
    const evil = "a\r\nBcc: all@attacker.example\r\n\r\n.\r\nMAIL FROM:<x>";
    const { alarms, bucket } = hostileStatus();
    const one = sampleAlarm("unknown-object", { client: evil, repository: evil }, { text: evil, next: evil });
    for (const status of [
      wellStatus({ alarms: [one], bucket: { ...wellStatus().bucket, name: evil } }),
      wellStatus({ alarms: [...alarms, one], bucket }),
    ]) {
      const config = mailTo(receiver.port);
      await deliver(
        NIGHT,
        config,
        advance(NIGHT, config, status, undefined, undefined),
        status,
        waysOf(config),
      );
    }
    expect(receiver.mails).toHaveLength(2);
    for (const { content, to } of receiver.mails) {
      expect(to).toHaveLength(1);
      const head = content.slice(0, content.indexOf("\n\n"));
      const names = head
        .replace(/\n[ \t]+/g, " ")
        .split("\n")
        .map((line) => line.split(":")[0]);
      expect(names.sort()).toEqual(
        [
          "Auto-Submitted",
          "Content-Transfer-Encoding",
          "Content-Type",
          "Date",
          "From",
          "MIME-Version",
          "Message-ID",
          "Subject",
          "To",
        ].sort(),
      );
      expect(content.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    }
  });
});

test("as one file, under the unit's flags, a mail is sent with the host's authorities, and the program ends", async () => {
  const receiver = await smtp({ certificate: trusted });
  const entry = `import { waysOf } from "./keeper/alarms/ways";
const [way] = waysOf(JSON.parse(process.argv[2]));
const message = { at: 0, subject: "the subject", text: "the text" };
way.send(message, new AbortController().signal).then(
  () => console.log("sent"),
  ({ message }) => console.log(message),
);`;
  const bundled = buildSync({
    stdin: { contents: entry, resolveDir: path.join(__dirname, "../..") },
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    minify: true,
    logLevel: "silent",
  });
  const file = path.join(folder, "ways.js");
  fs.writeFileSync(file, bundled.outputFiles[0]?.text ?? "");
  const run = async (env: NodeJS.ProcessEnv): Promise<string> => {
    const flags = ["--disallow-code-generation-from-strings", "--use-system-ca"];
    const config = JSON.stringify(mailTo(receiver.port, { security: "starttls" }));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...flags, file, config], { env });
    return stdout + stderr;
  };
  expect(await run({ SSL_CERT_FILE: trusted.file })).toBe("sent\n");
  expect(receiver.mails).toMatchObject([{ encrypted: true }]);
  expect(await run({})).toContain("self-signed certificate");
});

describe("by a web service", () => {
  test("a message is posted as JSON of the published form", async () => {
    const receiver = await web();
    await round(hookTo(`${receiver.url.replace("//", "//me:pa%40ss@")}/hook?key=abc`), [OVERDUE]);
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: "POST", url: "/hook?key=abc" });
    expect(request?.authorization).toBe(`Basic ${Buffer.from("me:pa@ss").toString("base64")}`);
    const message = messageSchema.parse(JSON.parse(request?.body ?? ""));
    expect(message.transitions).toEqual([{ what: "raised", at: NIGHT, alarm: OVERDUE }]);
  });

  test("a chat gets its own form", async () => {
    const receiver = await web();
    await round(
      hookTo(receiver.url, "slack"),
      HOSTILE.map((text, n) => ({ ...LOCK, id: String(n), text })),
    );
    const { text } = JSON.parse(receiver.requests[0]?.body ?? "") as { text: string };
    expect(text).toMatch(/^```\nBackups in backups-prod,/);
  });

  test.each([
    [404, "it answered with HTTP status 404"],
    [500, "it answered with HTTP status 500"],
    [302, "it answered with HTTP status 302, and redirects are not followed"],
    ["cut", "it cannot be reached (UND_ERR_SOCKET)"],
  ] as const)("an answer of %s is an error without the URL", async (answer, error) => {
    const receiver = await web();
    receiver.answer = answer;
    expect(await errorOf(hookTo(`${receiver.url}/secret-path`))).toBe(error);
    expect(receiver.requests.map(({ url }) => url)).toEqual(["/secret-path"]);
  });

  test("204 is a success", async () => {
    const receiver = await web();
    receiver.answer = 204;
    expect(only(await round(hookTo(receiver.url), [OVERDUE]))).toMatchObject({ sent: NIGHT, pending: 0 });
  });

  test.each([
    ["http://127.0.0.1:DOWN/secret", / \(ECONNREFUSED\)$/],
    ["https://user:secret@127.0.0.1:DOWN/x", / \(ECONNREFUSED\)$/],
    ["http://secret.invalid/", / \(E[A-Z_]+\)$/],
    ["http://127.0.0.1:9/secret", /: web requests may not go to this port$/],
  ])("%s cannot be reached, and nothing of it is shown", async (url, why) => {
    const error = await errorOf(hookTo(url.replace("DOWN", await closedPort())));
    expect(error).toMatch(/^it cannot be reached/);
    expect(error).toMatch(why);
    expect(error).not.toMatch(/secret|127/);
  });
});

describe("by a program", () => {
  test("it gets the message as JSON, its arguments and no credentials", async () => {
    process.env["CREDENTIALS_DIRECTORY"] = "/run/credentials";
    const out = path.join(folder, "out");
    await round(program("good", `cat >"$1"; env >"$1.env"`, out, "a b"), [OVERDUE]);
    delete process.env["CREDENTIALS_DIRECTORY"];
    const message = messageSchema.parse(JSON.parse(fs.readFileSync(out, "utf8")));
    expect(message.subject).toBe("[backups-prod] db1/main: overdue");
    expect(fs.readFileSync(`${out}.env`, "utf8")).not.toContain("CREDENTIALS");
  });

  test.each([
    ["exit 3", "it ended with status 3"],
    [
      "yes | head -c 1000000; echo; printf 'one\\n\\033[31mtwo\\n' >&2; exit 1",
      "it ended with status 1: ?[31mtwo",
    ],
    ["kill -9 $$", "it ended with SIGKILL"],
  ])("%s is an error", async (script, error) => {
    expect(await errorOf(program("bad", script))).toBe(error);
  });

  test("one that is not there, or reads nothing, does no harm", async () => {
    expect(await errorOf({ ...QUIET, command: { path: "/nonexistent", args: [] } })).toContain("ENOENT");
    const many = Array.from({ length: 500 }, (_, n) => ({ ...LOCK, id: `lock ${n}`, text: "x".repeat(400) }));
    expect(only(await round(program("deaf", "exec 0<&-; exit 0"), many))).toMatchObject({ pending: 0 });
  });
});

describe("a way that does not answer", () => {
  /** The ways, which wait half a second. */
  const impatient = (config: AlarmsConfig): Way[] => waysOf(config).map((way) => ({ ...way, limitMs: 500 }));

  test("is ended, and delays no other", async () => {
    const silent = await smtp({ silent: true });
    const hanging = await web();
    hanging.answer = "hang";
    const good = await web();
    const left = path.join(folder, "left");
    const config = {
      ...mailTo(silent.port),
      ...program("slow", `sleep 300 & echo $! >"$1"; wait`, left),
      webhooks: [
        { name: "hanging", url: `${hanging.url}/secret`, form: "json" as const },
        { name: "good", url: good.url, form: "json" as const },
      ],
      mail: mailTo(silent.port).mail,
    };
    const began = Date.now();
    const outbox = await round(config, [OVERDUE], undefined, { ways: impatient(config) });
    expect(Date.now() - began).toBeLessThan(10_000);
    const error = "it did not answer within 0.5 seconds";
    const red = { failingSince: NIGHT, error, pending: 1 };
    expect(wayStatus(outbox)).toEqual([
      { name: "mail", ...red },
      { name: "webhook hanging", ...red },
      { name: "webhook good", sent: NIGHT, pending: 0 },
      { name: "command", ...red },
    ]);
    expect(good.requests).toHaveLength(1);
    // What the program started has ended, too.
    const pid = fs.readFileSync(left, "utf8").trim();
    const state = () => {
      try {
        return fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2];
      } catch {
        return "gone";
      }
    };
    while (!["gone", "Z"].includes(state() ?? "")) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test("is left alone where it ignores its end", async () => {
    const ways: Way[] = [{ name: "webhook ops", limitMs: 50, send: () => new Promise(() => undefined) }];
    const outbox = await round(hookTo("http://127.0.0.1:9/"), [OVERDUE], undefined, { ways });
    expect(only(outbox)?.error).toBe("it did not answer within 0.05 seconds");
  });
});

test("a receiver that is down for rounds gets each transition once when it is back; another stays red", async () => {
  const receiver = await web();
  const config: AlarmsConfig = {
    ...QUIET,
    webhooks: [
      { name: "down", url: `http://127.0.0.1:${await closedPort()}/secret`, form: "json" },
      { name: "ops", url: receiver.url, form: "json" },
    ],
  };
  receiver.answer = 503;
  let outbox: Outbox | undefined;
  for (const [n, alarms] of [[OVERDUE], [OVERDUE, LOCK], [LOCK], [LOCK]].entries()) {
    if (n === 3) receiver.answer = 200;
    outbox = await round(config, alarms, outbox, { now: NIGHT + n });
  }
  for (const now of [NIGHT + 4, NIGHT + 5]) outbox = await round(config, [LOCK], outbox, { now });
  // Three attempts that failed, the one that did not, and nothing after it.
  expect(receiver.requests).toHaveLength(4);
  const { transitions } = messageSchema.parse(JSON.parse(receiver.requests.at(-1)?.body ?? ""));
  expect(transitions.map(({ what, at, alarm }) => `${what} ${alarm.kind} ${at - NIGHT}`)).toEqual([
    "raised overdue 0",
    "raised lock 1",
    "cleared overdue 2",
  ]);
  expect(outbox && wayStatus(outbox)).toEqual([
    {
      name: "webhook down",
      failingSince: NIGHT,
      error: "it cannot be reached (ECONNREFUSED)",
      pending: 3,
    },
    { name: "webhook ops", sent: NIGHT + 3, pending: 0 },
  ]);
});

test("the daily summary comes once a day, and a test that the owner asks for once", async () => {
  const receiver = await web();
  const config = hookTo(receiver.url);
  const first = await round(config, [], undefined, { now: MORNING, testAsked: MORNING - 60_000 });
  await round(config, [], first, { now: MORNING + 900_000, testAsked: MORNING - 60_000 });
  const messages = receiver.requests.map(({ body }) => messageSchema.parse(JSON.parse(body)));
  expect(messages).toHaveLength(1);
  expect(messages[0]).toMatchObject({
    subject: "[backups-prod] all 3 repositories are well, test",
    digest: { repositories: 3, amiss: 0, alarms: [] },
    test: true,
  });
  expect(only(first)?.test).toEqual({ at: MORNING - 60_000, ok: true, detail: "sent" });
});

test("a ping is a request, and one that fails is red without its URL", async () => {
  const receiver = await web();
  const config: AlarmsConfig = { ...QUIET, ping: `${receiver.url}/secret-id` };
  const before = await round(config, [OVERDUE]);
  const first = await deliverPing(NIGHT, config, before);
  expect(receiver.requests).toEqual([{ method: "GET", url: "/secret-id", body: "" }]);
  expect(wayStatus(first)).toEqual([{ name: "ping", sent: NIGHT, pending: 0 }]);
  receiver.answer = 500;
  const second = await deliverPing(NIGHT + 1, config, first);
  const error = "it answered with HTTP status 500";
  const red = { name: "ping", sent: NIGHT, failingSince: NIGHT + 1, error, pending: 0 };
  expect(wayStatus(second)).toEqual([red]);
  expect(wayStatus(await round(config, [OVERDUE], second))).toEqual([red]);
});
