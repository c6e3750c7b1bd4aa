import { describe, expect, test } from "@jest/globals";
import { parseStackConfig } from "../../config";
import {
  type Case,
  CONTROL,
  errorsOf,
  LABEL,
  type Raw,
  reportsEach,
  smallest,
} from "../harness/config-errors";

const SECRET_URL = "https://hooks.example.com/T0/B0/hush";
const MAIL = { server: "mail.example.com", from: "backups@example.com", to: ["ops@example.com"] };
const NO_ADDRESS =
  'is not a plain e-mail address; give it alone, without name and brackets, for example "ops@example.com"';
const NO_URL =
  "(secret) is not a URL that begins with https:// or http:// and a host's name or address; give the whole URL in ASCII, without spaces";
const NO_PATH = "is not the plain path of a program; write it without //, . and ..";

const alarmsOf = (alarms: Raw) => parseStackConfig({ ...smallest(), alarms }).alarms;
const alarmErrors = (alarms: Raw) => errorsOf({ ...smallest(), alarms });

describe("a right configuration", () => {
  test("sends nothing by itself, and judges by the defaults", () => {
    expect(parseStackConfig(smallest()).alarms).toEqual({ graceHours: 6, digestHour: 6, webhooks: [] });
  });

  test("with only what is required of each way gets every default", () => {
    const alarms = {
      mail: MAIL,
      webhooks: [{ name: "team", url: SECRET_URL }],
      command: { path: "/opt/send" },
    };
    expect(alarmsOf(alarms)).toEqual({
      graceHours: 6,
      digestHour: 6,
      mail: { ...MAIL, port: 587, security: "starttls" },
      webhooks: [{ name: "team", url: SECRET_URL, form: "json" }],
      command: { path: "/opt/send", args: [] },
    });
  });

  test.each([
    ["tls", 465],
    ["starttls", 587],
    ["none", 587],
  ])("with security %s takes port %i, unless another is given", (security, port) => {
    expect(alarmsOf({ mail: { ...MAIL, security } }).mail?.port).toBe(port);
    expect(alarmsOf({ mail: { ...MAIL, security, port: 2525 } }).mail?.port).toBe(2525);
  });

  test.each([
    "http://192.0.2.1:8080/hook",
    "https://[2001:db8::1]/hook?key=a%20b&x=1",
    "https://HOOKS.example.com",
    "https://xn--bcher-kva.example/hook#part",
  ])("may have the URL %s", (url) => {
    expect(alarmsOf({ webhooks: [{ name: "team", url }], ping: url })).toMatchObject({
      webhooks: [{ url }],
      ping: url,
    });
  });

  test.each(["root@localhost", "o'brien+backup@mail.example.com", "a.b@192-0-2-1.example"])(
    "may have the e-mail address %s",
    (address) => {
      expect(alarmErrors({ mail: { ...MAIL, from: address, to: [address] } })).toEqual([]);
    },
  );

  test("may give the command the same argument twice", () => {
    expect(alarmErrors({ command: { path: "/opt/send", args: ["-v", "-v"] } })).toEqual([]);
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
    [
      "alarms",
      "hush",
      "alarms: string is not a mapping; give mail, webhooks, command or ping, or leave it out",
    ],
    [
      "alarms.graceHours",
      0,
      "alarms.graceHours: 0 is not a number of hours; write a number from 1 to 720 without quotes",
    ],
    [
      "alarms.digestHour",
      24,
      "alarms.digestHour: 24 is not an hour of the day; write a number from 0 to 23 without quotes",
    ],
    [
      "alarms.quotaGib",
      "500",
      'alarms.quotaGib: "500" is not a number of GiB; write a number from 1 to 8000000 without quotes',
    ],
    [
      "alarms.mail",
      "smtp://user:hush@a",
      "alarms.mail: string is not a mapping; give server, from and to, or leave it out",
    ],
    [
      "alarms.mail",
      {},
      'alarms.mail.server: missing; give the host name or address of the SMTP server, for example "mail.example.com"',
      'alarms.mail.from: missing; give the address of the sender, for example "backups@example.com"',
      'alarms.mail.to: missing; list the addresses of those who get it, for example ["ops@example.com"]',
    ],
    [
      "alarms.mail.server",
      "smtp://mail.example.com",
      'alarms.mail.server: "smtp://mail.example.com" is not a DNS name or an IP address; give it without scheme, port and path',
    ],
    [
      "alarms.mail.port",
      "25",
      'alarms.mail.port: "25" is not a port; write a number from 1 to 65535 without quotes',
    ],
    [
      "alarms.mail.security",
      "ssl",
      'alarms.mail.security: "ssl" is not a kind of security; write tls, starttls or none',
    ],
    ["alarms.mail.password", 5, "alarms.mail.password: (secret) must be a string; quote it"],
    ["alarms.mail.password", "hush\r\nRCPT", `alarms.mail.password: (secret) ${CONTROL}`],
    [
      "alarms.mail.to",
      [],
      'alarms.mail.to: empty list; list the addresses of those who get it, for example ["ops@example.com"]',
    ],
    ...[
      "ops",
      "Ops <ops@example.com>",
      "a@b@c",
      "-oQ/tmp@example.com",
      "a b@c.d",
      "ä@c.d",
      "a@-b",
      "a,b@c.d",
      '"a"@c.d',
    ].map((address): Case => [
      "alarms.mail.from",
      address,
      `alarms.mail.from: ${JSON.stringify(address)} ${NO_ADDRESS}`,
    ]),
    ["alarms.mail.to", ["a@b.c\r\nBcc: x@y.z"], `alarms.mail.to[0]: "a@b.c\\r\\nBcc: x@y.z" ${CONTROL}`],
    [
      "alarms.webhooks",
      SECRET_URL,
      "alarms.webhooks: string is not a list; list the webhooks, each with name and url, or write []",
    ],
    ["alarms.webhooks[0]", SECRET_URL, "alarms.webhooks[0]: string is not a mapping; give name and url"],
    ["alarms.webhooks[0].name", "Team", `alarms.webhooks[0].name: "Team" ${LABEL} "team"`],
    [
      "alarms.webhooks[0].name",
      undefined,
      "alarms.webhooks[0].name: missing; give a name, by which the status calls it",
    ],
    [
      "alarms.webhooks[0].form",
      "irc",
      'alarms.webhooks[0].form: "irc" is not a form; write json, slack, discord or teams',
    ],
    [
      "alarms.webhooks[0].url",
      undefined,
      "alarms.webhooks[0].url: missing; give the URL that the service shows",
    ],
    [
      "alarms.webhooks[0].uri",
      SECRET_URL,
      'alarms.webhooks[0].uri: unknown key; did you mean "url"? known here: name, url, form',
    ],
    ...[
      "ftp://a.b/c",
      "hooks.example.com",
      "https://",
      "https:/a.b",
      "https://a.b/ c",
      "https://a_b/",
      "https://ä.example/",
    ].map((url): Case => ["alarms.webhooks[0].url", url, `alarms.webhooks[0].url: ${NO_URL}`]),
    [
      "alarms.ping",
      "https://user:hush@ping.example.com/",
      "alarms.ping: (secret) has a user or password before the host, which is not sent; give a URL that holds its secret in path or query",
    ],
    [
      "alarms.ping",
      [SECRET_URL],
      "alarms.ping: (secret) is not a string; give the URL to request after each round, or leave it out",
    ],
    ["alarms.ping", "FILL-IN", `alarms.ping: ${NO_URL}`],
    [
      "alarms.command",
      "/opt/send --key hush",
      "alarms.command: string is not a mapping; give path, and args where there are any",
    ],
    [
      "alarms.command.path",
      "send",
      'alarms.command.path: "send" is not absolute; begin it with a slash, for example "/usr/local/bin/send-alarm"',
    ],
    ...["/opt/../send", "/opt//send", "/opt/send/", "/"].map((path): Case => [
      "alarms.command.path",
      path,
      `alarms.command.path: "${path}" ${NO_PATH}`,
    ]),
    ...["/home", "/root", "/tmp"].map((folder): Case => [
      "alarms.command.path",
      `${folder}/send`,
      `alarms.command.path: "${folder}/send" lies in ${folder}, which the keeper's services do not see; put it elsewhere, for example into /usr/local/bin`,
    ]),
    ["alarms.command.args", ["a\0b"], `alarms.command.args[0]: "a\\u0000b" ${CONTROL}`],
    [
      "egress.alarms",
      ["192.0.2.1"],
      'egress.alarms[0]: "192.0.2.1" is an address without its bits; for this address alone write "192.0.2.1/32"',
    ],
  ];
  reportsEach(cases);
});

describe("errors between fields", () => {
  test("user and password stand together", () => {
    expect(alarmErrors({ mail: { ...MAIL, user: "backups" } })).toEqual([
      "alarms.mail.password: missing; encrypt the password of \"backups\": pulumi config set --secret --path 'secure-backups:alarms.mail.password'",
    ]);
    expect(alarmErrors({ mail: { ...MAIL, password: "hush" } })).toEqual([
      "alarms.mail.user: missing; give the user whose password it is, or leave password out",
    ]);
  });

  test("no password is sent in plain text", () => {
    const login = { user: "backups", password: "hush" };
    expect(alarmErrors({ mail: { ...MAIL, ...login, security: "none" } })).toEqual([
      'alarms.mail.security: "none" would send the password in plain text; write starttls or tls, or leave user and password out',
    ]);
    for (const security of ["tls", "starttls", undefined]) {
      expect(alarmErrors({ mail: { ...MAIL, ...login, security } })).toEqual([]);
    }
    expect(alarmErrors({ mail: { ...MAIL, security: "none" } })).toEqual([]);
  });

  test("each webhook has a name of its own", () => {
    const url = SECRET_URL;
    const webhooks = [
      { name: "team", url },
      { name: "night", url },
      { name: "team", url },
    ];
    expect(alarmErrors({ webhooks })).toEqual([
      'alarms.webhooks[2].name: "team" is the name of secure-backups:alarms.webhooks[0].name too; choose another name',
    ]);
  });

  test("no error shows a secret", () => {
    const alarms = {
      mail: { ...MAIL, password: ["hush"], to: "hush" },
      webhooks: [{ name: "a", url: `${SECRET_URL} ` }, { name: "b", url: { hush: 1 } }, ["hush"]],
      ping: "hush",
    };
    const errors = alarmErrors(alarms).filter((line) => !line.includes("alarms.mail.to"));
    expect(errors.length).toBeGreaterThan(4);
    expect(errors.join("\n")).not.toContain("hush");
  });
});
