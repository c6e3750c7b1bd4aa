/**
 * Ring 2 as the S3 service has it: the bucket's settings, and what each identity can do, tried with small objects
 * in the canary's repository. Safe in production: no call here would weaken anything by its success. A setting
 * is put only as it is already in force; what cannot be tried like that is judged by the policy's text.
 */
import type { S3 } from "@aws-sdk/client-s3";
import { CANARY } from "../../files/names";
import type { BucketOperations, IdentityKeys, Operations } from "../../plan";
import { PUBLIC_ACCESS_BLOCK, retentionOf, settingsOf } from "../../providers/s3-bucket";
import {
  answerOf,
  connect,
  endpointUrl,
  explained,
  failure,
  isDenied,
  type BucketAddress,
} from "../../providers/s3-client";
import {
  judgeAcl,
  judgeExpiry,
  judgeObjectLock,
  judgeOldVersions,
  judgePolicy,
  judgePrincipals,
  judgePublicAccessBlock,
  judgeQuota,
  judgeVersioning,
  notDenied,
  readSettings,
  surprises,
  type BucketSettings,
} from "./bucket-settings";
import { ask } from "./http";
import { tokenFor } from "./keystone-token";
import { openStackSession, type OpenStackSession } from "./openstack-session";
import { probe, type Finding, type ProbeAbout, type Seen } from "./probe";

/** The canary's repository. */
const REPOSITORY = `${CANARY.client}/${CANARY.repository}/`;
/**
 * Where the objects of these probes lie: in a repository's form, for the policy goes by that, and under names
 * that restic takes for none of its own. Always the same ones: where the policy binds the owner too, nobody can
 * remove their versions before the lifecycle does.
 */
const DATA = `${REPOSITORY}data/00/s3-`;
const LOCK = `${REPOSITORY}locks/s3-`;

const UPDATE = 'put it right by "pulumi up --refresh", and find out who changed it';
const PROVE =
  'run "pulumi up --refresh": it chooses and proves a policy that this service enforces; until then whoever takes the proxy can do this';

const ACLS_STAND =
  "where the service has no PublicAccessBlock nothing is at stake that whoever holds the writer's keys could not " +
  "read, encrypted, and publish elsewhere";

/** Findings of ring 2 need no more than what a probe says beside its ring. */
type About = Omit<ProbeAbout, "ring">;
const ring2 = (about: About, attempt: () => Promise<Seen>): Promise<Finding> =>
  probe({ ring: 2, ...about }, attempt);

/** The bucket and the hands that reach for it. */
interface Bench {
  address: BucketAddress;
  bucket: BucketOperations;
  owner: S3;
  /** What the proxy holds: the owner's client where there is no writer. */
  writer: S3;
  keeper?: S3;
  /** What the configuration leaves open, with the remedy. */
  open: { writer?: string; versioning?: string };
}

/** An identity that hosts hold. */
interface Hand {
  role: "writer" | "keeper";
  s3: S3;
}

interface Canary {
  Bucket: string;
  Key: string;
}

/**
 * Probes ring 2 at the S3 service, and states what is open in ring 3.
 *
 * @param session how OpenStack is asked; default: as the operator's environment says
 */
