/** Who may do what in the bucket, as an S3 bucket policy. */

/** Arguments of {@link bucketPolicies}. Principals are ARNs as the S3 service spells them. */
export interface BucketPolicyArgs {
  /** Name of the bucket; no statement reaches beyond it. */
  readonly bucket: string;
  /**
   * The bucket's owner. Where objects belong to the identity that put them (Ceph RGW), the owner can read the writer's
   * objects only if it is named here; it administers the bucket in any case. Ignored without a writer. @default not named
   */
  readonly owner?: string;
  /** The identity whose credentials the proxy uses. @default the owner, whom the policy then binds */
  readonly writer?: string;
  /** The identity that retention uses; needs a separate writer. @default none */
  readonly keeper?: string;
}

/** One way to write the policy of a bucket. */
export interface PolicyForm {
  /** How this form differs from the others, in words. */
  readonly name: string;
  /** JSON. */
  readonly policy: string;
}

interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal: "*" | { readonly AWS: string | readonly string[] };
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: string;
}

/**
 * Every action that the policy denies to the hosts, besides DeleteObject, which the keeper needs and the writer needs for
 * locks. `destroy`: it destroys data or the policy; denied in every form. `tamper`: it prepares a destruction or opens the
 * bucket to others, and every service with policies knows it. `more`: the same, but some services do not know it and
 * refuse the whole policy, so the weaker forms do not name it; none allows it. Each is tried or judged: TAMPERING in
 * s3/tampering.ts, and by the tests on a real service; the compiler asks for both.
 */
export const DENIED = {
  "s3:DeleteBucket": "destroy",
  "s3:DeleteBucketPolicy": "destroy",
  "s3:DeleteBucketWebsite": "destroy",
  "s3:DeleteObjectVersion": "destroy",
  "s3:PutBucketPolicy": "tamper",
  "s3:PutLifecycleConfiguration": "tamper",
  "s3:PutBucketVersioning": "tamper",
  "s3:PutBucketObjectLockConfiguration": "tamper",
  "s3:PutReplicationConfiguration": "tamper",
  "s3:BypassGovernanceRetention": "tamper",
  "s3:PutObjectRetention": "tamper",
  "s3:PutObjectLegalHold": "tamper",
  "s3:PutBucketAcl": "tamper",
  "s3:PutObjectAcl": "tamper",
  // S3 has no other action for its removal.
  "s3:PutBucketPublicAccessBlock": "more",
  "s3:PutObjectVersionAcl": "more",
  "s3:PutBucketCORS": "more",
  "s3:PutBucketWebsite": "more",
  "s3:PutBucketNotification": "more",
  "s3:PutBucketLogging": "more",
  "s3:PutBucketRequestPayment": "more",
  "s3:PutBucketTagging": "more",
  "s3:PutObjectTagging": "more",
  "s3:PutObjectVersionTagging": "more",
  "s3:DeleteObjectTagging": "more",
  "s3:DeleteObjectVersionTagging": "more",
} as const;
export type DeniedAction = keyof typeof DENIED;

/** The denied actions of these kinds. */
export function deniedActions(...kinds: readonly (typeof DENIED)[DeniedAction][]): DeniedAction[] {
  return (Object.keys(DENIED) as DeniedAction[]).filter((action) => kinds.includes(DENIED[action]));
}

/** The parts of a restic repository, without its locks. */
const REPOSITORY_PARTS = ["data/*", "index/*", "keys/*", "snapshots/*", "config"];
/** The parts that the keeper adds to, in pruning; the others it never adds to. */
const PRUNED_PARTS = ["data/*", "index/*"];

/** The folder of what the keeper notes about repositories; the writer can neither read nor change it. */
export const KEEPER_FOLDER = ".keeper/";
/** The folder of what only the owner may say about repositories: a hold on them, and what may be forgotten. */
export const OWNER_FOLDER = ".owner/";
/** The folder of the status, and of the alarms that are to be sent; the writer can neither read nor change it. */
export const STATUS_FOLDER = ".status/";
/** All folders that hold no backups and are of no use without any. */
export const NOTES_FOLDERS: readonly string[] = [KEEPER_FOLDER, OWNER_FOLDER, STATUS_FOLDER];

