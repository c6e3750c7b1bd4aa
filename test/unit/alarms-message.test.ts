/** The message of a round: its words, its data, and its forms for chats. */
import { describe, expect, test } from "@jest/globals";
import { bodyFor } from "../../keeper/alarms/chat";
import { compose, type Letter, messageSchema } from "../../keeper/alarms/message";
import type { Transition } from "../../keeper/alarms/outbox";
import type { Alarm } from "../../keeper/status/schema";
import { HOSTILE, SAMPLE_AT, hostileStatus, sampleAlarm, sampleStatus } from "../harness/sample-status";

const HOUR = 3_600_000;
const OVERDUE = sampleAlarm(
  "overdue",
  { client: "db1", repository: "main" },
  {
    severity: "critical",
    since: Date.UTC(2027, 2, 12, 9),
    text: "No backup has arrived since 2027-03-11 02:02 UTC.",
    next: "ssh db1 restic-backup --status",
  },
);
const LOCK = sampleAlarm("lock", { client: "web1", repository: "main" });
const QUOTA = sampleAlarm("quota", undefined);

const MANY = Array.from({ length: 3000 }, (_, n) =>
  sampleAlarm("overdue", { client: `client-${n}`, repository: "main" }, { severity: "critical" }),
);

const raised = (alarm: Alarm, at = SAMPLE_AT): Transition => ({ what: "raised", at, alarm });
const cleared = (alarm: Alarm, at = SAMPLE_AT): Transition => ({ what: "cleared", at, alarm });

const message = (letter: Partial<Letter>) =>
  compose({ at: SAMPLE_AT, bucket: "backups-prod", transitions: [], leftOut: 0, test: false, ...letter });

test("whatever it is about, a web server takes it: what does not fit is counted, the gravest stay", () => {
  const text = "\u6f22\u5b57".repeat(500);
  const many = Array.from({ length: 1000 }, (_, n) =>
    sampleAlarm("lock", { client: `client-${n}`, repository: "main" }, { text, next: text }),
  );
  const grave = { ...OVERDUE, text };
  const { transitions, leftOut, digest, ...rest } = message({
    transitions: [...many, grave].map((one) => raised(one)),
    digest: { repositories: 1000, alarms: [...many, grave] },
    leftOut: 7,
  });
  expect(Buffer.byteLength(JSON.stringify({ transitions, leftOut, digest, ...rest }))).toBeLessThan(1e6);
  expect(transitions.length).toBeGreaterThan(50);
  expect(transitions.length + leftOut).toBe(1008);
  expect(transitions.at(-1)?.alarm.kind).toBe("overdue");
  expect(digest?.amiss).toBe(1001);
  expect(digest?.alarms.length).toBeGreaterThan(50);
  expect(digest?.alarms[0]?.kind).toBe("overdue");
  expect(rest.text).toMatch(/There is more: npm run status$/);
});