export async function probeBucket(
  operations: Operations,
  session: Promise<OpenStackSession> = openStackSession(),
): Promise<Finding[]> {
  const { bucket, openRings } = operations;
  session.catch(() => undefined);
  const address = { endpoint: bucket.endpoint, region: bucket.region, bucket: bucket.bucket };
  const clients = {
    owner: await connect(address, bucket.owner),
    writer: await connect(address, bucket.writer ?? bucket.owner),
    ...(bucket.keeper && { keeper: await connect(address, bucket.keeper) }),
  };
  const remedyOf = (missing: boolean): string | undefined =>
    missing
      ? openRings
          .filter(({ ring }) => ring === 2)
          .map(({ remedy }) => remedy)
          .join("; ")
      : undefined;
  const bench: Bench = {
    address,
    bucket,
    ...clients,
    open: { writer: remedyOf(bucket.writer === undefined), versioning: remedyOf(!bucket.versioning) },
  };
  try {
    const seen = readSettings(bench.owner, address);
    // Where it cannot be read, the probes of the settings say why.
    const inForce = await seen.catch(() => undefined);
    const findings = await Promise.all([
      ...settingsAsTheyAre(bench, seen),
      identities(bench),
      ...workOfTheWriter(bench),
      ...destruction(bench),
      ...overwrites(bench),
      ...tampering(bench, { role: "writer", s3: bench.writer }, inForce),
      policyText(bench, inForce),
      ...(bench.keeper === undefined
        ? []
        : [
            keeperRemoves(bench, bench.keeper),
            deletesVersion(bench, { role: "keeper", s3: bench.keeper }),
            deletesMany(bench, { role: "keeper", s3: bench.keeper }, "a canary's version"),
            ...tampering(bench, { role: "keeper", s3: bench.keeper }, inForce),
          ]),
      ownerReads(bench),
      ownerRestores(bench),
      ...anonymous(bench, inForce),
      ...keystoneTokens(bench, session),
    ]);
    return [...findings, await tidied(bench), ...ring3(operations)];
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
}

/** What the configuration leaves open on purpose. */
function open(about: About, remedy: string, why: string): Promise<Finding> {
  return ring2({ ...about, remedy }, () => Promise.resolve({ holds: "open", happened: why }));
}

const NO_WRITER = "not tried: the proxy holds the owner's own keys, and the owner may";
const NO_VERSIONS = "not tried: the configuration switches versions off";

/** An object of the writer's, of which the owner knows that it is there: without it a refusal would say nothing. */
async function place(bench: Bench, Key: string, Body = "first"): Promise<Canary & { VersionId?: string }> {
  const canary = { Bucket: bench.address.bucket, Key };
  const { VersionId } = await explained(
    bench.address,
    "write a canary as the writer, without which a refusal of anything else says nothing",
    () => bench.writer.putObject({ ...canary, Body }),
  );
  return { ...canary, VersionId };
}

async function text(s3: S3, canary: Canary, VersionId?: string): Promise<string> {
  const { Body } = await s3.getObject({ ...canary, VersionId });
  return (await Body?.transformToString()) ?? "";
}

/** Only a refusal of a known identity is a proof; neither success nor any other failure is. */
async function refused(bench: Bench, deed: string, call: () => Promise<unknown>): Promise<Seen> {
  try {
    await call();
  } catch (error) {
    if (isDenied(error)) return { holds: true, happened: "refused" };
    throw failure(bench.address, `find out whether it is refused to ${deed}`, error);
  }
  return { holds: false, happened: "the service did it" };
}

/** What must work, and a refusal of which is a finding. */
async function allowed(bench: Bench, doing: string, work: () => Promise<Seen>): Promise<Seen> {
  try {
    return await work();
  } catch (error) {
    if (isDenied(error)) return { holds: false, happened: `refused: ${answerOf(error).code}` };
    throw error instanceof Error && error.message.startsWith("S3 bucket")
      ? error
      : failure(bench.address, doing, error);
  }
}

function settingsAsTheyAre(bench: Bench, seen: Promise<BucketSettings>): Promise<Finding>[] {
  const { bucket, owner } = bench;
  const read = (judge: (settings: BucketSettings) => Seen) => async (): Promise<Seen> => judge(await seen);
  const { objectLock } = bucket;
  return [
    ring2(
      {
        id: "s3.policy",
        tried: "the owner reads the bucket's policy",
        expected: "the policy that the last update put and proved",
        remedy: UPDATE,
      },
      read(({ policy }) => judgePolicy(policy, bucket.policy)),
    ),
    ring2(
      {
        id: "s3.policy-principals",
        tried: "every statement of the policy in force is looked at",
        expected: "each names its Principal: without one services store a statement and enforce nothing",
        remedy: UPDATE,
      },
      read(({ policy }) => judgePrincipals(policy)),
    ),
    ring2(
      {
        id: "s3.versioning",
        tried: "the owner reads whether the bucket keeps versions",
        expected: bucket.versioning ? "on" : "off, as configured",
        remedy: bench.open.versioning ?? UPDATE,
      },
      read(({ versioning }) => judgeVersioning(versioning, bucket.versioning)),
    ),
    ring2(
      {
        id: "s3.old-versions",
        tried: "the owner reads the bucket's lifecycle",
        expected: `overwritten and removed objects stay for ${String(bucket.noncurrentVersionDays)} days`,
        remedy: UPDATE,
      },
      read(({ rules }) => judgeOldVersions(rules, bucket.noncurrentVersionDays)),
    ),
    ring2(
      {
        id: "s3.expiry",
        tried: "the owner reads the bucket's lifecycle",
        expected: "no rule removes objects that nobody has removed",
        remedy: UPDATE,
      },
      read(({ rules }) => judgeExpiry(rules)),
    ),
    ...(objectLock === undefined
      ? []
      : [
          ring2(
            {
              id: "s3.object-lock",
              tried: "the owner reads the bucket's object lock",
              expected: `new objects are locked: ${objectLock.mode}, ${String(objectLock.days)} days`,
              remedy: UPDATE,
            },
            read((settings) => judgeObjectLock(settings.objectLock, objectLock)),
          ),
        ]),
    ring2(
      {
        id: "s3.acl",
        tried: "the owner reads the bucket's ACL, which admits beside the policy",
        expected: "it admits the owner alone",
        remedy: "set the bucket's ACL to private, as its owner, and find out who changed it",
      },
      read(({ acl }) => judgeAcl(acl)),
    ),
    ring2(
      {
        id: "s3.public-access-block",
        tried: "the owner reads the bucket's PublicAccessBlock",
        expected: `${PUBLIC_ACCESS_BLOCK} alone: public ACLs let nobody in, and nothing hinders backups`,
        remedy: `${UPDATE}; ${ACLS_STAND}`,
      },
      read(({ publicAccessBlock }) => judgePublicAccessBlock(publicAccessBlock)),
    ),
    ring2(
      {
        id: "s3.quota",
        tried: "the owner asks for the quota of the bucket and of its user",
        expected:
          "there is one: nothing else bounds what a taken client, or the proxy, fills the bucket with",
        remedy: "ask the operator of the S3 service for a quota on the bucket; until then watch its size",
      },
      read(({ quota }) => judgeQuota(quota)),
    ),
    ring2(
      {
        id: "s3.surprises",
        tried: "the owner reads website, CORS, replication and notifications of the bucket",
        expected: "there are none, for no update sets any",
        remedy: "remove it, as the owner, unless you set it yourself and know what it lets out",
      },
      async () => {
        const found = await surprises(owner, bucket.bucket);
        return found.length === 0
          ? { holds: true, happened: "there are none" }
          : { holds: false, happened: `there is ${found.join(", ")}` };
      },
    ),
  ];
}

/** The service's own name for whoever asks. */
async function nameOf(s3: S3): Promise<string> {
  const id = (await s3.listBuckets({})).Owner?.ID;
  if (id === undefined || id === "") throw new Error("the service does not say who asks");
  return id;
}

async function identities(bench: Bench): Promise<Finding> {
  const about = {
    id: "s3.identities",
    tried: "each identity asks the service who it is",
    expected: "owner, writer and keeper are different identities",
    remedy: "give each of s3.identities an OpenStack project (or credentials of a user) of its own",
  };
  if (bench.open.writer !== undefined) {
    return await open(about, bench.open.writer, "the proxy holds the owner's own keys");
  }
  return await ring2(about, async () => {
    const hands = { owner: bench.owner, writer: bench.writer, ...(bench.keeper && { keeper: bench.keeper }) };
    const names = await Promise.all(
      Object.entries(hands).map(async ([role, s3]) => [role, await nameOf(s3)] as const),
    );
    const same = names.filter(([, name], at) => names.findIndex(([, other]) => other === name) !== at);
    return same.length === 0
      ? { holds: true, happened: `${String(names.length)} different identities` }
      : { holds: false, happened: `${same.map(([role]) => role).join(", ")} is one of the others` };
  });
}

/** What must work for backups to work; the refusals beside it mean nothing without it. */
function workOfTheWriter(bench: Bench): Promise<Finding>[] {
  const { writer, address } = bench;
  return [
    ring2(
      {
        id: "s3.writer-adds",
        tried: "the writer adds a canary, reads it and lists it",
        expected: "it can",
        remedy: PROVE,
      },
      () =>
        allowed(bench, "add, read and list a canary as the writer", async () => {
          const canary = { Bucket: address.bucket, Key: `${DATA}adds` };
          await writer.putObject({ ...canary, Body: "first" });
          const listed = await writer.listObjectsV2({ Bucket: canary.Bucket, Prefix: canary.Key });
          const right =
            (await text(writer, canary)) === "first" &&
            (listed.Contents ?? []).some(({ Key }) => Key === canary.Key);
          return { holds: right, happened: right ? "it can" : "what it reads is not what it wrote" };
        }),
    ),
    ring2(
      {
        id: "s3.writer-unlocks",
        tried: "the writer adds a lock and removes it",
        expected: "it can, or every restic command would leave a lock that blocks the next",
        remedy: PROVE,
      },
      () =>
        allowed(bench, "add and remove a lock as the writer", async () => {
          const lock = await place(bench, `${LOCK}unlocks`);
          await writer.deleteObject({ Bucket: lock.Bucket, Key: lock.Key });
          const left = await writer.listObjectsV2({ Bucket: lock.Bucket, Prefix: lock.Key });
          const gone = (left.Contents ?? []).length === 0;
          return { holds: gone, happened: gone ? "it can" : "the lock is still listed" };
        }),
    ),
    ring2(
      {
        id: "s3.writer-buckets",
        tried: "the writer lists its buckets",
        expected: "none of the owner's is among them",
        remedy: bench.open.writer ?? "give s3.identities.writer a project (or credentials) of its own",
      },
      async () => {
        if (bench.open.writer !== undefined) return { holds: "open", happened: NO_WRITER };
        const [own, seen] = await Promise.all(
          [bench.owner, writer].map(async (s3) =>
            ((await s3.listBuckets({})).Buckets ?? []).map(({ Name }) => Name),
          ),
        );
        const shared = (seen ?? []).filter((name) => own?.includes(name));
        return shared.length === 0
          ? { holds: true, happened: "none is" }
          : { holds: false, happened: `${String(shared.length)} of them are` };
      },
    ),
  ];
}

function deletesVersion(bench: Bench, { role, s3 }: Hand): Promise<Finding> {
  return ring2(
    {
      id: `s3.${role}-deletes-version`,
      tried: `the ${role} deletes a version of a canary`,
      expected: "refused: a version is what everything can be brought back from",
      remedy: PROVE,
    },
    async () => {
      const { VersionId = "null", ...canary } = await place(bench, `${DATA}${role}-version`);
      return await refused(bench, "delete a version", () => s3.deleteObject({ ...canary, VersionId }));
    },
  );
}

function destruction(bench: Bench): Promise<Finding>[] {
  const { writer: s3 } = bench;
  return [
    deletesVersion(bench, { role: "writer", s3 }),
    ring2(
      {
        id: "s3.writer-deletes",
        tried: "the writer deletes a canary",
        expected: "refused: restic's locks alone may be removed by the proxy",
        remedy: PROVE,
      },
      async () => {
        const { Bucket, Key } = await place(bench, `${DATA}deletes`);
        return await refused(bench, "delete an object", () => s3.deleteObject({ Bucket, Key }));
      },
    ),
    ring2(
      {
        id: "s3.writer-deletes-lock-version",
        tried: "the writer deletes a version of a lock",
        expected: "refused: it may remove locks, not their versions",
        remedy: PROVE,
      },
      async () => {
        const { VersionId = "null", ...lock } = await place(bench, `${LOCK}version`);
        return await refused(bench, "delete a lock's version", () => s3.deleteObject({ ...lock, VersionId }));
      },
    ),
    deletesMany(bench, { role: "writer", s3 }, "a canary and its version"),
  ];
}

/** The call for many objects has checks of its own in some services, and answers 200 with an error for each. */
function deletesMany(bench: Bench, { role, s3 }: Hand, what: string): Promise<Finding> {
  return ring2(
    {
      id: `s3.${role}-deletes-many`,
      tried: `the ${role} deletes ${what} by the call for many objects`,
      expected: "refused",
      remedy: PROVE,
    },
    async () => {
      const { Bucket, Key, VersionId = "null" } = await place(bench, `${DATA}${role}-deletes-many`);
      // Removing an object softly is what the keeper is for.
      const Objects = [{ Key, VersionId }, ...(role === "writer" ? [{ Key }] : [])];
      try {
        const { Deleted = [], Errors = [] } = await s3.deleteObjects({ Bucket, Delete: { Objects } });
        if (Deleted.length > 0) return { holds: false, happened: "the service did it" };
        if (Errors.length !== Objects.length || Errors.some(({ Code }) => Code !== "AccessDenied")) {
          throw new Error(`neither done nor refused: ${Errors.map(({ Code }) => Code).join(", ")}`);
        }
        return { holds: true, happened: "refused for each" };
      } catch (error) {
        if (isDenied(error)) return { holds: true, happened: "refused as a whole" };
        throw failure(bench.address, "find out whether it is refused to delete many objects", error);
      }
    },
  );
}

/** The three calls that put other content under a key that exists. */
const OVERWRITES: Record<string, { call: string; by: (s3: S3, canary: Canary) => Promise<unknown> }> = {
  "s3.writer-overwrites": {
    call: "PutObject",
    by: (s3, canary) => s3.putObject({ ...canary, Body: "garbage" }),
  },
  "s3.writer-copies-over": {
    call: "CopyObject",
    by: async (s3, canary) => {
      const source = { Bucket: canary.Bucket, Key: `${DATA}copy-source` };
      await s3.putObject({ ...source, Body: "garbage" });
      await s3.copyObject({ ...canary, CopySource: `${source.Bucket}/${source.Key}` });
    },
  },
  "s3.writer-uploads-over": {
    call: "a multipart upload",
    by: async (s3, canary) => {
      const { UploadId } = await s3.createMultipartUpload(canary);
      try {
        const { ETag } = await s3.uploadPart({ ...canary, UploadId, PartNumber: 1, Body: "garbage" });
        const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] };
        await s3.completeMultipartUpload({ ...canary, UploadId, MultipartUpload });
      } catch (error) {
        await s3.abortMultipartUpload({ ...canary, UploadId }).catch(() => undefined);
        throw error;
      }
    },
  },
};

