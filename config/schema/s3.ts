import { z } from "zod";
import { endpointProblem } from "../values/endpoints";
import {
  accessKeyIdProblem,
  bucketProblem,
  principalProblem,
  projectIdProblem,
  regionProblem,
  secretAccessKeyProblem,
} from "../values/s3";
import { missingOrWrong, text, secret, flag, within, mapping, oneOf } from "./fields";

/** The S3 service and what the stack does there. */
export interface S3Config {
  /**
   * The service: a URL without a path (`http://172.24.4.1:7480`), or `host` or `host:port` for https; not the address of
   * the bucket (`https://BUCKET.s3.example.com`), for buckets are found by their path. Required.
   */
  endpoint: string;
  /** The region's name as the service knows it, such as `eu-central-1`. Required. */
  region: string;
  /** The bucket that holds all repositories: created if it does not exist, never deleted with data in it. Required. */
  bucket: string;
  /**
   * Whether the bucket keeps old versions of objects (where the service can).
   * @default true
   */
  versioning: boolean;
  /**
   * For how many days an object that was overwritten or removed can still be brought back; then its old versions
   * are removed. A whole number from 1 to 3650.
   * @default 30; not with `versioning: false`
   */
  noncurrentVersionDays: number;
  /**
   * Keeps each version from being deleted, by anybody, for a time. Needs `versioning`.
   * @default none
   */
  objectLock?: ObjectLockConfig;
  /**
   * Whether the stack may be destroyed with its root key though the bucket holds backups, which then nobody can
   * read without a copy of the key. It deletes nothing by itself.
   * @default false
   */
  givenUp: boolean;
  /** Who does what in the bucket. Required. */
  identities: {
    /** Owns the bucket and sets its policy; its credentials are on no host. Required. */
    owner: S3Identity;
    /**
     * Used by the proxy. Must differ from the owner.
     * @default the owner; a compromised proxy can then lift the policy
     */
    writer?: S3Identity;
    /**
     * Used by the keeper. Must differ from both.
     * @default none, and retention is off
     */
    keeper?: S3Identity;
  };
}

/**
 * The retention that every new version gets. Only a bucket that was created with object lock can have one. It holds where
 * the policy was lifted, but not against an expiry set through Ceph RGW's Swift API. Its price, as measured on Ceph
 * RGW 16: an attacker on the proxy can lock added objects for any time, and the owner cannot undo that.
 */
export interface ObjectLockConfig {
  /**
   * `GOVERNANCE`: the owner may delete a version before its time, on purpose. `COMPLIANCE`: nobody may, and nobody can
   * shorten it: whatever is written stays and is paid for until then. Required.
   */
  mode: "GOVERNANCE" | "COMPLIANCE";
  /** For how many days after it was written, a whole number from 1 to 3650. Required. */
  days: number;
}

/** An S3 identity: an OpenStack project in which the stack creates EC2 credentials, or credentials from elsewhere. */
export type S3Identity = ProjectIdentity | KeyIdentity;

/** The stack creates EC2 credentials in this OpenStack project. */
export interface ProjectIdentity {
  /** ID of the project: 32 lower-case hexadecimal digits. Required. */
  projectId: string;
}

/** An access key of the S3 service. */
export interface S3Credentials {
  /** Access key ID: printable ASCII without space, comma, slash and equals sign. Required. */
  readonly accessKeyId: string;
  /** Secret. The secret access key. Required. */
  readonly secretAccessKey: string;
}

/** Credentials from elsewhere. */
export interface KeyIdentity extends S3Credentials {
  /**
   * Who this is in a bucket policy: an ARN such as `arn:aws:iam::PROJECT_ID:root`. Required for writer and keeper.
   * For the owner needed where objects belong to the identity that wrote them (Ceph RGW), so that it can read and
   * repair backups.
   * @default the policy does not name the owner
   */
  principal?: string;
}

const projectIdentity = mapping(
  { projectId: text("give the ID of an OpenStack project", projectIdProblem) },
  "give the projectId of an OpenStack project, or accessKeyId and secretAccessKey",
);
const keyIdentity = mapping(
  {
    accessKeyId: text("give the access key ID", accessKeyIdProblem),
    secretAccessKey: secret("give the secret access key", secretAccessKeyProblem),
    principal: text(
      'give the ARN of this identity, for example "arn:aws:iam::PROJECT_ID:root"',
      principalProblem,
    ).optional(),
  },
  "give accessKeyId and secretAccessKey",
  {
    projectId:
      "makes the stack create credentials and excludes given ones; leave out either it or accessKeyId, secretAccessKey and principal",
  },
);
const identity = oneOf<z.output<typeof projectIdentity | typeof keyIdentity>>((raw) =>
  Object.keys(keyIdentity.shape).some((key) => key in raw) ? keyIdentity : projectIdentity,
);

const MOST_DAYS = 3650;
const days = () =>
  within("a number of days", 1, MOST_DAYS, `write a whole number from 1 to ${MOST_DAYS} without quotes`);

const lockMode = z.enum(["GOVERNANCE", "COMPLIANCE"], {
  error: ({ input }) => missingOrWrong(input, "a mode", "write GOVERNANCE or COMPLIANCE"),
});

export const s3 = mapping(
  {
    endpoint: text('give the S3 service, for example "https://s3.example.com"', endpointProblem),
    region: text('give the region as the S3 service calls it, for example "eu-central-1"', regionProblem),
    bucket: text("give the name of the bucket for all repositories", bucketProblem),
    versioning: flag().default(true),
    noncurrentVersionDays: days().default(30),
    objectLock: mapping({ mode: lockMode, days: days() }, "give mode and days, or leave it out").optional(),
    givenUp: flag().default(false),
    identities: mapping(
      { owner: identity, writer: identity.optional(), keeper: identity.optional() },
      "give at least the identity owner",
    ),
  },
  "give endpoint, region, bucket and identities",
);
