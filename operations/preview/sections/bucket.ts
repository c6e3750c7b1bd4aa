import { isDeepStrictEqual } from "node:util";
import { danger, Markdown, say, note, Sentence } from "../markdown";
import { Inputs, Step } from "../model";
import { digest, isRecord, isUnknown } from "../secrets";
import { because, byOp, change, changes, ofType, records, ResourceType, text } from "./inputs";

interface Statement {
  name: string;
  effect: string;
  body: Inputs;
}

/** The statements of a bucket policy; `undefined` where it cannot be read. */
function statements(policy: unknown): Statement[] | undefined {
  try {
    const { Statement } = JSON.parse(text(policy)) as { Statement?: unknown };
    return records([Statement].flat()).map((body, index) => ({
      name: typeof body.Sid === "string" ? body.Sid : `statement ${index + 1}`,
      effect: text(body.Effect),
      body,
    }));
  } catch {
    return undefined;
  }
}

function* policyChanges(before: unknown, after: unknown): Iterable<Sentence> {
  const [old, now] = [statements(before), statements(after)];
  if (!old || !now) {
    yield danger`the bucket's policy changes: ${change(digest(text(before)), digest(text(after)))}`;
    return;
  }
  const named = ({ effect, name }: Statement): Markdown => say`${effect} statement ${name}`;
  const find = (all: Statement[], { name }: Statement) => all.find((one) => one.name === name);
  for (const was of old) {
    const is = find(now, was);
    if (!is) {
      yield (was.effect === "Deny" ? danger : note)`the bucket's policy loses ${named(was)}`;
    } else if (!isDeepStrictEqual(was.body, is.body)) {
      yield danger`the bucket's policy changes in ${named(was)}`;
    }
  }
  for (const is of now.filter((is) => !find(old, is))) {
    yield (is.effect === "Deny" ? note : danger)`the bucket's policy gains ${named(is)}`;
  }
}

/** The update uses the first form of the policy that the service is seen to enforce: each may come into force. */
function* formChanges({ before, after }: Step): Iterable<Sentence> {
  if (isUnknown(after.policies)) {
    yield danger`the bucket's policy is known only during the update`;
    return;
  }
  const forms = ({ policies }: Inputs) =>
    new Map(records(policies).map(({ name, policy }) => [text(name), policy]));
  const [old, now] = [forms(before), forms(after)];
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    if (!now.has(name)) {
      yield note`the bucket's policy no longer has the form ${name}`;
    } else if (!old.has(name)) {
      yield danger`the bucket's policy may take another form: ${name}`;
    } else if (old.get(name) !== now.get(name)) {
      yield* policyChanges(old.get(name), now.get(name));
    }
  }
}

/** How long the service keeps old versions, and the lock that keeps them from being destroyed. */
function* retentionChanges(step: Step, name: unknown): Iterable<Sentence> {
  const { before, after } = step;
  const [was, is] = [Number(before.noncurrentVersionDays), Number(after.noncurrentVersionDays)];
  if (was !== is && !Number.isNaN(was + is)) {
    yield (is > was ? note : danger)`bucket ${name} keeps old versions for ${change(was, is)} days`;
  }
  const [old, now] = [before.retention, after.retention];
  if (changes(step, "retention")) {
    const stronger =
      isRecord(now) &&
      (!isRecord(old) ||
        (Number(now.days) >= Number(old.days) && (now.mode === old.mode || now.mode === "COMPLIANCE")));
    const lock = (value: unknown) =>
      isRecord(value) ? `${text(value.mode)} ${text(value.days)} days` : "none";
    yield (stronger ? note : danger)`object lock of bucket ${name}: ${change(lock(old), lock(now))}`;
  }
}

const versioning = ({ versioned }: Inputs): Markdown =>
  versioned === true ? say`on` : versioned === false ? say`off` : say`${versioned}`;

function* bucketStep(step: Step): Iterable<Sentence> {
  const { op, before, after } = step;
  const name = after.bucket ?? before.bucket;
  yield* byOp(op, {
    create: note`bucket ${name} is created, or adopted if it exists: versioning ${versioning(after)}`,
    delete: danger`bucket ${name} is no longer managed by this stack`,
    replace: danger`bucket ${name} is replaced`,
  });
  if (op !== "update") return;
  if (changes(step, "versioned")) {
    const safe = after.versioned === true;
    yield (safe ? note : danger)`versioning of bucket ${name}: ${versioning(before)} → ${versioning(after)}`;
  }
  yield* formChanges(step);
  yield* retentionChanges(step, name);
}

/** Where the bucket is. */
function* address(step: Step): Iterable<Sentence> {
  const { op, before, after } = step;
  if (op !== "update") return;
  for (const key of ["bucket", "endpoint", "region"].filter((key) => changes(step, key))) {
    yield danger`the ${key} of bucket ${after.bucket} changes: ${change(before[key], after[key])}`;
  }
}

function* rootKeyLock({ before, after }: Step): Iterable<Sentence> {
  if (after.givenUp === true && before.givenUp !== true) {
    yield danger`the backups in ${after.bucket} are given up: a destroy then removes the root key, and they can no longer be read`;
  } else if (after.givenUp === false && before.givenUp === true) {
    yield note`the backups in ${after.bucket} are no longer given up: a destroy stops before the root key`;
  }
}

function credentials(step: Step): Iterable<Sentence> {
  const are = (verb: Markdown): Sentence => note`S3 credentials ${step.name} are ${verb}${because(step)}`;
  return byOp(step.op, {
    create: are(say`created`),
    delete: are(say`deleted`),
    replace: are(say`replaced`),
    update: are(say`changed`),
  });
}

const EXPLAINED: [ResourceType, (step: Step) => Iterable<Sentence>][] = [
  ["bucket", bucketStep],
  ["backupBucket", address],
  ["rootKeyLock", rootKeyLock],
  ["credential", credentials],
];

/** What changes of the bucket: its settings, who may do what to it, and whether its backups stay readable. */
export function* bucket(steps: Step[]): Iterable<Sentence> {
  for (const [type, explain] of EXPLAINED) {
    for (const step of ofType(steps, type)) yield* explain(step);
  }
}