function overwrites(bench: Bench): Promise<Finding>[] {
  return Object.entries(OVERWRITES).map(([id, { call, by }]) => {
    const about = {
      id,
      tried: `the writer overwrites a canary by ${call}`,
      expected: "the owner still reads the old content",
      remedy: bench.open.versioning ?? UPDATE,
    };
    if (bench.open.versioning !== undefined) return open(about, bench.open.versioning, NO_VERSIONS);
    return ring2(about, async () => {
      const { VersionId, ...canary } = await place(bench, `${DATA}${id.replace("s3.writer-", "")}`);
      try {
        await by(bench.writer, canary);
      } catch (error) {
        if (isDenied(error)) return { holds: true, happened: "refused, so nothing is overwritten" };
        throw failure(bench.address, `overwrite a canary by ${call}`, error);
      }
      const old = await text(bench.owner, canary, VersionId ?? "null").catch((error: unknown) => {
        if (answerOf(error).status === 404) return undefined;
        throw failure(bench.address, "read the old version as the owner", error);
      });
      return old === "first"
        ? { holds: true, happened: "the old version is there" }
        : { holds: false, happened: "the old content is gone" };
    });
  });
}

/** A call that changes a setting, made so that its success changes nothing. */
interface Tampering {
  /** The action that the policy denies. */
  action: string;
  /** As the sentence "the writer …" goes on. */
  deed: string;
  /** `undefined` where nothing is in force that could be put again; `unsupported` where nobody can put it. */
  call: (
    inForce: BucketSettings,
    canary: Canary,
  ) => ((s3: S3) => Promise<unknown>) | undefined | "unsupported";
}