/**
 * The policy of the bucket in all its forms, the strongest first. S3 services differ in what they understand and
 * enforce, so the update puts them in this order and keeps the first that is proved to hold.
 *
 * With a separate writer, the writer lists, reads and adds, and deletes restic's locks only. The keeper lists and reads
 * old versions too, adds packs, indexes and locks and no snapshot, key or configuration, and removes objects, which
 * versioning keeps. The writer has no access to {@link KEEPER_FOLDER} and {@link STATUS_FOLDER}, and neither of them
 * changes {@link OWNER_FOLDER}: denied by name, for services differ in whether a "*" between slashes reaches beyond one
 * folder. Both are denied {@link DENIED}; the owner keeps every right.
 *
 * Without a separate writer everybody (the owner too) is denied the destroying actions, except for locks: that stops a
 * client and an operator's error, but an attacker with the owner's credentials can put another policy.
 *
 * The forms differ in two things. Deletion is denied everywhere except for locks (`NotResource`), or, for services that
 * ignore or refuse that, on each other part of a repository. And the explicit denials name every tampering action, or
 * only those that every service knows; with a separate writer the others are denied by not being allowed.
 *
 * No policy reaches the Swift API of Ceph RGW: with a Keystone token of the writer's project an attacker can set a time
 * at which objects of the writer are removed, with their versions and in spite of object lock. So no host may hold a
 * Keystone password or token.
 *
 * @throws Error when two of the identities are the same, or a keeper comes without a separate writer: such a policy
 * would lock out the owner or the keeper
 */
export function bucketPolicies(args: BucketPolicyArgs): readonly [PolicyForm, ...PolicyForm[]] {
  const { owner, writer, keeper } = args;
  const arn = `arn:aws:s3:::${args.bucket}`;
  const everythingButLocks = { NotResource: `${arn}/${LOCKS}` };
  const eachPart = { Resource: REPOSITORY_PARTS.map((part) => `${arn}/*/*/${part}`) };

  if (writer === undefined) {
    if (keeper !== undefined) {
      throw new Error(
        "bucket policy: a keeper needs a writer other than the owner; a policy that binds the owner binds the keeper too",
      );
    }
    return [
      { name: "deletion denied but on locks", policy: withoutWriter(arn, everythingButLocks) },
      { name: "deletion denied on each part of a repository", policy: withoutWriter(arn, eachPart) },
    ];
  }

  const named = [owner, writer, keeper].filter((one) => one !== undefined);
  if (new Set(named).size !== named.length) {
    throw new Error(
      "bucket policy: owner, writer and keeper must be different identities where they are named",
    );
  }
  const identities = { owner, writer, keeper };
  const all = deniedActions("destroy", "tamper", "more");
  const common = deniedActions("destroy", "tamper");
  return [
    {
      name: "deletion denied but on locks, all tampering denied by name",
      policy: withWriter(arn, identities, everythingButLocks, all),
    },
    {
      name: "deletion denied on each part of a repository, all tampering denied by name",
      policy: withWriter(arn, identities, eachPart, all),
    },
    {
      name: "deletion denied but on locks, common tampering denied by name",
      policy: withWriter(arn, identities, everythingButLocks, common),
    },
    {
      name: "deletion denied on each part of a repository, common tampering denied by name",
      policy: withWriter(arn, identities, eachPart, common),
    },
  ];
}

/** A policy that denies nothing that matters, to replace one that denies its own removal. */
export function liftedPolicy(bucket: string): string {
  return render([
    {
      Sid: "Lifted",
      Effect: "Deny",
      Principal: "*",
      Action: "s3:DeleteBucketWebsite",
      Resource: `arn:aws:s3:::${bucket}`,
    },
  ]);
}

/** CLIENT/REPOSITORY/locks/ID: restic must remove its own locks, or every later command waits for them. */
const LOCKS = "*/*/locks/*";

type Undeletable = Pick<Statement, "Resource" | "NotResource">;

