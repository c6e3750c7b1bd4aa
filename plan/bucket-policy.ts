/** Who may do what in the bucket, as the text of an S3 bucket policy. */

/** Arguments of {@link bucketPolicies}. Principals are ARNs as the S3 service spells them. */
export interface BucketPolicyArgs {
  /** Name of the bucket; no statement reaches beyond it. */
  readonly bucket: string;
  /**
   * The bucket's owner. Objects belong to the identity that put them, so the owner can read what the writer
   * put only if it is named here. Default: the owner is not named and cannot read the backups; it still
   * administers the bucket. Means nothing without a writer.
   */
  readonly owner?: string;
  /** The identity whose credentials the proxy uses. Default: the owner itself, which the policy then binds. */
  readonly writer?: string;
  /** The identity that retention uses. Default: none. Needs a separate writer. */
  readonly keeper?: string;
}

/** One way to write the policy of a bucket. */
export interface PolicyForm {
  /** What tells this form from the others, in words. */
  readonly name: string;
  /** JSON text. */
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

/** What destroys data or the policy, besides DeleteObject: the rest of the five actions every form denies. */
const DESTROY = [
  "s3:DeleteBucket",
  "s3:DeleteBucketPolicy",
  "s3:DeleteBucketWebsite",
  "s3:DeleteObjectVersion",
];

/** What prepares a destruction, or opens the bucket to others, as every S3 service with policies calls it. */
const TAMPER = [
  "s3:PutBucketPolicy",
  "s3:PutLifecycleConfiguration",
  "s3:PutBucketVersioning",
  "s3:PutBucketObjectLockConfiguration",
  "s3:PutReplicationConfiguration",
  "s3:BypassGovernanceRetention",
  "s3:PutObjectRetention",
  "s3:PutObjectLegalHold",
  "s3:PutBucketAcl",
  "s3:PutObjectAcl",
];

/** More of that kind, which some services do not know and then refuse the whole policy. No form allows it. */
const TAMPER_MORE = [
  // Whoever may put it may remove it too: S3 has no other action for that.
  "s3:PutBucketPublicAccessBlock",
  "s3:PutObjectVersionAcl",
  "s3:PutBucketCORS",
  "s3:PutBucketWebsite",
  "s3:PutBucketNotification",
  "s3:PutBucketLogging",
  "s3:PutBucketRequestPayment",
  "s3:PutBucketTagging",
  "s3:PutObjectTagging",
  "s3:PutObjectVersionTagging",
  "s3:DeleteObjectTagging",
  "s3:DeleteObjectVersionTagging",
];

/** What a restic repository is made of, besides its locks. */
const REPOSITORY_PARTS = ["data/*", "index/*", "keys/*", "snapshots/*", "config"];

/**
 * The policy of the bucket in all its forms, the strongest first. S3 services differ in what they understand and
 * in what they enforce, so the update puts them in this order and keeps the first that is seen to hold.
 *
 * With a separate writer: the writer lists, reads and adds, and removes restic's lock objects alone; the keeper
 * also removes objects, which versioning keeps; both are denied everything that destroys for good or changes
 * the bucket; the owner keeps every right. Without one, everybody (the owner too) is denied the destroying
 * actions, lock objects excepted: that stops a client and a careless hand, but whoever holds the owner's
 * credentials can put another policy.
 *
 * The forms differ in two things. Deletion is denied everywhere but on locks (`NotResource`), or, for services that
 * ignore or refuse that, on each other part of a repository. And the explicit denials name every tampering action,
 * or only those that each service knows; with a separate writer the rest is then denied by not being allowed.
 *
 * What no policy reaches: Ceph RGW offers the same objects through the Swift API to whoever has a Keystone token
 * of the writer's project, and there lets an object's own creator set a time at which it is removed, versions,
 * object lock and all. So no host may hold a Keystone password or token.
 *
 * @throws Error when two of the identities are one, or a keeper comes without a separate writer: such a policy
 * would lock out the owner or the keeper.
 */
export function bucketPolicies(args: BucketPolicyArgs): readonly [PolicyForm, ...PolicyForm[]] {
  const { owner, writer, keeper } = args;
  const arn = `arn:aws:s3:::${args.bucket}`;
  const everythingButLocks = { NotResource: `${arn}/${LOCKS}` };
  const eachPart = { Resource: REPOSITORY_PARTS.map((part) => `${arn}/*/*/${part}`) };

  if (writer === undefined) {
    if (keeper !== undefined) {
      throw new Error(
        "bucket policy: a keeper needs a writer apart from the owner; a policy that binds the owner binds the keeper too",
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
  const all = [...DESTROY, ...TAMPER, ...TAMPER_MORE];
  const common = [...DESTROY, ...TAMPER];
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

/** The strongest form of the policy; see {@link bucketPolicies}. */
export function bucketPolicy(args: BucketPolicyArgs): string {
  return bucketPolicies(args)[0].policy;
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
      Action: DESTROY,
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
  const hosts = keeper === undefined ? { AWS: writer } : { AWS: [writer, keeper] };
  return render([
    ...(owner === undefined ? [] : [allow("OwnerKeepsControl", { AWS: owner }, "s3:*", [bucket, objects])]),
    // Without List and Get a HEAD answers 403 instead of 404 or 200, and rclone's append-only then overwrites.
    allow("HostsList", hosts, ["s3:ListBucket", "s3:GetBucketLocation"], bucket),
    allow(
      "HostsReadAndAdd",
      hosts,
      ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
      objects,
    ),
    allow("WriterUnlocks", { AWS: writer }, "s3:DeleteObject", `${bucket}/${LOCKS}`),
    ...(keeper === undefined ? [] : [allow("KeeperRemoves", { AWS: keeper }, "s3:DeleteObject", objects)]),
    {
      Sid: "WriterNeverDeletes",
      Effect: "Deny",
      Principal: { AWS: writer },
      Action: "s3:DeleteObject",
      ...undeletable,
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
 * The principal of an OpenStack project in a policy of Ceph RGW, for which the project is the S3 identity.
 *
 * @throws Error when the project's ID holds characters that Keystone never gives out: a name in its place
 * would match nobody, silently.
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