/** The one checksum that every service knows for settings; some refuse the call without it. */
const ChecksumAlgorithm = "MD5";

/** By the ends of their findings' ids. */
const TAMPERINGS: Record<string, Tampering> = {
  "puts-policy": {
    action: "s3:PutBucketPolicy",
    deed: "puts the policy that is in force already",
    call: ({ policy: Policy }, { Bucket }) =>
      Policy === "" ? undefined : (s3) => s3.putBucketPolicy({ Bucket, Policy }),
  },
  "puts-versioning": {
    action: "s3:PutBucketVersioning",
    deed: "switches versioning on, which it is already",
    call: ({ versioning: Status }, { Bucket }) =>
      Status === "Enabled"
        ? (s3) => s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } })
        : undefined,
  },
  "puts-lifecycle": {
    action: "s3:PutLifecycleConfiguration",
    deed: "puts the lifecycle that is in force already",
    call: ({ rules }, { Bucket }) =>
      rules === "unsupported" || rules.length === 0
        ? undefined
        : (s3) =>
            s3.putBucketLifecycleConfiguration({
              Bucket,
              ChecksumAlgorithm,
              LifecycleConfiguration: { Rules: [...rules] },
            }),
  },
  "puts-object-lock": {
    action: "s3:PutBucketObjectLockConfiguration",
    deed: "puts the object lock that is in force already",
    call: ({ objectLock }, { Bucket }) => {
      const retention = retentionOf(objectLock);
      if (retention === undefined) return undefined;
      const DefaultRetention = { Mode: retention.mode, Days: retention.days };
      const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled" as const, Rule: { DefaultRetention } };
      return (s3) => s3.putObjectLockConfiguration({ Bucket, ChecksumAlgorithm, ObjectLockConfiguration });
    },
  },
  "puts-public-access-block": {
    action: "s3:PutBucketPublicAccessBlock",
    deed: "puts the PublicAccessBlock that is in force already",
    call: ({ publicAccessBlock }, { Bucket }) =>
      publicAccessBlock === "unsupported"
        ? publicAccessBlock
        : (s3) =>
            s3.putPublicAccessBlock({
              Bucket,
              ChecksumAlgorithm,
              PublicAccessBlockConfiguration: settingsOf(publicAccessBlock),
            }),
  },
  "puts-acl": {
    action: "s3:PutBucketAcl",
    deed: "puts the bucket's ACL as it is already",
    call: ({ acl }, { Bucket }) => {
      const { Owner, Grants } = acl;
      return (s3) => s3.putBucketAcl({ Bucket, AccessControlPolicy: { Owner, Grants } });
    },
  },
  "puts-object-acl": {
    action: "s3:PutObjectAcl",
    deed: "makes a canary private, which it is already",
    call: (_, canary) => (s3) => s3.putObjectAcl({ ...canary, ACL: "private" }),
  },
  "puts-retention": {
    action: "s3:PutObjectRetention",
    deed: "locks a canary for a minute",
    call: (_, canary) => (s3) =>
      s3.putObjectRetention({
        ...canary,
        Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 60_000) },
      }),
  },
  "puts-tags": {
    action: "s3:PutObjectTagging",
    deed: "tags a canary",
    call: (_, canary) => (s3) =>
      s3.putObjectTagging({ ...canary, Tagging: { TagSet: [{ Key: "verify", Value: "canary" }] } }),
  },
};