function withoutWriter(bucket: string, undeletable: Undeletable): string {
  return render([
    { Sid: "NobodyDeletes", Effect: "Deny", Principal: "*", Action: "s3:DeleteObject", ...undeletable },
    {
      Sid: "NobodyDestroys",
      Effect: "Deny",
      Principal: "*",
      Action: deniedActions("destroy"),
      Resource: [bucket, `${bucket}/*`],
    },
  ]);
}

function withWriter(
  bucket: string,
  { owner, writer, keeper }: { owner?: string; writer: string; keeper?: string },
  undeletable: Undeletable,
  denied: readonly string[],
): string {
  const objects = `${bucket}/*`;
  const place = (part: string) => `${bucket}/*/*/${part}`;
  const hosts = keeper === undefined ? { AWS: writer } : { AWS: [writer, keeper] };
  const keepersFolders = [KEEPER_FOLDER, STATUS_FOLDER].map((folder) => `${bucket}/${folder}*`);
  const adds = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];
  const ofKeeper = (principal: { AWS: string }): Statement[] => [
    allow("KeeperListsVersions", principal, "s3:ListBucketVersions", bucket),
    allow("KeeperReadsVersions", principal, "s3:GetObjectVersion", objects),
    allow("KeeperAdds", principal, adds, [
      ...PRUNED_PARTS.map(place),
      `${bucket}/${LOCKS}`,
      ...keepersFolders,
    ]),
    allow("KeeperRemoves", principal, "s3:DeleteObject", objects),
    {
      Sid: "KeeperNeverAddsBackups",
      Effect: "Deny",
      Principal: principal,
      Action: "s3:PutObject",
      Resource: REPOSITORY_PARTS.filter((part) => !PRUNED_PARTS.includes(part)).map(place),
    },
  ];
  return render([
    ...(owner === undefined ? [] : [allow("OwnerKeepsControl", { AWS: owner }, "s3:*", [bucket, objects])]),
    // Without List and Get a HEAD is answered with 403 instead of 404 or 200, and then rclone's append-only overwrites.
    allow("HostsList", hosts, ["s3:ListBucket", "s3:GetBucketLocation"], bucket),
    allow("HostsRead", hosts, "s3:GetObject", objects),
    allow("WriterAdds", { AWS: writer }, adds, objects),
    allow("WriterUnlocks", { AWS: writer }, "s3:DeleteObject", `${bucket}/${LOCKS}`),
    ...(keeper === undefined ? [] : ofKeeper({ AWS: keeper })),
    {
      Sid: "WriterNeverDeletes",
      Effect: "Deny",
      Principal: { AWS: writer },
      Action: "s3:DeleteObject",
      ...undeletable,
    },
    {
      Sid: "WriterKeepsOut",
      Effect: "Deny",
      Principal: { AWS: writer },
      Action: ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject"],
      Resource: keepersFolders,
    },
    {
      Sid: "OnlyOwnerDecides",
      Effect: "Deny",
      Principal: hosts,
      Action: ["s3:PutObject", "s3:DeleteObject"],
      Resource: `${bucket}/${OWNER_FOLDER}*`,
    },
    {
      Sid: "HostsNeverDestroy",
      Effect: "Deny",
      Principal: hosts,
      Action: denied,
      Resource: [bucket, objects],
    },
  ]);
}

/**
 * The principal of an OpenStack project in a policy of Ceph RGW, where the project is the S3 identity.
 *
 * @throws Error when it is not an ID as Keystone creates them: a project's name would match nobody, silently
 */
export function keystonePrincipal(projectId: string): string {
  if (!/^[0-9a-f]{32}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(projectId)) {
    throw new Error(
      `"${projectId}" is not the ID of an OpenStack project: take it from "openstack project list"`,
    );
  }
  return `arn:aws:iam::${projectId}:root`;
}

function allow(
  sid: string,
  principal: { readonly AWS: string | readonly string[] },
  action: string | readonly string[],
  resource: string | readonly string[],
): Statement {
  return { Sid: sid, Effect: "Allow", Principal: principal, Action: action, Resource: resource };
}

function render(statements: readonly Statement[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements }, null, 2);
}
