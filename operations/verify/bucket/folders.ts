/** What only the keeper may change, what only the owner may change, and what the keeper adds to a repository. */
import type { S3 } from "@aws-sdk/client-s3";
import { KEEPER_FOLDER, OWNER_FOLDER, STATUS_FOLDER } from "../../../plan/bucket-policy";
import { explained, failure, putAsProxy } from "../../../s3/client";
import { isDenied } from "../../../s3/services";
import { versionPages } from "../../../s3/versions";
import { identityNames } from "../../identity-names";
import { moment, printable } from "../../printable";
import type { Finding, Seen } from "../probe";
import { PUTS } from "./overwrites";
import {
  allowed,
  contentOf,
  DATA,
  LOCK,
  open,
  place,
  PROVE,
  ring2,
  NO_VERSIONS,
  NO_WRITER,
  SPARE,
  type BucketProbe,
  type Canary,
  type HostIdentity,
} from "./target";

/** Where these probes try what no backup is. */
const NOTES = {
  keeper: `${KEEPER_FOLDER}${SPARE}`,
  status: `${STATUS_FOLDER}${SPARE}`,
  owner: `${OWNER_FOLDER}${SPARE}`,
};

/** The folders that these probes may leave something in. */
export const NOTE_FOLDERS = Object.values(NOTES);

/** Ways to hide an object. */
const HIDES: Record<string, (s3: S3, canary: Canary) => Promise<unknown>> = {
  DeleteObject: (s3, canary) => s3.deleteObject(canary),
  DeleteObjects: async (s3, { Bucket, Key }) => {
    const { Errors = [] } = await s3.deleteObjects({ Bucket, Delete: { Objects: [{ Key }] } });
    // The call itself may be answered with 200, and its one object with a refusal.
    for (const { Code = "", Message } of Errors) {
      throw Object.assign(new Error(Message), { name: Code, $metadata: { httpStatusCode: 403 } });
    }
  },
};

/** Tries calls that an identity must not be able to make. Where nobody can add anything, a refusal proves nothing. */
async function allRefused(
  target: BucketProbe,
  calls: readonly (readonly [name: string, call: () => Promise<unknown>])[],
): Promise<Seen> {
  const { address } = target;
  await place(target, `${DATA}refusals`);
  const done: string[] = [];
  for (const [name, call] of calls) {
    try {
      await call();
      done.push(name);
    } catch (error) {
      if (!isDenied(error)) throw failure(address, `find out whether ${name} is refused`, error);
    }
  }
  const names = calls.map(([name]) => name).join(", ");
  return done.length === 0
    ? { holds: true, happened: `refused: ${names}` }
    : { holds: false, happened: `the service did it: ${done.join(", ")}` };
}

/** All ways to change an object, for one identity. */
const changes = (s3: S3, canary: Canary) => [
  ...Object.values(PUTS).map(({ call, by }) => [call, () => by(s3, canary)] as const),
  ...Object.entries(HIDES).map(([call, by]) => [call, () => by(s3, canary)] as const),
];

/** Whether a host cannot change what the owner alone may say. */
function ownersFolder(target: BucketProbe, { role, s3 }: HostIdentity): Promise<Finding> {
  return ring2(
    {
      id: `s3.${role}-owners-folder`,
      tried: `the ${role} puts and hides an object below ${OWNER_FOLDER}, where the owner holds and approves retention`,
      expected: "refused",
      remedy: PROVE,
    },
    async () => {
      const canary = { Bucket: target.address.bucket, Key: `${NOTES.owner}${role}` };
      await explained(target.address, "write a canary as the owner", () =>
        target.owner.putObject({ ...canary, Body: "first" }),
      );
      return await allRefused(target, changes(s3, canary));
    },
  );
}

/** What the keeper has for itself: where, and what it is for. */
const KEEPERS = {
  keeper: { id: "s3.writer-keepers-folder", what: `${KEEPER_FOLDER}, by which retention decides` },
  status: { id: "s3.writer-status-folder", what: `${STATUS_FOLDER}, where status and alarms are` },
} as const;

/** Whether the writer can neither read nor change what the keeper notes. */
function keepersFolder(target: BucketProbe, folder: keyof typeof KEEPERS): Promise<Finding> {
  const { writer, address } = target;
  const { id, what } = KEEPERS[folder];
  return ring2(
    {
      id,
      tried: `the writer reads, puts and hides an object below ${what}`,
      expected: "refused",
      remedy: PROVE,
    },
    async () => {
      const canary = { Bucket: address.bucket, Key: `${NOTES[folder]}writer` };
      await explained(address, "write a canary as the owner", () =>
        target.owner.putObject({ ...canary, Body: "first" }),
      );
      return await allRefused(target, [
        ["GetObject", () => contentOf(writer, canary)],
        ...changes(writer, canary),
      ]);
    },
  );
}

/** Seconds to list what retention and alarms trust. */
const SECONDS = 20;