/** What no call could try without harm if it came about; the first two every form of the policy denies. */
const UNTRIED = [
  "s3:DeleteBucket",
  "s3:DeleteBucketPolicy",
  "s3:PutReplicationConfiguration",
  "s3:BypassGovernanceRetention",
];

/** @param inForce what is in force; `undefined`: it could not be read, so that it cannot be put again either */
function tampering(
  bench: Bench,
  { role, s3 }: Hand,
  inForce: BucketSettings | undefined,
): Promise<Finding>[] {
  const expected = "refused: settings are the owner's";
  if (bench.open.writer !== undefined) {
    const about = { id: `s3.${role}-settings`, tried: `the ${role} puts settings`, expected };
    return [open({ ...about, remedy: PROVE }, bench.open.writer, NO_WRITER)];
  }
  return Object.entries(TAMPERINGS).flatMap(([end, { action, deed, call }]) => {
    const canary = { Bucket: bench.address.bucket, Key: `${DATA}${role}-${end}` };
    const again = inForce && call(inForce, canary);
    if (inForce && typeof again !== "function") return [];
    const about = { id: `s3.${role}-${end}`, tried: `the ${role} ${deed}`, expected, remedy: PROVE };
    return [
      ring2(about, async () => {
        if (typeof again !== "function") throw new Error("the owner could not read what is in force");
        await place(bench, canary.Key);
        return await refused(bench, action, () => again(s3));
      }),
    ];
  });
}

