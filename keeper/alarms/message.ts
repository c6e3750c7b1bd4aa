/**
 * The one message that a way sends in a round, as data and in words. Names in it may be an attacker's: in each form they
 * are text and nothing else.
 */
import { z } from "zod";
import { printable } from "../printable";
import { byGravity, kindInWords } from "../status/order";
import { type Alarm, alarmSchema } from "../status/schema";
import { counted, minute } from "../words";
import { type Transition, transitionSchema } from "./outbox";

/** Most characters of a subject, and of one of an alarm's sentences. */
const MOST_SUBJECT = 150;
const MOST_SENTENCE = 500;

/**
 * Most bytes of the words, and of the alarms in the transitions and in the daily summary, as JSON. Web servers take a
 * million in all where nobody lets them take more, and a message that is refused is refused again in each round.
 */
const MOST_WORDS = 200_000;
const MOST_DATA = 300_000;

/** Most alarms that the daily summary lists. */
const MOST_LISTED = 1000;

const MORE = "There is more: npm run status";

const count = z.number().int().min(0);

export const messageSchema = z
  .object({
    version: z.literal(1),
    at: z.number().int().meta({ description: "when the round began" }),
    bucket: z.string(),
    subject: z.string().meta({ description: "one line" }),
    text: z.string().meta({ description: "all of it in words" }),
    transitions: z
      .array(transitionSchema)
      .meta({ description: "what was raised and cleared since the last message, in the order of time" }),
    leftOut: count.meta({ description: "transitions before those that are not listed: there were too many" }),
    digest: z
      .object({
        repositories: count,
        amiss: count.meta({ description: "repositories with an alarm" }),
        alarms: z.array(alarmSchema).meta({ description: "what is amiss now, a thousand alarms at most" }),
      })
      .optional()
      .meta({ description: "the daily summary" }),
    test: z.boolean().meta({ description: "whether the owner asked for a test" }),
  })
  .meta({ title: "Message of secure-backups" });
/** A message. Times are milliseconds since 1970. */
export type Message = z.infer<typeof messageSchema>;

/** What a message is made of. */
export interface Letter {
  readonly at: number;
  readonly bucket: string;
  readonly transitions: readonly Transition[];
  readonly leftOut: number;
  /** For the daily summary; absent: it is not due. */
  readonly digest?: { readonly repositories: number; readonly alarms: readonly Alarm[] };
  readonly test: boolean;
}

/** Makes the message. */
export function compose(letter: Letter): Message {
  const { at, leftOut, test } = letter;
  const bucket = printable(letter.bucket, MOST_SUBJECT);
  const transitions = letter.transitions.map(({ alarm, ...rest }) => ({ ...rest, alarm: plain(alarm) }));
  const digest = letter.digest && summary(letter.digest.repositories, letter.digest.alarms.map(plain));
  const changes = changesOf(transitions);
  const parts = { changes, leftOut, digest, test };
  const listed = fittingLast(transitions);
  return {
    version: 1,
    at,
    bucket,
    subject: printable(`[${bucket}] ${subjectOf(parts).join(", ")}`, MOST_SUBJECT),
    text: fitting(textOf(bucket, at, parts), MOST_WORDS, sizeOf).join("\n"),
    transitions: listed,
    leftOut: leftOut + transitions.length - listed.length,
    ...(digest === undefined
      ? {}
      : {
          digest: { ...digest, alarms: fittingLast(digest.alarms.slice(0, MOST_LISTED).reverse()).reverse() },
        }),
    test,
  };
}

/** The alarm with texts that are safe to show. */
const plain = (alarm: Alarm): Alarm => ({
  ...alarm,
  id: printable(alarm.id, MOST_SENTENCE),
  ...(alarm.client === undefined ? {} : { client: printable(alarm.client, MOST_SENTENCE) }),
  ...(alarm.repository === undefined ? {} : { repository: printable(alarm.repository, MOST_SENTENCE) }),
  text: printable(alarm.text, MOST_SENTENCE),
  next: printable(alarm.next, MOST_SENTENCE),
});

/** What became of one alarm since the last message. */
interface Change {
  readonly alarm: Alarm;
  /** When it was cleared; absent: it is there. */
  readonly cleared?: number;
  /** How often it was raised since the last message. */
  readonly raised: number;
}

interface Parts {
  readonly changes: { readonly amiss: readonly Change[]; readonly over: readonly Change[] };
  readonly leftOut: number;
  readonly digest: { repositories: number; amiss: number; alarms: Alarm[] } | undefined;
  readonly test: boolean;
}