describe("in words", () => {
  test("what is amiss comes first, then what is over", () => {
    const { subject, text } = message({ transitions: [cleared(LOCK), raised(QUOTA), raised(OVERDUE)] });
    expect(subject).toBe("[backups-prod] 2 new alarms (1 critical), 1 over");
    expect(text).toBe(`Backups in backups-prod, 2027-03-14T06:02Z

2 new alarms:

db1/main: overdue (critical), since 2027-03-12T09:00Z
  No backup has arrived since 2027-03-11 02:02 UTC.
  Next: ssh db1 restic-backup --status

the bucket: quota (warning), since 2027-03-14T00:02Z
  Something is amiss with the bucket.
  Next: npm run keeper -- status --stack prod

1 alarm is over:
- web1/main: lock, 2027-03-14T00:02Z to 2027-03-14T06:02Z

What is amiss now: npm run status`);
  });

  test("one alarm is the subject", () => {
    expect(message({ transitions: [raised(OVERDUE)] }).subject).toBe("[backups-prod] db1/main: overdue");
  });

  test("an alarm that came and went is over; one that came back is there", () => {
    const changes = [
      raised(LOCK, 1),
      cleared(LOCK, 2),
      raised(OVERDUE, 3),
      cleared(OVERDUE, 4),
      raised(OVERDUE, 5),
    ];
    const { subject, text } = message({ transitions: changes });
    expect(subject).toBe("[backups-prod] db1/main: overdue, 1 over");
    expect(text).toContain(
      "db1/main: overdue (critical), since 2027-03-12T09:00Z, raised 2 times since the last message\n",
    );
    expect(text).toContain("1 alarm is over:\n- web1/main: lock,");
  });

  test("the daily summary of a stack of which all is well is one line", () => {
    const { subject, text } = message({ digest: { repositories: 12, alarms: [] } });
    expect(subject).toBe("[backups-prod] all 12 repositories are well");
    expect(text.split("\n")).toEqual([
      "Backups in backups-prod, 2027-03-14T06:02Z",
      "",
      "Daily summary: all 12 repositories are well.",
      "",
      "What is amiss now: npm run status",
    ]);
  });

  test.each([
    [[LOCK], "1 of 12 repositories is not well"],
    [
      [LOCK, OVERDUE, sampleAlarm("partial", { client: "db1", repository: "main" })],
      "2 of 12 repositories are not well",
    ],
    [[QUOTA], "the bucket is not well"],
    [[QUOTA, LOCK], "1 of 12 repositories and the bucket are not well"],
  ])("the daily summary counts repositories and the bucket: %#", (alarms, line) => {
    const { text } = message({ digest: { repositories: 12, alarms } });
    expect(text).toContain(`Daily summary: ${line}.\n`);
    for (const { next } of alarms) expect(text).toContain(`Next: ${next}`);
  });

  test("a test says that it is one, and what was left out is counted", () => {
    const { subject, text } = message({ test: true, leftOut: 3 });
    expect(subject).toBe("[backups-prod] 3 left out, test");
    expect(text).toContain("This is the test of the alarms that you asked for.");
    expect(text).toContain("3 earlier changes could not be sent in time");
  });

  test("a time that no calendar has does no harm", () => {
    const { text } = message({ transitions: [raised({ ...OVERDUE, since: 9e15 })] });
    expect(text).toContain("overdue (critical), since an unknown time\n");
  });

  test("of thousands of alarms as many are listed as a mail may hold", () => {
    const { text, digest } = message({ digest: { repositories: 3000, alarms: MANY } });
    expect(text.length).toBeLessThan(200_001);
    expect(text.split("\n").at(-1)).toBe("There is more: npm run status");
    expect(digest?.amiss).toBe(3000);
    expect(digest?.alarms).toHaveLength(1000);
  });
});

test("the data has the published form", () => {
  const { alarms, repositories } = sampleStatus();
  const data = message({
    transitions: [raised(OVERDUE), cleared(LOCK, SAMPLE_AT + HOUR)],
    leftOut: 2,
    digest: { repositories: repositories.length, alarms },
    test: true,
  });
  expect(messageSchema.strict().parse(JSON.parse(JSON.stringify(data)))).toEqual(data);
  expect(bodyFor("json", data)).toBe(data);
});