/** What is not tried is judged by the policy's text. */
function policyText(bench: Bench, inForce: BucketSettings | undefined): Promise<Finding> {
  const canary = { Bucket: bench.address.bucket, Key: DATA };
  const nothingToPut = Object.values(TAMPERINGS).flatMap(({ action, call }) =>
    inForce && call(inForce, canary) === undefined ? [action] : [],
  );
  const actions = bench.open.writer === undefined ? [...UNTRIED, ...nothingToPut] : UNTRIED.slice(0, 2);
  const about = {
    id: "s3.policy-text",
    tried: `not tried, for it could do harm: the policy's text is looked at for ${actions.join(", ")}`,
    expected: "denied by a statement that denies DeleteObjectVersion too, which is tried",
    remedy: PROVE,
  };
  return ring2(about, () => {
    if (inForce === undefined) throw new Error("the owner could not read what is in force");
    const missing = notDenied(inForce.policy, actions);
    return Promise.resolve(
      missing.length === 0
        ? { holds: true, happened: "so it says" }
        : { holds: false, happened: `no such statement denies ${missing.join(", ")}` },
    );
  });
}

/** Soft deletion is what the keeper is for; and what it removes must be there to be brought back. */
function keeperRemoves(bench: Bench, keeper: S3): Promise<Finding> {
  const about = {
    id: "s3.keeper-removes",
    tried: "the keeper removes a canary, the owner brings it back",
    expected: "it is gone from the lists, and whole again afterwards",
    remedy: bench.open.versioning ?? PROVE,
  };
  if (bench.open.versioning !== undefined) return open(about, bench.open.versioning, NO_VERSIONS);
  return ring2(about, () =>
    allowed(bench, "remove a canary as the keeper", async () => {
      const { Bucket, Key } = await place(bench, `${DATA}keeper-removes`);
      await keeper.deleteObject({ Bucket, Key });
      return await restored(bench, { Bucket, Key });
    }),
  );
}