function changesOf(transitions: readonly Transition[]): Parts["changes"] {
  const changes = new Map<string, Change>();
  for (const { what, at, alarm } of transitions) {
    const raised = (changes.get(alarm.id)?.raised ?? 0) + (what === "raised" ? 1 : 0);
    changes.set(alarm.id, { alarm, raised, ...(what === "cleared" ? { cleared: at } : {}) });
  }
  const all = [...changes.values()].sort((one, other) => byGravity(one.alarm, other.alarm));
  return {
    amiss: all.filter(({ cleared }) => cleared === undefined),
    over: all.filter(({ cleared }) => cleared !== undefined),
  };
}

function summary(repositories: number, alarms: readonly Alarm[]): NonNullable<Parts["digest"]> {
  const amiss = new Set(alarms.filter(({ repository }) => repository !== undefined).map(about));
  return { repositories, amiss: amiss.size, alarms: [...alarms].sort(byGravity) };
}

const about = ({ client, repository }: Alarm): string =>
  [client ?? "the bucket", ...(repository === undefined ? [] : [repository])].join("/");

function subjectOf({ changes: { amiss, over }, leftOut, digest, test }: Parts): string[] {
  const critical = amiss.filter(({ alarm }) => alarm.severity === "critical").length;
  const first = amiss[0]?.alarm;
  return [
    ...(first === undefined
      ? []
      : amiss.length === 1
        ? [`${about(first)}: ${kindInWords(first)}`]
        : [`${amiss.length} new alarms${critical === 0 ? "" : ` (${critical} critical)`}`]),
    ...(over.length === 0 ? [] : [`${over.length} over`]),
    ...(leftOut === 0 ? [] : [`${leftOut} left out`]),
    ...(digest === undefined ? [] : [digestLine(digest)]),
    ...(test ? ["test"] : []),
  ];
}

function digestLine({ repositories, amiss, alarms }: NonNullable<Parts["digest"]>): string {
  const all = `${repositories} ${repositories === 1 ? "repository" : "repositories"}`;
  if (alarms.length === 0) return repositories === 1 ? "the repository is well" : `all ${all} are well`;
  const bucket = alarms.some(({ repository }) => repository === undefined) ? "the bucket" : "";
  const some = amiss === 0 ? "" : `${amiss} of ${all}`;
  const both = [some, bucket].filter((part) => part !== "").join(" and ");
  return `${both} ${amiss > 1 || (amiss === 1 && bucket !== "") ? "are" : "is"} not well`;
}

function textOf(bucket: string, at: number, { changes, leftOut, digest, test }: Parts): string[] {
  const { amiss, over } = changes;
  const sections = [
    [`Backups in ${bucket}, ${minute(at)}`],
    ...(amiss.length === 0 ? [] : [[`${counted(amiss.length, "new alarm")}:`], ...amiss.map(raisedLines)]),
    ...(over.length === 0
      ? []
      : [
          [
            `${counted(over.length, "alarm")} ${over.length === 1 ? "is" : "are"} over:`,
            ...over.map(overLine),
          ],
        ]),
    ...(leftOut === 0
      ? []
      : [[`${counted(leftOut, "earlier change")} could not be sent in time and would be too much here.`]]),
    ...(digest === undefined
      ? []
      : [[`Daily summary: ${digestLine(digest)}.`, ...digest.alarms.map(standingLine)]]),
    ...(test ? [["This is the test of the alarms that you asked for. This way works."]] : []),
    ["What is amiss now: npm run status"],
  ];
  return sections.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines]));
}

const raisedLines = ({ alarm, raised }: Change): string[] => [
  `${about(alarm)}: ${kindInWords(alarm)} (${alarm.severity}), since ${minute(alarm.since)}` +
    (raised > 1 ? `, raised ${raised} times since the last message` : ""),
  `  ${alarm.text}`,
  `  Next: ${alarm.next}`,
];

const overLine = ({ alarm, cleared = 0 }: Change): string =>
  `- ${about(alarm)}: ${kindInWords(alarm)}, ${minute(alarm.since)} to ${minute(cleared)}`;

const standingLine = (alarm: Alarm): string =>
  `- ${about(alarm)}: ${kindInWords(alarm)} (${alarm.severity}), since ${minute(alarm.since)}. Next: ${alarm.next}`;

/** Bytes as JSON. */
const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value)) + 1;

/** As many of the last ones as fit. */
function fittingLast<T>(list: readonly T[]): T[] {
  let left = MOST_DATA;
  return list.slice(list.findLastIndex((one) => (left -= sizeOf(one)) < 0) + 1);
}

/** As many of the lines as fit, and where some do not, that there is more. */
export function fitting(lines: readonly string[], most: number, size: (line: string) => number): string[] {
  let left = most - size(MORE);
  const kept = lines.findIndex((line) => (left -= size(line)) < 0);
  return kept === -1 ? [...lines] : [...lines.slice(0, kept), MORE];
}