/** Whether nobody else put what retention and alarms trust, also before the policy kept the writer out. */
function notes(target: BucketProbe): Promise<Finding> {
  const { owner, address, bucket } = target;
  return ring2(
    {
      id: "s3.notes",
      tried: `the owner lists all versions below ${KEEPER_FOLDER}, ${STATUS_FOLDER} and ${OWNER_FOLDER}`,
      expected: "keeper and owner put them, and nobody else",
      remedy:
        "retention may have decided, or alarms not been sent, by what an attacker wrote: docs/incident.md; remove it with " +
        "the owner's keys",
    },
    async () => {
      const { owner: own, keeper, nameOf } = await identityNames(bucket);
      if (own === undefined) throw new Error("the service does not report the owner's identity");
      const until = Date.now() + SECONDS * 1000;
      let count = 0;
      for (const [folder, spare, authors] of [
        [KEEPER_FOLDER, NOTES.keeper, [own, keeper]],
        [STATUS_FOLDER, NOTES.status, [own, keeper]],
        [OWNER_FOLDER, NOTES.owner, [own]],
      ] as const) {
        for await (const page of versionPages(owner, address, folder)) {
          for (const { key, by, modified } of page.filter((entry) => !entry.key.startsWith(spare))) {
            if (by === undefined) throw new Error("the service does not report who put an object");
            if (!authors.includes(by)) {
              const happened = `${printable(key)} is by ${printable(nameOf(by))}, of ${moment(modified)}`;
              return { holds: false, happened };
            }
            count += 1;
          }
          if (Date.now() >= until) throw new Error(`only ${String(count)} versions could be listed in time`);
        }
      }
      return { holds: true, happened: `${String(count)} versions, all theirs` };
    },
  );
}

/** Whether hosts stay out of the folders that retention and alarms trust. */
export function folders(target: BucketProbe): Promise<Finding>[] {
  if (target.open.writer !== undefined) {
    const about = {
      id: "s3.writer-folders",
      tried: `the writer changes objects below ${KEEPER_FOLDER}, ${STATUS_FOLDER} and ${OWNER_FOLDER}`,
      expected: "refused",
    };
    return [open({ ...about, remedy: PROVE }, target.open.writer, NO_WRITER)];
  }
  const { keeper } = target;
  return [
    notes(target),
    keepersFolder(target, "keeper"),
    keepersFolder(target, "status"),
    ownersFolder(target, { role: "writer", s3: target.writer }),
    ...(keeper === undefined ? [] : [ownersFolder(target, { role: "keeper", s3: keeper })]),
  ];
}

/** Whether the keeper can do what retention needs, and adds nothing that is a backup. */
export function workOfTheKeeper(target: BucketProbe, keeper: S3): Promise<Finding>[] {
  const Bucket = target.address.bucket;
  return [
    ring2(
      {
        id: "s3.keeper-adds",
        tried: "the keeper adds a pack, an index, a lock, a note and a status; the writer reads the pack",
        expected: "they can, or nothing could be pruned",
        remedy: PROVE,
      },
      () =>
        allowed(target, "add canaries as the keeper", async () => {
          const pack = { Bucket, Key: `${DATA}keeper-adds` };
          await place(target, pack.Key);
          const notes = [NOTES.keeper, NOTES.status].map((folder) => `${folder}adds`);
          const others = [`${SPARE}index/keeper-adds`, `${LOCK}keeper-adds`, ...notes];
          for (const Key of [pack.Key, ...others]) await putAsProxy(keeper, { Bucket, Key, Body: "second" });
          const right = (await contentOf(target.writer, pack)) === "second";
          return { holds: right, happened: right ? "they can" : "what the writer reads is something else" };
        }),
    ),
    ring2(
      {
        id: "s3.keeper-adds-backups",
        tried: "the keeper puts a snapshot, a key and a configuration",
        expected: "refused: only backups add them",
        remedy: PROVE,
      },
      () =>
        allRefused(
          target,
          ["snapshots/keeper", "keys/keeper", "config"].flatMap((part) =>
            Object.values(PUTS).map(
              ({ call, by }) =>
                [`${call} to ${part}`, () => by(keeper, { Bucket, Key: SPARE + part })] as const,
            ),
          ),
        ),
    ),
    readsVersions(target, keeper),
  ];
}

/** Whether the keeper sees when an object was first put. */
function readsVersions(target: BucketProbe, keeper: S3): Promise<Finding> {
  const about = {
    id: "s3.keeper-reads-versions",
    tried: "the writer overwrites a canary; the keeper lists its versions and reads the old one",
    expected: "it can, or it could not judge when a backup arrived",
    remedy: target.open.versioning ?? PROVE,
  };
  if (target.open.versioning !== undefined) return open(about, target.open.versioning, NO_VERSIONS);
  return ring2(about, () =>
    allowed(target, "list and read versions as the keeper", async () => {
      const { VersionId = "null", ...canary } = await place(target, `${DATA}keeper-reads`);
      await putAsProxy(target.writer, { ...canary, Body: "second" });
      const { Versions = [] } = await keeper.listObjectVersions({
        Bucket: canary.Bucket,
        Prefix: canary.Key,
      });
      const listed = Versions.some((version) => version.VersionId === VersionId);
      const right = listed && (await contentOf(keeper, canary, VersionId)) === "first";
      return { holds: right, happened: right ? "it can" : "it does not get the old version" };
    }),
  );
}