/** The owner removes the delete marker of an object that was removed; whole again, it holds `first`. */
async function restored(bench: Bench, canary: Canary): Promise<Seen> {
  const { owner, address } = bench;
  return await explained(address, "bring a removed canary back as the owner", async () => {
    const { DeleteMarkers = [], Versions = [] } = await owner.listObjectVersions({
      Bucket: canary.Bucket,
      Prefix: canary.Key,
    });
    if (Versions.some(({ IsLatest }) => IsLatest)) return { holds: false, happened: "it was not removed" };
    for (const { Key, VersionId, IsLatest } of DeleteMarkers) {
      if (IsLatest) await owner.deleteObject({ Bucket: canary.Bucket, Key, VersionId });
    }
    const back = await text(owner, canary).catch((error: unknown) => {
      if (answerOf(error).status === 404) return undefined;
      throw error;
    });
    return back === "first"
      ? { holds: true, happened: "the owner removed the delete marker and read it" }
      : { holds: false, happened: "it is gone for good" };
  });
}

function ownerReads(bench: Bench): Promise<Finding> {
  return ring2(
    {
      id: "s3.owner-reads",
      tried: "the owner reads a canary that the writer added",
      expected: "it can, for what the proxy writes must be restored without it",
      remedy: PROVE,
    },
    () =>
      allowed(bench, "read a canary as the owner", async () => {
        const { VersionId, ...canary } = await place(bench, `${DATA}owner-reads`);
        const right = (await text(bench.owner, canary, VersionId)) === "first";
        return { holds: right, happened: right ? "it can" : "what it reads is not what was written" };
      }),
  );
}

function ownerRestores(bench: Bench): Promise<Finding> {
  const about = {
    id: "s3.owner-restores",
    tried: "the writer removes a lock, the owner brings it back",
    expected: "it is whole again",
    remedy: bench.open.versioning ?? bench.open.writer ?? PROVE,
  };
  if (bench.open.versioning !== undefined) return open(about, bench.open.versioning, NO_VERSIONS);
  if (bench.open.writer !== undefined) {
    return open(
      about,
      bench.open.writer,
      "not tried: the policy binds the owner too, who must lift it first",
    );
  }
  return ring2(about, () =>
    allowed(bench, "bring a lock back", async () => {
      const { Bucket, Key } = await place(bench, `${LOCK}restores`);
      await bench.writer.deleteObject({ Bucket, Key });
      return await restored(bench, { Bucket, Key });
    }),
  );
}

/** What somebody without any credentials is answered. */
async function anonymousStatus(bench: Bench, path: string, init: RequestInit = {}): Promise<number> {
  const url = `${endpointUrl(bench.address.endpoint)}/${bench.address.bucket}${path}`;
  const answer = await ask(url, init);
  await answer.body?.cancel();
  return answer.status;
}

function anonymous(bench: Bench, inForce: BucketSettings | undefined): Promise<Finding>[] {
  const remedy = 'run "pulumi up --refresh", and make the bucket\'s ACL private as its owner';
  const expected = "refused";
  const judge = (status: number): Seen => {
    if (status === 401 || status === 403) return { holds: true, happened: `refused: HTTP ${String(status)}` };
    if (status >= 200 && status < 300) return { holds: false, happened: "the service did it" };
    throw new Error(`the service answered HTTP ${String(status)}`);
  };
  return [
    ring2(
      { id: "s3.anonymous-lists", tried: "somebody without credentials lists the bucket", expected, remedy },
      async () => judge(await anonymousStatus(bench, "?list-type=2&max-keys=1")),
    ),
    ring2(
      { id: "s3.anonymous-reads", tried: "somebody without credentials reads a canary", expected, remedy },
      async () => {
        const { Key } = await place(bench, `${DATA}anonymous-reads`);
        return judge(await anonymousStatus(bench, `/${Key}`));
      },
    ),
    ring2(
      { id: "s3.anonymous-writes", tried: "somebody without credentials adds a canary", expected, remedy },
      async () =>
        judge(await anonymousStatus(bench, `/${DATA}anonymous-writes`, { method: "PUT", body: "garbage" })),
    ),
    publishes(bench, inForce, judge),
  ];
}