/** The texts of a chat's body. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

describe("names that an attacker chose", () => {
  const MENTIONS = [
    "@everyone @here @channel <!channel> <!everyone> <@U123> <at>all</at>",
    "``` @everyone [link](https://attacker.example/) ``` <https://attacker.example/|click>",
    "a\r\nBcc: attacker@attacker.example\r\n\r\nbody",
  ];
  const alarms = [...HOSTILE, ...MENTIONS].flatMap((text) => [
    sampleAlarm("unknown-object", { client: text, repository: text }, { text, next: text }),
    sampleAlarm("beside" as "lock", undefined, { id: text, text, next: text }),
  ]);
  const hostile = message({
    bucket: hostileStatus().bucket.name,
    transitions: [
      ...alarms.map((alarm) => raised(alarm)),
      ...alarms.slice(0, 4).map((alarm) => cleared(alarm)),
    ],
    digest: { repositories: 3, alarms },
  });

  // Lone surrogates are of this class, too.
  const BAD = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/u;

  test("are one line without control characters and marks of direction in each form", () => {
    expect(hostile.subject).not.toMatch(BAD);
    expect(hostile.subject.length).toBeLessThan(151);
    expect(hostile.text.replaceAll("\n", "")).not.toMatch(BAD);
    for (const { alarm } of hostile.transitions) {
      expect([alarm.id, alarm.client, alarm.repository, alarm.text, alarm.next].join("")).not.toMatch(BAD);
    }
    // Each line is this project's: what is indented is one of the alarm's sentences.
    expect(hostile.text).not.toMatch(/^Bcc/m);
  });

  test("neither end Slack's code nor mention anybody", () => {
    const { text } = bodyFor("slack", hostile) as { text: string };
    expect(text.slice(0, 4)).toBe("```\n");
    expect(text.slice(-4)).toBe("\n```");
    expect(text.slice(3, -3)).not.toMatch(/[<>`@]|:\/\//);
    expect(text.slice(3, -3)).not.toMatch(/&(?!amp;|lt;|gt;)/);
  });

  test("neither end Discord's code nor mention anybody", () => {
    const body = bodyFor("discord", hostile) as { content: string };
    expect(body).toMatchObject({ allowed_mentions: { parse: [] }, flags: 4 });
    expect(body.content.slice(3, -3)).not.toMatch(/[`@]|:\/\//);
  });

  test("stand in Teams' cards as runs of text, which know no markup", () => {
    const { attachments } = bodyFor("teams", hostile) as {
      attachments: [{ content: { body: { type: string; inlines: { type: string; text: string }[] }[] } }];
    };
    const blocks = attachments[0].content.body;
    expect(new Set(blocks.map(({ type }) => type))).toEqual(new Set(["RichTextBlock"]));
    expect(new Set(blocks.flatMap(({ inlines }) => inlines.map(({ type }) => type)))).toEqual(
      new Set(["TextRun"]),
    );
    expect(blocks.flatMap(({ inlines }) => inlines.map(({ text }) => text)).join("")).not.toMatch(/@|:\/\//);
  });

  test("the subject never holds more than one line", () => {
    const one = message({ bucket: "a\r\nBcc: x", transitions: [raised(alarms.at(-2) ?? OVERDUE)] });
    expect(one.subject).toMatch(/^\[a \| Bcc: x\] a \| Bcc: attacker@attacker\.example \| body\/a/);
  });
});

test.each([
  ["slack", 3_908],
  ["discord", 1_908],
] as const)("%s gets no more characters than it takes, in whole lines", (form, most) => {
  for (const each of [MANY, MANY.map((one) => ({ ...one, text: "<&>".repeat(300) }))]) {
    const large = message({
      transitions: each.map((alarm) => raised(alarm)),
      digest: { repositories: 3000, alarms: each },
    });
    const [text = ""] = textsOf(bodyFor(form, large));
    expect(text.length).toBeLessThanOrEqual(most);
    expect(text).toMatch(/\nThere is more: npm run status\n```$/);
    // The first alarm is whole.
    expect(text).toContain("client-0/main: overdue (critical), since");
    expect(text).toContain("  Next: npm run keeper -- status --stack prod client-0/main\n");
  }
});

test("Teams gets less than 28 KB, whatever the characters", () => {
  for (const char of ["x", '"', "\\", "ü", "\u{1f600}"]) {
    const each = MANY.map((one) => ({ ...one, text: char.repeat(400) }));
    const body = JSON.stringify(
      bodyFor("teams", message({ transitions: each.map((alarm) => raised(alarm)) })),
    );
    expect(Buffer.byteLength(body)).toBeLessThan(28_000);
    expect(body).toContain("There is more: npm run status");
  }
});