/** An ACL that comes with an object is no action of its own, so that a policy hardly reaches it. */
function publishes(
  bench: Bench,
  inForce: BucketSettings | undefined,
  judge: (status: number) => Seen,
): Promise<Finding> {
  const { writer, address } = bench;
  return ring2(
    {
      id: "s3.writer-publishes",
      tried: "the writer adds canaries with a public ACL, and somebody without credentials reads them",
      expected: "refused: encrypted or not, backups are not for everybody",
      remedy: `run "pulumi up --refresh", which lets the service disregard public ACLs; ${ACLS_STAND}`,
    },
    async () => {
      const source = await place(bench, `${DATA}publishes`);
      const put = { Bucket: address.bucket, Key: `${DATA}publishes-put` };
      const copy = { Bucket: address.bucket, Key: `${DATA}publishes-copy` };
      const ACL = "public-read";
      const ways: [Canary, () => Promise<unknown>][] = [
        [put, () => writer.putObject({ ...put, ACL, Body: "first" })],
        [copy, () => writer.copyObject({ ...copy, ACL, CopySource: `${source.Bucket}/${source.Key}` })],
      ];
      const seen = await Promise.all(
        ways.map(async ([{ Key }, write]) => {
          try {
            await write();
          } catch (error) {
            if (isDenied(error)) return true;
            throw failure(address, "add a canary with a public ACL", error);
          }
          return judge(await anonymousStatus(bench, `/${Key}`)).holds === true;
        }),
      );
      return seen.every((closed) => closed)
        ? { holds: true, happened: "refused" }
        : {
            holds: inForce?.publicAccessBlock === "unsupported" ? "open" : false,
            happened: "the writer can publish what it can read, as long as it stands",
          };
    },
  );
}

/** A token opens the same objects by the Swift API, where their creator sets a time at which their versions go. */
function keystoneTokens(bench: Bench, session: Promise<OpenStackSession>): Promise<Finding>[] {
  const { owner, writer = owner, keeper } = bench.bucket;
  const held: [Hand["role"], S3 | undefined, IdentityKeys | undefined][] = [
    ["writer", bench.writer, writer],
    ["keeper", bench.keeper, keeper],
  ];
  return held.flatMap(([role, s3, keys]) => {
    if (s3 === undefined || keys === undefined) return [];
    const about = {
      id: `s3.${role}-token`,
      tried: `the ${role}'s S3 keys ask Keystone for a token (/v3/ec2tokens, /v3/s3tokens)`,
      expected: "none is given: by the gateway's Swift API a token lets versions expire",
      remedy:
        "update Keystone (CVE-2025-65073), or switch the gateway's Swift API off, or use object lock; until then " +
        "whoever takes the proxy can destroy what it wrote",
    };
    return [
      ring2(about, async () => {
        // Keys that are good for nothing get no token either.
        await explained(bench.address, `ask who the ${role} is`, () => nameOf(s3));
        const given = await tokenFor((await session).endpoint("identity"), keys);
        return given === undefined
          ? { holds: true, happened: "none is given" }
          : { holds: false, happened: `${given} gave a token (it is revoked)` };
      }),
    ];
  });
}

/** The owner removes what these probes wrote, with all versions. */
function tidied(bench: Bench): Promise<Finding> {
  const { owner, address, bucket } = bench;
  const about = {
    id: "s3.owner-tidies",
    tried: "the owner removes the canaries, versions and all",
    expected: "it can: the owner keeps control of the bucket",
    remedy: bench.open.writer ?? PROVE,
  };
  return ring2(about, async () => {
    const pages = await explained(address, "list the canaries", () =>
      Promise.all([DATA, LOCK].map((Prefix) => owner.listObjectVersions({ Bucket: address.bucket, Prefix }))),
    );
    const mine = pages.flatMap(({ Versions = [], DeleteMarkers = [] }) => [...Versions, ...DeleteMarkers]);
    const bypass = bucket.objectLock && { BypassGovernanceRetention: true };
    const removals = await Promise.allSettled(
      mine.map(({ Key, VersionId }) =>
        owner.deleteObject({ Bucket: address.bucket, Key, VersionId, ...bypass }),
      ),
    );
    const failed = removals.filter((removal) => removal.status === "rejected");
    const left = `${String(failed.length)} of ${String(mine.length)} small versions stay`;
    if (failed.length === 0) return { holds: true, happened: `${String(mine.length)} versions removed` };
    const other = failed.find(({ reason }) => !isDenied(reason));
    if (other !== undefined) throw failure(address, "remove the canaries", other.reason);
    if (bucket.objectLock) return { holds: true, happened: `${left} until their object lock ends` };
    return bench.open.writer === undefined
      ? { holds: false, happened: `refused: ${left}` }
      : {
          holds: "open",
          happened: `the policy binds the owner too: ${left} until the lifecycle removes them`,
        };
  });
}

function ring3({ openRings }: Operations): Finding[] {
  return openRings
    .filter(({ ring }) => ring === 3)
    .map(({ why, remedy }, at) => ({
      ring: 3,
      id: at === 0 ? "s3.ring-3" : `s3.ring-3-${String(at + 1)}`,
      tried: "the configuration is looked at",
      expected: "the loss of the cloud account is survived",
      happened: why,
      verdict: "open",
      remedy,
    }));
}
